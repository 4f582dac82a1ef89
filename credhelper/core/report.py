"""The document that `status --json` prints, put together from what is known. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from credhelper.core.schedule import Assessment
from credhelper.dates import format_date
from credhelper.model import Profile, Session

SCHEMA = 1
# What stands for the daemon where none runs.
NO_DAEMON = {"running": False, "pid": None, "version": None, "socket": None}


@dataclass(frozen=True, slots=True)
class SessionReport:
    """One session with its assessment; times in seconds since the epoch or None."""

    session: Session
    assessment: Assessment
    expires_at: float | None
    refreshable: bool


def date(moment: float | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SSZ`, or None."""
    return None if moment is None else format_date(moment)


def document(
    daemon: Mapping[str, Any],
    sessions: Iterable[SessionReport],
    profiles: Iterable[Profile],
    expiries: Mapping[str, float | None],
) -> dict[str, Any]:
    """Build the document.

    Args:
        daemon: `running`, `pid`, `version`, `socket`.
        sessions: in the order in which they are shown.
        profiles: likewise.
        expiries: by profile name, when the role credentials in memory run out.
    """
    return {
        "schema": SCHEMA,
        "daemon": dict(daemon),
        "sessions": [
            {
                "name": report.session.name,
                "start_url": report.session.start_url,
                "region": report.session.region,
                "state": report.assessment.state,
                "reason": report.assessment.reason,
                "expires_at": date(report.expires_at),
                "refreshable": report.refreshable,
                "next_action": report.assessment.next_action,
                "next_action_at": date(report.assessment.next_action_at),
            }
            for report in sessions
        ],
        "profiles": [
            {
                "name": profile.name,
                "session": profile.session.name if profile.session else None,
                "account_id": profile.account_id,
                "role_name": profile.role_name,
                "managed": profile.managed,
                "shadowed": bool(profile.shadowed_by),
                "expires_at": date(expiries.get(profile.name)),
            }
            for profile in profiles
        ],
    }
