"""`credhelper login`, as a person meets it."""

from __future__ import annotations

import functools
import json
import os
import re
import resource
import signal
import subprocess
import termios
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from credhelper import files, resources, settings
from credhelper.agent import Agent
from credhelper.aws.login.flow import Pace, log_in
from credhelper.aws.login.turn import turn
from credhelper.aws.records import LoginRecords
from credhelper.cli import login as verb
from credhelper.cli.person import Person
from credhelper.dates import format_date
from credhelper.errors import DaemonUnavailable, LoginNeeded
from credhelper.model import Network
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault, write_browser_script
from credhelper.standin.browser import visit
from credhelper.surroundings import Surroundings
from tests.aws.login.conftest import Time
from tests.aws.login.people import redirect_address
from tests.aws.test_readable import OBSTACLES
from tests.cli.terminal import COMMAND, OTHER_SESSION, Terminal, environment, without_display
from tests.support import Processes
from tests.waiting import wait_until

PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon can be started."""

    def refuse(_: Agent, timeout: float = 10.0) -> None:
        raise DaemonUnavailable("the daemon cannot be started", "Why not")

    monkeypatch.setattr(Agent, "start", refuse)


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

    @without_display
    def test_a_device_code_where_there_is_no_browser(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr("credhelper.aws.login.choice.look", lambda environ: Surroundings())
        _approve_codes(monkeypatch)
        result = terminal.run("login")
        assert result.code == 0
        assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)
        assert "\x1b" not in result.out  # no terminal, no drawing
        assert "with a device code, because there is no display here to open a browser on.\n" in result.out

    @without_display
    def test_a_browser_that_cannot_be_started_gives_way_to_a_code(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        broken = terminal.paths.home / "broken"
        broken.write_text("#!/bin/sh\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr("credhelper.aws.browser._EARLY_END", 60.0)  # on a busy machine it may end late
        monkeypatch.setenv("BROWSER", str(broken))
        for name in ("DISPLAY", "WAYLAND_DISPLAY"):
            monkeypatch.delenv(name, raising=False)
        _approve_codes(monkeypatch)
        result = terminal.run("login")
        assert result.code == 0
        assert "No browser could be opened here; a device code follows." in result.out
        assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)

    def test_the_browser_that_the_settings_name(self, terminal: Terminal) -> None:
        own = write_browser_script(terminal.paths.home / "own browser")
        terminal.paths.settings.parent.mkdir(parents=True)
        terminal.paths.settings.write_text(f"[sessions.corp]\nbrowser = \"'{own.path}' %s\"\n")
        result = terminal.run("login")
        assert result.code == 0
        assert "in the browser that your settings name for it (own browser)." in result.out
        assert (len(own.opened()), terminal.browser.opened()) == (1, [])

    def test_one_that_is_not_there_is_named(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal.paths.settings.parent.mkdir(parents=True)
        terminal.paths.settings.write_text('[sessions.corp]\nbrowser = "no-such-browser -P corp"\n')
        _approve_codes(monkeypatch)
        result = terminal.run("login")
        assert result.code == 0
        assert "your settings name for it cannot be used here: no-such-browser -P corp.\n" in result.out
        assert terminal.browser.opened() == []

    def test_a_device_code_where_it_was_asked_for(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        _approve_codes(monkeypatch)
        result = terminal.run("login", "--device", "--no-browser")
        assert result.code == 0
        assert terminal.browser.opened() == []

    def test_a_device_code_is_shown_with_its_address_even_where_a_browser_opens(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _approve_codes(monkeypatch)
        result = terminal.run("login", "--device")
        assert result.code == 0
        assert len(terminal.browser.opened()) == 1
        assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)
        assert f"\n  {terminal.standin.url}/device?user_code=" in result.out
        assert f"Or type the code in at {terminal.standin.url}/device\n" in result.out

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


def _approve_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person approves each code elsewhere, and the time between polls passes at once."""
    shown = Person.show_code

    def show_code(self: Person, code: str, page: str, complete: str) -> None:
        shown(self, code, page, complete)
        visit(complete)

    clock = Time()
    monkeypatch.setattr(Person, "show_code", show_code)
    monkeypatch.setattr(verb, "log_in", functools.partial(log_in, pace=Pace(clock.sleep, clock.monotonic)))


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


