"""What `aws configure set` does to an enabled config, and what `disable` then leaves: the real CLI edits the file.

Its writer takes comments for properties and adds keys behind the last line that looks like one, so the marked lines
must neither draw a key out of its section nor keep one from being found.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from credhelper.aws.config import disable, enable, parse_config

HELPER = "/home/b/.local/share/credhelper/credential-process"

CONFIG = b"""\
# my accounts
[default]
region = eu-west-1

[profile alpha]
region = eu-west-1
s3 =
    max_queue_size = 10
sso_start_url = https://d-93670bd35a.awsapps.com/start/
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = AWSAdministratorAccess

[profile beta]
sso_start_url = https://d-93670bd35a.awsapps.com/start/
sso_region = eu-west-1
sso_account_id = 210987654321
sso_role_name = ReadOnly
# the end of beta

[profile last]
output = json
sso_start_url = https://d-93670bd35a.awsapps.com/start/
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = ReadOnly
"""

CASES = {
    "present key": [("alpha", "region", "us-east-1")],
    "new key": [("alpha", "output", "text")],
    "new key in the last section": [("last", "region", "us-east-1")],
    "new key in every section": [(name, "cli_pager", "less") for name in ("default", "alpha", "beta", "last")],
    "two new keys": [("last", "region", "us-east-1"), ("last", "cli_pager", "less")],
    "nested key into a present block": [("alpha", "s3.max_concurrent_requests", "20")],
    "nested key that is present": [("alpha", "s3.max_queue_size", "20")],
    "nested key into a new block": [("beta", "s3.max_concurrent_requests", "20")],
    "nested key into a new block at the end": [
        ("last", "s3.max_concurrent_requests", "20"),
        ("last", "s3.max_queue_size", "5"),
    ],
    "new profile": [("brand-new", "region", "us-east-1")],
    "new profile with a blank": [("brand new", "region", "us-east-1")],
    "default": [("default", "output", "text")],
    "process of a profile that is not enabled": [("default", "credential_process", "/bin/true")],
}
AT_THE_END = ("new key in the last section", "nested key into a new block at the end", "new profile")
ODD_ENDS = {"no final newline": CONFIG.rstrip(b"\n"), "blank lines": CONFIG + b"\n\n"}


@pytest.fixture
def config_file(home: Path) -> Path:
    (home / ".aws").mkdir()
    return home / ".aws" / "config"


def _set(aws_cli: str, profile: str, key: str, value: str) -> None:
    arguments = [aws_cli, "configure", "set", key, value, "--profile", profile]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def _enabled(data: bytes) -> bytes:
    return enable(data, None, helper=HELPER, credentials={}).data


@pytest.mark.parametrize(
    ("case", "ending"),
    [*((case, "as it is") for case in CASES), *((case, end) for case in AT_THE_END for end in ODD_ENDS)],
)
def test_what_the_cli_sets_stays_and_the_rest_comes_back(
    aws_cli: str, config_file: Path, case: str, ending: str
) -> None:
    original = CONFIG if ending == "as it is" else ODD_ENDS[ending]
    config_file.write_bytes(original)
    for profile, key, value in CASES[case]:
        _set(aws_cli, profile, key, value)
    expected = config_file.read_bytes()

    config_file.write_bytes(_enabled(original))
    for profile, key, value in CASES[case]:
        _set(aws_cli, profile, key, value)
    with_both = parse_config(config_file.read_bytes())
    restored = disable(with_both.data, None).data

    for profile, key, value in CASES[case]:
        block, _, inner = key.partition(".")
        said = with_both.profiles[profile][block]
        assert (f"{inner} = {value}" in said.splitlines()) if inner else said == value
    assert b"credhelper" not in restored
    if ending == "as it is":
        assert restored == expected
    else:
        assert _lines_of_sections(restored) == _lines_of_sections(expected)


def test_an_account_set_by_the_cli_wins(aws_cli: str, config_file: Path) -> None:
    config_file.write_bytes(_enabled(CONFIG))
    _set(aws_cli, "alpha", "sso_account_id", "999999999999")
    data = config_file.read_bytes()

    again = enable(data, ["alpha"], helper=HELPER, credentials={})
    assert parse_config(again.data).profiles["alpha"]["credential_process"] == (
        f"{HELPER} d-93670bd35a 999999999999 AWSAdministratorAccess"
    )
    for enabled in (data, again.data):
        restored = disable(enabled, None).data
        assert parse_config(restored).profiles["alpha"]["sso_account_id"] == "999999999999"
        assert restored.count(b"sso_account_id") == CONFIG.count(b"sso_account_id")
        assert b"credhelper" not in restored


def test_a_process_set_by_the_cli_stays(aws_cli: str, config_file: Path) -> None:
    config_file.write_bytes(_enabled(CONFIG))
    _set(aws_cli, "alpha", "credential_process", "/bin/true")
    data = config_file.read_bytes()

    assert enable(data, ["alpha"], helper=HELPER, credentials={}).refused
    restored = disable(data, None).data
    line = b"credential_process = /bin/true\n"
    assert restored.count(line) == 1
    assert restored.replace(line, b"") == CONFIG


def _lines_of_sections(data: bytes) -> dict[str, list[str]]:
    """Where at an odd end of the file a new line goes depends on what else is there; its section does not."""
    found: dict[str, list[str]] = {"": []}
    header = ""
    for line in data.decode().splitlines():
        if line.startswith("["):
            header = line
            found[header] = []
        elif line.strip():
            found[header].append(line)
    return found


@pytest.mark.parametrize("folder", ["plain", "o'brien & co #1 ;x $HOME"])
def test_the_cli_runs_the_helper_of_an_enabled_profile(
    aws_cli: str, home: Path, config_file: Path, folder: str
) -> None:
    helper = home / folder / "credhelper" / "credential-process"
    helper.parent.mkdir(parents=True)
    helper.write_text('#!/bin/sh\necho \'{"Version": 1, "SecretAccessKey": "S", "AccessKeyId": "\'$1/$2/$3\'"}\'\n')
    helper.chmod(0o700)
    config_file.write_bytes(enable(CONFIG, None, helper=str(helper), credentials={}).data)
    arguments = [aws_cli, "configure", "export-credentials", "--profile", "alpha"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)
    assert json.loads(done.stdout)["AccessKeyId"] == "d-93670bd35a/123456789012/AWSAdministratorAccess", done.stderr
