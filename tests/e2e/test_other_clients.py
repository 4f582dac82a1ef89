"""What the real AWS CLI does to the token cache is noticed by the running daemon at once."""

from __future__ import annotations

import json

from credhelper.agent import Agent
from tests.e2e.conftest import ACCOUNTS, SESSIONS, Machine
from tests.waiting import wait_until


def test_login_and_logout_by_the_aws_cli_are_noticed_within_a_second(machine: Machine, daemon: Agent) -> None:
    machine.endpoints_in_settings()
    machine.credhelper("enable", "--all", "--yes")
    daemon.call("reload")
    pid = json.loads(daemon.call("ping"))["pid"]
    assert machine.session("corp")["state"] == "logged_out"

    machine.aws("sso", "login", "--sso-session", "corp")
    wait_until(lambda: "session corp: token found" in machine.paths.log.read_text(), 1.0, "the login to be noticed")
    assert machine.session("corp")["state"] == "active"
    assert machine.session("corp")["refreshable"] is True
    assert machine.aws_identity("modern")["Account"] == ACCOUNTS["modern"]
    assert machine.counters()["credentials"] == 1

    machine.aws("sso", "logout")
    wait_until(lambda: "session corp: logged out" in machine.paths.log.read_text(), 1.0, "the logout to be noticed")
    assert machine.session("corp")["state"] == "logged_out"
    assert machine.counters()["credentials"] == 0, "a logout drops the role credentials"
    assert machine.helper("modern").returncode == 3
    assert json.loads(daemon.call("ping"))["pid"] == pid, "without a restart"


def test_a_token_that_the_aws_cli_fetched_is_renewed_by_us_and_still_the_clis(
    machine: Machine, daemon: Agent
) -> None:
    machine.standin.configure(token_lifetime=6)
    machine.endpoints_in_settings()
    machine.credhelper("enable", "modern", "--yes")
    daemon.call("reload")
    machine.aws("sso", "login", "--sso-session", "corp")
    machine.standin.wait_for("CreateToken", 2, caller="credhelper", detail="refresh_token", timeout=20)
    assert machine.aws_identity("modern")["Account"] == ACCOUNTS["modern"]
    assert machine.standin.calls("CreateToken", caller="aws-cli", detail="refresh_token") == []
    # By itself the CLI would renew each token that has less than 15 minutes left; it can, with what we wrote.
    machine.credhelper("disable", "modern", "--yes")
    assert machine.aws_identity("modern")["Account"] == ACCOUNTS["modern"]
    renewals = machine.standin.calls("CreateToken", caller="aws-cli", detail="refresh_token")
    assert [call.error_code for call in renewals] == [None]


def test_our_logout_is_a_logout_for_the_aws_cli_too(enabled: Machine) -> None:
    enabled.credhelper("logout", "--all")
    assert len(enabled.standin.calls("Logout", caller="credhelper")) == len(SESSIONS)
    done = enabled.aws("sts", "get-caller-identity", "--profile", "modern", check=False)
    assert done.returncode != 0
    assert "credhelper login corp" in done.stderr