@pytest.mark.usefixtures("daemon")
def test_a_second_login_waits_for_the_first(terminal: Terminal, processes: Processes) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = _page_of(first)
    others = [processes.start([*COMMAND, "login"], **options) for _ in range(3)]
    for other in others:
        assert other.stdout is not None
        assert "Another login to corp is under way" in other.stdout.readline()
    visit(page)
    assert first.wait(20) == 0
    for other in others:
        assert other.stdout is not None
        rest = other.stdout.read()
        assert other.wait(20) == 0
        assert "Already logged in to corp" in rest
    assert terminal.browser.opened() == []
    assert len(terminal.standin.calls("CreateToken")) == 1


@pytest.mark.usefixtures("daemon")
def test_waiting_jobs_open_no_pages_when_the_first_login_fails(terminal: Terminal, processes: Processes) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = _page_of(first)
    other = processes.start([*COMMAND, "login"], stderr=subprocess.DEVNULL, **options)
    assert other.stdout is not None
    assert "under way" in other.stdout.readline()
    visit(page, deny=True)
    assert first.wait(20) == 1
    assert other.wait(20) == 3
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("deny", [False, True], ids=["logged in", "denied"])
def test_one_page_even_where_the_daemon_ends_while_others_wait(
    terminal: Terminal, processes: Processes, deny: bool
) -> None:
    options: dict[str, Any] = {"env": environment(), "stdout": subprocess.PIPE, "text": True}
    first = processes.start([*COMMAND, "login", "--no-browser"], **options)
    page = _page_of(first)
    others = [processes.start([*COMMAND, "login"], stderr=subprocess.DEVNULL, **options) for _ in range(3)]
    for other in others:
        assert other.stdout is not None
        assert "under way" in other.stdout.readline()
    agent = Agent(terminal.paths)
    os.kill(agent.status()["daemon"]["pid"], signal.SIGKILL)
    wait_until(lambda: not agent.running())
    visit(page, deny=deny)
    assert first.wait(20) == (1 if deny else 0)
    for other in others:
        assert other.wait(20) == (3 if deny else 0)
    assert terminal.browser.opened() == []
    assert len(terminal.standin.calls("CreateToken")) == (0 if deny else 1)


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("logged_in", [True, False])
def test_a_login_without_a_lease_is_waited_for(terminal: Terminal, processes: Processes, logged_in: bool) -> None:
    path = terminal.paths.locks / f"{terminal.cache.path('corp').stem}.login"
    with turn(path, waiting=lambda: pytest.fail("nobody else logs in")) as waited:
        assert not waited
        other = processes.start(
            [*COMMAND, "login"],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert other.stdout is not None
        assert other.stderr is not None
        assert "Another login to corp is under way" in other.stdout.readline()
        if logged_in:
            terminal.seed()
    assert other.wait(20) == (0 if logged_in else 3)
    assert ("Already logged in to corp" in other.stdout.read()) is logged_in
    assert ("came to nothing" in other.stderr.read()) is not logged_in
    assert terminal.browser.opened() == []


def _page_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("  http"):
            return line.strip()
    raise AssertionError("no address was shown")


@pytest.mark.usefixtures("daemon")
def test_an_address_pasted_through_a_pipe(terminal: Terminal, processes: Processes) -> None:
    process = processes.start(
        [*COMMAND, "login", "--no-browser"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    page = _page_of(process)
    assert process.stdin is not None
    process.stdin.write(redirect_address(page) + "\n")
    process.stdin.flush()
    assert process.wait(20) == 0
    assert terminal.cache.read("corp") is not None


def spawn(*arguments: str, columns: int = 100) -> pexpect.spawn[str]:
    return pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], *arguments],
        env={**environment(), "TERM": "xterm-256color"},
        encoding="utf-8",
        dimensions=(40, columns),
        timeout=20,
    )


