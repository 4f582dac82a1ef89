from __future__ import annotations

import calendar
import time
from typing import Any

import pytest

from credhelper.agent import Agent
from credhelper.aws.records import LoginRecord
from credhelper.aws.survey import seen_from, survey
from credhelper.core.clock import Clock
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.machine import Machine, section


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    machine = Machine(paths, standin)
    machine.set_up()
    return machine


def surveyed(machine: Machine, **environ: str) -> dict[str, Any]:
    return survey(machine.paths, environ, machine.clock)


def the_session(machine: Machine) -> dict[str, Any]:
    (session,) = surveyed(machine)["sessions"]
    assert isinstance(session, dict)
    return session


def moment(date: str) -> int:
    return calendar.timegm(time.strptime(date, "%Y-%m-%dT%H:%M:%SZ"))


def test_nothing_at_all(paths: Paths) -> None:
    assert survey(paths, {}) == {
        "schema": 1,
        "daemon": {"running": False, "pid": None, "version": None, "socket": None},
        "sessions": [],
        "profiles": [],
    }


def test_states_of_a_token_that_renews_itself(machine: Machine) -> None:
    assert the_session(machine)["state"] == "logged_out"
    machine.log_in()
    assert (the_session(machine)["state"], the_session(machine)["refreshable"]) == ("active", True)
    machine.hands.forward(3601)
    session = the_session(machine)
    assert (session["state"], session["next_action"]) == ("renewing", None)
    assert "renewed at the next call" in session["reason"]


def test_the_daemons_view_as_another_environment_sees_it() -> None:
    def session(name: str, url: str, state: str) -> dict[str, Any]:
        return {"name": name, "start_url": url, "state": state}

    def profile(name: str, of: str | None, expires_at: str | None = None) -> dict[str, Any]:
        return {"name": name, "session": of, "account_id": "1", "role_name": "R", "expires_at": expires_at}

    theirs = {
        "schema": 1,
        "daemon": {"running": True},
        "sessions": [session("a", "u", "active"), session("b", "u", "active"), session("c", "u", "offline")],
        "profiles": [profile("p", "a", "soon"), profile("q", "b", "late"), profile("x", "c", "now")],
    }
    ours = {
        "schema": 1,
        "daemon": {"running": False},
        "sessions": [session("c", "u", "expired"), session("a", "other", "expired"), session("d", "u", "expired")],
        "profiles": [profile("mine", "c"), profile("p", "a"), profile("plain", None)],
    }
    assert seen_from(theirs, ours) == {
        "schema": 1,
        "daemon": {"running": True},
        "sessions": [session("c", "u", "offline"), session("a", "other", "expired"), session("d", "u", "expired")],
        "profiles": [profile("mine", "c", "now"), profile("p", "a"), profile("plain", None)],
    }


def test_states_of_a_token_that_does_not(machine: Machine) -> None:
    machine.log_in(refreshToken=None)
    assert (the_session(machine)["state"], the_session(machine)["next_action"]) == ("active", "warn")
    machine.hands.forward(2800)
    assert the_session(machine)["state"] == "expiring"
    machine.hands.forward(801)
    assert the_session(machine)["state"] == "expired"


def test_half_a_token_file(machine: Machine) -> None:
    machine.log_in()
    machine.token_file.write_bytes(machine.token_file.read_bytes()[:60])
    session = the_session(machine)
    assert session["state"] == "logged_out"
    assert "cannot be understood" in session["reason"]


def test_settings_that_are_bad_are_no_obstacle(machine: Machine) -> None:
    machine.log_in()
    machine.paths.settings.write_text("[[[")
    assert the_session(machine)["state"] == "active"


def test_lifetime_of_our_own_login_decides_when_it_is_renewed(machine: Machine) -> None:
    machine.log_in()
    token = machine.cache.read("corp")
    assert token is not None
    assert moment(the_session(machine)["next_action_at"]) == pytest.approx(token.expires_at - 1200, abs=2)
    record = LoginRecord.of(token, machine.standin.endpoints, machine.hands())
    machine.records.write("corp", LoginRecord(record.client, record.endpoints, 0.0, 900.0, token.expires_at))
    assert moment(the_session(machine)["next_action_at"]) == token.expires_at - 300


def test_it_says_what_the_daemon_says(machine: Machine) -> None:
    sessions: dict[str, dict[str, str | None]] = {
        "alive": {},
        "fixed": {"refreshToken": None},
        "other": {"startUrl": "https://d-x.awsapps.com/start"},
        "over": {"expiresAt": "2020-01-01T00:00:00Z", "refreshToken": None},
    }
    made = [Session(name, f"https://d-{name}.awsapps.com/start", "eu-west-1") for name in sessions]
    machine.write_config(
        "".join(section(session) for session in [*made, Session("none", "https://d-n", "eu-west-1")])
    )
    for session in made:
        machine.log_in(session, **sessions[session.name])
    agent = Agent(machine.paths)
    agent.start()
    theirs, ours = agent.status(), survey(machine.paths, {}, Clock())
    assert theirs.pop("daemon")["running"]
    assert not ours.pop("daemon")["running"]
    jitter = [
        moment(one.pop("next_action_at") or "1970-01-01T00:00:00Z")
        - moment(two.pop("next_action_at") or "1970-01-01T00:00:00Z")
        for one, two in zip(ours["sessions"], theirs["sessions"], strict=True)
    ]
    assert theirs == ours
    assert all(0 <= difference <= 121 for difference in jitter)
    assert [session["state"] for session in ours["sessions"]] == [
        "logged_out",
        "active",
        "active",
        "logged_out",
        "expired",
        "logged_out",
    ]
