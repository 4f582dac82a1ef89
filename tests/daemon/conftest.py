from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from blockbuster import BlockBuster, blockbuster_ctx

from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.daemon.inside import Inside
from tests.machine import Machine

# What may block the loop for the length of one system call on a local disk, and why.
_ALLOWED = {
    # The tests' own guard of the home folder.
    "tests/sandbox.py": {"_hook"},
    # One `stat` of the token file for each answer: cheaper than a thread, and it must be there in milliseconds.
    "credhelper/daemon/keeper.py": {"_stat"},
    # At the start and at the end, when nobody is served; a few quick calls at each sweep.
    "credhelper/daemon/singleton.py": {"acquire", "touch", "release", "_sweep"},
    "credhelper/daemon/sockets.py": {"still_there", "in_its_place", "close"},
}


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A machine with one session, logged in."""
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    return machine


@pytest.fixture
def tripwire() -> Iterator[BlockBuster]:
    """No call that blocks on the event loop, but for those above."""
    with blockbuster_ctx("credhelper", excluded_modules=["credhelper.standin"]) as buster:
        for function in buster.functions.values():
            for file, names in _ALLOWED.items():
                function.can_block_in(file, names)
        yield buster


@pytest_asyncio.fixture
async def inside(machine: Machine, tripwire: BlockBuster) -> AsyncIterator[Inside]:
    """A running daemon in this event loop."""
    daemon = Inside(machine)
    assert await daemon.start()
    yield daemon
    await daemon.stop()
