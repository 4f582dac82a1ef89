"""Tokens of the sessions."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from credhelper.agent import Agent
from credhelper.dates import format_date
from credhelper.doctor.remarks import Well
from credhelper.model import Session
from tests.doctor.clinic import Clinic
from tests.machine import section
from tests.waiting import wait_until

THEME = "Logins"
OUT = "credhelper login corp"
AGAIN = "credhelper login --force corp"


def change(clinic: Clinic, **fields: str | None) -> None:
    clinic.machine.log_in(None, **fields)


def test_not_logged_in(clinic: Clinic) -> None:
    clinic.machine.token_file.unlink()
    finding = clinic.one(THEME)
    assert (finding.check, finding.text, finding.mend.command) == ("login-needed", "session corp: not logged in", OUT)


def test_a_session_that_has_run_out(clinic: Clinic) -> None:
    change(clinic, expiresAt=format_date(time.time() - 60), refreshToken=None)
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("login-needed", OUT)
    assert "has run out" in finding.text


def test_a_session_that_aws_has_ended(clinic: Clinic, daemon: Agent) -> None:
    change(clinic, expiresAt=format_date(time.time() - 60))
    clinic.machine.standin.revoke_sessions()
    wait_until(lambda: daemon.status()["sessions"][0]["state"] == "expired", what="the daemon to hear of it")
    finding = clinic.one(THEME)
    assert (finding.check, finding.text) == ("login-needed", "session corp: AWS has ended the session")


def test_a_token_that_waits_for_the_network(clinic: Clinic, daemon: Agent) -> None:
    clinic.machine.write_settings(url="http://127.0.0.1:9")
    change(clinic, expiresAt=format_date(time.time() - 60))
    wait_until(lambda: daemon.status()["sessions"][0]["state"] == "offline", what="the daemon to notice")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("not-renewed", "hint")  # the network itself is told of elsewhere
    assert "AWS cannot be reached" in finding.text


@pytest.mark.parametrize("content", ["", '{"accessToken": "abc', "{}", '{"accessToken": 1}'])
def test_a_file_that_makes_no_sense(clinic: Clinic, content: str) -> None:
    clinic.machine.token_file.write_text(content)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind, finding.mend.command) == ("token-unreadable", "problem", OUT)


def test_a_folder_in_the_tokens_place(clinic: Clinic) -> None:
    path = clinic.machine.token_file
    path.unlink()
    path.mkdir()
    finding = clinic.one(THEME)
    assert finding.check == "token-unreadable"
    assert finding.mend.command == (
        f"mv ~/.aws/sso/cache/{path.name} ~/.aws/sso/cache/{path.stem}.old && credhelper login corp"
    )


def test_a_login_of_another_organization(clinic: Clinic) -> None:
    change(clinic, startUrl="https://other.awsapps.com/start")
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("token-other", OUT)


def test_a_login_without_the_scope(clinic: Clinic) -> None:
    change(clinic, refreshToken=None)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind, finding.mend.command) == ("token-scopes", "problem", AGAIN)
    assert "sso:account:access" in finding.cause


def test_a_login_whose_registration_has_run_out(clinic: Clinic) -> None:
    change(clinic, registrationExpiresAt=format_date(time.time() - 60))
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("token-registration", AGAIN)


def test_a_profile_of_the_old_form(clinic: Clinic) -> None:
    machine = clinic.machine
    url = machine.session.start_url
    machine.config.write_text(
        f"[profile old]\nsso_start_url = {url}\nsso_region = eu-west-1\nsso_account_id = 100000000001\n"
        "sso_role_name = Admin\n"
    )
    machine.log_in(Session("d-93670bd35a", url, "eu-west-1", legacy=True))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("token-scopes", "hint")
    assert finding.mend.command == "credhelper enable old && credhelper login d-93670bd35a"


def test_a_session_that_lives_on_a_login_of_the_old_form(clinic: Clinic) -> None:
    machine = clinic.machine
    machine.token_file.unlink()
    machine.log_in(Session("d-93670bd35a", machine.session.start_url, "eu-west-1", legacy=True))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind, finding.mend.command) == ("token-scopes", "hint", AGAIN)


def test_a_token_that_the_next_call_renews(clinic: Clinic) -> None:
    change(clinic, expiresAt=format_date(time.time() - 60))
    (theme,) = clinic.themes(THEME)
    assert theme.findings == []
    assert theme.wells == [Well("corp is logged in; its token is renewed at the next call")]


@pytest.mark.parametrize(
    ("line", "kind"), [("", "hint"), ("sso_registration_scopes = codewhisperer:completions\n", "problem")]
)
def test_sessions_that_ask_for_the_wrong_scopes(clinic: Clinic, line: str, kind: str) -> None:
    config = clinic.machine.config
    config.write_text(config.read_text().replace("sso_registration_scopes = sso:account:access\n", line))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("session-scopes", kind)
    wanted = "sso:account:access" + (", codewhisperer:completions" if line else "")
    assert finding.mend.words == f"Write `sso_registration_scopes = {wanted}`"


def test_files_that_sudo_left(clinic: Clinic) -> None:
    name = clinic.machine.token_file.name
    clinic.patch.setattr(os, "geteuid", lambda: 4711)
    findings = {finding.check: finding for finding in clinic.look(THEME)}
    assert findings["token-owner"].mend.command == f"sudo chown 4711 ~/.aws/sso/cache/{name}"


def test_root_may_use_what_the_host_shares_with_a_container(clinic: Clinic) -> None:
    clinic.patch.setattr(os, "geteuid", lambda: 0)
    stat = Path.stat

    def theirs(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = list(stat(path, follow_symlinks=follow_symlinks))
        found[4] = 1000
        return os.stat_result(found)

    clinic.patch.setattr(Path, "stat", theirs)
    checks = {finding.check for finding in clinic.look(THEME, "File modes")}
    assert not checks & {"token-owner", "modes-folder"}
    clinic.patch.setattr(os, "geteuid", lambda: 4711)
    checks = {finding.check for finding in clinic.look(THEME, "File modes")}
    assert checks >= {"token-owner", "modes-folder"}


def test_garbage_that_belongs_to_no_session(clinic: Clinic) -> None:
    folder = clinic.paths.token_cache
    registration = {"clientId": "x", "clientSecret": "y", "expiresAt": "2027-01-01T00:00:00Z", "scopes": []}
    (folder / "botocore-client-id-eu-west-1.json").write_text(json.dumps(registration))
    assert clinic.look(THEME) == []
    (folder / "0000.json").write_text('{"half": ')
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("cache-unreadable", "hint")
    assert finding.text == "~/.aws/sso/cache/0000.json is not JSON"
    assert finding.mend.command == "mv ~/.aws/sso/cache/0000.json ~/.aws/sso/cache/0000.broken"


def test_each_session_is_looked_at(clinic: Clinic) -> None:
    config = clinic.machine.config
    config.write_text(config.read_text() + section(Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")))
    assert clinic.one(THEME).text == "session lab: not logged in"


def test_what_is_no_file(clinic: Clinic) -> None:
    (clinic.paths.token_cache / "dir.json").mkdir()
    assert clinic.one(THEME).text == "~/.aws/sso/cache/dir.json is not a regular file"
