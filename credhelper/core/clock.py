"""The wall clock, and what the server's clock says instead."""

from __future__ import annotations

import time
from collections.abc import Callable

# The `Date` header has whole seconds and an answer takes a while; less than this is no disagreement.
_TOLERANCE = 5.0


class Clock:
    """Seconds since the epoch, by two clocks.

    `now` is this machine's: the expiry in a token file is written by it (every client adds `expiresIn` to its own
    clock), so tokens are judged by it. `server_now` is corrected by the last `Date` header where the two differ by
    more than a few seconds: role credentials carry the server's own expiry, so they are judged by that.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.skew = 0.0

    def now(self) -> float:
        """This machine's time."""
        return self._wall()

    def server_now(self) -> float:
        """The time as AWS sees it, as far as is known."""
        return self._wall() + self.skew

    def observe(self, server_date: float) -> None:
        """Take note of a `Date` header that has just arrived (seconds since the epoch)."""
        difference = server_date - self._wall()
        self.skew = difference if abs(difference) > _TOLERANCE else 0.0
