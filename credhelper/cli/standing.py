"""For how long a session is good, as far as that is known: for the line that a person reads at a glance."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from credhelper import settings
from credhelper.cli.desk import Desk
from credhelper.core.report import date
from credhelper.dates import moment_of
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.terminal import local_time

# Sessions of these states go on without a person.
_BY_ITSELF = {"active", "renewing", "offline"}
# A token of theirs may have a date that lies ahead: AWS accepts it no more all the same.
_OVER = {"expired", "logged_out"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One session at this moment.

    Attributes:
        name: of the session.
        state: as in the `status` document.
        ends_at: when a person will have to log in again, in seconds since the epoch; None where nobody knows (AWS
            does not tell when it ends what renews itself), and where that is now.
        sentence: for a person.
    """

    name: str
    state: str
    ends_at: float | None
    sentence: str

    def fields(self) -> dict[str, str | None]:
        """What a program is told."""
        return {"session": self.name, "session_state": self.state, "session_ends_at": date(self.ends_at)}


def standing_of(session: Session, desk: Desk) -> Standing | None:
    """How a session stands by what `status` says of it; None where that cannot be had. Never raises."""
    from credhelper.cli.status import gather  # noqa: PLC0415

    with contextlib.suppress(CredhelperError, LookupError, TypeError, ValueError):
        document = gather(desk.paths)
        for entry in document["sessions"]:
            if (entry["name"], entry["start_url"]) == (session.name, session.start_url):
                return _judged(entry, session, desk, running=bool(document["daemon"]["running"]))
    return None


def _judged(entry: Mapping[str, Any], session: Session, desk: Desk, *, running: bool) -> Standing:
    from credhelper.cli.tables import outlook, span  # noqa: PLC0415 - rich is for people alone

    now = desk.clock.now()
    sentence = outlook(entry, now, running=running)
    state, ends_at, joint = str(entry["state"]), None, ""
    if entry["refreshable"] and state in _BY_ITSELF:
        ends_at = _cap_at(session, desk, now)
        joint = ", "
    elif state not in _OVER:
        ends_at = None if entry["expires_at"] is None else moment_of(entry["expires_at"])
        joint = "; "
    if ends_at is not None and ends_at > now:
        sentence = f"until {local_time(ends_at, now)} ({span(ends_at, now)}){joint}{sentence}"
    return Standing(session.name, state, ends_at, sentence)


def _cap_at(session: Session, desk: Desk, now: float) -> float | None:
    """When AWS ends the session: known where the settings name its cap and the token is of a login of ours."""
    cap = settings.load(desk.paths).session_caps.get(session.name)
    if cap is None:
        return None
    found = desk.cache.find(session, now)
    return None if found is None else desk.records.cap_at(found.key, found.token, cap)
