"""`credhelper whoami`, and what it says when it cannot know."""

from __future__ import annotations

import contextlib
import json
import os

import boto3
import pytest

from credhelper.cli.identity import Identity, identity_of
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault
from tests.aws.test_readable import OBSTACLES
from tests.cli.terminal import KEYS, Terminal, role_credentials

ARN = "arn:aws:sts::100000000001:assumed-role/AWSReservedSSO_AWSReadOnlyAccess_"


def helper(terminal: Terminal, script: str) -> None:
    """Give the profile `dev` a credential process."""
    path = terminal.paths.home / "helper"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    terminal.config.write_text(f"[profile dev]\nregion = eu-west-1\ncredential_process = {path}\n")


def test_text(terminal: Terminal) -> None:
    terminal.seed()
    result = terminal.call("whoami", "dev")
    assert (result.code, result.err) == (0, "")
    lines = dict(line.split(None, 1) for line in result.out.splitlines())
    assert lines["profile:"] == "dev"
    assert lines["account:"] == "100000000001"
    assert lines["role:"] == "AWSReadOnlyAccess"
    assert lines["person:"] == "alice@example.com"
    assert lines["arn:"].startswith(ARN)


def test_json_of_the_environments_profile(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.seed()
    monkeypatch.setenv("AWS_PROFILE", "dev")
    result = terminal.call("whoami", "--json")
    assert result.code == 0
    document = json.loads(result.out)
    assert set(document) == {
        *("profile", "account", "role", "person", "arn", "account_name", "source", "expires_at"),
        *("session", "session_state", "session_ends_at"),
    }
    assert document["profile"] == "dev"


def test_not_logged_in(terminal: Terminal) -> None:
    result = terminal.call("whoami", "dev")
    assert result.code == 3
    assert result.out == ""
    assert "Run `credhelper login dev`" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["whoami", "dev"], 3, "not logged in for dev"),
        (["whoami", "keys"], 1, "does not accept the keys of keys"),
        (["whoami", "dv"], 2, "there is no profile 'dv'"),
        (["status", "--watch"], 2, "--json"),
        (["profiles"], 1, "config"),
        (["status"], 1, "config"),
    ],
)
def test_a_failure_prints_no_document(terminal: Terminal, arguments: list[str], code: int, words: str) -> None:
    """So do all commands with --json: the exit code tells the kind of failure."""
    terminal.add(KEYS)
    if code == 1 and arguments[0] != "whoami":
        terminal.config.unlink()
        terminal.config.mkdir()
    result = terminal.call(*arguments, "--json")
    assert (result.code, result.out) == (code, "")
    assert words in result.err


LEGACY = f"""
[profile old]
sso_start_url = {DEFAULT_START_URL}
sso_region = {DEFAULT_REGION}
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
"""


@pytest.mark.parametrize("logged_in", [True, False])
def test_a_legacy_profile_beside_a_session_is_to_be_enabled(terminal: Terminal, logged_in: bool) -> None:
    terminal.config.write_text(terminal.config.read_text() + LEGACY)
    if logged_in:
        terminal.seed()
    result = terminal.call("whoami", "old")
    assert result.code == (1 if logged_in else 3)
    assert "old names no sso_session" in result.err
    after = "`" if logged_in else "`, then `credhelper login corp`"
    assert f"Run `credhelper enable old{after}\n" in result.err


def test_a_legacy_profile_with_a_login_of_its_own(terminal: Terminal) -> None:
    terminal.config.write_text(terminal.config.read_text() + LEGACY)
    terminal.seed(DEFAULT_START_URL)
    assert terminal.call("whoami", "old").code == 0
    terminal.standin.revoke_sessions()
    assert "Run `credhelper login old`" in terminal.call("whoami", "old").err


@pytest.mark.parametrize("obstacle", OBSTACLES)
@pytest.mark.parametrize("name", ["config", "credentials", "token"])
def test_files_that_are_none(terminal: Terminal, name: str, obstacle: str) -> None:
    path = terminal.cache.path("corp") if name == "token" else terminal.paths.aws / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    OBSTACLES[obstacle](path)
    result = terminal.call("whoami", "dev")
    if (name, obstacle) == ("token", "loop"):  # to boto3 a file that is not there, and no more can be said
        assert result.code == 3
        return
    assert (result.code, result.out) == (1, "")
    first, remedy = result.err.splitlines()
    assert str(path) in first
    assert remedy.strip()


