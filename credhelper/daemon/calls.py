"""Blocking calls to AWS, off the event loop, in order of priority and never too many in a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from credhelper.core.limiter import CALLS_PER_SECOND, Limiter, Priority

_Answer = TypeVar("_Answer")


class Calls:
    """The only way from the event loop to AWS."""

    def __init__(self, per_second: int = CALLS_PER_SECOND) -> None:
        self._limiter: Limiter[asyncio.Future[None]] = Limiter(per_second)
        self._executor = ThreadPoolExecutor(max_workers=16, thread_name_prefix="aws")
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, priority: Priority, call: Callable[[], _Answer]) -> _Answer:
        """Wait for leave, then make `call` in a thread and return or raise as it does."""
        loop = asyncio.get_running_loop()
        leave: asyncio.Future[None] = loop.create_future()
        self._limiter.enqueue(leave, priority)
        self._admit()
        await leave
        return await loop.run_in_executor(self._executor, call)

    async def aside(self, call: Callable[[], _Answer]) -> _Answer:
        """Run something that blocks on the disk but does not go to AWS."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

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
        self._executor.shutdown(wait=False, cancel_futures=True)
