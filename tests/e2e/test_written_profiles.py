"""Profiles that `credhelper profiles` writes from nothing: every client reads them, whatever accounts are called."""

from __future__ import annotations

import json

import pytest

from credhelper.agent import Agent
from credhelper.standin.settings import Account
from tests.e2e import programs
from tests.e2e.conftest import SESSION_URL, Machine

ACCOUNTS = {
    "100000000001": Account(
        "100000000001", "Größe [x] #1; 'q' \"d\" = \\ $(id)", "aws+one@reply.com", ("Admin+x@y", "A,b=c")
    ),
    "100000000002": Account("100000000002", "日本", "b.paques@reply.com", ("Admin+x@y",)),
    "100000000003": Account("100000000003", "Same - Name", "", ("Admin+x@y",)),
    "100000000004": Account("100000000004", "same name", "", ("Admin+x@y",)),
}
# Every sign that a name can have.
TEMPLATE = "x_1:{session}/{account_name}-{role|last:5}"
NAMES = {
    "x_1:corp/Grosse-x-1-q-d-id-n+x@y": "100000000001",
    "x_1:corp/Grosse-x-1-q-d-id-A-b-c": "100000000001",
    "x_1:corp/100000000002-n+x@y": "100000000002",
    "x_1:corp/Same-Name-n+x@y-100000000003": "100000000003",
    "x_1:corp/same-name-n+x@y-100000000004": "100000000004",
}


@pytest.fixture
def written(machine: Machine, daemon: Agent) -> Machine:
    """No config at first but a session; then all that AWS lists."""
    machine.standin.configure(accounts=ACCOUNTS)
    machine.config.unlink()
    flags = ("--start-url", SESSION_URL, "--sso-region", "eu-west-1", "--session", "corp")
    machine.credhelper(
        "profiles", "add", "first", *flags, "--account-id", "100000000002", "--role", "Admin+x@y", "--yes"
    )
    machine.credhelper("login", "corp")
    machine.credhelper("profiles", "discover", "--yes", "--template", TEMPLATE, "--output", "json")
    return machine


def test_every_client_has_the_identity_of_each(written: Machine) -> None:
    listed = written.aws("configure", "list-profiles").stdout.split("\n")[:-1]
    assert listed == ["first", *sorted(NAMES, key=str.casefold)]
    odd, plain = "x_1:corp/Grosse-x-1-q-d-id-n+x@y", "x_1:corp/same-name-n+x@y-100000000004"
    for client, name in (("aws", odd), ("js", odd), ("go", odd), ("boto3", odd), ("boto3", plain)):
        done = written.ask_once(client, name)
        assert done.returncode == 0, (client, done.stderr)
        assert NAMES[name] in done.stdout
    assert written.aws_identity("first")["Account"] == "100000000002"


def test_disabled_the_aws_cli_logs_in_by_itself_and_enabled_it_is_ours_again(written: Machine) -> None:
    ours = written.config.read_bytes()
    name = "x_1:corp/100000000002-n+x@y"
    written.credhelper("disable", "--all", "--yes")
    plain = written.config.read_bytes()
    assert b"credential_process" not in plain
    assert written.aws_identity(name)["Account"] == "100000000002"
    written.credhelper("profiles", "discover", "--yes")
    assert written.config.read_bytes() == plain
    written.credhelper("enable", "--all", "--yes")
    assert written.config.read_bytes() == ours
    written.credhelper("profiles", "remove", "--all", "--yes")
    assert written.config.read_bytes() == b""


def test_what_the_aws_cli_sets_makes_a_profile_the_person_s(written: Machine) -> None:
    name = "x_1:corp/100000000002-n+x@y"
    written.aws("configure", "set", "cli_pager", "less", "--profile", name)
    assert written.aws("configure", "get", "region", "--profile", name).stdout == "eu-west-1\n"
    before = written.config.read_bytes()
    done = written.credhelper("profiles", "remove", name, "--yes", check=False)
    assert (done.returncode, "it was changed by hand since it was written" in done.stdout) == (1, True)
    written.standin.configure(accounts={"100000000001": ACCOUNTS["100000000001"]})
    written.credhelper("profiles", "discover", "--yes", "--prune")
    after = written.config.read_bytes()
    section = before[before.index(f"[profile {name}]".encode()) :].split(b"\n\n")[0]
    assert section in after
    listed = {
        profile["name"]: profile
        for profile in json.loads(written.credhelper("profiles", "--json").stdout)["profiles"]
    }
    assert listed[name]["written"] == "edited"
    assert set(listed) == {name, *(other for other, account in NAMES.items() if account == "100000000001")}
    assert written.boto3_identities("x_1:corp/Grosse-x-1-q-d-id-A-b-c").returncode == 0


def test_a_name_of_a_person_s_own_is_read_by_all_that_are_not_named(written: Machine) -> None:
    flags = ("--session", "corp", "--account-id", "100000000002", "--role", "Admin+x@y", "--yes")
    for name, said, unable in (
        ("größe=~,", "CDK and the SDK for JavaScript", {"js"}),
        ("my profile", "CDK, Terraform and the SDKs for JavaScript and Go", {"js", "go"}),
    ):
        done = written.credhelper("profiles", "add", name, *flags)
        assert f"Mind: {name}: {said} cannot read that name" in done.stdout
        for client in programs.CLIENTS:
            identity = written.ask_once(client, name)
            assert (identity.returncode == 0) is (client not in unable), (client, identity.stderr)
