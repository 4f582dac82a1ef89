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

_Ticket = TypeVar("_Ticket")


class Priority(IntEnum):
    """Who waits for the answer; the smaller goes first."""

    TOKEN = 0
    CALLER = 1
    BACKGROUND = 2


class Limiter(Generic[_Ticket]):
    """A sliding window of one second, and a count of what is under way; one queue before both.

    Args:
        calls: how many may start within any one second.
        at_once: how many may be under way, but for those of priority `TOKEN`.
    """

    def __init__(self, calls: int = CALLS_PER_SECOND, at_once: int = CALLS_AT_ONCE) -> None:
        self._calls = calls
        self._room = at_once
        self._started: deque[float] = deque()
        self._queue: list[tuple[Priority, int, _Ticket]] = []
        self._waiting: dict[_Ticket, tuple[Priority, int]] = {}
        self._under_way: set[_Ticket] = set()
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
            heapq.heappop(self._queue)
            del self._waiting[ticket]
            if priority is not Priority.TOKEN:
                self._under_way.add(ticket)
            self._started.append(now)
            admitted.append(ticket)
        return admitted, None

    def _push(self, ticket: _Ticket, priority: Priority, number: int) -> None:
        self._waiting[ticket] = priority, number
        heapq.heappush(self._queue, (priority, number, ticket))
