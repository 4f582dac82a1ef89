"""Hundreds of callers at the same moment."""

from __future__ import annotations

import json
import resource
from collections import Counter
from pathlib import Path

import psutil
import pytest

from credhelper import resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn, write_browser_script
from tests import sandbox
from tests.endurance.storm import Storm, at_once, bare_environment, credentials, helper, starts
from tests.machine import Machine

FETCH, RENEW = "GetRoleCredentials", "CreateToken"
CALLERS = 300
WITHIN = 5.0  # the portable contract of a helper


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A machine with one session, logged in, and the helper installed; no daemon yet."""
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    resources.install_helper(paths)
    return machine


def test_300_at_once_on_a_cold_role_are_one_call(machine: Machine, daemon: Agent) -> None:
    machine.let_the_helper_wait()  # how long it takes them is what `python -m benchmarks` measures
    answers = at_once([helper(machine)] * CALLERS, bare_environment(machine))
    keys = Counter(credentials(answer)["AccessKeyId"] for answer in answers)
    assert list(keys.values()) == [CALLERS]
    assert len(machine.standin.calls(FETCH)) == 1


def test_300_at_once_under_a_limit_of_1024_descriptors(machine: Machine) -> None:
    machine.let_the_helper_wait()
    environ = bare_environment(machine)
    (first,) = at_once([helper(machine, role="AWSReadOnlyAccess")], environ, limit=1024)
    credentials(first)
    pid = json.loads(Agent(machine.paths).call("ping"))["pid"]
    assert psutil.Process(pid).rlimit(resource.RLIMIT_NOFILE) == (1024, 1024), "the daemon is under it too"
    answers = at_once([helper(machine)] * CALLERS, environ, limit=1024)
    assert len({credentials(answer)["AccessKeyId"] for answer in answers}) == 1
    assert len(machine.standin.calls(FETCH)) == 2
    assert "resource" not in machine.paths.log.read_text()


def test_300_at_once_with_the_daemon_absent_start_one(machine: Machine) -> None:
    machine.let_the_helper_wait()
    answers = at_once([helper(machine)] * CALLERS, bare_environment(machine))
    keys = {credentials(answer)["AccessKeyId"] for answer in answers}
    assert "DEADLINE = 60.0" in (machine.paths.data / "lib" / "credhelper_client.py").read_text(), "it was undone"
    assert starts(machine) == 1
    assert len(sandbox._daemons(machine.paths.home)) == 1
    # Whoever was served without the daemon would show as a call of his own.
    assert len(machine.standin.calls(FETCH)) == len(keys) == 1


def test_100_at_once_when_the_daemon_is_killed_among_them(machine: Machine, daemon: Agent) -> None:
    """Those whose request was in its hands ask again, and one of them starts the next daemon."""
    machine.let_the_helper_wait()
    old = psutil.Process(json.loads(daemon.call("ping"))["pid"])
    with (
        machine.standin.fault(FETCH, Fault.hold()) as held,
        Storm([helper(machine)] * 100, bare_environment(machine)) as storm,
    ):
        storm.release()
        machine.standin.wait_for(FETCH, done=None)
        old.kill()
        held.remove()
        answers = storm.answers()
    for answer in answers:
        credentials(answer)
    assert starts(machine) == 2
    assert len(sandbox._daemons(machine.paths.home)) == 1


def test_100_at_once_on_an_expired_session_fail_alike(machine: Machine, daemon: Agent, tmp_path: Path) -> None:
    machine.log_in(expiresAt="2020-01-01T00:00:00Z")
    daemon.call("reload")
    machine.standin.revoke_sessions()
    browser = write_browser_script(tmp_path / "browser")
    environ = {**bare_environment(machine), "BROWSER": str(browser.path)}
    answers = at_once([helper(machine)] * 100, environ)
    assert {(answer.status, answer.output, answer.error) for answer in answers} == {
        (3, "", "credhelper: session corp: AWS has ended the session. Run: credhelper login corp\n")
    }
    assert max(answer.seconds for answer in answers) < WITHIN
    # One refusal is believed by all; and nobody begins a login.
    assert [call.error_code for call in machine.standin.calls(RENEW)] == ["InvalidGrantException"]
    assert {call.operation for call in machine.standin.calls()} == {RENEW}
    assert browser.opened() == []
