"""How long everything takes in the demo. All spans in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """The timing of one showing; the default takes about a minute.

    Attributes:
        token_lifetime: of access tokens; an hour in real life.
        role_lifetime: of role credentials; one to twelve hours in real life.
        warn_before: seconds before the end at which the daemon warns; 15 and 5 minutes in real life.
        interval: between two calls of a program.
        read: how long a page without movement stays, so that it can be read.
        quiet: how long the programs run at least before AWS ends the sessions.
        renewals: of each session that must have happened by then.
        failing: how many calls of the forgotten session fail before the person logs in again.
        mended: how many calls must succeed after that.
        longest_gap: between two calls of one program; a helper may take 5 s and no more.
        patience: for anything that must happen, above what the lifetimes make it take.
    """

    token_lifetime: float = 9.0
    role_lifetime: float = 8.0
    warn_before: tuple[float, ...] = (5.0, 0.0)
    interval: float = 1.0
    read: float = 3.0
    quiet: float = 13.0
    renewals: int = 2
    failing: int = 4
    mended: int = 4
    longest_gap: float = 7.0
    patience: float = 15.0
