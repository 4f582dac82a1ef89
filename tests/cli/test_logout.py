"""`credhelper logout`, and what it leaves."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.credentials import SSOCredentialFetcher

from credhelper.agent import Agent
from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.logout import forget_cli_credentials, log_out
from credhelper.aws.records import LoginRecord, LoginRecords
from credhelper.aws.tokens import parse_token
from credhelper.errors import UpstreamError
from credhelper.model import Endpoints, Profile, Session
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault
from tests.aws.test_readable import OBSTACLES
from tests.cli.terminal import OTHER_SESSION, Terminal


@pytest.fixture
def terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    # A token goes to the endpoints recorded at its login and never to those of the environment.
    for name in terminal.standin.environment:
        monkeypatch.delenv(name)
    return terminal


def record(terminal: Terminal, key: str = "corp") -> LoginRecords:
    """Note that the seeded token of `key` is the stand-in's."""
    records = LoginRecords(terminal.paths.state / "logins")
    token = parse_token(terminal.cache.path(key).read_bytes(), 0)
    records.write(key, LoginRecord.of(token, terminal.standin.endpoints, 0))
    return records


def cli_entry(paths: Paths, **identity: str) -> Path:
    """A file of the AWS CLI's cache as botocore names it."""
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    path = paths.cli_cache / f"{hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"ProviderType": "sso", "Credentials": {}}))
    return path


def test_a_session(terminal: Terminal) -> None:
    terminal.seed()
    records = record(terminal)
    result = terminal.run("logout", "corp")
    assert (result.code, result.err) == (0, "")
    assert result.out == "Logged out of corp.\n"
    assert not terminal.cache.path("corp").exists()
    assert records.read("corp") is None
    assert [call.status for call in terminal.standin.calls("Logout")] == [200]


@pytest.mark.parametrize("text", ["[network\n", "warn_before = 1\n"], ids=["no TOML", "no setting"])
def test_broken_settings_do_not_keep_anybody_logged_in(terminal: Terminal, text: str) -> None:
    terminal.seed()
    record(terminal)
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(text)
    result = terminal.run("logout")
    assert result.code == 0
    assert result.out == "Logged out of corp.\n"
    (line,) = result.err.splitlines()
    assert str(terminal.paths.settings) in line
    assert "the logout goes on with the defaults" in line
    assert [call.status for call in terminal.standin.calls("Logout")] == [200]


def test_nothing_to_do(terminal: Terminal) -> None:
    result = terminal.run("logout")
    assert result.code == 0
    assert "nothing to do" in result.out
    assert terminal.standin.calls() == []


def test_several_sessions_need_a_name(terminal: Terminal) -> None:
    terminal.config.write_text(terminal.config.read_text() + OTHER_SESSION)
    terminal.seed()
    result = terminal.run("logout")
    assert result.code == 2
    assert "corp, other" in result.err
    assert terminal.cache.path("corp").exists()


def test_names_and_all_exclude_each_other(terminal: Terminal) -> None:
    assert terminal.run("logout", "--all", "corp").code == 2


def test_a_profiles_session_once_however_often_it_is_named(terminal: Terminal) -> None:
    terminal.seed()
    record(terminal)
    result = terminal.run("logout", "dev", "corp")
    assert result.out.count("Logged out of corp") == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.drop(), Fault.error("InternalServerException"), Fault.captive_page(), Fault.garbage(status=500)],
    ids=["no answer", "500", "captive portal", "garbage"],
)
def test_the_files_go_even_where_the_server_cannot_be_told(terminal: Terminal, fault: Fault) -> None:
    terminal.seed()
    record(terminal)
    terminal.standin.fault("Logout", fault)
    result = terminal.run("logout")
    assert result.code == 1
    assert "on this machine only" in result.out
    assert "the server could not be told" in result.err
    assert not terminal.cache.path("corp").exists()


