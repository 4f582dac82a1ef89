"""Processes that are killed in the middle of what they do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import kills
from credhelper import resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn
from tests import sandbox
from tests.endurance.storm import bare_environment, helper, starts
from tests.machine import Machine
from tests.support import Processes
from tests.waiting import wait_until

FETCH = "GetRoleCredentials"
# `python -m benchmarks.kills` makes 500; these fit into CI's time.
KILLS = 80
ROUNDS = 2


@pytest.mark.timeout(900)
def test_no_kill_breaks_the_token_file_or_the_next_call() -> None:
    # The calls may take their time here: how long they take is the machine's business, and the benchmark's.
    fixed, rotating = kills.run(KILLS, worlds=2, seed=1, patient=True).values()
    assert fixed.wrong + rotating.wrong == []
    assert fixed.late + rotating.late == 0
    assert fixed.kills.total() == rotating.kills.total() == KILLS // 2
    assert fixed.lost.total() == 0, "without rotation no session is ever lost"
    assert not rotating.lost.keys() & {kills.BEFORE, kills.WRITTEN}
    # The kills did fall in the middle of renewals.
    places = {place for place, count in (fixed.kills + rotating.kills).items() if count}
    assert {kills.BEFORE, kills.ASKED, kills.WRITTEN} <= places
    assert places & {kills.ANSWERED, kills.WRITING}


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A machine with one session, logged in, and the helper installed; no daemon yet."""
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    resources.install_helper(paths)
    return machine


def call(machine: Machine, processes: Processes) -> subprocess.Popen[str]:
    """A helper call, in a process group of its own as a terminal's foreground job is."""
    return processes.start(helper(machine), env=bare_environment(machine), stdout=-1, stderr=-1, text=True)


def key_of(process: subprocess.Popen[str]) -> str:
    output, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, "")
    return str(json.loads(output)["AccessKeyId"])


def start_lock_held(machine: Machine) -> bool:
    try:
        fd = os.open(machine.paths.state / "start.lock", os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        os.lockf(fd, os.F_TEST, 0)
    except PermissionError:
        return True
    else:
        return False
    finally:
        os.close(fd)


class SlowStart:
    """Holds up every daemon that the helper starts, before its first step, until it is let go."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._begun, self._gate = folder / "begun", folder / "gate"
        wrapper = folder / "slowly"
        wrapper.write_text(
            f'#!/bin/sh\n: >"{self._begun}"\nuntil [ -e "{self._gate}" ]; do sleep 0.01; done\n'
            f'exec "{sys.executable}" "$@"\n'
        )
        wrapper.chmod(0o700)
        launcher = machine.paths.helper
        before = launcher.read_text()
        launcher.write_text(before.replace(f"[{sys.executable!r}, ", f"[{str(wrapper)!r}, "))
        assert launcher.read_text() != before

    def hold(self) -> None:
        """From now on."""
        self._begun.unlink(missing_ok=True)
        self._gate.unlink(missing_ok=True)

    def wait(self) -> None:
        """Until one has begun."""
        wait_until(self._begun.exists, what="the start to begin")

    def let_go(self) -> None:
        """All that are held, and all that come."""
        self._gate.touch()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_whoever_starts_the_daemon_is_killed(
    machine: Machine, processes: Processes, number: signal.Signals, tmp_path: Path
) -> None:
    """The daemon that it has begun to start comes up, another may too: the next call is served, by the only one."""
    machine.let_the_helper_wait()
    slow = SlowStart(machine, tmp_path)
    for _ in range(ROUNDS):
        slow.hold()
        first = call(machine, processes)
        slow.wait()
        assert start_lock_held(machine)
        os.killpg(first.pid, number)
        output, error = first.communicate(timeout=30)
        assert (output, error) == ("", "")
        assert first.returncode == (-number if number == signal.SIGKILL else 130)
        waiting = call(machine, processes)
        wait_until(lambda: start_lock_held(machine), what="the next one to start it")
        slow.let_go()
        key_of(waiting)
        wait_until(lambda: len(sandbox._daemons(machine.paths.home)) == 1, what="the second one to find the first")
        assert not start_lock_held(machine)
        assert sandbox.end_daemon(machine.paths) == []
    assert starts(machine) == ROUNDS


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_caller_that_goes_while_it_waits_takes_nothing_with_it(
    machine: Machine, daemon: Agent, processes: Processes, number: signal.Signals
) -> None:
    with machine.standin.fault(FETCH, Fault.hold()) as held:
        callers = [call(machine, processes) for _ in range(6)]
        machine.standin.wait_for(FETCH, done=None)
        for gone in callers[:3]:
            os.killpg(gone.pid, number)
            output, error = gone.communicate(timeout=30)
            assert (output, error) == ("", "")
            assert gone.returncode == (-number if number == signal.SIGKILL else 130)
        held.remove()
        assert len({key_of(stayed) for stayed in callers[3:]}) == 1
    assert len(machine.standin.calls(FETCH)) == 1
    assert json.loads(daemon.call("ping"))["counters"]["credentials"] == 1
