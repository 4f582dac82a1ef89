"""The HTTP side: connections, keep-alive, and answers that go wrong on purpose."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any, Literal, Protocol

from credhelper.standin.messages import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

_MAX_BODY = 1 << 20
_JOIN_TIMEOUT = 5.0


@dataclass(frozen=True)
class Withheld:
    """In place of an answer: how the connection ends."""

    how: Literal["close", "reset", "torn"]
    response: Response | None = None


@dataclass(frozen=True)
class Dripping:
    """In place of an answer: one that never ends, a byte after each `pause` (seconds) until `ended` is set."""

    pause: float
    ended: threading.Event
    head: bool = False


Outcome = Response | Withheld | Dripping


class Application(Protocol):
    """What answers requests; it is called by many threads at once and raises nothing."""

    def respond(self, request: Request) -> Outcome: ...

    def now(self) -> float: ...


class Server(ThreadingMixIn, TCPServer):
    """A thread for each connection on a loopback port.

    `TCPServer` and not `HTTPServer`, which looks its own name up in the DNS.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        self._lock = threading.Lock()
        self._connections: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.05}, name="standin", daemon=True
        )

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the listener and all connections, and wait for their threads."""
        self.shutdown()
        self._thread.join(_JOIN_TIMEOUT)
        self.server_close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections.values():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in connections:
            thread.join(_JOIN_TIMEOUT)

    def process_request(self, request: Any, client_address: Any) -> None:
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), name="standin", daemon=True
        )
        with self._lock:
            self._connections[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._connections.pop(threading.current_thread(), None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news; the application itself reports what it gets wrong."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for one method for each HTTP verb; to the stand-in they are all alike.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The `Date` header, also of the base class's own answers, by the stand-in's clock."""
        return formatdate(self.server.application.now() if timestamp is None else timestamp, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Nothing on stderr: the application keeps the record."""

    def _answer(self) -> None:
        try:
            length = int(self.headers.get("Content-Length", "0"))
        except ValueError:
            length = -1
        if "Transfer-Encoding" in self.headers or not 0 <= length <= _MAX_BODY:
            self.close_connection = True
            self._send(Response(411, b"", "text/plain"))
            return
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        outcome = self.server.application.respond(Request(self.command, self.path, headers, body))
        if isinstance(outcome, Response):
            self._send(outcome)
            return
        self.close_connection = True
        if isinstance(outcome, Dripping):
            self._drip(outcome)
        elif outcome.how == "torn" and outcome.response is not None:
            self.wfile.write(self._bytes(outcome.response)[: -max(1, len(outcome.response.body) // 2)])
        elif outcome.how == "reset":
            self._reset()

    def _send(self, response: Response) -> None:
        self.wfile.write(self._bytes(response))

    def _bytes(self, response: Response) -> bytes:
        head = [
            f"HTTP/1.1 {response.status} {self.responses.get(response.status, ('Unknown',))[0]}",
            f"Date: {self.date_time_string()}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            "Cache-Control: no-store",
            *(f"{name}: {value}" for name, value in response.headers),
        ]
        if response.genuine:
            head.append(f"x-amzn-RequestId: {uuid.uuid4()}")
        if self.close_connection:
            head.append("Connection: close")
        body = b"" if self.command == "HEAD" else response.body
        return "\r\n".join([*head, "", ""]).encode("latin-1") + body

    def _drip(self, how: Dripping) -> None:
        start = "HTTP/1.1 200 OK\r\n"
        if how.head:
            start += "X-Endless: "
        else:
            start += "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
        self.wfile.write(start.encode())
        while not how.ended.wait(how.pause):
            self.wfile.write(b" ")

    def _reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        # The buffered reader holds the socket open; and the base class would shut it down, with a FIN.
        self.rfile.close()
        self.connection.close()
