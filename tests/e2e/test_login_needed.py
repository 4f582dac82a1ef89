"""What a person sees when only a login helps."""

from __future__ import annotations

import time

from credhelper.agent import Agent
from tests.e2e.conftest import ACCOUNTS, Machine
from tests.waiting import wait_until

WITHIN = 5.0  # the portable contract of a helper


def test_invalid_grant_makes_the_session_expired_and_says_what_to_run(machine: Machine, daemon: Agent) -> None:
    machine.standin.configure(token_lifetime=3, role_lifetime=3)
    machine.credhelper("enable", "modern", "--yes")
    machine.credhelper("login", "corp")
    assert machine.aws_identity("modern")["Account"] == ACCOUNTS["modern"]

    machine.standin.end_sessions()
    refused = machine.standin.wait_for("CreateToken", detail="refresh_token", timeout=10)
    assert refused
    wait_until(lambda: machine.session("corp")["state"] == "expired", 10, "the session to be expired")
    session = machine.session("corp")
    assert session["refreshable"] is False
    assert session["reason"] == "AWS has ended the session"
    codes = [call.error_code for call in machine.standin.calls("CreateToken", caller="credhelper")]
    assert "InvalidGrantException" in codes

    # Until then the credentials that outlive their session are served.
    wait_until(lambda: machine.counters()["credentials"] == 0, 10, "the role credentials to run out")
    begin = time.monotonic()
    done = machine.helper("modern")
    assert time.monotonic() - begin < WITHIN
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == ("credhelper: session corp: AWS has ended the session. Run: credhelper login corp\n")

    for failed in (
        machine.aws("sts", "get-caller-identity", "--profile", "modern", check=False),
        machine.boto3_identities("modern", check=False),
    ):
        assert failed.returncode != 0
        assert "Run: credhelper login corp" in failed.stderr

    refusals = len(machine.standin.calls("CreateToken", detail="refresh_token"))
    machine.helper("modern")
    assert len(machine.standin.calls("CreateToken", detail="refresh_token")) == refusals, "a refusal is believed"
    assert len(machine.browser.opened()) == 1, "nothing opens a browser by itself"

    machine.standin.configure(token_lifetime=60, role_lifetime=60)
    machine.credhelper("login", "corp")
    assert machine.aws_identity("modern")["Account"] == ACCOUNTS["modern"]


def test_never_logged_in(machine: Machine, daemon: Agent) -> None:
    machine.credhelper("enable", "--all", "--yes")
    done = machine.helper("legacy")
    assert done.returncode == 3
    assert done.stderr == "credhelper: session d-93670bd35a: not logged in. Run: credhelper login d-93670bd35a\n"
    assert machine.credhelper("status", "--exit-code", check=False).returncode == 3
