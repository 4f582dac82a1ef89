"""A network between us and AWS that is not there, or that answers in its place: commands and a real daemon."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from credhelper import resources
from credhelper.agent import Agent
from credhelper.dates import format_date
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn, write_browser_script
from tests.cli.terminal import COMMAND, Terminal, environment
from tests.daemon.inside import Inside
from tests.faults.test_upstream import AFTER, ENDLESS, FAULTS, RENEW, WRONG, lines, reason
from tests.machine import ACCOUNT, ROLE, Hands, Machine, section
from tests.support import MakeStandIn, Processes
from tests.waiting import wait_until

OTHER = "AWSReadOnlyAccess"


class Proxy:
    """A proxy for plain HTTP on a port of its own, which may refuse, or not be there."""

    def __init__(self, target: str) -> None:
        self._target = ("127.0.0.1", int(target.rpartition(":")[2]))
        self._threads: list[threading.Thread] = []
        self.answer: bytes | None = None
        self.connections = 0
        # Its own from the beginning; who connects before it listens is refused.
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def start(self) -> None:
        self._listener.listen()
        thread = threading.Thread(target=self._serve, args=(self._listener,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                self.connections += 1
                thread = threading.Thread(target=self._relay, args=(peer,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _relay(self, peer: socket.socket) -> None:
        """One request for each connection."""
        with peer, peer.makefile("rb") as file, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = file.readline()
                if not line:
                    return
                head += line
            found = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
            body = file.read(int(found[1])) if found else b""
            if self.answer is not None:
                peer.sendall(self.answer)
                return
            with socket.create_connection(self._target, 10) as server:
                head = re.sub(rb"^(\S+) http://[^/]+", rb"\1 ", head)
                server.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + body)
                while part := server.recv(65536):
                    peer.sendall(part)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def proxy(standin: StandIn) -> Iterator[Proxy]:
    made = Proxy(standin.url)
    yield made
    made.close()


def refusal(status: str, more: str = "", body: str = "Denied") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n{more}"
        f"Connection: close\r\n\r\n{body}"
    ).encode()


REFUSALS = {
    "not there": (None, "AWS cannot be reached: the proxy refused"),
    "403": (refusal("403 Forbidden"), "AWS cannot be reached: somebody else answers 403"),
    "407": (
        refusal("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"\r\n'),
        "AWS cannot be reached: the proxy asks for a name and a password",
    ),
    "502": (refusal("502 Bad Gateway"), "AWS answers with status 502"),
}


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize("service", ["oidc", "portal"])
async def test_proxy_that_refuses(
    inside: Inside, hands: Hands, proxy: Proxy, log: pytest.LogCaptureFixture, how: str, service: str
) -> None:
    """What is reached by a proxy is the service whose address is not this machine's; here it is by the other's being
    elsewhere that this one's calls go by the proxy too."""
    answer, words = REFUSALS[how]
    machine = inside.machine
    machine.standin.configure(rotate_refresh_tokens=True)
    first = await inside.got()
    url, elsewhere = machine.standin.url, "https://elsewhere.invalid"
    ends = {"oidc": elsewhere, "portal": elsewhere, service: url}
    machine.paths.settings.write_text(
        f'[network]\nproxy = "http://127.0.0.1:{proxy.port}"\n[sessions.corp]\n'
        + "".join(f'{name} = "{value}"\n' for name, value in ends.items())
    )
    proxy.answer = answer
    if answer is not None:
        proxy.start()
    await inside.turn()
    assert await inside.got() == first
    if service == "portal":
        for _ in range(3):
            line = await inside.refused(1, role=OTHER)
            assert words in line
            assert line.endswith("Try again")
            assert words in await reason(inside)
        said = lines(log, "cannot be fetched")
    else:
        hands.forward(2450)
        for _ in range(3):
            await inside.turn()
            await inside.until(lambda: not inside.keeper.renewing and inside.keeper._retry_at is not None)
            assert words in await reason(inside)
            hands.forward(61)
        assert inside.state == "active"
        said = lines(log, "not renewed")
    assert len(said) == 1
    assert words in said[0]
    # The proxy is well again, and nobody does anything here.
    if answer is None:
        proxy.start()
    proxy.answer = None
    if service == "portal":
        assert await inside.got(role=OTHER)
    else:
        hands.forward(61)
        await inside.turn()
        await inside.until(lambda: inside.keeper.renewals == 1)
    assert proxy.connections >= 1


