"""Blocking calls, off the event loop: those to AWS in order of priority and never too many in a second."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from credhelper.core.limiter import CALLS_PER_SECOND, Limiter, Priority

_Answer = TypeVar("_Answer")

# Calls that may hang at once when the network is silent. Renewals do not count: nothing may stand in their way.
_UPSTREAM = 32
_ASIDE = 8


class Calls:
    """The only way from the event loop to AWS and to whatever else blocks.

    Each call has a thread of its own that does not keep the process from ending, as those of an executor would.
    """

    def __init__(self, per_second: int = CALLS_PER_SECOND) -> None:
        self._limiter: Limiter[asyncio.Future[None]] = Limiter(per_second)
        self._upstream = asyncio.Semaphore(_UPSTREAM)
        self._aside = asyncio.Semaphore(_ASIDE)
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, priority: Priority, call: Callable[[], _Answer]) -> _Answer:
        """Wait for leave, then make `call` in a thread and return or raise as it does."""
        room = contextlib.nullcontext() if priority is Priority.TOKEN else self._upstream
        async with room:
            leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._limiter.enqueue(leave, priority)
            self._admit()
            await leave
            return await _in_thread(call, "aws")

    async def aside(self, call: Callable[[], _Answer]) -> _Answer:
        """Run something that blocks on the disk; never behind a call to AWS."""
        async with self._aside:
            return await _in_thread(call, "disk")

    def _admit(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = time.monotonic()
        admitted, again_at = self._limiter.admit(now)
        for leave in admitted:
            # A caller that gave up while it waited has still spent its place; there are others in a second.
            if not leave.done():
                leave.set_result(None)
        if again_at is not None:
            self._timer = asyncio.get_running_loop().call_later(again_at - now + 0.001, self._admit)

    def close(self) -> None:
        """Forget what waits; threads that are under way are not waited for."""
        if self._timer is not None:
            self._timer.cancel()


def _in_thread(call: Callable[[], _Answer], name: str) -> asyncio.Future[_Answer]:
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Answer] = loop.create_future()

    def work() -> None:
        try:
            answer = call()
        except BaseException as error:  # noqa: BLE001 - raised where it is awaited
            tell(functools.partial(done.set_exception, error))
        else:
            tell(functools.partial(done.set_result, answer))

    def tell(end: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(lambda: None if done.done() else end())

    threading.Thread(target=work, name=name, daemon=True).start()
    return done
