"""Connections on which a whole answer has the time that urllib3 gives to each single piece of it.

A server that sends one byte at a time would else keep a caller, and the locks that he holds, for ever. Imports
botocore's HTTP parts, so only whoever makes a client imports this.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import time
from typing import Any

from botocore.awsrequest import (
    AWSHTTPConnection,
    AWSHTTPConnectionPool,
    AWSHTTPSConnection,
    AWSHTTPSConnectionPool,
)


class _Timed(io.RawIOBase):
    """Reads of a socket, the last of which ends when the socket's own timeout has passed since the first was due."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._timeout = sock.gettimeout()
        self._until = None if self._timeout is None else time.monotonic() + self._timeout

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if self._until is None:
            return self._raw.readinto(buffer)
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        try:
            self._sock.settimeout(left)
            return self._raw.readinto(buffer)
        finally:
            with contextlib.suppress(OSError):
                self._sock.settimeout(self._timeout)  # what is sent next on this connection has its own

    def fileno(self) -> int:
        return self._raw.fileno()

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """Made when the request has gone out; its time runs from there, over the status, the headers and the body."""

    def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), sock))


class _Connection(AWSHTTPConnection):
    response_class = _Answer  # type: ignore[assignment] # narrower in the stubs than it is


class _SecureConnection(AWSHTTPSConnection):
    response_class = _Answer  # type: ignore[assignment] # narrower in the stubs than it is


class _Pool(AWSHTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(AWSHTTPSConnectionPool):
    ConnectionCls = _SecureConnection


def impose(http_session: Any) -> None:
    """Let all connections that botocore's `URLLib3Session` will make be such ones, also those through a proxy."""
    http_session._pool_classes_by_scheme.update({"http": _Pool, "https": _SecurePool})
