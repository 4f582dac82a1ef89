"""What a person sees while accounts are listed."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from credhelper.agent import Agent
from credhelper.cli.discovery import Progress
from credhelper.cli.walking import _Lines
from credhelper.standin import Fault
from tests.cli.terminal import COMMAND, environment
from tests.cli.terminal import Terminal as Person
from tests.shells.terminal import Terminal

LAST = "100000000003"
DISCOVER = [*COMMAND, "profiles", "discover", "corp", "--dry-run"]


@pytest.fixture
def person(terminal: Person) -> Person:
    """Logged in where the daemon finds the stand-in."""
    url = terminal.standin.url
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')
    terminal.seed()
    return terminal


@pytest.mark.parametrize("columns", [100, 40])
def test_bar_at_a_terminal(person: Person, tmp_path: Path, columns: int) -> None:
    placed = person.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=LAST)
    environ = {**environment(), "TERM": "xterm-256color", "COLUMNS": "90"}  # exported by another window's shell
    with Terminal(DISCOVER, environ, tmp_path, lines=150, columns=columns) as seen:
        drawn = seen.wait_for("2/3")
        line = next(line for line in drawn.splitlines() if "2/3" in line)
        assert ("Accounts of corp" if columns >= 60 else "Accounts") in line
        placed.remove()
        assert seen.wait() == 0
        shown = seen.screen()
        assert "Accounts of corp: 3 with 6 roles of yours." in shown.replace("\n", "")
        assert "2/3" not in shown  # the bar has gone


def test_ctrl_c_leaves_the_terminal_as_it_was(person: Person, tmp_path: Path) -> None:
    placed = person.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=LAST)
    environ = {**environment(), "TERM": "xterm-256color"}
    with Terminal(DISCOVER, environ, tmp_path, lines=24, columns=100) as seen:
        seen.wait_for("2/3")
        seen.interrupt()
        assert seen.wait() == 130
        raw = seen.raw()
    placed.remove()
    assert raw.rfind(b"\x1b[?25h") > raw.rfind(b"\x1b[?25l") >= 0  # the cursor is shown again
    assert b"Traceback" not in raw


@pytest.mark.parametrize("dumb", [False, True])
def test_lines_where_there_is_no_terminal(person: Person, daemon: Agent, tmp_path: Path, *, dumb: bool) -> None:
    assert daemon.running()
    if dumb:
        with Terminal(DISCOVER, {**environment(), "TERM": "dumb"}, tmp_path, lines=24, columns=100) as seen:
            assert seen.wait() == 0
            raw = seen.raw().decode()
    else:
        raw = person.call(*DISCOVER[len(COMMAND) :]).err
    assert "Accounts of corp: 3 with 6 roles of yours." in raw
    assert "\x1b[?25l" not in raw
    assert not re.search(r"\d/3", raw)


def test_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    lines = _Lines("Accounts of corp")
    for moment, progress in (
        (100.1, Progress(None, 0)),
        (111.0, Progress(None, 7)),  # of how many nobody knows yet
        (112.0, Progress(2000, 1100)),
        (112.2, Progress(2000, 1104)),
        (121.9, Progress(2000, 1277)),
        (122.0, Progress(2000, 1279)),
    ):
        now = moment
        lines(progress)
    assert capsys.readouterr().err.splitlines() == [
        "Accounts of corp: 1,100 of 2,000 listed",
        "Accounts of corp: 1,279 of 2,000 listed",
    ]
