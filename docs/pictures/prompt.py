"""The picture of the prompt: bash with the hook, in a world like the demo's, with the real AWS CLI."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from credhelper import board, files
from credhelper.aws.tokens import TokenCache
from credhelper.dates import format_date
from credhelper.demo.schedule import Schedule
from credhelper.demo.world import World
from docs.pictures.terminal import Terminal
from tests.parts import aws_cli

# The prompt shows the hook's segment and nothing else.
RC = "PS1='${CREDHELPER_SEGMENT:+$CREDHELPER_SEGMENT }$ '\n"
# The picture's; the terminal is wider, so that the login's address is one line, which the picture's edge cuts.
_COLUMNS = 96
# In which a session that AWS bounds is seen to end.
_CAP = 8 * 3600
_CLIENT = "https://client.awsapps.com/start"


def prompt(environ: Mapping[str, str]) -> str:
    """A profile is chosen, a session's end is seen to come, and a login begins just in time."""
    hour = Schedule(token_lifetime=3600.0, role_lifetime=3600.0, warn_before=(900.0, 300.0, 0.0))
    with World(hour, environ) as world:
        _log_in(world)
        with Terminal(_shell(world, environ), _environment(world, environ), columns=400, lines=30) as terminal:
            screen = _Screen(terminal)
            screen.run("credhelper use corp-dev", "corp-dev 7h59m $")
            screen.run("credhelper use client-prod", "client-prod 12m $")
            screen.run("credhelper use -", "corp-dev 7h59m $")
            _end(world)
            screen.run("aws sts get-caller-identity --query Account", "corp-dev 7h59m $")
            return terminal.svg("prompt", "bash, with credhelper's hook", columns=_COLUMNS)


class _Screen:
    """Lines typed one after the other."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lines = 0
        terminal.wait(lambda text: text.endswith("$"), 30.0, "the prompt")

    def run(self, line: str, prompt: str) -> None:
        """Type a line and wait for the prompt that it leads to."""
        before = self._terminal.text()
        self._terminal.type(line)
        self._terminal.wait(
            lambda text: len(text) > len(before) + len(line) and text.endswith(f"\n{prompt}"), 60.0, f"`{prompt}`"
        )


def _log_in(world: World) -> None:
    """Corp as people log in today, client as they did years ago: its token has no refresh token, and soon ends."""
    settings = world.paths.settings
    settings.parent.mkdir(parents=True, exist_ok=True)
    text = settings.read_text() if settings.exists() else ""
    settings.write_text(f"{text}\n[sessions.corp]\nsession_cap = {_CAP}\n")
    for words in (("enable", "--all", "--yes"), ("login", "corp"), ("hook", "bash", "--install", "--yes")):
        code, output = world.begin(*words).result()
        if code:
            raise RuntimeError(f"credhelper {' '.join(words)}: {output}")
    token = world.standin.seed_session(_CLIENT, "eu-west-1", scopes=())
    path = TokenCache(world.paths.token_cache, world.paths.locks).path(_CLIENT)
    files.replace(path, json.dumps({**token, "expiresAt": format_date(time.time() + 12.9 * 60)}).encode())
    _until(world, "client-prod", "soon")
    _until(world, "corp-dev", "no")


def _end(world: World) -> None:
    """AWS ends the session corp, and its token runs out."""
    world.standin.end_sessions()
    path = TokenCache(world.paths.token_cache, world.paths.locks).path("corp")
    files.replace(path, json.dumps({**json.loads(path.read_text()), "expiresAt": format_date(1e9)}).encode())
    _until(world, "corp-dev", "yes")


def _until(world: World, profile: str, login: str) -> None:
    world.agent.call("reload")

    def there() -> bool:
        entry = board.entry_of_profile(world.paths, profile, {})
        return entry is not None and entry.login == login

    _wait(there, f"the board to say {login} of {profile}")


def _wait(there: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited 30 s for {what}")
        time.sleep(0.05)


def _shell(world: World, environ: Mapping[str, str]) -> list[str]:
    rc = world.home / ".bashrc"
    rc.write_text(rc.read_text() + RC)
    return [shutil.which("bash", path=environ["PATH"]) or "bash", "--noprofile", "--rcfile", str(rc), "-i"]


def _environment(world: World, environ: Mapping[str, str]) -> dict[str, str]:
    """The world's, with a terminal and with the programs that are typed."""
    programs = world.home / "programs"
    programs.mkdir()
    (programs / "aws").symlink_to(aws_cli.obtain())
    (programs / "credhelper").symlink_to(Path(sys.executable).with_name("credhelper"))
    return {
        **{name: value for name, value in world.environment.items() if name != "NO_COLOR"},
        "PATH": f"{programs}:{environ['PATH']}",
        "TERM": environ["TERM"],
        "AWS_PAGER": "",
        "HISTFILE": "",
    }