def test_the_command_to_log_in_is_quoted_for_the_shell(terminal: Terminal) -> None:
    terminal.config.write_text(terminal.config.read_text().replace("[profile dev]", '[profile "my dev; true"]'))
    result = terminal.call("whoami", "my dev; true")
    assert result.code == 3
    assert "Run `credhelper login 'my dev; true'`" in result.err


def test_a_token_that_aws_has_revoked(terminal: Terminal) -> None:
    terminal.seed()
    terminal.standin.revoke_sessions()
    assert terminal.call("whoami", "dev").code == 3


def test_no_such_profile(terminal: Terminal) -> None:
    result = terminal.call("whoami", "dv")
    assert result.code == 2
    assert "Did you mean 'dev'?" in result.err


def test_no_such_profile_in_the_environment(terminal: Terminal) -> None:
    terminal.patch.setenv("AWS_PROFILE", "dv")
    result = terminal.run("whoami")
    assert result.code == 2
    assert "no profile (from AWS_PROFILE) 'dv'" in result.err


def test_no_profile_named_and_none_there(terminal: Terminal) -> None:
    result = terminal.call("whoami")
    assert result.code == 2
    assert "'default'" in result.err


def test_no_network(terminal: Terminal) -> None:
    terminal.seed()
    terminal.standin.fault("GetCallerIdentity", Fault.drop())
    result = terminal.call("whoami", "dev")
    assert result.code == 1
    assert "cannot be reached" in result.err


@pytest.mark.parametrize(
    "variables",
    [{}, {"NO_PROXY": "internal.example"}, {"no_proxy": "internal.example", "NO_PROXY": "x"}, {"NO_PROXY": "*"}],
)
def test_what_is_on_this_machine_is_reached_without_the_proxy(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    """Both calls: boto3's own for the credentials, and ours."""
    terminal.seed()
    for name, value in {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", **variables}.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    result = terminal.call("whoami", "dev")
    assert (result.code, result.err) == (0, "")
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "words"),
    [
        ("ExpiredToken", 403, 3, "have expired"),
        ("InvalidClientTokenId", 403, 1, "does not accept the keys"),
        ("SignatureDoesNotMatch", 403, 1, "does not accept the keys"),
        ("InternalServerException", 500, 1, "refused to say"),
    ],
)
def test_refusals(terminal: Terminal, code: str, status: int, exit_code: int, words: str) -> None:
    terminal.seed()
    terminal.standin.fault("GetCallerIdentity", Fault.error(code, status=status))
    result = terminal.call("whoami", "dev")
    assert result.code == exit_code
    assert words in result.err


def test_a_role_that_is_not_assigned(terminal: Terminal) -> None:
    terminal.seed()
    terminal.config.write_text(terminal.config.read_text().replace("AWSReadOnlyAccess", "Nobodys"))
    result = terminal.call("whoami", "dev")
    assert result.code == 1
    assert "not assigned" in result.err


def test_the_helpers_own_words_are_passed_on(terminal: Terminal) -> None:
    helper(terminal, "echo 'credhelper: session corp: logged out. Run: credhelper login corp' >&2; exit 3")
    result = terminal.call("whoami", "dev")
    assert result.code == 3
    assert result.err == "credhelper: session corp: logged out. Run: credhelper login corp\n"


@pytest.mark.parametrize("script", ["exit 1", "echo nonsense", "printf '\\033[2Jboom' >&2; exit 1"])
def test_a_helper_that_fails_otherwise(terminal: Terminal, script: str) -> None:
    helper(terminal, script)
    result = terminal.call("whoami", "dev")
    assert result.code == 1
    assert "\x1b" not in result.err


def test_a_helper_that_is_missing(terminal: Terminal) -> None:
    helper(terminal, "")
    (terminal.paths.home / "helper").unlink()
    assert terminal.call("whoami", "dev").code == 1


