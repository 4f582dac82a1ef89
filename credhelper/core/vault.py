"""Role credentials in memory: what may be handed out, what must be fetched, what is forgotten. Pure.

`now` is always the server's time (`Clock.server_now`), because role credentials carry the server's own expiry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from credhelper.core.schedule import margin, recent, still_due
from credhelper.model import RoleCredentials, RoleKey

# How long credentials that nobody asks for are kept fresh.
IDLE_AFTER = 2 * 3600.0
# While the server's answers are shorter than what we would hand out, it is asked no more often than this.
SHORT_ANSWER_PAUSE = 60.0
# After a fetch that failed, credentials that still live are served at once for this long, so that callers do not
# each wait for a network that is down.
FAILURE_PAUSE = 10.0
# Nobody is given credentials that end within this time, by the end that callers are told: botocore says "refreshed
# credentials are still expired" where a person should read what to do.
_LAST_MOMENT = 0.5
# No pause of the background is longer; one that seems to be was set before the clock was put back.
LONGEST_PAUSE = 60.0
# A refusal (no access to that role) is believed for this long, so that a loop of callers is one call.
REFUSAL_KEPT = 10.0

Choice = Literal["serve", "fetch"]


@dataclass(slots=True)
class _Entry:
    asked_at: float
    credentials: RoleCredentials | None = None
    fetched_at: float = float("-inf")
    refusal: str | None = None
    refused_at: float = float("-inf")
    background_after: float = float("-inf")
    failed_at: float = float("-inf")


class Vault:
    """Role credentials by session, account and role."""

    def __init__(self) -> None:
        self._entries: dict[RoleKey, _Entry] = {}

    def __len__(self) -> int:
        return sum(entry.credentials is not None for entry in self._entries.values())

    def ask(self, key: RoleKey, now: float) -> Choice:
        """Note that somebody wants `key`, and say whether what is here may be served or a fetch is due."""
        entry = self._entries.setdefault(key, _Entry(now))
        entry.asked_at = now
        credentials = entry.credentials
        if credentials is None or _over(credentials, now):
            return "fetch"
        if credentials.expires_at - now >= margin(credentials.lifetime):
            return "serve"
        paused = recent(entry.fetched_at, now, _pause(credentials)) or recent(entry.failed_at, now, FAILURE_PAUSE)
        return "serve" if paused else "fetch"

    def live(self, key: RoleKey, now: float) -> RoleCredentials | None:
        """The credentials of `key` that have not run out, or None: what is served when no better can be had."""
        entry = self._entries.get(key)
        if entry is None or entry.credentials is None or _over(entry.credentials, now):
            return None
        return entry.credentials

    def refusal(self, key: RoleKey, now: float) -> str | None:
        """Why AWS refused `key` a few seconds ago, or None."""
        entry = self._entries.get(key)
        return entry.refusal if entry is not None and recent(entry.refused_at, now, REFUSAL_KEPT) else None

    def keep(self, key: RoleKey, credentials: RoleCredentials, now: float) -> None:
        """Take in a fetched answer. One that ends sooner than what is here is not taken."""
        entry = self._entries.setdefault(key, _Entry(now))
        entry.fetched_at = now
        entry.failed_at = float("-inf")
        entry.refusal = None
        if entry.credentials is None or credentials.expires_at >= entry.credentials.expires_at:
            entry.credentials = credentials

    def refuse(self, key: RoleKey, reason: str, now: float) -> None:
        """Take in that AWS refuses `key`: what is here for it is dropped."""
        entry = self._entries.setdefault(key, _Entry(now))
        entry.credentials, entry.refusal, entry.refused_at = None, reason, now

    def failed(self, key: RoleKey, now: float) -> None:
        """Take in that `key` could not be fetched, or not in time."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.failed_at = now

    def postpone(self, key: RoleKey, until: float) -> None:
        """Let the background leave `key` alone until then, after a failure."""
        entry = self._entries.get(key)
        if entry is not None:
            entry.background_after = until

    def due(self, now: float) -> list[RoleKey]:
        """What the background should fetch now: in recent use, and soon too short to hand out."""
        return [key for key, at in self._plan(now) if at <= now]

    def next_due(self, now: float) -> float | None:
        """When `due` or `purge` next has something to do, or None."""
        ends = [e.credentials.expires_at - _LAST_MOMENT for e in self._entries.values() if e.credentials is not None]
        return min([*(at for _, at in self._plan(now)), *ends], default=None)

    def _plan(self, now: float) -> list[tuple[RoleKey, float]]:
        plan = []
        for key, entry in self._entries.items():
            credentials = entry.credentials
            if credentials is None:
                continue
            # Ahead of the moment at which a caller would have to wait for a fetch.
            lead = margin(credentials.lifetime) * 1.25
            pauses = (entry.fetched_at + _pause(credentials), entry.background_after)
            at = max(credentials.expires_at - lead, *(still_due(pause, now, LONGEST_PAUSE) for pause in pauses))
            if at < credentials.expires_at and at - min(entry.asked_at, now) < IDLE_AFTER:
                plan.append((key, at))
        return plan

    def purge(self, now: float) -> None:
        """Drop what has run out, and what is left of it once nobody has asked for two hours."""
        for key, entry in list(self._entries.items()):
            entry.asked_at = min(entry.asked_at, now)
            if entry.credentials is not None and _over(entry.credentials, now):
                entry.credentials = None
            if entry.credentials is None and now - entry.asked_at > IDLE_AFTER:
                del self._entries[key]

    def forget(self, session: str | None = None) -> int:
        """Drop all that belongs to one session, or everything; returns how many credentials went."""
        gone = [key for key in self._entries if session is None or key.session == session]
        count = sum(self._entries[key].credentials is not None for key in gone)
        for key in gone:
            del self._entries[key]
        return count

    def expiry(self, key: RoleKey) -> float | None:
        """When the credentials of `key` run out, or None where there are none."""
        entry = self._entries.get(key)
        return None if entry is None or entry.credentials is None else entry.credentials.expires_at

    def used_since(self, session: str, since: float) -> list[RoleKey]:
        """Which keys of a session have been asked for since then."""
        return [key for key, entry in self._entries.items() if key.session == session and entry.asked_at >= since]


def _over(credentials: RoleCredentials, now: float) -> bool:
    return credentials.expires_at - _LAST_MOMENT <= now


def _pause(credentials: RoleCredentials) -> float:
    return min(SHORT_ANSWER_PAUSE, credentials.lifetime / 3)
