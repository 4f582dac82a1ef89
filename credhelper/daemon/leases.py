"""Who is logging in to which session: one login for each session on the machine. A second one joins or waits."""

from __future__ import annotations

import asyncio


class Leases:
    """Leases by the key of the session's token file. A lease lives as long as its holder's connection."""

    def __init__(self) -> None:
        self._released: dict[str, asyncio.Event] = {}

    def held(self, key: str) -> bool:
        """Whether somebody is logging in."""
        return key in self._released

    def take(self, key: str) -> bool:
        """Take the lease; False where another has it."""
        if key in self._released:
            return False
        self._released[key] = asyncio.Event()
        return True

    def release(self, key: str) -> None:
        """Give the lease back and wake all who wait for it."""
        event = self._released.pop(key, None)
        if event is not None:
            event.set()

    async def released(self, key: str) -> None:
        """Wait until nobody holds the lease."""
        event = self._released.get(key)
        if event is not None:
            await event.wait()
