"""The walks through accounts that are under way: one for each session, for as long as anybody follows it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from credhelper.aws import directory
from credhelper.daemon.record import Record
from credhelper.daemon.walk import Walk
from credhelper.errors import UsageError
from credhelper.model import Session

if TYPE_CHECKING:
    from credhelper.daemon.keeper import Keeper, Tools
    from credhelper.paths import Paths

_LOG = logging.getLogger(__name__)

# Seconds between two words on how it goes.
_WORD_EVERY = 0.25
# How long the daemon's end waits for what a walk has learned to be written down.
_END_WITHIN = 2.0


class _UnderWay:
    """One walk and those who follow it."""

    def __init__(self, walk: Walk) -> None:
        self.walk = walk
        self.followers = 0
        self.task = asyncio.create_task(walk.run())
        self.task.add_done_callback(_seen)


class Walks:
    """Answers the verb `accounts`. All methods run on the event loop.

    Args:
        paths: of the home folder.
        tools: shared with the keepers.
        keeper_for: gives the keeper of a session, which is made where the AWS config does not know the session.
    """

    def __init__(self, paths: Paths, tools: Tools, keeper_for: Callable[[Session], Keeper]) -> None:
        self._paths = paths
        self._tools = tools
        self._keeper_for = keeper_for
        self._under_way: dict[str, _UnderWay] = {}
        self._records: dict[str, Record] = {}
        # When the last whole list of a session was begun, of those that were made since its login.
        self._made: dict[str, float] = {}
        self._closing = False

    @property
    def sessions(self) -> Collection[str]:
        """The ids of the sessions whose accounts are being listed: their keepers are needed."""
        return self._under_way.keys()

    async def answer(self, fields: Mapping[bytes, bytes], tell: Callable[[bytes], None]) -> tuple[int, bytes]:
        """Walk, or join the walk under way; it ends when the last one who follows it has been cancelled.

        Args:
            fields: of the request.
            tell: sends a word on how it goes: accounts (-1 while they are being listed) and those that are done.

        Raises LoginNeeded, CredhelperError.
        """
        session = _session_of(fields)
        if fields.get(b"fresh") == b"no":
            known = await self._made_before(session)
            if known is not None:
                return 0, known
        under_way = await self._join(session)
        try:
            while not under_way.task.done():
                accounts, listed = under_way.walk.progress
                tell(f"{-1 if accounts is None else accounts} {listed}".encode())
                await asyncio.wait({under_way.task}, timeout=_WORD_EVERY)
            if under_way.task.cancelled() and under_way.walk.forgotten:
                raise under_way.walk.login_needed("not logged in")
            return 0, under_way.task.result()
        finally:
            under_way.followers -= 1
            if not under_way.followers:
                under_way.task.cancel()

    async def _join(self, session: Session) -> _UnderWay:
        identity = session.id
        while (found := self._under_way.get(identity)) is not None and not found.followers:
            await asyncio.wait({found.task})  # it is ending, and writes down how far it came
            await asyncio.sleep(0)
        if self._closing:
            raise asyncio.CancelledError
        if found is None:
            walk = Walk(session, lambda: self._keeper_for(session), self._tools, self._record_of(session))
            found = _UnderWay(walk)
            self._under_way[identity] = found
            found.task.add_done_callback(lambda task: self._ended(identity, task))
        found.followers += 1
        return found

    def _record_of(self, session: Session) -> Record:
        return self._records.setdefault(session.id, Record(self._paths, session))

    def _ended(self, identity: str, task: asyncio.Task[bytes]) -> None:
        under_way = self._under_way.pop(identity, None)
        if under_way is None or under_way.walk.forgotten or task.cancelled() or task.exception() is not None:
            return
        self._made[identity] = under_way.walk.began_at

    async def _made_before(self, session: Session) -> bytes | None:
        """The whole list that was made within the hour, in this login."""
        if session.id not in self._made:
            return None
        known = await self._tools.calls.aside(lambda: directory.read_directory(self._paths, session))
        if known is None or not known.complete or known.listed_at != self._made[session.id]:
            return None
        if not known.recent(self._tools.clock.now()):
            return None
        keeper = self._keeper_for(session)
        if keeper.worth_a_look():
            await keeper.look()
        return None if keeper.assess().login_needed else directory.encode(known)

    async def logged_out(self, session: Session) -> None:
        """End the walk, and let nothing be gone on with: somebody else may log in."""
        self._made.pop(session.id, None)
        record = self._record_of(session)
        record.void()
        under_way = self._under_way.get(session.id)
        if under_way is not None:
            under_way.walk.forgotten = True
            under_way.task.cancel()
            await asyncio.wait({under_way.task})
        await self._tools.calls.aside(record.forget)

    async def close(self) -> None:
        """End all walks; how far they came is written down, where the disk takes it."""
        self._closing = True
        tasks = [under_way.task for under_way in self._under_way.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_END_WITHIN)


def _session_of(fields: Mapping[bytes, bytes]) -> Session:
    try:
        name, start_url, region, scopes, legacy = (
            fields[key].decode("utf-8", "surrogateescape")
            for key in (b"name", b"start_url", b"region", b"scopes", b"legacy")
        )
    except KeyError as error:
        raise UsageError("a request for the accounts of a session does not name the session") from error
    return Session(name, start_url, region, tuple(scopes.split()), legacy == "yes")


def _seen(task: asyncio.Task[bytes]) -> None:
    if not task.cancelled():
        task.exception()  # also where all who followed it have gone
