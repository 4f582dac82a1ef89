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

    Args:
        wall: seconds since the epoch.
        steady: seconds that pass also while the machine sleeps, and that nobody sets; tells when `wall` was set.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] | None = None) -> None:
        self._wall = wall
        self._steady = steady or (_since_boot if wall is time.time else wall)
        self._skew = 0.0
        self._apart = self._wall() - self._steady()

    @property
    def skew(self) -> float:
        """How far the server's clock is ahead of ours; 0 where they agree, or where ours was set since."""
        apart = self._wall() - self._steady()
        if abs(apart - self._apart) > _TOLERANCE:
            # What was observed was said of a clock that went wrong and was set right: it holds no more.
            self._skew, self._apart = 0.0, apart
        return self._skew

    def now(self) -> float:
        """This machine's time."""
        return self._wall()

    def server_now(self) -> float:
        """The time as AWS sees it, as far as is known."""
        return self._wall() + self.skew

    def observe(self, server_date: float, asked_at: float) -> None:
        """Take note of a `Date` header that has just arrived, in the answer to what was asked at `asked_at`.

        Both in seconds since the epoch, the first by the server's clock, the second by ours. A date between asking
        and now is no disagreement: the machine may have slept before it read the answer.
        """
        wall = self._wall()
        self._apart = wall - self._steady()
        difference = server_date - min(max(server_date, min(asked_at, wall)), wall)
        self._skew = difference if abs(difference) > _TOLERANCE else 0.0


def _since_boot() -> float:
    """A steady clock that goes on while the machine sleeps: CLOCK_BOOTTIME, or what macOS calls CLOCK_MONOTONIC."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