@pytest.mark.usefixtures("daemon")
def test_an_address_longer_than_a_line_of_the_terminal_pasted_there(terminal: Terminal) -> None:
    child = spawn("login", "--no-browser")
    try:
        child.expect(r"  (http://\S+)\r\n")
        assert isinstance(child.match, re.Match)
        page = str(child.match[1])
        child.expect(r"\d+:\d\d left")
        child.send("nonsense\n")
        child.expect("That is not the address")
        address = redirect_address(page) + "&filler=" + "x" * 6000
        for start in range(0, len(address), 500):
            child.send(address[start : start + 500])
        child.expect("characters pasted")
        child.send("\x7f\n")
        child.expect("Logged in to corp")
        assert "oauth/callback?code=" not in str(child.before)
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 0
    assert terminal.cache.read("corp") is not None


@pytest.mark.usefixtures("daemon")
def test_ctrl_d_calls_the_login_off(terminal: Terminal) -> None:
    child = spawn("login", "--no-browser")
    try:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        child.send("half an address\x04")  # in the midst of a line it ends nothing
        child.expect("characters pasted")
        child.send("\x15\x04")
        child.expect("credhelper: the login was called off by Ctrl-D")
        child.expect("Run the same command again")
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
    finally:
        child.close()
    assert child.exitstatus == 1
    assert terminal.cache.read("corp") is None


@pytest.mark.usefixtures("daemon")
def test_ctrl_c_leaves_nothing_behind(terminal: Terminal) -> None:
    child = spawn("login", "--no-browser")
    try:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        assert not termios.tcgetattr(child.child_fd)[3] & termios.ICANON
        child.sendintr()
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
    finally:
        child.close()
    assert child.exitstatus == 130
    assert terminal.cache.read("corp") is None
    # The lease is free again.
    with Agent(terminal.paths).login_lease("corp") as mine:
        assert mine


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.usefixtures("daemon")
def test_a_signal_that_ends_it_gives_the_terminal_back(terminal: Terminal, number: signal.Signals) -> None:
    child = spawn("login", "--no-browser")
    try:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        assert not termios.tcgetattr(child.child_fd)[3] & termios.ECHO
        child.kill(number)
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
        assert "Traceback" not in str(child.before)
    finally:
        child.close()
    assert child.exitstatus == 128 + number
    assert terminal.cache.read("corp") is None


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


@pytest.mark.usefixtures("daemon")
def test_a_login_that_is_ended_gives_its_lease_back(terminal: Terminal, processes: Processes) -> None:
    process = processes.start(
        [*COMMAND, "login", "--no-browser"], env=environment(), stdout=subprocess.PIPE, text=True
    )
    _page_of(process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)
    with Agent(terminal.paths).login_lease("corp") as mine:
        assert mine
    assert not Path(terminal.cache.path("corp")).exists()


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("arguments", [[], ["--device"]])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "Run `credhelper login --no-browser` at a terminal"),
        ("InvalidRequestException", "Check the session's start URL and region, or run `credhelper login --no"),
    ],
)
def test_where_codes_are_blocked_and_nobody_can_paste_no_job_waits(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str, remedy: str
) -> None:
    monkeypatch.delenv("BROWSER")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.1 50000 203.0.113.2 22")
    terminal.standin.fault("StartDeviceAuthorization", Fault.error(code, status=400))
    result = terminal.run("login", *arguments)
    assert result.code == 1
    assert "AWS takes no device code here, and no browser can be opened" in result.err
    assert remedy in result.err
    assert "/authorize" not in result.out


@pytest.mark.usefixtures("daemon")
def test_over_ssh_with_device_codes_blocked_the_address_is_pasted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was asked for but `login`: both turns are its own."""
    monkeypatch.delenv("BROWSER")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.1 50000 203.0.113.2 22")
    terminal.standin.fault("StartDeviceAuthorization", Fault.error("AccessDeniedException", status=400))
    child = spawn("login")
    try:
        child.expect("with a device code, because this is an SSH session, from which no browser can be opened")
        child.expect("AWS takes no device code here, so the login goes on in a browser")
        child.expect(r"  (http://\S+)\r\n")
        assert isinstance(child.match, re.Match)
        page = str(child.match[1])
        child.expect("paste the address of that page here")
        child.expect(r"\d+:\d\d left")
        child.send(redirect_address(page) + "\n")
        child.expect("Logged in to corp")
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == 0
    assert terminal.cache.read("corp") is not None
