"""When a token is renewed, what state a session is in, and when a person is warned. Pure: the time is an argument.

All times are seconds since the epoch, all spans seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from credhelper.model import WARN_BEFORE

RENEW_AHEAD = 20 * 60.0
MAX_BACKOFF = 60.0

State = Literal["active", "renewing", "offline", "expiring", "expired", "logged_out"]


def margin(lifetime: float) -> float:
    """The life that must be left: `min(20 min, lifetime / 3)`.

    Ahead of every SDK's own window (botocore's is the largest, 15 minutes), so that no other client renews.
    """
    return min(RENEW_AHEAD, lifetime / 3)


def renew_at(expires_at: float, lifetime: float, jitter: float = 0.0) -> float:
    """When to renew. `jitter`, 0 to 1, brings it forward by up to a tenth of the margin, never back."""
    return expires_at - margin(lifetime) * (1 + 0.1 * jitter)


def backoff(attempts: int, left: float, jitter: float = 0.0) -> float:
    """How long to wait after the `attempts`th failure in a row (1 is the first).

    Doubles from one second to a minute. While the token lives, never so long that fewer than a handful of tries are
    left. `jitter`, 0 to 1, shortens it by up to a third, so that many machines do not come back in step.
    """
    pause = min(2.0 ** min(attempts - 1, 10), MAX_BACKOFF)
    if left > 0:
        pause = min(pause, max(left / 6, 0.25))
    return pause * (1 - jitter / 3)


def still_due(moment: float, now: float, longest: float = MAX_BACKOFF) -> float:
    """`moment`, or now where it lies further ahead than any pause is long: the clock was put back meanwhile."""
    return now if moment - now > longest + 1.0 else moment


def recent(moment: float, now: float, span: float) -> bool:
    """Whether `moment` lies within the last `span`; one in the future (the clock was put back) does not."""
    return 0 <= now - moment < span


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a session at one moment.

    Attributes:
        expires_at: of its token, or None where there is no usable token.
        refreshable: the token could be renewed without a person.
        refused: AWS has answered that it cannot, with the reason; counts only for this very token.
        rejected: AWS does not even accept the access token any more.
        failure: why the last try failed though it may be tried again, or None.
        offline: that failure was the network's.
        retry_at: when the next try is due after a failure, or None.
        renew_at: when the renewal is due (jitter included).
        problem: why the token file cannot be used, where it is there; what was known of it counts while it lives.
        remark: what else is wrong although the token lives.
    """

    expires_at: float | None = None
    refreshable: bool = False
    refused: str | None = None
    rejected: bool = False
    failure: str | None = None
    offline: bool = False
    retry_at: float | None = None
    renew_at: float = 0.0
    problem: str | None = None
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """The state of a session, why, and what the daemon does next and when.

    `next_action` is `renew`, `warn` or None; what only a person can do is in the reason.
    """

    state: State
    reason: str
    next_action: Literal["renew", "warn"] | None = None
    next_action_at: float | None = None

    @property
    def login_needed(self) -> bool:
        """Whether nothing but a login helps."""
        return self.state in {"expired", "logged_out"}


def assess(view: View, now: float, warn_before: Sequence[float] = WARN_BEFORE) -> Assessment:
    """Judge a session.

    Args:
        view: what is known of it.
        now: the machine's time.
        warn_before: seconds before the end at which a person is warned, the largest first.
    """
    if view.expires_at is None:
        return Assessment("logged_out", view.problem or "not logged in")
    left = view.expires_at - now
    renewable = view.refreshable and view.refused is None
    if left > 0 and not view.rejected:
        if renewable:
            due = view.renew_at if view.retry_at is None else view.retry_at
            reason = (
                f"renewal is tried again: {view.failure}" if view.failure else _with("renews itself", view.remark)
            )
            return Assessment("active", reason, "renew", due)
        reason = _with(view.refused or "this login cannot be renewed", view.remark)
        upcoming = [view.expires_at - before for before in warn_before if view.expires_at - before > now]
        state: State = "expiring" if left <= max(warn_before, default=0.0) or view.refused else "active"
        return Assessment(state, reason, "warn" if upcoming else None, min(upcoming, default=None))
    if view.problem is not None:
        return Assessment("expired", view.problem)
    if renewable:
        if view.offline:
            return Assessment("offline", view.failure or "AWS cannot be reached", "renew", view.retry_at or now)
        return Assessment("renewing", view.failure or "is being renewed", "renew", view.retry_at or now)
    return Assessment("expired", view.refused or "the session has run out")


def _with(reason: str, remark: str | None) -> str:
    return f"{reason}; {remark}" if remark else reason


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning that is due: how many seconds before the end it was meant for, and the end."""

    before: float
    ends_at: float


def due_warning(
    view: View, now: float, already: float | None, warn_before: Sequence[float] = WARN_BEFORE
) -> Notice | None:
    """The warning to give now, or None.

    Args:
        view: the session; one that can be renewed is never warned about.
        now: the machine's time.
        already: the smallest `before` that was given for this end, or None.
        warn_before: as for `assess`.

    Where several are due at once (the machine slept), only the last one is given.
    """
    if view.expires_at is None:
        return None
    left = 0.0 if view.rejected else view.expires_at - now
    unreadable = view.problem is not None and left <= 0
    if view.refreshable and view.refused is None and not unreadable:
        return None
    due = [before for before in warn_before if left <= before and (already is None or before < already)]
    return Notice(min(due), view.expires_at) if due else None
