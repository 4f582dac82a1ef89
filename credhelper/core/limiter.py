"""How many calls go to AWS in a second, and whose go first. Pure."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from enum import IntEnum
from typing import Generic, TypeVar

# AWS throttles at about 20 a second for each account's users; a person's other tools need some of that.
CALLS_PER_SECOND = 18

_Ticket = TypeVar("_Ticket")


class Priority(IntEnum):
    """Who waits for the answer; the smaller goes first."""

    TOKEN = 0
    CALLER = 1
    BACKGROUND = 2


class Limiter(Generic[_Ticket]):
    """A sliding window of one second.

    Args:
        calls: how many may start within any one second.
    """

    def __init__(self, calls: int = CALLS_PER_SECOND) -> None:
        self._calls = calls
        self._started: deque[float] = deque()
        self._queue: list[tuple[Priority, int, _Ticket]] = []
        self._order = itertools.count()

    def enqueue(self, ticket: _Ticket, priority: Priority) -> None:
        """Ask for leave to call."""
        heapq.heappush(self._queue, (priority, next(self._order), ticket))

    def admit(self, now: float) -> tuple[list[_Ticket], float | None]:
        """Who may call now, and when to look again (None where nobody waits). `now` is monotonic."""
        while self._started and self._started[0] + 1.0 <= now:
            self._started.popleft()
        admitted = []
        while self._queue and len(self._started) < self._calls:
            admitted.append(heapq.heappop(self._queue)[2])
            self._started.append(now)
        return admitted, self._started[0] + 1.0 if self._queue else None
