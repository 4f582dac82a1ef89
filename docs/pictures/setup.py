"""The picture of the first run: `credhelper setup` in an empty home, up to the list of accounts and roles."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from credhelper.standin import Settings, StandIn, write_browser_script
from credhelper.standin.settings import Account
from docs.pictures.terminal import Terminal

# The picture's; the terminal is wider, so that the login's address is one line, which the picture's edge cuts.
COLUMNS = 96
_START_URL = "https://d-9367000000.awsapps.com/start/#/?tab=accounts"
_ROLES = ("Administrator", "ReadOnly")
_ACCOUNTS = {
    "111122223333": "Contoso data",
    "222233334444": "Northwind dev",
    "333344445555": "Northwind prod",
    "444455556666": "Sandbox",
}


def setup(environ: Mapping[str, str]) -> str:
    """A start URL is pasted as the browser shows it, the login is made, and the accounts and roles are there."""
    with first_run(environ) as terminal:
        return terminal.svg("setup", "credhelper setup", columns=COLUMNS)


@contextmanager
def first_run(environ: Mapping[str, str]) -> Iterator[Terminal]:
    """The terminal at that moment, in a home folder of its own."""
    with tempfile.TemporaryDirectory(prefix="ch-", dir="/tmp") as folder:  # short, for the socket
        home, runtime, programs = (Path(folder) / name for name in ("home", "run", "bin"))
        for each in (home, runtime, programs):
            each.mkdir(mode=0o700)
        (programs / "credhelper").symlink_to(Path(sys.executable).with_name("credhelper"))
        browser = write_browser_script(programs / "browser")
        accounts = {number: Account(number, name, "", _ROLES) for number, name in _ACCOUNTS.items()}
        with StandIn(Settings(accounts=accounts)) as standin:
            inner = {
                **environ,
                **standin.environment,
                "AWS_EC2_METADATA_DISABLED": "true",
                "BROWSER": str(browser.path),
                "HISTFILE": "",
                "HOME": str(home),
                "PATH": f"{programs}:{environ['PATH']}",
                "PS1": "$ ",
                "XDG_RUNTIME_DIR": str(runtime),
            }
            shell = [shutil.which("bash", path=environ["PATH"]) or "bash", "--norc", "--noprofile", "-i"]
            try:
                with Terminal(shell, inner, columns=400, lines=40) as terminal:
                    terminal.wait(lambda text: text.endswith("$"), 30.0, "the prompt")
                    terminal.type("credhelper setup")
                    terminal.wait(lambda text: text.endswith("? Start URL:"), 30.0, "the first question")
                    terminal.press(f"{_START_URL}\r")
                    terminal.wait(lambda text: "go on" in text, 60.0, "the list of accounts and roles")
                    yield terminal
                    terminal.press("\x03")
                    terminal.wait(lambda text: text.endswith("\n$"), 30.0, "the prompt again")
            finally:
                # The daemon that the login has started; it is waited for.
                stop = [str(programs / "credhelper"), "daemon", "stop"]
                subprocess.run(stop, env=inner, check=True, capture_output=True, timeout=60)