def test_the_file_is_gone_before_the_server_is_told(terminal: Terminal) -> None:
    terminal.seed()
    record(terminal)
    there: list[bool] = []

    class Watching(IdentityCenter):
        def logout(self, access_token: str) -> None:
            there.append(terminal.cache.path("corp").exists())
            super().logout(access_token)

    log_out(
        Session("corp", DEFAULT_START_URL, DEFAULT_REGION),
        cache=terminal.cache,
        records=LoginRecords(terminal.paths.state / "logins"),
        endpoints_for=lambda *_: terminal.standin.endpoints,
        center_for=Watching,
        gone=lambda: there.append(terminal.cache.path("corp").exists()),
    )
    assert there == [False, False]


def test_a_token_that_the_server_no_longer_knows_is_logged_out(terminal: Terminal) -> None:
    terminal.seed()
    record(terminal)
    terminal.standin.expire_access_tokens()
    assert terminal.run("logout").code == 0
    assert terminal.standin.calls("Logout")[0].status == 401


def test_a_garbage_file_goes_too(terminal: Terminal) -> None:
    path = terminal.cache.path("corp")
    path.parent.mkdir(parents=True)
    path.write_bytes(b'{"accessToken": "x')
    assert terminal.run("logout").code == 0
    assert not path.exists()
    assert terminal.standin.calls() == []


def test_legacy_logins_of_the_same_start_url_end_too(terminal: Terminal) -> None:
    spelled = DEFAULT_START_URL.rstrip("/") + "/#/"
    terminal.seed(spelled, startUrl=spelled)
    record(terminal, spelled)
    terminal.seed("https://other.awsapps.com/start", startUrl="https://other.awsapps.com/start")
    result = terminal.run("logout", "corp")
    assert result.code == 0
    assert not terminal.cache.path(spelled).exists()
    assert terminal.cache.path("https://other.awsapps.com/start").exists()
    assert len(terminal.standin.calls("Logout")) == 1


