"""Several logins to one session at once: one page, and the others wait."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from credhelper.agent import Agent
from credhelper.aws.login.turn import turn
from credhelper.standin.browser import visit
from tests.cli.terminal import COMMAND, Terminal, environment, page_of
from tests.support import Processes
from tests.waiting import wait_until


@pytest.mark.usefixtures("daemon")
def test_a_second_login_waits_for_the_first(terminal: Terminal, processes: Processes) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = page_of(first)
    others = [processes.start([*COMMAND, "login"], **options) for _ in range(3)]
    for other in others:
        assert other.stdout is not None
        assert "Another login to corp is under way" in other.stdout.readline()
    visit(page)
    assert first.wait(20) == 0
    for other in others:
        assert other.stdout is not None
        rest = other.stdout.read()
        assert other.wait(20) == 0
        assert "Already logged in to corp" in rest
    assert terminal.browser.opened() == []
    assert len(terminal.standin.calls("CreateToken")) == 1


@pytest.mark.usefixtures("daemon")
def test_waiting_jobs_open_no_pages_when_the_first_login_fails(terminal: Terminal, processes: Processes) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = page_of(first)
    other = processes.start([*COMMAND, "login"], stderr=subprocess.DEVNULL, **options)
    assert other.stdout is not None
    assert "under way" in other.stdout.readline()
    visit(page, deny=True)
    assert first.wait(20) == 1
    assert other.wait(20) == 3
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("deny", [False, True], ids=["logged in", "denied"])
def test_one_page_even_where_the_daemon_ends_while_others_wait(
    terminal: Terminal, processes: Processes, deny: bool
) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = page_of(first)
    others = [processes.start([*COMMAND, "login"], stderr=subprocess.DEVNULL, **options) for _ in range(3)]
    for other in others:
        assert other.stdout is not None
        assert "under way" in other.stdout.readline()
    agent = Agent(terminal.paths)
    os.kill(agent.status()["daemon"]["pid"], signal.SIGKILL)
    wait_until(lambda: not agent.running())
    visit(page, deny=deny)
    assert first.wait(20) == (1 if deny else 0)
    for other in others:
        assert other.wait(20) == (3 if deny else 0)
    assert terminal.browser.opened() == []
    assert len(terminal.standin.calls("CreateToken")) == (0 if deny else 1)


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("logged_in", [True, False])
def test_a_login_without_a_lease_is_waited_for(terminal: Terminal, processes: Processes, logged_in: bool) -> None:
    path = terminal.paths.locks / f"{terminal.cache.path('corp').stem}.login"
    with turn(path, waiting=lambda: pytest.fail("nobody else logs in")) as waited:
        assert not waited
        other = processes.start(
            [*COMMAND, "login"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert other.stderr is not None
        assert "Another login to corp is under way" in other.stdout.readline()
        if logged_in:
            terminal.seed()
    assert other.wait(20) == (0 if logged_in else 3)
    assert ("Already logged in to corp" in other.stdout.read()) is logged_in
    assert ("came to nothing" in other.stderr.read()) is not logged_in
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("daemon")
def test_a_login_that_is_ended_gives_its_lease_back(terminal: Terminal, processes: Processes) -> None:
    process = processes.start(
        [*COMMAND, "login", "--no-browser"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    page_of(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    with Agent(terminal.paths).login_lease("corp") as mine:
        assert mine
    assert not Path(terminal.cache.path("corp")).exists()
