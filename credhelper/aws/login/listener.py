"""The listener to which the browser brings the authorization code.

It binds a port of 127.0.0.1, answers everything but the one expected request with 400, and ends at that request. It
runs in the caller's thread and never blocks on a client: browsers open connections in advance and say nothing on
them, and other programs of the machine may send anything, as slowly as they like.
"""

from __future__ import annotations

import contextlib
import hmac
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import parse_qs, urlsplit

from credhelper.aws.login import page

PATH = "/oauth/callback"
# The code is about 1 KB long; browsers add some KB of cookies that other programs on 127.0.0.1 have set.
_MAX_HEAD = 64 * 1024
_MAX_CONNECTIONS = 64
# Seconds for a client to send its request, and to take the answer and hang up.
_PATIENCE = 10.0
_FAREWELL = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the authorize page said: a code, or an error by its OAuth name (`access_denied`)."""

    code: str | None = field(repr=False)
    error: str | None = None


def read_answer(target: str, state: str) -> Answer | None:
    """The answer in a redirect address (or its path and query); None where it is not for the login with `state`."""
    if not target.isprintable():  # no browser sends control characters, and urlsplit passes some of them over
        return None
    try:
        parts = urlsplit(target)
        query = parse_qs(parts.query, max_num_fields=20)
    except ValueError:
        return None
    given = query.get("state", [])
    if parts.path != PATH or len(given) != 1:
        return None
    if not hmac.compare_digest(given[0].encode("utf-8", "replace"), state.encode()):
        return None
    codes = query.get("code", [])
    if "error" in query or len(codes) != 1:
        return Answer(None, query.get("error", ["no code"])[0])
    return Answer(codes[0])


@dataclass(eq=False, slots=True)
class _Connection:
    sock: socket.socket
    deadline: float
    received: bytearray = field(default_factory=bytearray)
    unsent: bytes = b""
    answered: bool = False


class Listener:
    """One login's listener; a context manager.

    Args:
        state: the request that carries it is the expected one.
        also: a descriptor to wait for beside the sockets.

    Raises OSError where no port can be bound.
    """

    def __init__(self, state: str, also: int | None = None) -> None:
        self._state = state
        self._connections: list[_Connection] = []
        self._expected: socket.socket | None = None
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=_MAX_CONNECTIONS)
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        # epoll refuses files, and poll and kqueue fail on some terminals; select takes them all.
        self._selector = selectors.DefaultSelector() if also is None else selectors.SelectSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._also = also
        if also is not None:
            self._selector.register(also, selectors.EVENT_READ)

    @property
    def redirect_uri(self) -> str:
        return f"http://127.0.0.1:{self.port}{PATH}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket. Harmless when repeated."""
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        self._socket.close()
        if self._expected is not None:
            self._expected.close()
            self._expected = None
        self._selector.close()

    def forget_input(self) -> None:
        """Wait for the other descriptor no longer."""
        if self._also is not None:
            self._selector.unregister(self._also)
            self._also = None

    def wait(self, timeout: float) -> tuple[Answer | None, bool]:
        """Serve until the expected request is there, there is input, or `timeout` seconds have passed.

        Returns the answer, if it is there, and whether the other descriptor can be read. After an answer the port is
        closed, and the browser waits for `finish`.
        """
        until = time.monotonic() + timeout
        while True:
            now = time.monotonic()
            self._expire(now)
            next_deadline = min((c.deadline for c in self._connections), default=until)
            ready = self._selector.select(max(0.0, min(until, next_deadline) - now))
            has_input = False
            for key, _ in ready:
                if key.fileobj is self._socket:
                    self._accept()
                elif isinstance(key.data, _Connection):
                    if key.data not in self._connections:
                        continue  # dropped since, for one that was accepted in this round
                    answer = self._advance(key.data)
                    if answer is not None:
                        self._end_at(key.data)
                        return answer, False
                else:
                    has_input = True
            if has_input or time.monotonic() >= until:
                return None, has_input

    def finish(self, content: bytes) -> None:
        """Send the expected request its answer, a whole HTTP message; a browser that has gone is no error."""
        sock, self._expected = self._expected, None
        if sock is None:
            return
        with sock, contextlib.suppress(OSError):
            sock.settimeout(_FAREWELL)
            sock.sendall(content)
            sock.shutdown(socket.SHUT_WR)
            # Closing with unread bytes would reset the connection, and the page be lost.
            sock.settimeout(0.5)
            sock.recv(_MAX_HEAD)

    def _accept(self) -> None:
        try:
            sock, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):  # the client has gone
            return
        except OSError:  # no descriptor is free: the oldest one's is, then
            if self._connections:
                self._drop(self._connections[0])
            return
        self.take(sock)

    def take(self, sock: socket.socket) -> None:
        """Serve this connection too; the oldest makes room for it."""
        sock.setblocking(False)
        if len(self._connections) >= _MAX_CONNECTIONS:
            self._drop(self._connections[0])
        connection = _Connection(sock, time.monotonic() + _PATIENCE)
        self._connections.append(connection)
        self._selector.register(sock, selectors.EVENT_READ, connection)

    def _advance(self, connection: _Connection) -> Answer | None:
        """Go on with one connection; returns the answer where it has brought the expected request."""
        try:
            if connection.unsent:
                self._send(connection)
                return None
            part = connection.sock.recv(_MAX_HEAD)
        except BlockingIOError:
            return None
        except OSError:
            self._drop(connection)
            return None
        if not part:
            self._drop(connection)
            return None
        if connection.answered:
            return None
        # Only what is new is searched: a client may send its bytes one by one.
        seen = max(0, len(connection.received) - 3)
        connection.received += part
        end = connection.received.find(b"\r\n\r\n", seen)
        if end < 0 and len(connection.received) <= _MAX_HEAD:
            return None
        answer = self._expected_answer(bytes(connection.received[:end])) if end >= 0 else None
        if answer is None:
            connection.answered = True
            connection.unsent = page.stray()
            connection.deadline = time.monotonic() + _FAREWELL
            self._selector.modify(connection.sock, selectors.EVENT_WRITE, connection)
        return answer

    def _send(self, connection: _Connection) -> None:
        sent = connection.sock.send(connection.unsent)
        connection.unsent = connection.unsent[sent:]
        if not connection.unsent:
            connection.sock.shutdown(socket.SHUT_WR)
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)

    def _expected_answer(self, head: bytes) -> Answer | None:
        request, *headers = head.decode("latin-1").split("\r\n")
        words = request.split(" ")
        if len(words) != 3 or words[0] != "GET" or not words[2].startswith("HTTP/1."):
            return None
        hosts = [
            value.strip().lower() for name, _, value in (h.partition(":") for h in headers) if name.lower() == "host"
        ]
        if hosts not in ([f"127.0.0.1:{self.port}"], [f"localhost:{self.port}"]) or not words[1].startswith("/"):
            return None
        # With a scheme and host of our own before it, a path such as `//x/oauth/callback` is not taken for a host.
        return read_answer(f"http://127.0.0.1{words[1]}", self._state)

    def _end_at(self, connection: _Connection) -> None:
        """Keep the connection with the expected request and close all else, the port first."""
        self._selector.unregister(self._socket)
        self._socket.close()
        self._connections.remove(connection)
        self._selector.unregister(connection.sock)
        self._expected = connection.sock
        for other in list(self._connections):
            self._drop(other)

    def _expire(self, now: float) -> None:
        for connection in [c for c in self._connections if c.deadline <= now]:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        if connection not in self._connections:
            return
        self._connections.remove(connection)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.sock)
        connection.sock.close()
