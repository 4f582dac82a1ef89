"""A network between us and AWS that is not there, or that answers in its place: commands and a real daemon."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from credhelper import resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn
from tests.cli.terminal import Terminal
from tests.daemon.inside import Inside
from tests.faults.test_upstream import FAULTS, RENEW, WRONG, lines, reason
from tests.machine import ACCOUNT, ROLE, Hands, Machine
from tests.support import MakeStandIn
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


QUICK = [name for name in FAULTS if name not in {"silence", "torn", "truncated"}]


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


WHOAMI = {
    **{name: FAULTS[name][0] for name in QUICK if name not in {"wrong types", "a list", "endless"}},
    "wrong document": Fault.wrong("<GetCallerIdentityResponse><x/></GetCallerIdentityResponse>"),
    "no XML": Fault.wrong(WRONG),
}


def test_whoami_command(terminal: Terminal) -> None:
    helper = terminal.paths.home / "helper"
    content = {"Version": 1, "AccessKeyId": "AKIA", "SecretAccessKey": "x", "SessionToken": "y"}
    helper.write_text(f"#!/bin/sh\necho '{json.dumps(content)}'\n")
    helper.chmod(0o755)
    terminal.config.write_text(f"[profile dev]\nregion = eu-west-1\ncredential_process = {helper}\n")
    for name, fault in WHOAMI.items():
        with terminal.standin.fault("GetCallerIdentity", fault):
            result = terminal.run("whoami", "dev")
        assert result.code == 1, (name, result)
        assert result.out == ""
        one_clear_message(result.err)
