"""The main job with the real AWS CLI and boto3: both kinds of profile, one upstream call for many."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import ACCOUNTS, CONFIG, SESSIONS, Machine


@pytest.mark.parametrize("profile", ["legacy", "modern"])
def test_aws_cli_and_boto3_get_the_profiles_identity_through_the_helper(enabled: Machine, profile: str) -> None:
    before = enabled.counters()["hand_outs"]
    identity = enabled.aws_identity(profile)
    assert identity["Account"] == ACCOUNTS[profile]
    assert "assumed-role/AWSReservedSSO_" in identity["Arn"]
    assert enabled.boto3_identities(profile).stdout.split() == [ACCOUNTS[profile]]
    assert enabled.counters()["hand_outs"] == before + 2
    # The clients have no other way: it was credhelper that fetched, once.
    calls = enabled.standin.calls("GetRoleCredentials")
    assert [(call.caller, call.detail.split("/")[0]) for call in calls] == [("credhelper", ACCOUNTS[profile])]


@pytest.mark.parametrize("profile", ["legacy", "modern"])
def test_twenty_calls_cost_one_fetch(enabled: Machine, profile: str) -> None:
    for _ in range(5):
        enabled.aws_identity(profile)
    enabled.boto3_identities(profile, 15)
    assert enabled.counters()["hand_outs"] == 20
    assert len(enabled.standin.calls("GetRoleCredentials")) == 1
    assert len(enabled.standin.calls("GetCallerIdentity")) == 20


def test_disable_gives_the_same_bytes_back(enabled: Machine) -> None:
    assert enabled.config.read_text() != CONFIG
    enabled.credhelper("disable", "--all", "--yes")
    assert enabled.config.read_text() == CONFIG


def test_a_live_legacy_token_serves_until_it_ends(machine: Machine) -> None:
    """Logged in the old way, then enabled: nothing has to be done again while that token lives."""
    machine.endpoints_in_settings()
    machine.aws("sso", "login", "--profile", "legacy")
    machine.credhelper("enable", "legacy", "--yes")
    assert machine.aws_identity("legacy")["Account"] == ACCOUNTS["legacy"]
    session = machine.session(SESSIONS["legacy"])
    assert session["state"] == "active"
    assert session["refreshable"] is False
