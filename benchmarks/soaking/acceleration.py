"""Accelerated time: an event loop whose clock jumps to the next timer once nothing happens any more.

While a thread of the daemon works, or a socket has something to say, the loop's time stands still, and all of that
happens as fast as it can. So eight days cost what the work in them costs, and every pause, timeout and deadline
of the daemon has its true length by the loop's clock.
"""

from __future__ import annotations

import asyncio
import itertools
import selectors
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from credhelper.daemon import calls

# Threads of the daemon that do something; those of its watcher wait for events, those of the stand-in for requests.
_WORKERS = frozenset({"aws", "disk", "home"})
# The daemon looks at the disk in a thread each time, at 20,000 sweeps; here most looks are made at once, and one in
# so many in its thread.
_IN_THREAD = 40
# How much faster the real pauses within a thread pass (a half-written token file is read again for 0.25 s).
_THREADS_FASTER = 20


class _Selector(selectors.DefaultSelector):
    """Waits for what is real, and never for time."""

    def __init__(self, busy: Callable[[], bool], pass_time: Callable[[float], None]) -> None:
        super().__init__()
        self._busy = busy
        self._pass_time = pass_time

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        while self._busy():
            ready = super().select(0.001)
            if ready:
                return ready
        # A thread that has just ended has said so before it did.
        ready = super().select(0 if timeout is not None else 0.01)
        if not ready and timeout is not None:
            self._pass_time(timeout)
        return ready


class AcceleratedLoop(asyncio.SelectorEventLoop):
    """The loop. `held` says how many of the daemon's threads wait for something that only time will end."""

    def __init__(self, held: Callable[[], int]) -> None:
        self._held = held
        self._passed = 1000.0
        super().__init__(_Selector(self._busy, self._pass_time))

    def time(self) -> float:
        return self._passed

    def _pass_time(self, seconds: float) -> None:
        self._passed += seconds

    def _busy(self) -> bool:
        working = sum(thread.name in _WORKERS for thread in threading.enumerate())
        return working > 0 and working > self._held()


class Time:
    """The true time, by which AWS lives, and the machine's own clock, which may be wrong.

    Args:
        loop: whose clock stands still while the machine sleeps, as CLOCK_MONOTONIC does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._began = float(int(time.time())) - loop.time()
        self._slept = 0.0
        self.error = 0.0
        # Since when the machine's clock has been as it is.
        self.set_at = self.true()

    def true(self) -> float:
        """Seconds since the epoch."""
        return self._began + self._loop.time() + self._slept

    def awake(self) -> float:
        """By a caller's own clock: stands still while the machine sleeps."""
        return self._loop.time()

    def wall(self) -> float:
        """What the machine believes."""
        return self.true() + self.error

    def sleep(self, seconds: float) -> None:
        """The machine is suspended."""
        self._slept += seconds

    def put(self, error: float) -> None:
        """Set the machine's clock wrong by so much, or right."""
        self.error = error
        self.set_at = self.true()


@contextmanager
def patched(loop: AcceleratedLoop) -> Iterator[None]:
    """Let what reads the monotonic clock by itself read the loop's."""
    limiter = SimpleNamespace(monotonic=loop.time)
    real = time.monotonic
    threads: Any = SimpleNamespace(**{name: getattr(time, name) for name in dir(time) if not name.startswith("_")})
    threads.monotonic = lambda: real() * _THREADS_FASTER
    threads.sleep = lambda seconds: time.sleep(seconds / _THREADS_FASTER)
    in_thread = calls._in_thread
    looks = itertools.count()

    def mostly_at_once(
        call: Callable[[], Any], name: str, ended: Callable[[], None] = lambda: None
    ) -> asyncio.Future[Any]:
        if name != "disk" or next(looks) % _IN_THREAD == 0:
            return in_thread(call, name, ended)
        done: asyncio.Future[Any] = loop.create_future()
        try:
            done.set_result(call())
        except Exception as error:  # noqa: BLE001 - raised where it is awaited
            done.set_exception(error)
        ended()
        return done

    with (
        mock.patch.object(calls, "time", limiter),
        mock.patch.object(calls, "_in_thread", mostly_at_once),
        mock.patch("credhelper.aws.tokens.time", threads),
    ):
        yield
