from __future__ import annotations

import errno
import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from credhelper import agent as agent_module
from credhelper import client
from credhelper.agent import Agent
from credhelper.errors import CredhelperError, DaemonUnavailable, LoginNeeded
from credhelper.paths import Paths
from tests import sandbox
from tests.support import Serve

reply = client.encode_reply


@pytest.fixture
def agent(paths: Paths, runtime_folder: Path) -> Agent:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    return Agent(paths)


SOCKET = "credhelper/agent.sock"


def test_command_line_takes_nothing_from_the_current_folder() -> None:
    command = agent_module.daemon_command()
    assert command[1:] == ["-P", "-m", "credhelper", "daemon", "run"]
    assert Path(command[0]).is_absolute()


def test_no_daemon(agent: Agent) -> None:
    assert not agent.running()
    with pytest.raises(DaemonUnavailable, match="does not run") as caught:
        agent.call("status")
    assert caught.value.remedy == "Run `credhelper daemon start`"
    with pytest.raises(DaemonUnavailable, match="does not run"), agent.login_lease("s"):
        pytest.fail("no lease without a daemon")


def test_call_sends_its_fields_and_returns_the_payload(agent: Agent, serve: Serve, home: Path) -> None:
    server = serve(SOCKET, reply(0, b"payload"))
    assert agent.call("forget", session="é\udcff") == b"payload"
    verb, fields = client.decode_request(server.requests[0])
    assert verb == b"forget"
    assert fields == {b"home": os.fsencode(home), b"session": b"\xc3\xa9\xff"}


