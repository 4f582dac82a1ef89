"""A daemon within the test's own event loop: real socket, real stand-in, a clock that the test can put forward."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from credhelper import client
from credhelper.daemon.app import App
from credhelper.daemon.keeper import Keeper
from tests.machine import ACCOUNT, ROLE, Machine

Answer = tuple[int, bytes]


@dataclass
class Inside:
    """One daemon. The test may look into its parts."""

    machine: Machine
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    def __post_init__(self) -> None:
        self.app = App(self.machine.paths, self.environ, self.machine.clock)
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> bool:
        if not await self.app.start():
            return False
        self._running = asyncio.create_task(self.app.run())
        return True

    async def stop(self) -> None:
        """As SIGTERM does; returns when it has ended."""
        if self._running is not None:
            self.app._stop_soon()
            done, _ = await asyncio.wait({self._running}, timeout=30)
            # No CancelledError may leave a fixture: pytest would undo no other, and the next tests had this home.
            assert done, "the daemon does not end"
            assert not self._running.cancelled(), "the daemon was cancelled"
            self._running.result()

    @property
    def ended(self) -> bool:
        return self._running is not None and self._running.done()

    @property
    def address(self) -> str:
        assert self.app._presence.address is not None
        return self.app._presence.address

    @property
    def keeper(self) -> Keeper:
        """Of the machine's session."""
        return self.app._keepers[self.machine.session.id]

    @property
    def state(self) -> str:
        return self.keeper.assess().state

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.address)

    async def ask(self, verb: str, **fields: str) -> Answer:
        """One request and its last answer, as the helper waits for it."""
        frame = client.encode_request(verb.encode(), self.fields(fields))
        reader, writer = await self.connect()
        try:
            writer.write(frame)
            return await self.answer(reader)
        finally:
            writer.close()

    def fields(self, fields: dict[str, str]) -> dict[bytes, bytes]:
        known = {"home": str(self.machine.paths.home), **fields}
        return {name.encode(): os.fsencode(value) for name, value in known.items()}

    @staticmethod
    async def answer(reader: asyncio.StreamReader) -> Answer:
        async with asyncio.timeout(20):
            while True:
                size = int.from_bytes(await reader.readexactly(4), "big")
                body = await reader.readexactly(size)
                if body[0] not in {client.WAIT, client.WORD}:
                    return body[0], body[1:]

    async def credentials(
        self, account: str = ACCOUNT, role: str = ROLE, session: str = "corp", **fields: str
    ) -> Answer:
        return await self.ask("credentials", session=session, account=account, role=role, **fields)

    async def got(self, account: str = ACCOUNT, role: str = ROLE, **fields: str) -> dict[str, Any]:
        """Credentials that must be had."""
        status, payload = await self.credentials(account, role, **fields)
        assert status == 0, payload
        found: dict[str, Any] = json.loads(payload)
        return found

    async def refused(self, status: int, account: str = ACCOUNT, role: str = ROLE, **fields: str) -> str:
        """The one line with which credentials are refused."""
        answered, payload = await self.credentials(account, role, **fields)
        assert answered == status, payload
        text = payload.decode()
        assert text.startswith("credhelper: ")
        assert text.endswith("\n")
        assert text.count("\n") == 1
        return text.strip()

    async def turn(self) -> None:
        """Let it look at everything again, as a sweep does."""
        status, _ = await self.ask("reload")
        assert status == 0

    async def status(self) -> dict[str, Any]:
        answered, payload = await self.ask("status")
        assert answered == 0
        found: dict[str, Any] = json.loads(payload)
        return found

    async def until(self, predicate: Callable[[], object], what: str = "the condition") -> None:
        deadline = time.monotonic() + 10
        while not predicate():
            assert time.monotonic() < deadline, f"waited 10 s for {what}"
            await asyncio.sleep(0.01)

    async def upstream(self, operation: str, count: int = 1, *, done: bool | None = True) -> None:
        """Wait until AWS has been asked so often."""
        calls = self.machine.standin.calls
        await self.until(
            lambda: len(calls(operation, done=True) if done else calls(operation)) >= count, f"{count} {operation}"
        )

    def calls(self, operation: str) -> int:
        return len(self.machine.standin.calls(operation))

    @contextlib.asynccontextmanager
    async def lease(self, key: str = "corp") -> Any:
        """Hold (or wait for) the lease on a login; gives the word of the daemon."""
        reader, writer = await self.connect()
        try:
            writer.write(client.encode_request(b"login-lease", self.fields({"key": key})))
            status, word = await self.answer(reader)
            assert status == 0
            yield word
        finally:
            writer.close()
            await writer.wait_closed()
