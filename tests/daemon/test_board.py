"""The daemon keeps the board: what it knows of sessions and profiles is there for the shells."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from credhelper import board
from tests.daemon.inside import Inside


async def entry(inside: Inside, profile: str = "dev", config: str = "") -> board.Entry | None:
    """What the board says of a profile now."""
    environ = {"AWS_CONFIG_FILE": config}
    return await asyncio.to_thread(board.entry_of_profile, inside.machine.paths, profile, environ)


async def shown(
    inside: Inside, test: Callable[[board.Entry], object] = lambda _: True, profile: str = "dev"
) -> board.Entry:
    """What the board says of a profile once that passes the test."""
    async with asyncio.timeout(10):
        while True:
            found = await entry(inside, profile)
            if found is not None and test(found):
                return found
            await asyncio.sleep(0.01)


async def test_a_session_that_renews_itself_is_there_until_its_token_ends(inside: Inside) -> None:
    found = await shown(inside)
    assert found == board.Entry("corp", "active", "no", int(inside.keeper.report().expires_at or 0), 0)
    assert found.needs_nothing(time.time())


async def test_a_logout_and_a_login_are_there_at_once(inside: Inside) -> None:
    await asyncio.to_thread(inside.machine.token_file.unlink)
    await inside.ask("forget", key="corp")
    assert await entry(inside) == board.Entry("corp", "logged_out", "yes")
    await asyncio.to_thread(inside.machine.log_in)
    await inside.ask("reload")
    found = await entry(inside)
    assert found is not None
    assert (found.state, found.login) == ("active", "no")
