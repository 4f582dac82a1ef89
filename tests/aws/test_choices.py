"""The profiles of one environment and the sessions that they need."""

from __future__ import annotations

from pathlib import Path

import pytest

from credhelper.aws.choices import Choices
from credhelper.aws.targets import resolve_session
from credhelper.errors import ConfigError, CredhelperError
from credhelper.paths import Paths

CONFIG = """\
[sso-session corp]
sso_start_url = https://d-1.awsapps.com/start
sso_region = eu-west-1

[profile native]
sso_session = corp
sso_account_id = 100000000001
sso_role_name = Reader

[profile managed]
credential_process = {helper} corp 100000000002 Admin

[profile overruled]
credential_process = {helper} corp 100000000002 Admin

[profile legacy]
sso_start_url = https://d-2.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 100000000003
sso_role_name = Reader

[profile role]
role_arn = arn:aws:iam::123456789012:role/some/path/deploy
source_profile = managed

[profile role-of-role]
role_arn = arn:aws:iam::210987654321:role/deploy
source_profile = in-credentials

[profile keys]
aws_access_key_id = A
aws_secret_access_key = B

[profile lost]
sso_session = gone
"""
CREDENTIALS = """\
[overruled]
aws_access_key_id = A
aws_secret_access_key = B

[only-here]
aws_access_key_id = A
aws_secret_access_key = B

[in-credentials]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = native
"""


@pytest.fixture
def choices(paths: Paths) -> Choices:
    paths.aws.mkdir()
    (paths.aws / "config").write_text(CONFIG.format(helper=paths.helper))
    (paths.aws / "credentials").write_text(CREDENTIALS)
    return Choices.of(paths, {})


def test_names(choices: Choices) -> None:
    assert choices.names == [
        *("native", "managed", "overruled", "legacy", "role", "role-of-role", "keys", "lost"),
        *("only-here", "in-credentials"),
    ]
    assert "only-here" in choices
    assert "nowhere" not in choices


@pytest.mark.parametrize(
    ("name", "session", "account", "role"),
    [
        ("native", "corp", "100000000001", "Reader"),
        ("managed", "corp", "100000000002", "Admin"),
        ("overruled", None, "100000000002", "Admin"),
        ("legacy", "d-2", "100000000003", "Reader"),
        ("role", "corp", "123456789012", "deploy"),
        ("role-of-role", "corp", "210987654321", "deploy"),
        ("in-credentials", "corp", "123456789012", "deploy"),
        ("keys", None, "", ""),
        ("only-here", None, "", ""),
        ("lost", None, "", ""),
        ("nowhere", None, "", ""),
    ],
)
def test_what_a_profile_needs(choices: Choices, name: str, session: str | None, account: str, role: str) -> None:
    found = choices.session(name)
    assert (found.name if found else None, choices.account(name), choices.role(name)) == (session, account, role)


def test_the_session_that_is_not_there(choices: Choices) -> None:
    assert choices.session_named_by("lost") == "gone"
    assert choices.session_named_by("keys") is None


@pytest.mark.parametrize("name", ["role", "role-of-role", "in-credentials"])
def test_a_login_follows_the_role(choices: Choices, paths: Paths, name: str) -> None:
    assert resolve_session(name, {}, paths).name == "corp"
    assert resolve_session(None, {"AWS_PROFILE": name}, paths).name == "corp"


@pytest.mark.parametrize("name", ["keys", "only-here"])
def test_a_login_for_a_profile_without_a_session_is_refused(choices: Choices, paths: Paths, name: str) -> None:
    with pytest.raises(CredhelperError, match="uses no Identity Center session"):
        resolve_session(name, {}, paths)


@pytest.mark.parametrize("arn", ["", "nonsense", "arn:aws:iam", ":::::", "/"])
def test_a_role_that_is_none(paths: Paths, arn: str) -> None:
    paths.aws.mkdir()
    (paths.aws / "config").write_text(f"[profile odd]\nrole_arn = {arn}\nsource_profile = odd\n")
    choices = Choices.of(paths, {})
    assert choices.session("odd") is None
    assert choices.account("odd") == ""


def test_the_files_of_the_environment(choices: Choices, paths: Paths, tmp_path: Path) -> None:
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[profile mine]\n")
    credentials.write_text("[keys-of-mine]\n")
    environ = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
    assert Choices.of(paths, environ).names == ["mine", "keys-of-mine"]


def test_no_files(paths: Paths) -> None:
    assert Choices.of(paths, {}).names == []


def test_a_config_that_cannot_be_read(paths: Paths) -> None:
    with pytest.raises(ConfigError):
        Choices.of(paths, {"AWS_CONFIG_FILE": "/"})
