"""What is known at one moment of the demo: the one thing that the story writes and the views show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

Kind = Literal["plain", "good", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, `at` seconds after the start."""

    at: float
    text: str
    kind: Kind = "plain"


@dataclass(slots=True)
class Lane:
    """One profile, its session and its program. Moments in seconds since the epoch.

    Attributes:
        arn: the last identity seen.
        ok, expected, unexpected: calls that succeeded; that failed as they had to; that should not have failed.
        history: whether each call succeeded, in their order.
        after_login: calls that succeeded since the last login.
        error: the message of the last call where it failed, else None.
        last_call: when the last call began.
        longest_gap: between the beginnings of two calls.
        state, reason, expires_at, credentials_expire_at: as the daemon's status has them.
        longest_life: that a token had left when it was first seen.
        renewals: of the session's token, in the background.
        ended_at, mended_at: while the session was over and nobody had logged in; calls may fail then.
        told: whether a call has failed with the message that says what to run.
        running: whether the program runs.
    """

    profile: str
    session: str
    arn: str = ""
    ok: int = 0
    expected: int = 0
    unexpected: int = 0
    history: list[bool] = field(default_factory=list)
    after_login: int = 0
    error: str | None = None
    last_call: float | None = None
    longest_gap: float = 0.0
    state: str = ""
    reason: str = ""
    expires_at: float | None = None
    longest_life: float = 0.0
    credentials_expire_at: float | None = None
    renewals: int = 0
    ended_at: float | None = None
    mended_at: float | None = None
    told: bool = False
    running: bool = False

    @property
    def calls(self) -> int:
        return self.ok + self.expected + self.unexpected


@dataclass(slots=True)
class Board:
    """Everything.

    Attributes:
        step, title, text: the page of the story, 1 to `STEPS`.
        config: lines of the AWS config to show, with whether each is news.
        logins: that a person has made.
        answers: of the helper, credentials handed out.
        upstream: calls to AWS by operation, as the stand-in counted them.
        held: events that are to be told later, or None where none are held back.
        problems: what must not have happened; empty is success.
    """

    lanes: dict[str, Lane]
    step: int = 0
    title: str = ""
    text: str = ""
    config: Sequence[tuple[str, bool]] = ()
    elapsed: float = 0.0
    events: list[Event] = field(default_factory=list)
    held: list[Event] | None = None
    logins: int = 0
    renewals: int = 0
    answers: int = 0
    upstream: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> int:
        return sum(lane.ok for lane in self.lanes.values())

    @property
    def calls(self) -> int:
        return sum(lane.calls for lane in self.lanes.values())

    @property
    def expected(self) -> int:
        return sum(lane.expected for lane in self.lanes.values())

    @property
    def unexpected(self) -> int:
        return sum(lane.unexpected for lane in self.lanes.values())

    @property
    def aws_calls(self) -> int:
        """Calls that credhelper made to AWS for the programs: tokens and role credentials."""
        return sum(count for name, count in self.upstream.items() if name != "GetCallerIdentity")

    def say(self, text: str, kind: Kind = "plain") -> None:
        (self.events if self.held is None else self.held).append(Event(self.elapsed, text, kind))

    def hold(self) -> None:
        """Let what happens from now on be told later."""
        self.held = []

    def release(self, cause: str | None = None) -> None:
        """Tell it now, after its cause. Harmless when nothing was held."""
        held, self.held = self.held or [], None
        if cause is not None:
            self.say(cause, "good")
        self.events += [replace(event, at=self.elapsed) for event in held]

    def problem(self, text: str) -> None:
        """Note what must not have happened, once."""
        if text not in self.problems:
            self.problems.append(text)
            self.release()
            self.say(text, "bad")


class View(Protocol):
    """Shows a board. A context manager: what it did to the terminal is undone at the end."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: object) -> None: ...

    def show(self, board: Board) -> None:
        """Called several times a second."""
