"""Where callers find the daemon: its lock, its socket, and the address beside the lock; made again where removed."""

from __future__ import annotations

import functools
import logging
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from credhelper.core.trouble import Trouble
from credhelper.daemon import sockets
from credhelper.daemon.calls import Calls
from credhelper.daemon.server import Server
from credhelper.daemon.singleton import Hold, Singleton
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

_LOG = logging.getLogger(__name__)


class Presence:
    """One daemon's place among all that may run.

    Args:
        paths: of the home folder that it serves.
        environ: its environment, which says where the socket belongs.
        calls: for what blocks.
        server: serves the socket.
    """

    def __init__(self, paths: Paths, environ: Mapping[str, str], calls: Calls, server: Server) -> None:
        self._environ = environ
        self._calls = calls
        self._server = server
        self._singleton = Singleton(paths)
        self._listener: sockets.Listener | None = None
        self._troubles: defaultdict[str, Trouble] = defaultdict(Trouble)

    @property
    def address(self) -> str | None:
        """Of the socket; None until it listens."""
        return None if self._listener is None else self._listener.address

    def acquire(self) -> bool:
        """Take the lock; False where another daemon has it. Raises CredhelperError."""
        return self._singleton.acquire()

    async def listen(self) -> None:
        """Begin to serve, at the socket that was passed in or at one of our own. Raises CredhelperError."""
        self._listener = sockets.passed_in(self._environ) or await self._bind()
        await self._server.serve(self._listener.sock)
        await self._publish()

    async def hold_the_lock(self) -> bool:
        """Who removes the state folder frees the lock's name; then another daemon may come up beside this one.

        False where that has happened, and this one must end.
        """
        self._singleton.touch()
        try:
            held = await self._calls.aside(self._singleton.hold)
        except CredhelperError as error:
            if self._troubles["lock"].news(error.message):
                _LOG.warning("the daemon's lock had been removed and cannot be made again: %s", error)
            return True
        self._troubles["lock"].over()
        if held is Hold.REGAINED:
            _LOG.warning("the daemon's lock had been removed; it is held again")
        elif held is Hold.LOST:
            _LOG.warning("the daemon's lock had been removed, and another daemon has it; this one ends")
        return held is not Hold.LOST

    async def keep_up(self) -> None:
        """Listen again where the socket's name has gone (a cleaner of /tmp, the end of a login session).

        Also where the rule leads to another folder than before (the runtime folder has come back).
        """
        before = self._listener
        if before is None:
            return
        there = before.still_there()
        if not there or not before.in_its_place():
            what = "is in a folder for want of a better one" if there else "has been removed"
            try:
                self._listener = await self._bind()
            except CredhelperError as error:
                if self._troubles["socket"].news(error.message):
                    _LOG.warning("the socket %s, and no new one can be made: %s", what, error)
            else:
                self._troubles["socket"].over()
                what = "has a better place" if there else "had been removed"
                _LOG.warning("the socket %s; listening again at %s", what, self._listener.address)
                await self._server.serve(self._listener.sock)
                before.close()
        if there or self._listener is not before:
            await self._publish()

    async def _bind(self) -> sockets.Listener:
        # In a thread: it may wait for the folder's lock, and for an answer from who listens there.
        return await self._calls.aside(functools.partial(sockets.bind, self._environ))

    async def _publish(self) -> None:
        """Write where we listen, if that is not there; without it callers go by the rule for the address."""
        if self._listener is None:
            return
        try:
            await self._calls.aside(functools.partial(self._singleton.publish, self._listener.address))
            if self._troubles["address"].over():
                _LOG.info("the daemon's address can be written again")
        except CredhelperError as error:
            if self._troubles["address"].news(error.message):
                _LOG.warning("the daemon's address cannot be written; it is tried again: %s", error)

    def watched(self) -> list[Path]:
        """The file whose removal should be noticed at once."""
        return [] if self._listener is None else [Path(self._listener.address)]

    def close(self) -> None:
        """Take the socket away, and give the lock back."""
        if self._listener is not None:
            self._listener.close()
        self._singleton.release()
