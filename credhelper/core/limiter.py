"""How many calls go to AWS in a second and at once, and whose go first. Pure."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from enum import IntEnum
from typing import Generic, TypeVar

# AWS throttles at about 20 a second for each account's users; a person's other tools need some of that.
CALLS_PER_SECOND = 18
# Calls that may hang at once when the network is silent. Renewals do not count: nothing may stand in their way.
CALLS_AT_ONCE = 32
# What a walk through all accounts leaves free of either, so that a caller who comes meanwhile goes at once.
_LEFT_BY_A_WALK = 1
_ROOM_LEFT_BY_A_WALK = 0.5
# A walk's calls are spread over the second, so that of several callers each waits for a moment only. A little closer
# than they would have to be: what a timer comes late is made up for.
_SPREAD = 0.9

_Ticket = TypeVar("_Ticket")


class Priority(IntEnum):
    """Who waits for the answer; the smaller goes first."""

    TOKEN = 0
    CALLER = 1
    BACKGROUND = 2
    WALK = 3


class Limiter(Generic[_Ticket]):
    """A sliding window of one second, and a count of what is under way; one queue before both.

    Args:
        calls: how many may start within any one second.
        at_once: how many may be under way, but for those of priority `TOKEN`.

    Those of priority `WALK` come by the thousand: they never take the last place of either, and go one by one.
    """

    def __init__(self, calls: int = CALLS_PER_SECOND, at_once: int = CALLS_AT_ONCE) -> None:
        self._calls = calls
        self._room = at_once
        self._started: deque[float] = deque()
        self._queue: list[tuple[Priority, int, _Ticket]] = []
        self._waiting: dict[_Ticket, tuple[Priority, int]] = {}
        self._under_way: set[_Ticket] = set()
        self._walk_calls = max(calls - _LEFT_BY_A_WALK, 1)
        self._walk_room = max(int(at_once * _ROOM_LEFT_BY_A_WALK), 1)
        self._walk_gap = _SPREAD / self._walk_calls
        self._walking: set[_Ticket] = set()
        self._walked_at = float("-inf")
        self._order = itertools.count()

    def enqueue(self, ticket: _Ticket, priority: Priority) -> None:
        """Ask for leave to call. `done` follows once the call has ended, `withdraw` where it will not be made."""
        self._push(ticket, priority, next(self._order))

    def hurry(self, ticket: _Ticket, priority: Priority) -> None:
        """Raise the priority of a ticket that waits; any other is left alone."""
        if ticket in self._waiting:
            before, number = self._waiting[ticket]
            if priority < before:
                self._push(ticket, priority, number)

    def withdraw(self, ticket: _Ticket) -> None:
        """Take a ticket that waits out of the queue."""
        self._waiting.pop(ticket, None)

    def done(self, ticket: _Ticket) -> None:
        """An admitted call has ended."""
        self._under_way.discard(ticket)
        self._walking.discard(ticket)

    def admit(self, now: float) -> tuple[list[_Ticket], float | None]:
        """Who may call now, and when to look again (None where only `enqueue` or `done` can change anything).

        `now` is monotonic.
        """
        while self._started and self._started[0] + 1.0 <= now:
            self._started.popleft()
        admitted: list[_Ticket] = []
        while self._queue:
            priority, number, ticket = self._queue[0]
            if self._waiting.get(ticket) != (priority, number):  # withdrawn, or queued again with a higher priority
                heapq.heappop(self._queue)
                continue
            if priority is not Priority.TOKEN and len(self._under_way) >= self._room:
                return admitted, None
            if len(self._started) >= self._calls:
                return admitted, self._started[0] + 1.0
            if priority is Priority.WALK:
                if len(self._walking) >= self._walk_room:
                    return admitted, None
                at = self._walk_at()
                if at > now:
                    return admitted, at
                self._walking.add(ticket)
                self._walked_at = now
            heapq.heappop(self._queue)
            del self._waiting[ticket]
            if priority is not Priority.TOKEN:
                self._under_way.add(ticket)
            self._started.append(now)
            admitted.append(ticket)
        return admitted, None

    def _walk_at(self) -> float:
        """When the next call of a walk may start."""
        at = self._walked_at + self._walk_gap
        above = len(self._started) - self._walk_calls
        return at if above < 0 else max(at, self._started[above] + 1.0)

    def _push(self, ticket: _Ticket, priority: Priority, number: int) -> None:
        self._waiting[ticket] = priority, number
        heapq.heappush(self._queue, (priority, number, ticket))
