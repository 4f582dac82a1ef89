"""Commands run as from a terminal, in this process and in their own, with a stand-in for AWS."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from credhelper.aws.tokens import TokenCache
from credhelper.cli import main
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, BrowserScript, StandIn, write_browser_script

ACCOUNT, ROLE = "100000000001", "AWSReadOnlyAccess"
CONFIG = f"""\
[sso-session corp]
sso_start_url = {DEFAULT_START_URL}
sso_region = {DEFAULT_REGION}
sso_registration_scopes = sso:account:access

[profile dev]
sso_session = corp
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
region = eu-west-1
"""

OTHER_SESSION = """
[sso-session other]
sso_start_url = https://other.awsapps.com/start
sso_region = eu-west-1
"""

KEYS = """
[profile keys]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = made-up
"""

CHAINED = """
[profile chained]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = dev
"""

LOST = """
[profile lost]
sso_session = gone
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
"""


# For tests that take display and $BROWSER away so that no page can be opened.
without_display = pytest.mark.skipif(sys.platform == "darwin", reason="other OS: a Mac always has a display")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


@dataclass
class Terminal:
    """A person's shell: home, environment, browser, and AWS behind it."""

    standin: StandIn
    paths: Paths
    browser: BrowserScript
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    session = Session("corp", DEFAULT_START_URL, DEFAULT_REGION)

    @classmethod
    def open(
        cls, standin: StandIn, paths: Paths, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> Terminal:
        paths.aws.mkdir()
        (paths.aws / "config").write_text(CONFIG)
        browser = write_browser_script(paths.home / "browser")
        for name, value in {**standin.environment, "BROWSER": str(browser.path)}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdin", io.StringIO())
        return cls(standin, paths, browser, patch, capture)

    @property
    def config(self) -> Path:
        return self.paths.aws / "config"

    @property
    def cache(self) -> TokenCache:
        return TokenCache(self.paths.token_cache, self.paths.locks)

    def add(self, text: str) -> Terminal:
        """Write this too into the config."""
        with self.config.open("a") as file:
            file.write(text)
        return self

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        self.capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        out, err = self.capture.readouterr()
        assert isinstance(end.value.code, int)
        assert end.value.code != 70, err
        return Result(end.value.code, out, err)

    def call(self, *arguments: str) -> Result:
        """Run a command in a process of its own: botocore finds the token cache's folder when it is imported."""
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode != 70, done.stderr
        assert "Traceback" not in done.stderr
        return Result(done.returncode, done.stdout, done.stderr)

    def seed(self, key: str = "corp", **changes: str) -> dict[str, str]:
        """Be logged in, as another client leaves it; `changes` to the fields of the token file."""
        fields = {**self.standin.seed_session(), **changes}
        self.paths.token_cache.mkdir(parents=True, exist_ok=True)
        self.cache.path(key).write_text(json.dumps(fields))
        return fields


def environment() -> dict[str, str]:
    """For child processes: warnings are errors there too."""
    return {**os.environ, "PYTHONWARNINGS": "error", "PYTHONPATH": str(Path(__file__).parents[2])}


COMMAND = [sys.executable, "-m", "credhelper"]


def spawn(*arguments: str, columns: int = 100, rows: int = 40, **changes: str) -> pexpect.spawn[str]:
    """A command at a terminal of this size; `changes` to its environment."""
    return pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], *arguments],
        env={**environment(), "TERM": "xterm-256color", **changes},
        encoding="utf-8",
        dimensions=(rows, columns),
        timeout=20,
    )


def page_of(login: subprocess.Popen[str]) -> str:
    """The address that a login shows on its stdout."""
    assert login.stdout is not None
    for line in login.stdout:
        if line.startswith("  http"):
            return line.strip()
    raise AssertionError("no address was shown")


def spawn_for_hook(stdout: Path, *arguments: str, **changes: str) -> pexpect.spawn[str]:
    """A command at a terminal as a shell hook runs it: stdin and stderr are the terminal, stdout goes elsewhere."""
    line = f"exec {shlex.join([*COMMAND, *arguments])} >{shlex.quote(str(stdout))}"
    return pexpect.spawn(
        "/bin/sh",
        ["-c", line],
        env={**environment(), "TERM": "xterm-256color", **changes},
        encoding="utf-8",
        dimensions=(40, 120),
        timeout=20,
    )


def role_credentials(terminal: Terminal, account: str = ACCOUNT) -> dict[str, str | int]:
    """What the stand-in gives for the role of `dev` in this account, whose session is then logged in."""
    token = terminal.seed()["accessToken"]
    url = f"{terminal.standin.url}/federation/credentials?account_id={account}&role_name={ROLE}"
    request = urllib.request.Request(url, headers={"x-amz-sso_bearer_token": token})  # noqa: S310 - on this machine
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request) as answer:
        found: dict[str, str | int] = json.load(answer)["roleCredentials"]
    return found