@pytest.mark.parametrize("name", ["config", "credentials"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[profile dev\n", "line 1 stands before"),
        ("[profile dev]\nx\n", "line 2 is neither"),
        ("\xff\xfe", "not UTF-8"),
    ],
)
def test_a_broken_config(terminal: Terminal, name: str, content: str, reason: str) -> None:
    path = terminal.paths.aws / name
    path.write_bytes(content.encode("latin-1"))
    result = terminal.call("whoami", "dev")
    assert result.code == 1
    assert f"boto3 cannot read {path}: " in result.err
    assert reason in result.err


def test_a_profile_without_credentials(terminal: Terminal) -> None:
    terminal.config.write_text("[profile dev]\nregion = eu-west-1\n")
    result = terminal.call("whoami", "dev")
    assert result.code == 1
    assert "no credentials" in result.err


@pytest.fixture
def keys(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of another account in the environment, where the profile `dev` is logged in."""
    found = role_credentials(terminal, "100000000002")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", str(found["accessKeyId"]))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", str(found["secretAccessKey"]))
    monkeypatch.setenv("AWS_SESSION_TOKEN", str(found["sessionToken"]))


UNSET = "Unset AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN."


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("chosen_by", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "default", ""])
def test_keys_in_the_environment_are_who_programs_are(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, chosen_by: str
) -> None:
    """For boto3 they come before `AWS_PROFILE`, so what it names is not what programs have."""
    remark = ""
    if chosen_by == "default":
        terminal.config.write_text(terminal.config.read_text().replace("[profile dev]", "[default]"))
        remark = f"the keys in the environment come before the profile default. {UNSET}"
    elif chosen_by:
        monkeypatch.setenv(chosen_by, "dev")
        remark = f"the keys in the environment come before {chosen_by}=dev. {UNSET}"
    result = terminal.call("whoami")
    assert (result.code, result.err) == (0, f"credhelper: {remark}\n" if remark else "")
    assert "profile: none: these are the keys in the environment\naccount: 100000000002\n" in result.out
    document = json.loads(terminal.call("whoami", "--json").out)
    assert (document["profile"], document["source"], document["account"]) == (None, "env", "100000000002")
    with contextlib.closing(boto3.Session().client("sts", region_name="eu-west-1")) as client:
        assert document["arn"] == client.get_caller_identity()["Arn"]


@pytest.mark.usefixtures("keys")
def test_a_profile_named_outright_wins_over_keys_in_the_environment(terminal: Terminal) -> None:
    result = terminal.call("whoami", "dev", "--json")
    document = json.loads(result.out)
    assert (document["profile"], document["source"], document["account"]) == ("dev", "sso", "100000000001")
    assert "AWS_ACCESS_KEY_ID is set: programs that are not given this profile by name use those keys" in result.err
    assert UNSET in result.err


def test_keys_in_the_environment_alone(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    result = terminal.call("whoami")
    assert result.code == 1
    assert "does not accept the keys in the environment" in result.err
    terminal.seed()
    monkeypatch.setenv("AWS_PROFILE", "dev")
    assert terminal.call("whoami") == result


def test_a_profile_without_a_region_asks_where_it_logs_in(terminal: Terminal) -> None:
    terminal.seed()
    terminal.config.write_text(terminal.config.read_text().replace("\nregion = eu-west-1", ""))
    assert terminal.call("whoami", "dev").code == 0


@pytest.mark.parametrize(
    ("arn", "role", "person"),
    [
        (f"{ARN}0123456789abcdef/alice@example.com", "AWSReadOnlyAccess", "alice@example.com"),
        (
            "arn:aws-cn:sts::1:assumed-role/AWSReservedSSO_A_B_0123456789abcdef/a",
            "A_B",
            "a",
        ),
        ("arn:aws:sts::1:assumed-role/plain/i-0123", "plain", "i-0123"),
        ("arn:aws:iam::1:user/team/bob", None, "bob"),
        ("arn:aws:iam::1:root", None, "root"),
        ("nonsense", None, None),
    ],
)
def test_reading_an_arn(arn: str, role: str | None, person: str | None) -> None:
    assert identity_of("dev", "1", arn) == Identity("dev", "1", role, person, arn)