def test_home_of_the_paths_counts_and_not_the_variable(
    agent: Agent, paths: Paths, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(SOCKET, reply(0, b""))
    monkeypatch.setenv("HOME", "/elsewhere")
    assert Agent(paths).running()
    assert client.decode_request(server.requests[0])[1][b"home"] == os.fsencode(paths.home)


def test_error_reply_becomes_an_error_with_the_daemon_s_words(agent: Agent, serve: Serve) -> None:
    serve(SOCKET, reply(1, b"credhelper: no such session\n"), reply(3, b"credhelper: log in\n"))
    with pytest.raises(CredhelperError) as failure:
        agent.call("forget")
    assert str(failure.value) == "no such session"
    with pytest.raises(LoginNeeded) as needed:
        agent.call("forget")
    assert str(needed.value) == "log in"


FOREIGN = [
    *((status, b"-1 0") for status in (1, 2, 3, 70, client.WORD, 255)),
    *((status, b"credhelper: 7\n") for status in (client.WORD, 255)),
    (1, b""),
    (3, b"\xff\xfe"),
    (1, b"credhelper:"),
]
OTHER_VERSION = "the daemon is of another version than the program. Run: credhelper daemon restart"


@pytest.mark.parametrize(("status", "payload"), FOREIGN)
def test_daemon_that_speaks_otherwise(agent: Agent, serve: Serve, status: int, payload: bytes) -> None:
    """Older or newer than the program: what it means by that, nobody can read."""
    answer = reply(status, payload)
    serve(SOCKET, answer, answer)
    with pytest.raises(DaemonUnavailable) as called:
        agent.call("forget")
    with pytest.raises(DaemonUnavailable) as leased, agent.login_lease("s"):
        pytest.fail("no lease")
    assert str(called.value) == str(leased.value) == OTHER_VERSION


@pytest.mark.parametrize(("status", "payload"), [case for case in FOREIGN if case[0] != client.WORD])
def test_followed_daemon_that_speaks_otherwise(agent: Agent, serve: Serve, status: int, payload: bytes) -> None:
    serve(SOCKET, reply(0, b"{}"), reply(status, payload))
    with pytest.raises(DaemonUnavailable) as followed:
        agent.follow("accounts", lambda _: pytest.fail("no word"))
    assert str(followed.value) == OTHER_VERSION


def test_word_that_was_a_time_to_wait(agent: Agent, serve: Serve) -> None:
    """A daemon that says how a walk goes in the way of one that asks for patience."""
    serve(SOCKET, reply(0, b"{}"), reply(client.WAIT, b"-1 0"), reply(client.WAIT, b"-1 0"))
    with pytest.raises(
        DaemonUnavailable, match=r"of another version than the program. Run: credhelper daemon restart"
    ):
        agent.follow("accounts", lambda _: None)
    with pytest.raises(DaemonUnavailable, match=r"makes no sense. Run `credhelper daemon restart`"):
        agent.call("status")


@pytest.mark.parametrize("payload", [b"[]", b"7", b'"x"', b"", b"{", b"\xff"])
def test_senseless_status(agent: Agent, serve: Serve, payload: bytes) -> None:
    serve(SOCKET, reply(0, payload))
    with pytest.raises(DaemonUnavailable, match="makes no sense"):
        agent.status()


@pytest.mark.parametrize("document", [{}, {"schema": 2}])
def test_status_of_another_version(agent: Agent, serve: Serve, document: dict[str, Any]) -> None:
    serve(SOCKET, reply(0, json.dumps(document).encode()))
    with pytest.raises(DaemonUnavailable, match="of another version"):
        agent.status()


def test_status(agent: Agent, serve: Serve) -> None:
    serve(SOCKET, reply(0, json.dumps({"schema": 1}).encode()))
    assert agent.status() == {"schema": 1}


@pytest.mark.parametrize("raw", [b"", b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_broken_daemon(agent: Agent, serve: Serve, raw: bytes) -> None:
    serve(SOCKET, raw, raw)
    with pytest.raises(DaemonUnavailable) as caught:
        agent.call("status")
    assert caught.value.remedy
    assert not agent.running()


def test_request_that_cannot_be_sent(agent: Agent) -> None:
    with pytest.raises(CredhelperError, match="NUL"):
        agent.call("forget", session="a\0b")


def test_listener_of_which_the_kernel_does_not_tell(
    agent: Agent, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: socket.socket) -> int:
        raise OSError(errno.ENOTCONN, "not connected")

    assert agent.listening_process() is None
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(runtime_folder / SOCKET))
        sock.listen()
        assert agent.listening_process() == os.getpid()
        monkeypatch.setattr(agent_module, "_peer_pid", gone)
        assert agent.listening_process() is None


@pytest.mark.parametrize(("payload", "ours"), [(b"granted", True), (b"ended", False)])
def test_login_lease(agent: Agent, serve: Serve, payload: bytes, *, ours: bool) -> None:
    server = serve(SOCKET, reply(client.WAIT, b"30") + reply(0, payload))
    told = []
    with agent.login_lease("my session", lambda: told.append("wait")) as mine:
        assert mine is ours
    assert told == ["wait"]
    assert client.decode_request(server.requests[0])[1][b"key"] == b"my session"


def test_refused_login_lease(agent: Agent, serve: Serve) -> None:
    serve(SOCKET, reply(1, b"credhelper: not now\n"))
    with pytest.raises(CredhelperError, match="not now"), agent.login_lease("s"):
        pytest.fail("refused")


def test_daemon_that_cannot_be_started(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_module, "daemon_command", lambda: ["/nonexistent/python", "daemon", "run"])
    with pytest.raises(DaemonUnavailable, match=r"cannot be started: .*No such file") as caught:
        agent.start()
    assert caught.value.remedy == "Run `credhelper daemon run` to see why"


def test_all_addresses_are_taken_and_the_remedy_helps(
    paths: Paths, agent: Agent, serve: Serve, runtime_folder: Path
) -> None:
    """A tenth home folder of one user: the nine addresses there are belong to others' daemons."""
    serve(SOCKET, *[reply(client.OTHER_HOME, b"")] * 2)
    for number in range(2, 10):
        serve(f"credhelper/agent-{number}.sock")
    with pytest.raises(
        DaemonUnavailable, match="cannot be started: daemons of other home folders hold all"
    ) as caught:
        agent.start()
    assert caught.value.remedy == "Set CREDHELPER_SOCKET to a path in another folder"
    (runtime_folder / "mine").mkdir(mode=0o700)
    mine = str(runtime_folder / "mine" / "agent.sock")
    try:
        Agent(paths, {**os.environ, "CREDHELPER_SOCKET": mine}).start()
        assert agent.status()["daemon"]["socket"] == mine  # also found by who has no such variable
    finally:
        wrong = sandbox.end_daemon(paths)
    assert not wrong
