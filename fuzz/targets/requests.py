"""Any bytes on the daemon's socket: they cost that connection alone, and the next caller is served.

The daemon's own server and verbs on a real socket pair, in this process's event loop, with an AWS config but no
token: what it asks AWS is another target's matter. Several connections are open at once where the input says so.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import shutil
import socket
import tempfile
import zlib
from pathlib import Path

from credhelper import client
from credhelper.daemon.app import App
from credhelper.daemon.server import Server
from credhelper.paths import Paths

MAX_LEN = 900
LINES = False
NEXT = b"\n--\n"  # what follows is another connection's, open at the same time
WORDS = (
    NEXT, b"\0", b"ping", b"credentials", b"status", b"forget", b"reload", b"stop", b"login-lease", b"\0home=HOME",
    b"accounts", b"\0name=s", b"\0start_url=https://d-1.awsapps.com/start/", b"\0region=eu-west-1", b"\0scopes=a b",
    b"\0legacy=yes", b"\0legacy=no", b"\0fresh=no", b"\0start_url=[", b"\0name=\xff",
    b"\0home=/", b"\0home=HOME/..", b"\0session=s", b"\0account=123456789012", b"\0role=Admin", b"\0role=+C3+A4",
    b"\0config=HOME/other", b"\0config=~/x", b"\0config=.", b"\0folder=/", b"\0folder=\xff", b"\0key=s", b"\0key=",
    b"\0parent=1", b"\0profile=a\x1b[2J", b"\0session=+FF", b"\0session=+0A", b"=", b"\xff\xff\xff\xff",
    b"\0\0\0\0", b"\0\1\0\0", b"\0\1\0\1",
)  # fmt: skip
_HOME = Path(tempfile.mkdtemp(prefix="credhelper-fuzz-")).resolve()
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
_STATUSES = {0, 1, 2, 3, client.WAIT, client.WORD, client.OTHER_HOME}


class _Complaints(logging.Handler):
    """Whatever the daemon calls unforeseen ends the run."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(self.format(record))


class _Daemon:
    """The daemon's parts that answer, without its lock, its watch and its address."""

    def __init__(self) -> None:
        (_HOME / ".aws").mkdir(parents=True)
        (_HOME / ".aws" / "config").write_bytes(
            b"[profile a]\ncredential_process = /x/credhelper/credential-process s 123456789012 Admin\n"
            b"[sso-session s]\nsso_start_url = https://d-1.awsapps.com/start/\nsso_region = eu-west-1\n"
        )
        self.complaints = _Complaints()
        logging.getLogger("credhelper").addHandler(self.complaints)
        logging.getLogger("credhelper").propagate = False
        logging.getLogger("asyncio").addHandler(self.complaints)
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _, context: self.complaints.found.append(repr(context)))
        self.app = self.loop.run_until_complete(self._make())
        self.server: Server = self.app._server

    @staticmethod
    async def _make() -> App:
        app = App(Paths(_HOME), {})
        await app._read_again()
        return app

    def say(self, sent: list[bytes]) -> list[bytes]:
        """What each of these connections is answered, all of them open at once."""
        return self.loop.run_until_complete(self._say(sent))

    async def _say(self, sent: list[bytes]) -> list[bytes]:
        pairs = [socket.socketpair() for _ in sent]
        for (ours, theirs), data in zip(pairs, sent, strict=True):
            ours.sendall(data)
            theirs.setblocking(False)
        served = [self.loop.create_task(self.server._acceptor._serve(theirs)) for _, theirs in pairs]
        await asyncio.sleep(0)
        for ours, _ in pairs:
            ours.shutdown(socket.SHUT_WR)
        async with asyncio.timeout(8):
            await asyncio.gather(*served)
        replies = []
        for ours, _ in pairs:
            ours.setblocking(True)
            with ours, ours.makefile("rb") as file:
                replies.append(file.read())
        return replies


_daemon: _Daemon | None = None


def seeds() -> list[bytes]:
    """One request of each verb, and two callers at once."""
    fields = {b"home": b"HOME"}
    asked = {**fields, b"session": b"s", b"account": b"123456789012", b"role": b"Admin"}
    lease = _frame(b"login-lease", {**fields, b"key": b"s"})
    session = {b"name": b"s", b"start_url": b"https://d-1.awsapps.com/start/", b"region": b"eu-west-1"}
    walk = _frame(b"accounts", {**fields, **session, b"scopes": b"", b"legacy": b"no"})
    return [
        b"",
        *(_frame(verb, fields) for verb in (b"ping", b"status", b"forget", b"reload", b"stop", b"none")),
        _frame(b"credentials", asked),
        _frame(b"credentials", {**asked, b"session": b"gone", b"config": b"other", b"folder": b"/"}),
        walk,
        walk + NEXT + walk + NEXT + _frame(b"forget", fields),
        lease + NEXT + lease,
        lease + NEXT + _frame(b"credentials", asked),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ]


def one(data: bytes) -> None:
    global _daemon  # noqa: PLW0603 - made once, within the process that uses it
    if _daemon is None:
        _daemon = _Daemon()
    parts = [_whole(part) for part in data.split(NEXT)[:6]]
    for reply in _daemon.say(parts):
        _check(reply)
    assert not _daemon.app._leases._released, "a lease outlived its connection"
    _daemon.app._stopping = False
    if not zlib.crc32(data) % 16:
        (pong,) = _daemon.say([client.encode_request(b"ping", {b"home": os.fsencode(_HOME)})])
        assert json.loads(pong[5:])["running"]
    assert not _daemon.complaints.found, _daemon.complaints.found[0]


def _whole(part: bytes) -> bytes:
    """What is sent: the bytes as they are or, behind a `=`, as a frame's body. `HOME` is the daemon's own home."""
    part = part.replace(b"HOME", os.fsencode(_HOME))
    return len(part[1:]).to_bytes(4, "big") + part[1:] if part.startswith(b"=") else part


def _frame(verb: bytes, fields: dict[bytes, bytes]) -> bytes:
    return b"=" + client.encode_request(verb, fields)[4:]


def _check(reply: bytes) -> None:
    """Nothing, or whole replies: some WAITs and WORDs, and one that ends it."""
    while reply:
        size = int.from_bytes(reply[:4], "big")
        assert 1 <= size <= client.MAX_REPLY
        body, reply = reply[4 : 4 + size], reply[4 + size :]
        assert len(body) == size, "half a reply"
        assert body[0] in _STATUSES, body
        if body[0] == client.WAIT:
            float(body[1:])
        elif body[0] == client.WORD:
            assert len(body[1:].split()) == 2
        else:
            assert not reply
            if body[0] in {1, 2, 3}:
                assert body.startswith(b"credhelper: ", 1)
                assert body.endswith(b"\n")
                assert body.count(b"\n") == 1
                assert body[1:].decode().strip().isprintable()
