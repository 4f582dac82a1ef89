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

_ASIDE = 8


class Urgency:
    """The priority of one call or of several that follow each other. It may rise while a call waits."""

    def __init__(self, priority: Priority) -> None:
        self.priority = priority
        self.waiting: asyncio.Future[None] | None = None


class Calls:
    """The only way from the event loop to AWS and to whatever else blocks.

    Each call has a thread of its own that does not keep the process from ending, as those of an executor would.
    """

    def __init__(self, per_second: int = CALLS_PER_SECOND) -> None:
        self._limiter: Limiter[asyncio.Future[None]] = Limiter(per_second)
        self._aside = asyncio.Semaphore(_ASIDE)
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, urgency: Urgency | Priority, call: Callable[[], _Answer]) -> _Answer:
        """Wait for leave, then make `call` in a thread and return or raise as it does."""
        if not isinstance(urgency, Urgency):
            urgency = Urgency(urgency)
        leave: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        urgency.waiting = leave
        self._limiter.enqueue(leave, urgency.priority)
        try:
            self._admit()
            await leave
            # The place is taken until the thread has ended, also where nobody waits for it any more.
            answer = _in_thread(call, "aws", lambda: self._done(leave))
        except BaseException:
            self._limiter.withdraw(leave)
            self._done(leave)
            raise
        finally:
            urgency.waiting = None
        return await answer

    def hurry(self, urgency: Urgency, priority: Priority) -> None:
        """Somebody more important waits for these calls as well."""
        urgency.priority = min(urgency.priority, priority)
        if urgency.waiting is not None:
            self._limiter.hurry(urgency.waiting, urgency.priority)
            self._admit()

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
            if not leave.done():
                leave.set_result(None)
        if again_at is not None:
            self._timer = asyncio.get_running_loop().call_later(again_at - now + 0.001, self._admit)

    def _done(self, leave: asyncio.Future[None]) -> None:
        self._limiter.done(leave)
        self._admit()

    def close(self) -> None:
        """Forget what waits; threads that are under way are not waited for."""
        if self._timer is not None:
            self._timer.cancel()


def _in_thread(
    call: Callable[[], _Answer], name: str, ended: Callable[[], None] = lambda: None
) -> asyncio.Future[_Answer]:
    """Run `call` in a thread of its own; `ended` is run on the loop when it has."""
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
            loop.call_soon_threadsafe(settle, end)

    def settle(end: Callable[[], None]) -> None:
        if not done.done():
            end()
        ended()

    threading.Thread(target=work, name=name, daemon=True).start()
    return done