# --- a real daemon --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("standin_settings", [{"token_lifetime": 12, "rotate_refresh_tokens": True}])
def test_aws_that_is_away_and_comes_back(
    paths: Paths, make_standin: MakeStandIn, standin_settings: dict[str, Any]
) -> None:
    """With real time: a token of 12 s, due after 8, and no AWS at all from the 7th to the 11th."""
    standin = make_standin(**standin_settings)
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    resources.install_helper(paths)
    agent = Agent(paths)
    agent.start()

    def helper(role: str = ROLE) -> tuple[int, str, float]:
        started = time.monotonic()
        done = subprocess.run(
            [str(paths.helper), "corp", ACCOUNT, role], capture_output=True, text=True, check=False, timeout=30
        )
        shown = done.stdout if done.returncode == 0 else done.stderr
        assert (done.stderr == "") == (done.returncode == 0)
        return done.returncode, shown, time.monotonic() - started

    def state() -> Any:
        return agent.status()["sessions"][0]

    code, first, _ = helper()
    assert code == 0
    before = machine.token()
    with standin.fault("*", Fault.drop()):
        wait_until(lambda: "tried again" in state()["reason"], 15, "a renewal to fail")
        assert (helper()[0], helper()[1]) == (0, first)
        code, line, seconds = helper(OTHER)
        assert code == 1
        assert "AWS cannot be reached" in line
        assert seconds < 5
        assert machine.token() == before
    wait_until(lambda: machine.token() != before, 15, "the renewal")
    assert helper()[0] == 0
    assert helper(OTHER)[0] == 0
    wait_until(lambda: state()["reason"] == "renews itself", 10, "the session to be well")
    again = machine.token()
    wait_until(lambda: machine.token() != again, 20, "the next renewal")
    text = paths.log.read_text()
    assert text.count("not renewed") == 1
    assert text.count("AWS answers again") == 1


# --- commands -------------------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal.open(standin, paths, monkeypatch, capsys)


def one_clear_message(text: str) -> None:
    first, remedy = text.strip().split("\n", 1)
    assert first.startswith("credhelper: ")
    assert remedy.startswith("  ")
    assert "Traceback" not in text


QUICK = [name for name in FAULTS if name not in {*ENDLESS, *AFTER}]


def test_login_command(terminal: Terminal, daemon: Agent) -> None:
    path = terminal.cache.path("corp")
    assert terminal.run("login").code == 0
    whole = path.read_bytes()
    for name in ("500", "429", "dropped", "captive page", "garbage", "407 of a proxy"):
        for operation in ("RegisterClient", RENEW):
            with terminal.standin.fault(operation, FAULTS[name][0], detail=None):
                result = terminal.run("login", "--force")
            assert result.code == 1, name
            one_clear_message(result.err)
            assert path.read_bytes() == whole
    assert terminal.run("login", "--force").code == 0
    assert path.read_bytes() != whole


def test_logout_command(terminal: Terminal) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    url = terminal.standin.url
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')
    # An answer of Logout holds nothing that could be wrong.
    for name in [name for name in QUICK if name not in {"garbage", "wrong types", "a list"}]:
        terminal.seed()
        with terminal.standin.fault("Logout", FAULTS[name][0]):
            result = terminal.run("logout")
        assert result.code == 1, name
        one_clear_message(result.err)
        assert "the server could not be told" in result.err
        assert FAULTS[name][1][:20] in " ".join(result.err.split())
        assert not terminal.cache.path("corp").exists()
    terminal.seed()
    assert terminal.run("logout").code == 0


OFFLINE = "AWS cannot be reached (ConnectionClosedError)"
STRANGE = "something else answered in place of AWS: a web page, or nonsense"
CLOCK = "this machine's clock is off by more than AWS accepts"
WHOAMI = {
    "500": (FAULTS["500"][0], "AWS refused to say who you are: InternalServerException"),
    "503 without a body": (FAULTS["503 without a body"][0], "AWS answers with status 503"),
    "429": (FAULTS["429"][0], "AWS throttles the calls of this user"),
    "dropped": (Fault.drop(), OFFLINE),
    "reset": (Fault.reset(), OFFLINE),
    **{
        name: (FAULTS[name][0], STRANGE)
        for name in QUICK
        if name == "garbage" or name.startswith("captive") or name.endswith("proxy")
    },
    "wrong document": (Fault.wrong("<GetCallerIdentityResponse><x/></GetCallerIdentityResponse>"), STRANGE),
    "no XML": (Fault.wrong(WRONG), STRANGE),
    # The stand-in does not check dates; sts says these words.
    "clock behind": (
        Fault.error("SignatureDoesNotMatch", status=403, message="Signature expired: 20261123T000000Z is now"),
        CLOCK,
    ),
    "clock ahead": (
        Fault.error("SignatureDoesNotMatch", status=403, message="Signature not yet current: 20261123T001000Z is"),
        CLOCK,
    ),
}


