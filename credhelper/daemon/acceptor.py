"""Taking callers in, never more than there are descriptors for: who comes later waits in the kernel's queue."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import socket
from collections.abc import Awaitable, Callable

_LOG = logging.getLogger(__name__)

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# Descriptors kept free of callers, for calls to AWS (32 at once), files, threads and watches; half of all where there
# are few.
_RESERVE = 256
# With fewer connections than these one that waits for a login would keep everybody else out.
_AT_LEAST = 4
# Callers taken in before other work has its turn.
_AT_ONCE = 128
# Descriptors that are missing for another reason than our own connections come back unannounced.
_LOOK_AGAIN = 1.0
# A shortage is over when there was none for this long: one that comes and goes is said once.
_CALM = 10.0


class Acceptor:
    """Accepts at one listening socket, and runs a coroutine for each connection.

    Args:
        connected: serves one connection; whatever it leaves open is closed when it returns.
        limit: bytes that a connection's reader holds at most.
    """

    def __init__(self, connected: Connected, limit: int) -> None:
        self._connected = connected
        self._limit = limit
        self._sock: socket.socket | None = None
        self._ceiling = 0
        self._paused = False
        self._short_at: float | None = None
        self._again: asyncio.TimerHandle | None = None
        self._calm: asyncio.TimerHandle | None = None
        self.connections: set[asyncio.Task[None]] = set()

    def listen(self, sock: socket.socket) -> None:
        """Accept here, and nowhere else any more; the socket is ours to close from now on."""
        self._stop_listening()
        sock.setblocking(False)
        self._sock = sock
        self._ceiling = _ceiling()
        self._resume()

    def close(self) -> None:
        """Accept no more. Connections go on."""
        self._stop_listening()
        if self._calm is not None:
            self._calm.cancel()

    def _stop_listening(self) -> None:
        self._pause()
        if self._again is not None:
            self._again.cancel()
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _pause(self) -> None:
        self._paused = True
        if self._sock is not None:
            asyncio.get_running_loop().remove_reader(self._sock)

    def _resume(self) -> None:
        if self._sock is not None:
            self._paused = False
            asyncio.get_running_loop().add_reader(self._sock, self._accept)

    def _accept(self) -> None:
        sock = self._sock
        if sock is None:
            return
        for _ in range(_AT_ONCE):
            try:
                peer, _address = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._short(error.strerror or type(error).__name__)
                if self._again is not None:
                    self._again.cancel()
                self._again = asyncio.get_running_loop().call_later(_LOOK_AGAIN, self._resume)
                return
            peer.setblocking(False)
            # The kernel gives the lowest number that is free, so this one tells how many are in use.
            number = peer.fileno()
            task = asyncio.create_task(self._serve(peer))
            self.connections.add(task)
            task.add_done_callback(self._ended)
            if number >= self._ceiling and len(self.connections) >= _AT_LEAST:
                self._short("too few descriptors (ulimit -n)")
                return

    async def _serve(self, peer: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=self._limit, loop=loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, peer)
        except BaseException:
            peer.close()
            raise
        writer = asyncio.StreamWriter(transport, protocol, reader, loop)
        try:
            await self._connected(reader, writer)
        finally:
            transport.abort()
            # The descriptor is free only then.
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.connections.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a connection ended in an unforeseen way: %s", type(task.exception()).__name__)
        if self._paused:
            self._resume()

    def _short(self, reason: str) -> None:
        self._pause()
        loop = asyncio.get_running_loop()
        if self._short_at is None:
            _LOG.warning(
                "no more than %d callers can be taken in at once: %s; the others wait for their turn",
                len(self.connections),
                reason,
            )
            self._calm = loop.call_later(_CALM, self._look_back)
        self._short_at = loop.time()

    def _look_back(self) -> None:
        loop = asyncio.get_running_loop()
        if self._short_at is not None and (self._paused or loop.time() < self._short_at + _CALM):
            self._calm = loop.call_later(_CALM, self._look_back)
            return
        self._short_at = None
        _LOG.info("there is room for all callers again")


def _ceiling() -> int:
    """The first number of a descriptor that callers leave to the rest of the process."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if soft == resource.RLIM_INFINITY:
        return 1 << 30
    return soft - min(_RESERVE, soft // 2)
