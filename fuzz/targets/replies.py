"""Any bytes for an answer: the helper and the commands say in one line that it makes no sense, and soon."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from credhelper import client
from credhelper.agent import Agent
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

MAX_LEN = 600
LINES = False
NEXT = b"\n--\n"  # what follows is another part; one that begins with `=` is the rest of it as the body of a frame
WORDS = (
    NEXT, b"=\0", b"=\x64", b"=\x65", b"=\x64nan",
    b"\0\0\0\1", b"\0\0\0\5", b"\0\0\0\0", b"\1\0\0\0", b"\1\0\0\1", b"\xff\xff\xff\xff", b"\x64", b"\x65", b"\0",
    b"nan", b"-nan", b"inf", b"-1", b"1e999", b"1_0", b"5.0", b"{}", b'{"a": 1}', b"granted", b"[[[[", b"NaN",
    b"\0\0\0\4\x64nan", b"\0\0\0\4\x645.0", b"credhelper: ", b"\n", b"\x1b[2J", b"\xff",
)  # fmt: skip
_REQUEST = client.encode_request(b"ping", {b"home": b"/"})


def seeds() -> list[bytes]:
    """Whole replies of each kind."""
    return [
        b"",
        b'=\0{"running": true}',
        b"=\1credhelper: no\n",
        b"=\3credhelper: session s: over. Run: credhelper login s\n",
        b"=\x645.0" + NEXT + b"=\0granted",
        b"=\x641.0" + NEXT + b"=\x642.0" + NEXT + b"=\x65",
        client.encode_reply(0, b"x"),
    ]


def one(data: bytes) -> None:
    data = b"".join(
        len(part[1:]).to_bytes(4, "big") + part[1:] if part.startswith(b"=") else part for part in data.split(NEXT)
    )
    started = time.monotonic()
    with _daemon_that_says(data) as sock:
        try:
            status, payload = client.exchange(sock, _REQUEST, started + 4.0)
        except client.Broken as error:
            assert str(error).isprintable()
        else:
            assert status != client.WAIT
            assert client.encode_reply(status, payload) in data
    agent = Agent(Paths(Path("/")), {})
    for ask in (_status, _lease):
        with (
            _daemon_that_says(data) as sock,
            mock.patch.object(client, "connect", lambda *_, sock=sock: sock),
            contextlib.suppress(CredhelperError),
        ):
            ask(agent)
    assert time.monotonic() - started < 4.0, "it waited for one who had hung up"


def _status(agent: Agent) -> None:
    assert isinstance(agent.status(), dict)


def _lease(agent: Agent) -> None:
    with agent.login_lease("s") as granted:
        assert granted in {True, False}


@contextlib.contextmanager
def _daemon_that_says(data: bytes) -> Iterator[socket.socket]:
    """A socket at whose other end somebody says this, whatever is asked, and no more."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        yield ours
