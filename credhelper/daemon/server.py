"""The daemon's socket: frames in, frames out, one small handler for each connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Mapping

from credhelper import client
from credhelper.core.trouble import Trouble
from credhelper.daemon.acceptor import Acceptor
from credhelper.daemon.leases import Leases
from credhelper.errors import EXIT_BUG, EXIT_FAILURE, CredhelperError
from credhelper.terminal import printable

_LOG = logging.getLogger(__name__)

# Nobody needs longer to send a request of a few hundred bytes.
_REQUEST_WITHIN = 5.0
# Nor longer than this to read an answer; who does not would keep the daemon from ending.
_REPLY_WITHIN = 30.0
# A home folder's path that is longer names nothing (PATH_MAX).
_MAX_HOME = 4096
# A home folder on a network that does not answer is nobody's that we serve.
_LOOK_WITHIN = 2.0
# What a caller who does not read may have waiting for him, of words on how his request goes.
_MOST_UNREAD = 4096
# How long a second login waits for the first: as long as the first one's page may be open.
_LOGIN_LASTS = 900.0

Reply = tuple[int, bytes]
Fields = Mapping[bytes, bytes]
MoreTime = Callable[[float], None]
Verb = Callable[[Fields, MoreTime], Awaitable[Reply]]
Tell = Callable[[bytes], None]
LongVerb = Callable[[Fields, Tell], Awaitable[Reply]]


class Server:
    """Serves one listening socket.

    Args:
        verbs: what can be asked, each a coroutine from fields to status and payload.
        leases: for the one verb that keeps its connection.
        home: the home folder that this daemon serves; callers of another one are turned away.
        long_verbs: what takes its time: cancelled where the caller goes, who is told meanwhile how it goes.
    """

    def __init__(
        self,
        verbs: Mapping[bytes, Verb],
        leases: Leases,
        home: str,
        long_verbs: Mapping[bytes, LongVerb] | None = None,
    ) -> None:
        self._verbs = verbs
        self._long_verbs = long_verbs or {}
        self._leases = leases
        self._home = os.fsencode(home)
        self._homes: dict[bytes, bool] = {}
        self._surprises = Trouble()
        self._acceptor = Acceptor(self._connected, client.MAX_REQUEST + 4)
        self._connections = self._acceptor.connections

    async def serve(self, sock: socket.socket) -> None:
        """Begin to accept here, and nowhere else any more."""
        self._acceptor.listen(sock)

    async def close(self) -> None:
        """Accept no more, let answers that are under way go out, then end what is left."""
        self._acceptor.close()
        if self._connections:
            _, pending = await asyncio.wait(self._connections, timeout=1.0)
            for task in pending:
                task.cancel()
            await asyncio.gather(*pending, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _is_ours(writer.get_extra_info("socket")):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            # The end of the daemon: what was not read by now never is. Not raised: asyncio would log it as an error.
            writer.transport.abort()
        except (ConnectionError, TimeoutError, asyncio.IncompleteReadError):
            writer.transport.abort()  # the caller has gone, never said what it wanted, or does not read
        except Exception as error:  # noqa: BLE001 - one caller's surprise must not end the daemon
            # A thousand callers may have the same.
            if self._surprises.news(repr(error), asyncio.get_running_loop().time()):
                _LOG.exception("a request failed in an unforeseen way")
            with contextlib.suppress(ConnectionError):
                writer.write(client.encode_reply(EXIT_BUG, b"credhelper: a bug in the daemon; see its log\n"))
        finally:
            await _hang_up(writer)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_REQUEST_WITHIN):
            size = int.from_bytes(await reader.readexactly(4), "big")
            if size > client.MAX_REQUEST:
                return
            verb, fields = client.decode_request(await reader.readexactly(size))
        if not await self._is_home(fields.get(b"home", b"")):
            status, payload = client.OTHER_HOME, b""
        elif verb == b"login-lease":
            await self._lease(reader, writer, fields)
            return
        elif verb in self._long_verbs:
            long_verb = self._long_verbs[verb]
            reply = await _while_there(reader, lambda: long_verb(fields, lambda word: _tell(writer, word)))
            if reply is None:
                return
            status, payload = reply
        elif verb not in self._verbs:
            status, payload = (
                EXIT_FAILURE,
                b"credhelper: the daemon is older than the program. Run: credhelper daemon restart\n",
            )
        else:
            status, payload = await _reply_of(lambda: self._verbs[verb](fields, lambda s: _more_time(writer, s)))
        await _send(writer, client.encode_reply(status, payload))

    async def _lease(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fields: Fields) -> None:
        """Grant the lease for as long as the connection lasts; who comes second is told when the first has ended."""
        key = fields.get(b"key", b"").decode("utf-8", "surrogateescape")
        if not self._leases.take(key):
            _more_time(writer, _LOGIN_LASTS)
            gone = asyncio.create_task(reader.read(1))
            released = asyncio.create_task(self._leases.released(key))
            await asyncio.wait({gone, released}, return_when=asyncio.FIRST_COMPLETED)
            for task in (gone, released):
                task.cancel()
            await _send(writer, client.encode_reply(0, b"joined"))
            return
        try:
            await _send(writer, client.encode_reply(0, b"granted"))
            await reader.read(1)
        finally:
            self._leases.release(key)

    async def _is_home(self, home: bytes) -> bool:
        """Whether this names our home folder, perhaps by another path. The usual caller names it as we do."""
        if home == self._home:
            return True
        if not home.startswith(b"/") or len(home) > _MAX_HOME:
            return False
        known = self._homes.get(home)
        if known is None:
            known = await _aside(lambda: _same_folder(home, self._home))
            # An error may pass (a mount that is late, a network): it is asked again.
            if known is not None and len(self._homes) < 64:
                self._homes[home] = known
        return bool(known)


def _same_folder(one: bytes, other: bytes) -> bool | None:
    """Whether both paths lead to the same folder; None where that cannot be seen."""
    try:
        return os.path.samefile(one, other)  # noqa: PTH121 - bytes
    except (OSError, ValueError):
        return None


async def _aside(look: Callable[[], bool | None]) -> bool | None:
    """Look in a thread of its own: on a path of the caller's choice it may take for ever, and then keeps nobody."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool | None] = loop.create_future()

    def tell(found: bool | None) -> None:
        if not answer.done():
            answer.set_result(found)

    def run() -> None:
        found = look()
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=run, name="home", daemon=True).start()
    try:
        async with asyncio.timeout(_LOOK_WITHIN):
            return await answer
    except TimeoutError:
        return None