def test_a_token_without_a_record_goes_to_aws_whatever_the_environment_says(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.seed()
    for name, value in terminal.standin.environment.items():
        monkeypatch.setenv(name, value)
    asked = _watch_centers(monkeypatch)
    assert terminal.run("logout").code == 1
    assert asked == [(DEFAULT_REGION, Endpoints())]
    assert terminal.standin.calls() == []


def test_a_token_without_a_record_goes_where_the_settings_say(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal.seed()
    asked = _watch_centers(monkeypatch)
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text('[sessions.corp]\nportal = "https://vpce.example.com"\n')
    terminal.run("logout")
    assert asked == [(DEFAULT_REGION, Endpoints(portal="https://vpce.example.com"))]


def test_a_token_of_another_start_url_goes_to_aws(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.seed(startUrl="https://another.awsapps.com/start", region="us-east-1")
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text('[sessions.corp]\nportal = "https://vpce.example.com"\n')
    asked = _watch_centers(monkeypatch)
    terminal.run("logout")
    assert asked == [("us-east-1", Endpoints())]


def test_a_token_of_another_start_url_goes_where_its_own_login_was(terminal: Terminal) -> None:
    terminal.seed(startUrl="https://another.awsapps.com/start")
    record(terminal)
    assert terminal.run("logout").code == 0
    assert len(terminal.standin.calls("Logout")) == 1


def _watch_centers(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Endpoints]]:
    """Note where tokens would go, and let none go there."""
    asked: list[tuple[str, Endpoints]] = []

    def center_for(_: object, region: str, endpoints: Endpoints) -> object:
        asked.append((region, endpoints))
        raise UpstreamError("Logout", UpstreamError.OFFLINE)

    monkeypatch.setattr("credhelper.cli.logout.Logout._center", center_for)
    return asked


def test_all(terminal: Terminal, paths: Paths) -> None:
    terminal.seed()
    record(terminal)
    terminal.seed("gone-from-config", startUrl="https://x.awsapps.com/start")
    record(terminal, "gone-from-config")
    entry = cli_entry(paths, accountId="1", roleName="r", sessionName="unknown")
    other = paths.cli_cache / "assume-role.json"
    other.write_text('{"Credentials": {}}')
    (paths.token_cache / "registration.json").write_text('{"clientId": "c", "clientSecret": "s"}')
    result = terminal.run("logout", "--all")
    assert (result.code, result.err) == (0, "")
    assert "1 more token file" in result.out
    assert "1 file with role credentials" in result.out
    assert [path.name for path in paths.token_cache.iterdir()] == ["registration.json"]
    assert not entry.exists()
    assert other.exists()
    assert len(terminal.standin.calls("Logout")) == 2


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_config_that_is_no_file_keeps_nobody_logged_in(terminal: Terminal, obstacle: str) -> None:
    terminal.seed()
    record(terminal)
    terminal.config.unlink()
    OBSTACLES[obstacle](terminal.config)
    result = terminal.run("logout")
    assert (result.code, result.out) == (1, "")
    assert str(terminal.config) in result.err
    result = terminal.run("logout", "--all")
    assert result.code == 0
    assert str(terminal.config) in result.err
    assert not terminal.cache.path("corp").exists()
    assert [call.status for call in terminal.standin.calls("Logout")] == [200]


def test_named_sessions_take_their_own_cli_credentials_alone(terminal: Terminal, paths: Paths) -> None:
    role = {"accountId": "100000000001", "roleName": "AWSReadOnlyAccess"}
    mine = cli_entry(paths, **role, sessionName="corp")
    legacy = cli_entry(paths, **role, startUrl=DEFAULT_START_URL)
    other = cli_entry(paths, **role, sessionName="other")
    assert terminal.run("logout", "corp").code == 0
    assert not mine.exists()
    assert not legacy.exists()
    assert other.exists()


def test_only_sso_entries_of_the_cli_cache_are_taken(paths: Paths) -> None:
    profile = Profile("dev", Session("corp", "u", "r"), "1", "role")
    path = cli_entry(paths, accountId="1", roleName="role", sessionName="corp")
    for content in (b"", b"{", b"[]", b"\xff", b'{"ProviderType": "assume-role"}'):
        path.write_bytes(content)
        assert forget_cli_credentials(paths.cli_cache, [profile]) == 0
        assert forget_cli_credentials(paths.cli_cache, None) == 0
        assert path.exists()
    assert forget_cli_credentials(paths.cli_cache / "missing", None) == 0


def test_the_cli_names_its_entries_as_we_think(paths: Paths) -> None:
    profile = Profile("dev", Session("corp", DEFAULT_START_URL, "eu-west-1"), "1", "role")
    for session_name in ("corp", None):
        fetcher: Any = SSOCredentialFetcher(
            DEFAULT_START_URL, "eu-west-1", "role", "1", Mock(), sso_session_name=session_name
        )
        path = paths.cli_cache / f"{fetcher._create_cache_key()}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"ProviderType": "sso"}')
        assert forget_cli_credentials(paths.cli_cache, [profile]) == 1


def test_a_file_that_cannot_be_removed_is_reported(terminal: Terminal) -> None:
    path = terminal.cache.path("corp")
    path.mkdir(parents=True)
    result = terminal.run("logout")
    assert result.code == 1
    assert "cannot be removed" in result.err


def test_the_daemon_forgets(terminal: Terminal, daemon: Agent) -> None:
    terminal.seed()
    record(terminal)
    daemon.call("reload")
    assert terminal.run("logout").code == 0
    states = {session["name"]: session["state"] for session in daemon.status()["sessions"]}
    assert states["corp"] == "logged_out"


def test_no_secret_is_shown(terminal: Terminal) -> None:
    terminal.seed()
    record(terminal)
    terminal.standin.fault("Logout", Fault.error("InternalServerException"))
    result = terminal.run("logout")
    assert not [secret for secret in terminal.standin.secrets() if secret in result.out + result.err]
