"""For how long: what `whoami` says of the credentials' end and of the session's."""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials

from credhelper.agent import Agent
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import discover
from credhelper.cli.identity import Identity, Keys, _keys
from credhelper.cli.standing import standing_of
from credhelper.cli.whoami import Report
from credhelper.dates import format_date, moment_of
from credhelper.model import Session
from credhelper.terminal import local_time
from tests.cli.terminal import CHAINED, Terminal

ACCOUNT = "100000000001"
NOW = 1_800_000_000.0
SOMEBODY = Identity("dev", ACCOUNT, "Admin", "alice", "arn:aws:sts::1:assumed-role/Admin/alice")


def document(terminal: Terminal, *arguments: str) -> dict[str, Any]:
    result = terminal.call("whoami", "--json", *arguments)
    assert (result.code, result.err) == (0, "")
    found: dict[str, Any] = json.loads(result.out)
    return found


def lines(terminal: Terminal, *arguments: str) -> dict[str, str]:
    result = terminal.call("whoami", *arguments)
    assert (result.code, result.err) == (0, "")
    return {name: value for name, _, value in (line.partition(":") for line in result.out.splitlines())}


def settle(terminal: Terminal, more: str = "") -> None:
    """Let the daemon find the stand-in, also for what another client logged in to."""
    url = terminal.standin.url
    terminal.paths.settings.parent.mkdir(parents=True, exist_ok=True)
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n{more}')


@pytest.mark.parametrize("managed", [True, False])
def test_all_at_a_glance(terminal: Terminal, daemon: Agent, *, managed: bool) -> None:
    settle(terminal)
    terminal.seed()
    if managed:
        assert terminal.run("enable", "dev", "--yes").code == 0
    daemon.call("reload")
    assert lines(terminal, "dev")["account"].strip() == ACCOUNT  # nobody has told its name
    known = discover(Desk.of(terminal.paths, os.environ), terminal.session, lambda _: None)
    name = next(account.name for account in known.accounts if account.account_id == ACCOUNT)
    assert name
    seen = lines(terminal, "dev")
    assert list(seen) == ["profile", "account", "role", "person", "until", "session", "arn"]
    assert seen["account"].strip() == f"{ACCOUNT} ({name})"
    assert "min left)" in seen["until"]
    assert seen["session"].strip().startswith("corp, renews itself in ")
    found = document(terminal, "dev")
    assert found["account_name"] == name
    assert found["source"] == ("custom-process" if managed else "sso")
    assert (found["session"], found["session_state"], found["session_ends_at"]) == ("corp", "active", None)
    assert 3000 < moment_of(found["expires_at"]) - time.time() <= 3600
    if managed:
        profile = next(profile for profile in daemon.status()["profiles"] if profile["name"] == "dev")
        assert profile["expires_at"] == found["expires_at"]


def test_a_login_that_cannot_be_renewed(terminal: Terminal) -> None:
    """Without a daemon too; the end is the token's."""
    end = format_date(time.time() + 1500)
    terminal.seed(refreshToken="", expiresAt=end)
    assert document(terminal, "dev")["session_ends_at"] == end
    now = time.time()
    said = lines(terminal, "dev")["session"].strip()
    until = re.escape(local_time(moment_of(end), now))
    assert re.match(rf"corp, until {until} \(2[34] min\); this login cannot be renewed", said)


def test_a_session_whose_cap_is_known(terminal: Terminal, daemon: Agent) -> None:
    assert daemon.running()
    settle(terminal, "session_cap = 28800\n")
    before = time.time()
    assert terminal.run("login", "dev").code == 0
    after = time.time()
    found = document(terminal, "dev")
    assert before - 1 <= moment_of(found["session_ends_at"]) - 28800 <= after
    said = lines(terminal, "dev")["session"].strip()
    assert said.startswith(
        f"corp, until {local_time(moment_of(found['session_ends_at']), time.time())} (7 h 59 min), "
    )
    assert "renews itself" in said


@pytest.mark.parametrize(
    ("token", "state"), [(None, "logged_out"), ({"expiresAt": "2026-01-01T00:00:00Z"}, "renewing")]
)
def test_sessions_that_are_over(terminal: Terminal, token: dict[str, str] | None, state: str) -> None:
    if token is not None:
        terminal.seed(**token)
    found = standing_of(terminal.session, Desk.of(terminal.paths, {}))
    assert found is not None
    assert (found.state, found.ends_at) == (state, None)
    assert found.fields() == {"session": "corp", "session_state": state, "session_ends_at": None}


def test_a_session_that_nobody_knows(terminal: Terminal) -> None:
    desk = Desk.of(terminal.paths, {})
    assert standing_of(Session("other", "https://other.awsapps.com/start", "eu-west-1"), desk) is None
    terminal.config.write_text("garbage")
    assert standing_of(terminal.session, desk) is None


def test_the_session_behind_a_role(terminal: Terminal) -> None:
    """The account's name is looked up where the role is, the session where it comes from."""
    terminal.add(CHAINED)
    from credhelper.cli.whoami import _behind  # noqa: PLC0415

    behind, session = _behind("chained", Desk.of(terminal.paths, {}))
    assert behind is not None
    assert (behind.name, session) == ("dev", terminal.session)
    assert _behind(None, Desk.of(terminal.paths, {})) == (None, None)


# --- what botocore knows of the credentials -------------------------------------------------------------------------


def test_an_iam_users_keys_have_no_end() -> None:
    assert _keys(Credentials("AKIAEXAMPLE", "made-up", method="env")) == Keys("env", None, lasting=True)
    with_token = Credentials("ASIAEXAMPLE", "made-up", "made-up", method="shared-credentials-file")
    assert _keys(with_token) == Keys("shared-credentials-file", None, lasting=False)


def test_the_end_of_credentials_that_botocore_renews() -> None:
    end = datetime.datetime(2026, 11, 23, 9, 0, tzinfo=datetime.UTC)
    found = RefreshableCredentials("ASIAEXAMPLE", "made-up", "made-up", end, dict, "custom-process")
    assert _keys(found) == Keys("custom-process", end.timestamp(), lasting=False)


@pytest.mark.parametrize(
    ("keys", "until"),
    [
        (Keys("env", None, lasting=True), "without end (an IAM user's keys)"),
        (Keys("env", None, lasting=False), None),
        (Keys("sso", NOW + 3600, lasting=False), f"{local_time(NOW + 3600, NOW)} (1 h 00 min left)"),
        (Keys("sso", NOW - 1, lasting=False), f"{local_time(NOW - 1, NOW)} (none left)"),
    ],
)
def test_until(keys: Keys, until: str | None) -> None:
    report = Report(SOMEBODY, keys, None, None, (), NOW)
    shown = dict(report.lines())
    assert shown["until"] == until
    assert shown["account"] == ACCOUNT
    assert "session" not in shown
    assert report.document()["session_ends_at"] is None