async def _reply_of(work: Callable[[], Awaitable[Reply]]) -> Reply:
    """The reply, also where it is an expected failure."""
    try:
        return await work()
    except CredhelperError as error:
        # What a caller named, and is named here, can neither add a line nor steer a terminal.
        return error.exit_code, f"credhelper: {printable(' '.join(str(error).split()))}\n".encode()


async def _while_there(reader: asyncio.StreamReader, work: Callable[[], Awaitable[Reply]]) -> Reply | None:
    """Do this while the caller keeps his connection; None where he has gone."""
    gone = asyncio.create_task(reader.read(1))
    working = asyncio.create_task(_reply_of(work))
    try:
        await asyncio.wait({gone, working}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        gone.cancel()
        working.cancel()
        await asyncio.gather(gone, working, return_exceptions=True)


async def _send(writer: asyncio.StreamWriter, frame: bytes) -> None:
    """Send a reply. Raises TimeoutError where the caller does not read it, ConnectionError where it has gone."""
    writer.write(frame)
    async with asyncio.timeout(_REPLY_WITHIN):
        await writer.drain()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """Close after what was written has gone out; a caller who does not read it is waited for only so long."""
    writer.close()
    try:
        async with asyncio.timeout(_REPLY_WITHIN):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.transport.abort()


def _tell(writer: asyncio.StreamWriter, word: bytes) -> None:
    if writer.transport.get_write_buffer_size() < _MOST_UNREAD:
        writer.write(client.encode_reply(client.WORD, word))


def _more_time(writer: asyncio.StreamWriter, seconds: float) -> None:
    writer.write(client.encode_reply(client.WAIT, f"{seconds:.1f}".encode()))


def _is_ours(sock: socket.socket) -> bool:
    """Whether a process of our user is at the other end; macOS does not say of one that has gone."""
    try:
        return _peer_uid(sock) == os.geteuid()
    except OSError:
        return False


def _peer_uid(sock: socket.socket) -> int:
    """The uid of the process at the other end (SO_PEERCRED, or LOCAL_PEERCRED of macOS and the BSDs)."""
    if sys.platform == "linux":
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    else:
        raw = sock.getsockopt(0, 1, 76)
    return int.from_bytes(raw[4:8], sys.byteorder)
