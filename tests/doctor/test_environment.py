"""Variables in the way."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.doctor.clinic import Clinic

THEME = "Environment"


@pytest.mark.parametrize(
    ("shell", "command"),
    [
        ("/bin/bash", "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"),
        ("/usr/bin/fish", "set -e AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN"),
        ("/bin/pwsh", "Remove-Item Env:AWS_ACCESS_KEY_ID, Env:AWS_SECRET_ACCESS_KEY, Env:AWS_SESSION_TOKEN"),
    ],
)
def test_access_keys(clinic: Clinic, shell: str, command: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        clinic.patch.setenv(name, "made-up-and-secret")
    clinic.patch.setenv("SHELL", shell)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("access-keys", "problem")
    assert finding.mend.command == command
    assert not finding.mend.can_be_done  # nobody can do it for a shell
    assert "made-up" not in f"{finding}"
    assert "made-up" not in clinic.run("doctor").out


def test_where_they_come_from(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    clinic.patch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    rc = clinic.paths.home / ".bashrc"
    rc.write_text("# AWS_ACCESS_KEY_ID is set below\nunset AWS_ACCESS_KEY_ID\nexport AWS_ACCESS_KEY_ID=AKIAEXAMPLE\n")
    finding = clinic.one(THEME)
    assert finding.text == "AWS_ACCESS_KEY_ID is set in ~/.bashrc, line 3"


def test_a_profile_that_is_not_there(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_PROFILE", "devv")
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("profile-unknown", "export AWS_PROFILE=dev")
    clinic.patch.setenv("SHELL", "/usr/bin/fish")
    assert clinic.one(THEME).mend.command == "set -gx AWS_PROFILE dev"
    clinic.patch.setenv("SHELL", "/usr/bin/pwsh")
    assert clinic.one(THEME).mend.command == "$env:AWS_PROFILE = 'dev'"
    clinic.patch.setenv("SHELL", "/bin/bash")
    clinic.patch.setenv("AWS_PROFILE", "something else")
    assert clinic.one(THEME).mend.command == "unset AWS_PROFILE"
    clinic.patch.setenv("AWS_PROFILE", "dev")
    assert clinic.look(THEME) == []
    clinic.patch.setenv("AWS_DEFAULT_PROFILE", "default")
    assert clinic.one(THEME).check == "profile-twice"


def test_the_role_of_a_job(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/token")
    assert clinic.look(THEME) == []
    clinic.patch.setenv("AWS_ROLE_ARN", "arn:aws:iam::100000000001:role/job")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("web-identity", "problem")
    assert finding.mend.command == "unset AWS_ROLE_ARN AWS_WEB_IDENTITY_TOKEN_FILE"
    # It is so: boto3 asks for that role in place of running the helper.
    program = "import boto3; print(boto3.Session().get_credentials().method)"
    environ = {**os.environ, "AWS_PROFILE": "dev", "AWS_ENDPOINT_URL_STS": clinic.machine.standin.url}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "assume-role-with-web-identity\n", done.stderr


def test_a_region_that_there_is_not(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_REGION", "us-eas-1")
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("region-unknown", "export AWS_REGION=us-east-1")
    clinic.patch.setenv("AWS_REGION", "us-east-1")
    clinic.patch.setenv("AWS_DEFAULT_REGION", "mars")
    assert clinic.one(THEME).mend.command == "unset AWS_DEFAULT_REGION"


def test_endpoints(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_ENDPOINT_URL_STS", "https://alice:hush@sts.example.com:8443/path")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("endpoint-overridden", "hint")
    assert finding.text == "endpoints are overridden: AWS_ENDPOINT_URL_STS leads to sts.example.com:8443"
    assert "hush" not in f"{finding}"
    clinic.patch.setenv("AWS_ENDPOINT_URL_SSO", "https://sts.example.com:8443")
    assert "AWS_ENDPOINT_URL_SSO, AWS_ENDPOINT_URL_STS lead to sts.example.com:8443" in clinic.one(THEME).text
    clinic.patch.delenv("AWS_ENDPOINT_URL_SSO")
    clinic.patch.setenv("AWS_ENDPOINT_URL_STS", "http://sts.example.com")
    assert [found.check for found in clinic.look(THEME)] == ["endpoint-unsafe", "endpoint-overridden"]
    clinic.patch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    assert clinic.look(THEME) == []
    clinic.patch.delenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")
    clinic.patch.delenv("AWS_ENDPOINT_URL_STS")
    clinic.machine.write_config("[profile local]\nendpoint_url = http://localhost:4566\n")
    finding = clinic.one(THEME)
    assert (finding.check, finding.text) == (
        "endpoint-configured",
        "local has endpoint_url, and leads to localhost:4566",
    )


def test_a_credentials_file_that_is_not_there(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials")
    assert clinic.one(THEME).check == "credentials-missing"
    clinic.patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    assert clinic.look(THEME) == []
