"""`credhelper login`, as a person meets it."""

from __future__ import annotations

import json
import os
import re
import resource
import time
from dataclasses import replace

import psutil
import pytest

from credhelper import files, resources, settings
from credhelper.agent import Agent
from credhelper.aws.records import LoginRecords
from credhelper.cli import login as verb
from credhelper.dates import format_date
from credhelper.errors import LoginNeeded
from credhelper.model import Network
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault, write_browser_script
from tests.aws.test_readable import OBSTACLES
from tests.cli.terminal import OTHER_SESSION, Terminal
from tests.waiting import wait_until

PAST = "2020-01-01T00:00:00Z"


@pytest.mark.usefixtures("alone")
class TestWithoutDaemon:
    def test_in_the_browser(self, terminal: Terminal) -> None:
        result = terminal.run("login", "corp")
        assert result.code == 0
        assert re.search(r"Logged in to corp until .*\d\d:\d\d, and renews itself\.", result.out)
        assert "the login goes on without it" in result.err
        assert len(terminal.browser.opened()) == 1
        token = terminal.cache.read("corp")
        assert token is not None
        assert token.refresh_token

    def test_no_secret_is_shown(self, terminal: Terminal) -> None:
        result = terminal.run("login", "corp")
        shown = result.out + result.err
        assert not [secret for secret in terminal.standin.secrets() if secret in shown]

    @pytest.mark.parametrize("name", ["corp", "dev", None])
    def test_a_session_a_profile_or_the_only_one(self, terminal: Terminal, name: str | None) -> None:
        assert terminal.run("login", *([name] if name else [])).code == 0
        assert terminal.cache.read("corp") is not None

    def test_the_profile_of_the_environment(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal.config.write_text(terminal.config.read_text() + OTHER_SESSION)
        assert terminal.run("login").code == 2
        monkeypatch.setenv("AWS_PROFILE", "dev")
        assert terminal.run("login").code == 0
        assert terminal.cache.read("corp") is not None

    def test_an_unknown_name(self, terminal: Terminal) -> None:
        result = terminal.run("login", "crop")
        assert result.code == 2
        assert "Did you mean 'corp'?" in result.err

    def test_twice(self, terminal: Terminal) -> None:
        terminal.run("login")
        result = terminal.run("login")
        assert result.code == 0
        assert "Already logged in to corp until" in result.out
        assert "renews itself" in result.out
        assert len(terminal.browser.opened()) == 1

    def test_force(self, terminal: Terminal) -> None:
        terminal.run("login")
        before = terminal.cache.read("corp")
        assert terminal.run("login", "--force").code == 0
        after = terminal.cache.read("corp")
        assert before is not None
        assert after is not None
        assert after.access_token != before.access_token
        assert len(terminal.standin.calls("RegisterClient")) == 2, (
            "an old one might be dead, and only the page would say so"
        )

    def test_what_has_run_out_is_renewed_without_a_person(self, terminal: Terminal) -> None:
        terminal.run("login")
        path = terminal.cache.path("corp")
        path.write_text(json.dumps({**json.loads(path.read_text()), "expiresAt": PAST}))
        result = terminal.run("login")
        assert result.code == 0
        assert "Already logged in" in result.out
        assert len(terminal.browser.opened()) == 1
        assert len(terminal.standin.calls("CreateToken", detail="refresh_token")) == 1

    def test_a_refused_renewal_leads_to_the_browser(self, terminal: Terminal) -> None:
        terminal.run("login")
        path = terminal.cache.path("corp")
        path.write_text(json.dumps({**json.loads(path.read_text()), "expiresAt": PAST}))
        terminal.standin.fault("CreateToken", Fault.error("InvalidGrantException"), detail="refresh_token")
        assert terminal.run("login").code == 0
        assert len(terminal.browser.opened()) == 2

    def test_without_a_network_no_page_is_opened(self, terminal: Terminal) -> None:
        terminal.run("login")
        path = terminal.cache.path("corp")
        path.write_text(json.dumps({**json.loads(path.read_text()), "expiresAt": PAST}))
        terminal.standin.fault("CreateToken", Fault.drop())
        result = terminal.run("login")
        assert result.code == 1
        assert "cannot be reached" in result.err
        assert len(terminal.browser.opened()) == 1

    def test_garbage_in_the_token_file_is_replaced(self, terminal: Terminal) -> None:
        path = terminal.cache.path("corp")
        path.parent.mkdir(parents=True)
        path.write_bytes(b'{"accessToken": ')
        assert terminal.run("login").code == 0
        assert terminal.cache.read("corp") is not None

    def test_denied(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        script = write_browser_script(terminal.paths.home / "denier", deny=True)
        monkeypatch.setenv("BROWSER", str(script.path))
        result = terminal.run("login")
        assert result.code == 1
        assert "denied" in result.err
        assert terminal.cache.read("corp") is None

    def test_names_from_the_config_cannot_play_with_the_terminal(self, terminal: Terminal) -> None:
        text = terminal.config.read_text().replace("corp", "co\x1b[2Jrp")
        terminal.config.write_text(text)
        result = terminal.run("login")
        assert "\x1b" not in result.out + result.err

    def test_an_unsafe_endpoint(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SSO_OIDC", "http://example.com/")
        result = terminal.run("login")
        assert result.code == 1
        assert terminal.browser.opened() == []


@pytest.mark.usefixtures("alone")
def test_login_and_daemon_use_one_network(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person's environment says of it is recorded; nothing else is used then."""
    for name in terminal.standin.environment:
        monkeypatch.delenv(name)
    for name, value in {
        "https_proxy": "http://someone:hush@127.0.0.1:1",
        "NO_PROXY": "internal.example",
        "REQUESTS_CA_BUNDLE": "/etc/ssl/none.pem",
    }.items():
        monkeypatch.setenv(name, value)
    result = terminal.run("login")
    assert result.code == 1
    assert "hush" not in result.out + result.err
    network = Network({"https": "http://someone:hush@127.0.0.1:1"}, "/etc/ssl/none.pem", "internal.example")
    assert settings.load(terminal.paths).network == network
    login = verb.Login(terminal.session, terminal.paths, os.environ)
    assert login._center()._network == network


def test_beside_a_daemon_that_hangs(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not asked again and again, and no other login is blamed."""
    start = Agent.start
    start(Agent(terminal.paths))
    process = psutil.Process(Agent(terminal.paths).status()["daemon"]["pid"])
    monkeypatch.setattr(Agent, "start", lambda agent: start(agent, 0.5))

    def asked(*_: object, **__: object) -> None:
        pytest.fail("each question takes 5 s")

    monkeypatch.setattr(Agent, "login_lease", asked)
    process.suspend()
    try:
        with monkeypatch.context() as patch:
            patch.setattr(Agent, "call", asked)
            result = terminal.run("login", "corp", "--force")
    finally:
        process.resume()
    assert result.code == 0
    assert "the login goes on without it" in result.err
    assert "nother login" not in result.out
    assert "Logged in to corp until" in result.out


def test_the_daemon_is_started_and_told(terminal: Terminal) -> None:
    result = terminal.run("login")
    assert result.code == 0
    assert result.err == ""
    assert Agent(terminal.paths).running()
    status = wait_until(lambda: _session_state(terminal.paths) == "active")
    assert status


def test_a_session_whose_renewal_aws_refuses_leads_to_the_browser(terminal: Terminal) -> None:
    """The token lives and has all that a renewal takes; only the daemon knows better."""
    assert terminal.run("login").code == 0
    terminal.standin.end_sessions()
    path = terminal.cache.path("corp")
    soon = time.time() + 600
    changed = {**json.loads(path.read_text()), "expiresAt": format_date(soon)}
    files.replace(path, json.dumps(changed).encode())
    os.utime(path, (soon - 3600, soon - 3600))  # by which the renewal of an hour's token is due
    Agent(terminal.paths).call("reload")
    wait_until(lambda: _session_state(terminal.paths) == "expiring")
    result = terminal.run("login")
    assert result.code == 0
    assert "Already logged in" not in result.out
    assert len(terminal.browser.opened()) == 2


def test_a_session_that_aws_has_ended_early_leads_to_the_browser(terminal: Terminal) -> None:
    """Signed out elsewhere: the token's own date is far off, and AWS accepts it no more."""
    assert terminal.run("login").code == 0
    terminal.standin.revoke_sessions()

    def ask() -> bytes:
        agent = Agent(terminal.paths)
        return agent.call("credentials", session="corp", account="100000000001", role="AWSAdministratorAccess")

    with pytest.raises(LoginNeeded, match="AWS has ended the session"):
        ask()
    assert _session_state(terminal.paths) == "expired"
    result = terminal.run("login")
    assert result.code == 0
    assert "Already logged in" not in result.out
    assert ask()


def test_a_config_of_the_environments_own_is_made_known_to_the_daemon(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = terminal.paths.home / "work-config"
    terminal.config.rename(other)
    monkeypatch.setenv("AWS_CONFIG_FILE", "~/work-config")
    assert terminal.run("login", "corp").code == 0
    assert resources.known_configs(terminal.paths) == [terminal.config, other]
    assert wait_until(lambda: _session_state(terminal.paths) == "active")


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_config_that_is_no_file(terminal: Terminal, obstacle: str) -> None:
    terminal.config.unlink()
    OBSTACLES[obstacle](terminal.config)
    result = terminal.run("login")
    assert (result.code, result.out) == (1, "")
    assert str(terminal.config) in result.err


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(("left", "pages"), [(29 * 60, 2), (31 * 60, 1)])
def test_near_the_known_cap_a_login_makes_a_new_session(terminal: Terminal, left: float, pages: int) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text("[sessions.corp]\nsession_cap = 28800\n")
    terminal.run("login")
    records = LoginRecords(terminal.paths.state / "logins")
    record = records.read("corp")
    assert record is not None
    records.write("corp", replace(record, logged_in_at=time.time() - 28800 + left))
    result = terminal.run("login")
    assert result.code == 0
    assert ("Already logged in" in result.out) is (pages == 1)
    assert len(terminal.browser.opened()) == pages
    again = terminal.run("login")
    assert re.search(r"renews itself until .*\d\d:\d\d\)", again.out)
    assert len(terminal.browser.opened()) == pages


@pytest.mark.usefixtures("alone")
def test_a_cap_says_nothing_of_another_clients_login(terminal: Terminal) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text("[sessions.corp]\nsession_cap = 28800\n")
    terminal.run("login")
    records = LoginRecords(terminal.paths.state / "logins")
    record = records.read("corp")
    assert record is not None
    records.write("corp", replace(record, client="another's", logged_in_at=0.0))
    assert "Already logged in" in terminal.run("login").out


LEGACY = f"""
[profile "my old"]
sso_start_url = {DEFAULT_START_URL}
sso_region = {DEFAULT_REGION}
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
"""


@pytest.mark.usefixtures("alone")
class TestLegacyProfileBesideASession:
    """Its login goes to the session; the AWS CLI looks for the token elsewhere."""

    HINT = "enable it so that it uses this login: credhelper enable 'my old'"

    @pytest.fixture(autouse=True)
    def config(self, terminal: Terminal) -> None:
        terminal.config.write_text(terminal.config.read_text() + LEGACY)

    def test_it_is_told(self, terminal: Terminal) -> None:
        for _ in range(2):
            result = terminal.run("login", "my old")
            assert result.code == 0
            assert self.HINT in result.out

    def test_by_the_environment_too(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_PROFILE", "my old")
        assert self.HINT in terminal.run("login").out

    @pytest.mark.parametrize("name", ["corp", "dev"])
    def test_others_are_not(self, terminal: Terminal, name: str) -> None:
        assert "enable" not in terminal.run("login", name).out

    def test_nor_once_it_is_enabled(self, terminal: Terminal) -> None:
        assert terminal.run("enable", "my old", "--yes").code == 0
        assert "enable" not in terminal.run("login", "my old").out

    def test_nor_where_the_aws_cli_has_a_token_for_it(self, terminal: Terminal) -> None:
        terminal.seed(DEFAULT_START_URL)
        assert "enable" not in terminal.run("login", "my old").out


def _session_state(paths: Paths) -> str:
    sessions = Agent(paths).status()["sessions"]
    return str(next((session["state"] for session in sessions if session["name"] == "corp"), ""))


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize(
    "line",
    [
        "login",
        "logout",
        "status",
        "whoami dev",
        "enable --all --yes",
        "disable --all --yes",
        "daemon start",
        "daemon restart",
    ],
)
def test_there_is_no_core_dump_of_what_holds_secrets(terminal: Terminal, line: str) -> None:
    limits = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (limits[1], limits[1]))
        terminal.run(*line.split())
        assert resource.getrlimit(resource.RLIMIT_CORE) == (0, limits[1])
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, limits)


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("options", [[], ["--device"], ["--no-browser"]])
@pytest.mark.parametrize(
    "url", ["nonsense", "http://d-1.awsapps.com/start", "https://d-1.awsapps.com.evil.example/start", "file:///etc"]
)
def test_a_start_url_that_is_none_of_awss(terminal: Terminal, url: str, options: list[str]) -> None:
    terminal.config.write_text(terminal.config.read_text().replace(DEFAULT_START_URL, url))
    result = terminal.run("login", *options)
    assert (result.code, result.out) == (1, "")
    assert f"the start URL of corp is no https address of AWS's: {url}" in result.err
    assert "Correct sso_start_url in the AWS config" in result.err
    assert terminal.standin.calls() == []
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("alone")
def test_broken_settings_are_named(terminal: Terminal) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text("[network\n")
    result = terminal.run("login")
    assert result.code == 1
    assert f"{terminal.paths.settings} is not valid TOML" in result.err
    assert terminal.browser.opened() == []