# A credential process without a daemon, which no proxy and no fault of sts concerns.
_KEYS = """\
#!{python}
import datetime, json, pathlib, urllib.request
token = json.loads(pathlib.Path({token!r}).read_bytes())["accessToken"]
request = urllib.request.Request(
    {url!r} + "/federation/credentials?account_id={account}&role_name={role}",
    headers={{"x-amz-sso_bearer_token": token}},
)
with urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(request) as answer:
    found = json.load(answer)["roleCredentials"]
end = datetime.datetime.fromtimestamp(found["expiration"] / 1000, datetime.timezone.utc)
print(json.dumps({{
    "Version": 1, "AccessKeyId": found["accessKeyId"], "SecretAccessKey": found["secretAccessKey"],
    "SessionToken": found["sessionToken"], "Expiration": end.isoformat(),
}}))
"""


def give_keys(machine_paths: Paths, standin: StandIn, token_file: Path) -> Path:
    """A credential process that works."""
    helper = machine_paths.home / "helper"
    text = _KEYS.format(python=sys.executable, token=str(token_file), url=standin.url, account=ACCOUNT, role=ROLE)
    helper.write_text(text)
    helper.chmod(0o755)
    return helper


@pytest.fixture
def keys(terminal: Terminal) -> None:
    """The profile `dev` has credentials."""
    terminal.seed()
    helper = give_keys(terminal.paths, terminal.standin, terminal.cache.path("corp"))
    terminal.config.write_text(f"[profile dev]\nregion = eu-west-1\ncredential_process = {helper}\n")


def test_whoami_command(terminal: Terminal, keys: None) -> None:
    for name, (fault, words) in WHOAMI.items():
        with terminal.standin.fault("GetCallerIdentity", fault):
            result = terminal.run("whoami", "dev")
        assert (result.code, result.out) == (1, ""), name
        one_clear_message(result.err)
        assert result.err.startswith(f"credhelper: {words}\n"), name
    result = terminal.run("whoami", "dev")
    assert (result.code, result.err) == (0, "")
    assert ROLE in result.out


# Our own machine is reached without a proxy; so it is asked for another one, whom it cannot reach.
ELSEWHERE = "https://elsewhere.invalid"
REFUSED = "AWS cannot be reached: the proxy refused"


@pytest.mark.parametrize("how", REFUSALS)
def test_whoami_through_a_proxy(terminal: Terminal, keys: None, proxy: Proxy, how: str) -> None:
    terminal.patch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
    terminal.patch.setenv("AWS_ENDPOINT_URL_STS", ELSEWHERE)
    proxy.answer = REFUSALS[how][0]
    if proxy.answer is not None:
        proxy.start()
    result = terminal.run("whoami", "dev")
    assert (result.code, result.out) == (1, "")
    one_clear_message(result.err)
    assert "AWS cannot be reached (ProxyConnectionError)" in result.err
    assert (proxy.connections >= 1) is (proxy.answer is not None)
    terminal.patch.setenv("AWS_ENDPOINT_URL_STS", terminal.standin.url)
    assert terminal.run("whoami", "dev").code == 0


@pytest.mark.parametrize("how", REFUSALS)
@pytest.mark.parametrize("device", [False, True])
def test_login_through_a_proxy(terminal: Terminal, daemon: Agent, proxy: Proxy, how: str, *, device: bool) -> None:
    for name in ("http_proxy", "https_proxy"):
        terminal.patch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    terminal.patch.setenv("AWS_ENDPOINT_URL_SSO_OIDC", ELSEWHERE)
    proxy.answer = REFUSALS[how][0]
    if proxy.answer is not None:
        proxy.start()
    result = terminal.run("login", *(["--device"] if device else []))
    assert result.code == 1
    one_clear_message(result.err)
    assert "IAM Identity Center cannot be reached (the proxy refused)" in result.err
    assert not terminal.cache.path("corp").exists()
    assert (proxy.connections >= 1) is (proxy.answer is not None)
    terminal.patch.setenv("AWS_ENDPOINT_URL_SSO_OIDC", terminal.standin.url)
    assert terminal.run("login").code == 0


@pytest.mark.parametrize("how", REFUSALS)
def test_logout_through_a_proxy(terminal: Terminal, proxy: Proxy, how: str) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    network = f'[network]\nproxy = "http://127.0.0.1:{proxy.port}"\n'
    terminal.paths.settings.write_text(f'{network}[sessions.corp]\nportal = "{ELSEWHERE}"\n')
    terminal.seed()
    proxy.answer = REFUSALS[how][0]
    if proxy.answer is not None:
        proxy.start()
    result = terminal.run("logout")
    assert result.code == 1
    one_clear_message(result.err)
    assert f"the server could not be told: {REFUSED}" in result.err
    assert not terminal.cache.path("corp").exists()
    assert (proxy.connections >= 1) is (proxy.answer is not None)
    terminal.paths.settings.write_text(f'{network}[sessions.corp]\nportal = "{terminal.standin.url}"\n')
    terminal.seed()
    assert terminal.run("logout").code == 0
    assert terminal.standin.calls("Logout")


