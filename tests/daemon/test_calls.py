from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from credhelper.core.limiter import CALLS_AT_ONCE, Priority
from credhelper.daemon.calls import Calls, Urgency
from tests.waiting import wait_until


async def test_answers_and_errors_come_through() -> None:
    calls = Calls()
    assert await calls.run(Priority.CALLER, lambda: 7) == 7
    assert await calls.aside(lambda: 8) == 8
    with pytest.raises(ZeroDivisionError):
        await calls.run(Priority.TOKEN, lambda: 1 // 0)
    calls.close()


async def test_calls_leave_the_loop_alone() -> None:
    calls = Calls()
    main = threading.get_ident()
    assert await calls.run(Priority.CALLER, threading.get_ident) != main
    assert await calls.aside(threading.get_ident) != main


async def test_so_many_in_a_second_and_the_important_ones_first() -> None:
    calls = Calls(per_second=2)
    order: list[str] = []
    started = asyncio.get_running_loop().time()
    waiting = [
        asyncio.create_task(calls.run(priority, functools.partial(order.append, name)))
        for name, priority in (
            ("1", Priority.BACKGROUND),
            ("2", Priority.BACKGROUND),
            ("caller", Priority.CALLER),
            ("token", Priority.TOKEN),
        )
    ]
    await asyncio.gather(*waiting)
    assert set(order[:2]) == {"1", "2"}
    assert set(order[2:]) == {"caller", "token"}
    assert asyncio.get_running_loop().time() - started >= 1
    calls.close()


async def test_calls_that_hang_hold_up_neither_renewals_nor_the_disk() -> None:
    calls = Calls(per_second=1000)
    gate = threading.Event()
    hanging = [asyncio.create_task(calls.run(Priority.CALLER, gate.wait)) for _ in range(100)]
    await asyncio.sleep(0)
    assert await calls.aside(lambda: "disk") == "disk"
    assert await calls.run(Priority.TOKEN, lambda: "token") == "token"
    assert sum(thread.name == "aws" for thread in threading.enumerate()) < 100
    gate.set()
    await asyncio.gather(*hanging)


async def test_who_gives_up_disturbs_nobody() -> None:
    calls = Calls(per_second=2)
    gate = threading.Event()
    under_way = asyncio.create_task(calls.run(Priority.CALLER, gate.wait))
    other = asyncio.create_task(calls.run(Priority.CALLER, gate.wait))
    waiting = asyncio.create_task(calls.run(Priority.CALLER, lambda: 1))
    await asyncio.sleep(0)
    under_way.cancel()
    waiting.cancel()
    gate.set()
    await other
    assert await calls.run(Priority.CALLER, lambda: 2) == 2
    calls.close()


def test_answer_for_a_loop_that_has_ended_goes_nowhere() -> None:
    started, gate, done = threading.Event(), threading.Event(), threading.Event()

    def call() -> None:
        started.set()
        gate.wait()
        done.set()

    async def leave() -> None:
        task = asyncio.create_task(Calls().run(Priority.CALLER, call))
        await asyncio.to_thread(started.wait, 10)
        task.cancel()

    asyncio.run(leave())
    gate.set()
    assert done.wait(10)
    for thread in threading.enumerate():
        if thread.name == "aws":
            thread.join(10)


async def test_a_caller_does_not_wait_behind_hundreds_in_the_background() -> None:
    """Neither one that comes anew, nor one who joins what waits as background work."""
    calls = Calls(per_second=1000)
    gate = threading.Semaphore(0)
    order: list[str] = []

    def call(name: str) -> None:
        order.append(name)
        gate.acquire()

    async def so_many_began(count: int) -> None:
        await asyncio.to_thread(wait_until, lambda: len(order) >= count)

    urgencies = [Urgency(Priority.BACKGROUND) for _ in range(300)]
    tasks = [
        asyncio.create_task(calls.run(urgency, functools.partial(call, f"background {number}")))
        for number, urgency in enumerate(urgencies)
    ]
    await so_many_began(CALLS_AT_ONCE)
    tasks.append(asyncio.create_task(calls.run(Priority.CALLER, functools.partial(call, "caller"))))
    await asyncio.sleep(0)
    calls.hurry(urgencies[299], Priority.CALLER)
    for number in (1, 2):
        gate.release()
        await so_many_began(CALLS_AT_ONCE + number)
    assert order[CALLS_AT_ONCE:] == ["background 299", "caller"]
    gate.release(300)
    await asyncio.gather(*tasks)
    calls.close()


async def test_who_gives_up_while_it_waits_leaves_its_place_to_others() -> None:
    calls = Calls(per_second=1000)
    gate = threading.Event()
    hanging = [asyncio.create_task(calls.run(Priority.CALLER, gate.wait)) for _ in range(CALLS_AT_ONCE)]
    gone = [asyncio.create_task(calls.run(Priority.CALLER, lambda: 1)) for _ in range(CALLS_AT_ONCE)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    gate.set()
    await asyncio.gather(*hanging)
    assert await asyncio.gather(*(calls.run(Priority.CALLER, lambda: 2) for _ in range(CALLS_AT_ONCE)))
    calls.close()


async def test_thread_that_cannot_be_started_takes_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    calls = Calls(per_second=1000)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(CALLS_AT_ONCE + 1):
            with pytest.raises(RuntimeError, match="new thread"):
                await calls.run(Priority.CALLER, lambda: 1)
    assert await calls.run(Priority.CALLER, lambda: 1) == 1
