"""A machine that wakes: everybody finds the token past its date at the same moment, and each wants to renew it.

The AWS CLI and boto3 use the session themselves here, by a profile that is not managed. They take no lock, they do
not look at the file again when AWS refuses, and with refresh-token rotation one of all wins. What counts is that the
session survives, whoever that is.
"""

from __future__ import annotations

import calendar
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from credhelper import resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import Call, Fault
from tests.endurance.storm import Answer, Storm, at_once, bare_environment, credentials, helper
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import MakeStandIn
from tests.waiting import wait_until

RENEW, REFRESH = "CreateToken", "refresh_token"
LIFETIME = 4.0
PROGRAM = Path(__file__).parents[1] / "e2e" / "identity_program.py"


class Sleeper:
    """A machine whose daemon stands still, as all programs do while it is suspended, until its token is over."""

    def __init__(self, machine: Machine, aws_cli: str) -> None:
        self.machine = machine
        self.standin = machine.standin
        self.agent = Agent(machine.paths)
        self.environ = {**os.environ, **machine.standin.environment, "AWS_MAX_ATTEMPTS": "1"}
        self._commands = {
            "aws": [aws_cli, "sts", "get-caller-identity", "--profile", "direct"],
            "boto3": [sys.executable, str(PROGRAM), "direct", "1"],
        }
        self._daemon = psutil.Process(json.loads(self.agent.call("ping"))["pid"])

    def sleep(self) -> dict[str, str]:
        """Returns the token with which it went to sleep, which is over when it wakes."""
        self._daemon.send_signal(signal.SIGSTOP)
        token = self.machine.token()
        wait_until(lambda: time.time() > self._ends(token), what="the token to end")
        self.standin.configure(token_lifetime=3600)
        self.standin.clear_calls()
        return token

    @staticmethod
    def _ends(token: dict[str, str]) -> float:
        return calendar.timegm(time.strptime(token["expiresAt"], "%Y-%m-%dT%H:%M:%SZ")) + 1.0

    def wake_daemon(self) -> None:
        self._daemon.send_signal(signal.SIGCONT)

    def others(self, *names: str) -> Storm:
        """The AWS CLI (`aws`) and boto3 (`boto3`), not yet released."""
        return Storm([self._commands[name] for name in names], self.environ)

    def renewals(self) -> list[Call]:
        return self.standin.calls(RENEW, detail=REFRESH)

    def check_session_lives(self) -> None:
        """AWS accepts what the file holds, and renews it again; nobody was told to log in."""
        environ = bare_environment(self.machine)
        self.standin.configure(roles=(ROLE, "Second", "Third"))
        (answer,) = at_once([helper(self.machine, role="Second")], environ)
        credentials(answer)
        before = self.machine.token()
        # AWS takes the access token back before its time: the next call needs a renewal.
        self.standin.clear_calls()
        self.standin.expire_access_tokens()
        (answer,) = at_once([helper(self.machine, role="Third")], environ)
        credentials(answer)
        (renewal,) = self.renewals()
        assert (renewal.caller, renewal.error_code) == ("credhelper", None)
        after = self.machine.token()
        assert after["refreshToken"] != before["refreshToken"]
        assert after["accessToken"] != before["accessToken"]
        assert self.agent.status()["sessions"][0]["state"] == "active"
        assert "run: credhelper login" not in self.machine.paths.log.read_text()


@pytest.fixture
def sleeper(paths: Paths, make_standin: MakeStandIn, aws_cli: str) -> Iterator[Sleeper]:
    machine = Machine(paths, make_standin(rotate_refresh_tokens=True, token_lifetime=LIFETIME))
    machine.set_up()
    machine.write_config(
        f"[profile direct]\nsso_session = {machine.session.name}\nsso_account_id = {ACCOUNT}\n"
        f"sso_role_name = {ROLE}\nregion = eu-west-1\n"
    )
    resources.install_helper(paths)
    machine.log_in()
    Agent(paths).start()
    sleeper = Sleeper(machine, aws_cli)
    try:
        yield sleeper
    finally:
        sleeper.wake_daemon()


def statuses(answers: list[Answer]) -> list[bool]:
    return [answer.status == 0 for answer in answers]


def test_all_wake_at_once(sleeper: Sleeper) -> None:
    """Every request has left before the first is answered: one of them wins, whichever."""
    before = sleeper.sleep()
    with (
        sleeper.others(*["aws", "boto3"] * 3) as others,
        sleeper.standin.fault(RENEW, Fault.hold(), detail=REFRESH) as held,
    ):
        others.release()
        sleeper.standin.wait_for(RENEW, 6, detail=REFRESH, done=None, timeout=60)
        sleeper.wake_daemon()
        sleeper.standin.wait_for(RENEW, 7, detail=REFRESH, done=None)
        held.remove()
        answers = others.answers()
    wait_until(lambda: sleeper.machine.token()["accessToken"] != before["accessToken"], what="a renewal")
    won = [call.caller for call in sleeper.renewals() if call.error_code is None]
    assert len(won) == 1, "AWS takes each refresh token once"
    assert sum(statuses(answers)) == (won != ["credhelper"]), "who lost has failed, and does not look again"
    sleeper.check_session_lives()


@pytest.mark.parametrize("name", ["aws", "boto3"])
def test_another_client_has_won_but_not_yet_written(sleeper: Sleeper, name: str) -> None:
    """AWS refuses us while the winner's answer is still on its way: its token is waited for."""
    sleeper.sleep()
    with (
        sleeper.others(name) as others,
        sleeper.standin.fault(RENEW, Fault.hold(after=True), times=1, detail=REFRESH) as held,
    ):
        others.release()
        sleeper.standin.wait_for(RENEW, 1, detail=REFRESH, done=None, timeout=60)
        sleeper.wake_daemon()
        refused = sleeper.standin.wait_for(RENEW, 1, caller="credhelper", detail=REFRESH)
        assert [call.error_code for call in refused] == ["InvalidGrantException"]
        held.remove()
        answers = others.answers()
    assert statuses(answers) == [True], answers[0].error
    assert "not renewed" not in sleeper.machine.paths.log.read_text()
    sleeper.check_session_lives()


def test_we_have_won_but_our_answer_is_late(sleeper: Sleeper) -> None:
    before = sleeper.sleep()
    with (
        sleeper.others("aws", "boto3") as others,
        sleeper.standin.fault(RENEW, Fault.hold(), times=2, detail=REFRESH) as theirs,
        sleeper.standin.fault(RENEW, Fault.hold(after=True), times=1, detail=REFRESH) as ours,
    ):
        others.release()
        sleeper.standin.wait_for(RENEW, 2, detail=REFRESH, done=None, timeout=60)
        sleeper.wake_daemon()
        sleeper.standin.wait_for(RENEW, 1, caller="credhelper", detail=REFRESH, done=None)
        theirs.remove()
        sleeper.standin.wait_for(RENEW, 2, detail=REFRESH)
        assert sleeper.machine.token() == before
        ours.remove()
        assert statuses(others.answers()) == [False] * 2
    wait_until(lambda: sleeper.machine.token()["accessToken"] != before["accessToken"], what="our renewal")
    sleeper.check_session_lives()