# --- a clock that is wrong, and silence -----------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [10, -10])
def test_commands_with_a_clock_that_is_off(terminal: Terminal, daemon: Agent, minutes: int) -> None:
    """The server's clock against ours; a token's end is written by our own."""
    terminal.standin.configure(clock=lambda: time.time() + minutes * 60)
    terminal.paths.settings.parent.mkdir(parents=True)
    url = terminal.standin.url
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')
    seen = set()
    for arguments in (["login"], ["login", "--force"], ["login", "--device", "--force"]):
        before = time.time()
        if "--device" in arguments:
            terminal.standin.configure(auto_approve=True)
        result = terminal.run(*arguments)
        assert (result.code, result.err) == (0, "")
        token = terminal.cache.read("corp")
        assert token is not None
        assert before + 3590 <= token.expires_at <= time.time() + 3601
        seen.add(token.access_token)
        assert "Already logged in" in terminal.run("login").out
        assert daemon.status()["sessions"][0]["state"] == "active"
    assert len(seen) == 3
    result = terminal.call("whoami", "dev")
    assert (result.code, result.err) == (0, "")
    assert "AWSReadOnlyAccess" in result.out
    assert terminal.run("logout").code == 0
    assert terminal.standin.calls("Logout", done=True)


SILENT = ("RegisterClient", RENEW, "Logout", "GetCallerIdentity")


def test_ten_seconds_of_silence(paths: Paths, standin: StandIn, processes: Processes) -> None:
    """Each kind of call runs into its own limit, in real time and side by side; what lives is served meanwhile."""
    machine = Machine(paths, standin)
    other = Session("other", "https://other.awsapps.com/start", machine.session.region)
    helper = give_keys(paths, standin, machine.token_file)
    more = f"[profile me]\nregion = eu-west-1\ncredential_process = {helper}\n"
    machine.write_config(section(other) + more)
    ends = "".join(f'{name} = "{standin.url}"\n' for name in ("oidc", "portal", "sts"))
    machine.paths.settings.parent.mkdir(parents=True)
    machine.paths.settings.write_text(f"[sessions.corp]\n{ends}[sessions.other]\n{ends}")
    machine.log_in(session=other)
    # A token of an hour that has a minute left: to be renewed at once.
    machine.log_in(expiresAt=format_date(time.time() + 60))
    os.utime(machine.token_file, (time.time() - 3600, time.time() - 3600))
    resources.install_helper(paths)
    browser = write_browser_script(paths.home / "browser")
    environ = {**environment(), **standin.environment, "BROWSER": str(browser.path)}
    quiet = [standin.fault(name, Fault.silence()) for name in SILENT]
    agent = Agent(paths)
    agent.start()
    started = time.monotonic()
    took: dict[str, float] = {}

    def served(role: str) -> subprocess.CompletedProcess[str]:
        arguments = [str(paths.helper), "corp", ACCOUNT, role]
        return subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=30)

    first = served(ROLE)
    assert first.returncode == 0, first.stderr
    commands = {"login": "login corp --force", "logout": "logout other", "whoami": "whoami me"}
    pipe = subprocess.PIPE
    running = {
        name: processes.start([*COMMAND, *line.split()], env=environ, text=True, stdout=pipe, stderr=pipe)
        for name, line in commands.items()
    }
    wait_until(lambda: all(standin.calls(name, done=None) for name in SILENT), 20, "all to wait")

    def ended() -> bool:
        again = served(ROLE)
        assert (again.returncode, again.stdout) == (0, first.stdout)
        for name, process in running.items():
            if process.poll() is not None:
                took.setdefault(name, time.monotonic() - started)
        return len(took) == len(running)

    wait_until(ended, 60, "the commands to give up", pause=0.5)
    wait_until(lambda: "not renewed: AWS cannot be reached: no answer in time" in paths.log.read_text(), 20)
    for name, words in {
        "login": "IAM Identity Center cannot be reached (no answer in time)",
        "logout": "the server could not be told: AWS cannot be reached: no answer in time",
        "whoami": "AWS cannot be reached (ReadTimeoutError)",
    }.items():
        _, err = running[name].communicate()
        assert running[name].returncode == 1, name
        one_clear_message(err)
        assert words in err
    assert took["login"] >= 10
    assert took["whoami"] >= 10
    before = machine.token()
    for fault in quiet:
        fault.remove()
    wait_until(lambda: machine.token() != before, 30, "the renewal, by itself")
    assert served("AWSReadOnlyAccess").returncode == 0
    for line in ("login corp --force", "whoami me"):
        done = subprocess.run([*COMMAND, *line.split()], env=environ, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
