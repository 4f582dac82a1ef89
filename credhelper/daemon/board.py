"""What the daemon puts on the board, and when: whatever it knows is there for the shells a moment later."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from credhelper import board
from credhelper.aws.tokens import Found
from credhelper.aws.world import World
from credhelper.core.report import SessionReport
from credhelper.core.trouble import Trouble
from credhelper.daemon.keeper import Keeper, Tools
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One session as it is now, and what tells when AWS ends it: its cap and the login that it is counted from."""

    identity: str
    entry: board.Entry
    cap: float | None
    client: str | None


class BoardKeeper:
    """Keeps the board of one home folder. All its methods run on the event loop; none blocks it."""

    def __init__(self, paths: Paths, tools: Tools, world: World) -> None:
        self._tools = tools
        self._world = world
        self._board = board.Board(paths)
        self._paths = paths
        self._names = _Names(-1, {}, {})
        self._said: tuple[int, Sequence[_Seen]] | None = None
        self._writing = asyncio.Lock()
        self._trouble = Trouble()

    def is_due(self, keepers: Mapping[str, Keeper]) -> bool:
        """Whether there is anything to say that has not been said."""
        return self._said != self._now(keepers)

    async def keep_up(self, keepers: Mapping[str, Keeper], *, look: bool = False) -> None:
        """Say what there is to say.

        Args:
            keepers: by the ids of their sessions.
            look: also put right what others have done to the board, and try again what could not be written.
        """
        async with self._writing:
            try:
                now = self._now(keepers)
                if now == self._said and not look:
                    return
                # Said or not: what cannot be written is tried again at the next look and not all the time.
                self._said = now
                found = {identity: keeper.found for identity, keeper in keepers.items()}
                await self._tools.calls.aside(lambda: self._write(*now, found))
            except CredhelperError as error:
                if self._trouble.news(error.message):
                    _LOG.warning("%s; prompts and just-in-time logins go without the board", error.message)
            except Exception as error:  # noqa: BLE001 - the shells' comfort must not end the daemon
                if self._trouble.news(repr(error)):
                    _LOG.exception("the board cannot be written in an unforeseen way; it is tried again")
            else:
                if self._trouble.over():
                    _LOG.info("the board can be written again")

    def _now(self, keepers: Mapping[str, Keeper]) -> tuple[int, Sequence[_Seen]]:
        generation, caps = self._world.generation, self._tools.settings().session_caps
        seen = []
        for session in self._world.sessions():
            keeper = keepers.get(session.id)
            if keeper is not None:
                client = keeper.found.token.client_id if keeper.found is not None else None
                seen.append(_Seen(session.id, entry_of(keeper.report()), caps.get(session.name), client))
        return generation, seen

    def _write(self, generation: int, seen: Sequence[_Seen], found: Mapping[str, Found | None]) -> None:
        if self._names.generation != generation:
            self._names = self._name(generation)
        entries = {}
        for session in seen:
            name = self._names.sessions.get(session.identity)
            if name is not None:  # else the world is another by now, and this is said once more
                entries[name] = self._with_cap(session, found.get(session.identity))
        self._board.write(board.Content(entries, self._names.profiles))

    def _with_cap(self, session: _Seen, found: Found | None) -> board.Entry:
        entry = session.entry
        if session.cap is None or found is None or entry.login != "no" or not entry.ends:
            return entry
        at = self._tools.records.cap_at(found.key, found.token, session.cap)
        return entry if at is None else replace(entry, shown=int(at))

    def _name(self, generation: int) -> _Names:
        """The names of all files and links, which the config files alone decide."""
        sessions: dict[str, str] = {}
        # A legacy profile may spell its start URL in another way than the one that the session was found by.
        spelled: dict[tuple[str, str], str] = {}
        for session in self._world.sessions():
            name = board.session_file(session.name, session.id, set(sessions.values()))
            sessions[session.id] = name
            spelled.setdefault((session.name, session.same_start), name)

        def file_of(session: Session) -> str | None:
            return sessions.get(session.id) or spelled.get((session.name, session.same_start))

        profiles = {}
        for path, needs in self._world.needs().items():
            config = board.config_folder(self._paths, path)
            if config is not None:
                found = ((profile, file_of(session)) for profile, session in needs.items())
                profiles[config] = {profile: file for profile, file in found if file is not None}
        return _Names(generation, sessions, profiles)


@dataclass(frozen=True, slots=True)
class _Names:
    """Files by the ids of sessions, and by the names of profiles, of one state of the world."""

    generation: int
    sessions: Mapping[str, str]
    profiles: Mapping[str, Mapping[str, str]]


def entry_of(report: SessionReport) -> board.Entry:
    """What the board says of a session that `status` speaks of so."""
    name, state = report.session.name, report.assessment.state
    if report.assessment.login_needed:
        return board.Entry(name, state, "yes")
    if state not in {"active", "expiring"} or report.expires_at is None:
        return board.Entry(name, state, "no")
    ends = int(report.expires_at)
    if report.refreshable:
        return board.Entry(name, state, "no", ends)
    return board.Entry(name, state, "soon", ends, ends)
