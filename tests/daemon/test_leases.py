from __future__ import annotations

import asyncio

from credhelper.daemon.leases import Leases


async def test_one_at_a_time() -> None:
    leases = Leases()
    assert not leases.held("a")
    assert leases.take("a")
    assert leases.held("a")
    assert not leases.take("a")
    assert leases.take("b")
    leases.release("a")
    assert not leases.held("a")
    assert leases.held("b")
    assert leases.take("a")


async def test_all_who_wait_are_woken() -> None:
    leases = Leases()
    leases.take("a")
    waiting = [asyncio.create_task(leases.released("a")) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    leases.release("a")
    await asyncio.gather(*waiting)


async def test_nothing_to_wait_for_or_to_release() -> None:
    leases = Leases()
    await leases.released("a")
    leases.release("a")
