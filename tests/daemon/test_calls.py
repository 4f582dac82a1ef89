from __future__ import annotations

import asyncio
import functools
import threading

import pytest

from credhelper.core.limiter import Priority
from credhelper.daemon.calls import Calls


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
