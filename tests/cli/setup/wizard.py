"""A consultant's machine: a home folder with nothing in it, a browser, and an Identity Center that knows them."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from credhelper.paths import Paths
from credhelper.standin import Account, BrowserScript, StandIn
from tests.cli.terminal import COMMAND, Result, environment
from tests.shells.terminal import Terminal

START = "https://d-93670bd35a.awsapps.com/start"
ENTER, TAB, UP, DOWN, CTRL_A, CTRL_U, PAGE_DOWN = "\r", "\t", "\x1b[A", "\x1b[B", "\x01", "\x15", "\x1b[6~"
ROLES = ("AWSAdministratorAccess", "AWSReadOnlyAccess")
NAMES = ("Reply Sandbox", "Client Production", "Client Staging", "Log Archive")


def accounts(count: int) -> dict[str, Account]:
    """The first so many of the organization's accounts."""
    return {
        str(100000000001 + at): Account(
            str(100000000001 + at), name, f"aws+{name.lower().replace(' ', '.')}@example.com", ROLES
        )
        for at, name in enumerate(NAMES[:count])
    }


def list_of(seen: Terminal, title: str, limit: float = 30.0) -> str:
    """Wait until the list with this title is drawn to its last line; the screen."""
    return seen.wait_until(
        lambda screen: f"? {title}" in screen and re.search(r"Enter: (?:go on|take it)$", screen), limit
    )


@dataclass
class Wizard:
    """The machine. What is run has the environment that the test's fixtures made."""

    paths: Paths
    standin: StandIn
    browser: BrowserScript

    @property
    def config(self) -> Path:
        return self.paths.aws / "config"

    @property
    def files(self) -> dict[str, bytes]:
        """What a run of `setup` must leave as it was until its question is answered."""
        found = [self.config, self.paths.helper, *self.paths.home.glob(".bash*")]
        return {str(path): path.read_bytes() for path in found if path.exists()}

    def write_config(self, text: str) -> None:
        self.paths.aws.mkdir(exist_ok=True)
        self.config.write_text(text)

    @contextlib.contextmanager
    def start(self, *arguments: str, lines: int = 24, columns: int = 80, **changes: str) -> Iterator[Terminal]:
        """`credhelper setup` at a terminal."""
        environ = {**environment(), "TERM": "xterm-256color", **changes}
        command = [*COMMAND, "setup", *arguments]
        with Terminal(command, environ, self.paths.home, lines=lines, columns=columns) as seen:
            yield seen

    def call(self, *arguments: str, **changes: str) -> Result:
        """A command without a terminal."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env={**environment(), **changes},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 70, done.stderr
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def listed(self) -> int:
        """How often all accounts were listed so far."""
        return len(self.standin.calls("ListAccounts"))
