"""What a config says, by the public vectors, and what it says where the vectors are silent."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from credhelper.aws.config import (
    ConfigFile,
    derive_session_name,
    merge_profiles,
    parse_config,
    parse_credentials,
    profiles_of,
    read_config,
    read_credentials,
    sessions_of,
)
from credhelper.errors import ConfigError
from credhelper.model import Session
from credhelper.paths import Paths

VECTORS = Path(__file__).parents[4] / "shared" / "vectors"
HELPER = "/home/b/.local/share/credhelper/credential-process"


@dataclass(frozen=True)
class Deviation:
    """What we read instead of what the vector expects, and why."""

    profiles: dict[str, dict[str, str]]
    reason: str


DEVIATIONS = {
    "Profile names support alphanumeric characters and - / . % @ _ : +": Deviation(
        {"some-thing:long/the_one%only.foo@bar+": {}, "foo!bar": {}},
        "the AWS CLI and boto3 take any name without blanks, and quoted ones with them; such profiles are in use",
    ),
    "Invalid profile names are ignored.": Deviation(
        {"in valid 2": {"name2": "value2"}},
        "the AWS CLI and boto3 take every section of a credentials file for a profile; its static keys win over the "
        'helper of `[profile "in valid 2"]`, of which the user must be told',
    ),
}


def _vectors(name: str) -> list[dict[str, Any]]:
    path = VECTORS / name
    if not path.is_file():
        return []
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["tests"]
    return found


PARSER_VECTORS = _vectors("profile-parser-tests.json")
LOCATION_VECTORS = _vectors("file-location-tests.json")


def test_the_vectors_are_there() -> None:
    if PARSER_VECTORS and LOCATION_VECTORS:
        assert (len(PARSER_VECTORS), len(LOCATION_VECTORS)) == (65, 9)
        assert set(DEVIATIONS) <= {case["name"] for case in PARSER_VECTORS}
        return
    message = f"the public vectors are not in {VECTORS}"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.mark.parametrize("case", PARSER_VECTORS, ids=lambda case: str(case["name"]))
def test_parser_vector(case: dict[str, Any]) -> None:
    config = parse_config(case["input"].get("configFile", "").encode())
    credentials = parse_credentials(case["input"].get("credentialsFile", "").encode())
    expected = case["output"]
    if "errorContaining" in expected:
        messages = [problem.message for problem in config.problems + credentials.problems]
        assert any(expected["errorContaining"] in message for message in messages), messages
        return
    deviation = DEVIATIONS.get(case["name"])
    profiles = deviation.profiles if deviation else expected["config"]["profiles"]
    assert merge_profiles(config, credentials) == profiles
    assert config.sessions == expected["config"].get("sso_sessions", {})
    assert not deviation or profiles != expected["config"]["profiles"], "no deviation any more"


@pytest.mark.parametrize(
    "case", [case for case in LOCATION_VECTORS if case["platform"] == "linux"], ids=lambda case: str(case["name"])
)
def test_location_vector(case: dict[str, Any]) -> None:
    environ = case["environment"]
    paths = Paths.of(environ)
    assert str(paths.config_file(environ)) == case["configLocation"]
    assert str(paths.credentials_file(environ)) == case["credentialsLocation"]


# --- beyond the vectors: what works in the AWS CLI today -----------------------------------------------------------


def test_indented_keys_below_a_header_are_properties() -> None:
    config = parse_config(b"[profile a]\n  region = x\n  output = y\n    more\n")
    assert config.profiles == {"a": {"region": "x", "output": "y\nmore"}}


def test_quoted_names() -> None:
    config = parse_config(b'[profile "a b"]\nx=1\n[profile \'c d\']\n[sso-session "e f"]\ny=2\n')
    assert config.profiles == {"a b": {"x": "1"}, "c d": {}}
    assert config.sessions == {"e f": {"y": "2"}}


def test_names_that_nobody_can_read_are_reported_and_all_else_is_read() -> None:
    config = parse_config(b'[profile o\'brien]\nx=1\n[profile a b]\n[]\n[profile ""]\n[profile c]\ny=2\n')
    assert config.profiles == {"c": {"y": "2"}}
    assert [problem.line for problem in config.problems] == [1, 3, 4, 5]


def test_a_colon_delimits_and_is_reported() -> None:
    config = parse_config(b"[profile a]\nsso_start_url: https://x\n")
    assert config.profiles == {"a": {"sso_start_url": "https://x"}}
    assert [problem.line for problem in config.problems] == [2]


def test_what_stands_below_a_broken_header_belongs_to_nobody() -> None:
    config = parse_config(b"[profile a]\nx=1\n[profile b\nx=2\n[profile c]\n")
    assert config.profiles == {"a": {"x": "1"}, "c": {}}
    assert [str(problem) for problem in config.problems] == ["line 3: Profile definition must end with ']'"]


def test_junk_behind_a_header_is_reported() -> None:
    config = parse_config(b"[profile a] junk\nx=1\n")
    assert config.profiles == {"a": {"x": "1"}}
    assert "must end with ']'" in config.problems[0].message


def test_duplicate_sections_are_merged_and_reported() -> None:
    config = parse_config(b'[profile a]\nx=1\n[profile a]\ny=2\n[profile "a"]\nz=3\n')
    assert config.profiles == {"a": {"x": "1", "y": "2", "z": "3"}}
    assert ["refuses" in problem.message for problem in config.problems] == [True, False]


def test_a_byte_order_mark_is_reported() -> None:
    config = parse_config(b"\xef\xbb\xbf[profile a]\nx=1\n")
    assert config.profiles == {"a": {"x": "1"}}
    assert "byte order mark" in config.problems[0].message


def test_sections_of_other_kinds() -> None:
    config = parse_config(b"[services s]\ns3 =\n  a = b\n[plugins]\nx=1\n[preview]\n[whatever]\n[profile a]\n")
    assert config.profiles == {"a": {}}
    assert [problem.line for problem in config.problems] == [7]


def test_credentials_with_a_profile_prefix_are_reported() -> None:
    credentials = parse_credentials(b"[a b]\nx=1\n[profile c]\n")
    assert credentials.profiles == {"a b": {"x": "1"}}
    assert [problem.line for problem in credentials.problems] == [3]


# --- files ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_config(tmp_path / "config").profiles == {}
    assert read_credentials(tmp_path / "credentials").profiles == {}


def test_a_file_that_cannot_be_read_names_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read_config(tmp_path)
    assert caught.value.remedy


# --- profiles and sessions -----------------------------------------------------------------------------------------

CONFIG = f"""
[default]
region = eu-west-1
sso_start_url = https://d-1.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Admin
[profile same]
sso_start_url = https://D-1.awsapps.com/start/#/
sso_region = eu-west-1
[profile elsewhere]
sso_start_url = https://d-1.awsapps.com/start
sso_region = us-east-1
[profile named]
output = json
sso_session = corp
sso_account_id = not-a-number
sso_role_name = R
[profile legacy-of-corp]
sso_start_url = https://corp.awsapps.com/start#
sso_region = eu-north-1
[profile managed]
credential_process = {HELPER} corp 123456789012 Role+20X
[profile moved]
credential_process = /mnt/old/credhelper/credential-process gone 123456789012 R
[profile shadowed]
credential_process = {HELPER} corp 123456789012 R
sso_region = x
aws_access_key_id = AK
[profile other]
credential_process = /bin/credential-process a b c
[profile no-region]
sso_start_url = https://d-9.awsapps.com/start
[profile dangling]
sso_session = nowhere
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-north-1
sso_registration_scopes = sso:account:access, other:scope
[sso-session broken]
sso_region = eu-north-1
"""


@pytest.fixture
def config() -> ConfigFile:
    return parse_config(CONFIG.encode())


def test_profiles(config: ConfigFile) -> None:
    found = {profile.name: profile for profile in profiles_of(config, {"managed": {"aws_access_key_id": "AK"}}, None)}
    corp = Session(
        "corp", "https://corp.awsapps.com/start", "eu-north-1", ("sso:account:access", "other:scope"), legacy=False
    )

    assert found["default"].session == Session("d-1", "https://d-1.awsapps.com/start", "eu-west-1", legacy=True)
    assert (found["default"].account_id, found["default"].role_name) == ("123456789012", "Admin")
    assert found["default"].region == "eu-west-1"
    same = found["same"].session
    assert same == Session("d-1", "https://D-1.awsapps.com/start/#/", "eu-west-1", legacy=True)
    assert same is not None
    assert same.cache_key == "https://D-1.awsapps.com/start/#/"
    assert found["elsewhere"].session == Session("d-1-2", "https://d-1.awsapps.com/start", "us-east-1", legacy=True)
    assert found["named"].session == found["legacy-of-corp"].session == found["managed"].session == corp
    assert (found["named"].account_id, found["named"].output) == ("not-a-number", "json")
    assert found["managed"].managed
    assert found["managed"].role_name == "Role X"
    assert found["managed"].shadowed_by == ("aws_access_key_id",)
    assert found["moved"].managed
    assert found["moved"].session is None
    assert found["shadowed"].shadowed_by == ("sso_region", "aws_access_key_id")
    assert not found["other"].managed
    assert found["other"].other_process == "/bin/credential-process a b c"
    assert found["no-region"].session is None
    assert found["dangling"].session is None


def test_a_helper_of_another_name_is_ours_when_we_say_so() -> None:
    config = parse_config(b"[profile a]\ncredential_process = /x/mine s 1 r\n")
    assert not profiles_of(config, {}, None)[0].managed
    assert profiles_of(config, parse_credentials(b""), Path("/x/mine"))[0].managed


def test_what_default_in_capitals_says_shadows_every_helper() -> None:
    config = parse_config(f"[DEFAULT]\nsso_region = x\n[profile a]\ncredential_process = {HELPER} s 1 r\n".encode())
    assert profiles_of(config, {}, None)[0].shadowed_by == ("sso_region",)


def test_sessions(config: ConfigFile) -> None:
    assert [(session.name, session.legacy) for session in sessions_of(config)] == [
        ("corp", False),
        ("d-1", True),
        ("d-1-2", True),
    ]


@pytest.mark.parametrize(
    ("start_url", "name"),
    [
        ("https://d-93670bd35a.awsapps.com/start/", "d-93670bd35a"),
        ("https://D-93670BD35A.awsapps.com/start#/", "d-93670bd35a"),
        ("https://my-company.awsapps.com/start", "my-company"),
        ("https://start.us-gov-home.awsapps.com/directory/xyz", "xyz"),
        ("https://ssoins-1234.portal.eu-west-1.app.aws", "ssoins-1234"),
        ("https://identitycenter.amazonaws.com/ssoins-7223", "ssoins-7223"),
        ("http://127.0.0.1:8080/start", "127.0.0.1"),
        ("https://exämple.org/start", "ex-mple"),
        ("http://[", "sso"),
        ("", "sso"),
    ],
)
def test_names_of_legacy_sessions(start_url: str, name: str) -> None:
    assert derive_session_name(start_url) == name
