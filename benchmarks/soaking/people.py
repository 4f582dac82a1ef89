"""Who uses the machine: programs that want credentials, and the person who logs in again some time after the end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncIterator, Callable

from benchmarks.soaking.place import ROLE, Profile, Session
from benchmarks.soaking.trouble import Trouble
from benchmarks.soaking.witness import ANSWER_WITHIN, TOKEN, Witness
from credhelper import client
from credhelper.paths import Paths

# Seconds between two wants of one caller, on average.
_EVERY = 420.0


class Line:
    """Asks the daemon as the helper and the commands do, over its real socket.

    Args:
        paths: of the home folder, in which the daemon has written where it listens.
    """

    def __init__(self, paths: Paths) -> None:
        self._address = paths.address_record.read_text().strip()
        self._home = str(paths.home)

    @contextlib.asynccontextmanager
    async def _asked(self, verb: str, fields: dict[str, str]) -> AsyncIterator[asyncio.StreamReader]:
        encoded = {name.encode(): os.fsencode(value) for name, value in {"home": self._home, **fields}.items()}
        reader, writer = await asyncio.open_unix_connection(self._address)
        try:
            writer.write(client.encode_request(verb.encode(), encoded))
            yield reader
        finally:
            writer.close()

    async def ask(
        self, verb: str, wait: Callable[[float], None] = lambda _: None, **fields: str
    ) -> tuple[int, bytes]:
        """One request: the final status and payload. `wait` is told for how long the daemon asks for patience."""
        async with self._asked(verb, fields) as reader:
            while True:
                status, payload = await _reply(reader)
                if status != client.WAIT:
                    return status, payload
                wait(float(payload))

    @contextlib.asynccontextmanager
    async def lease(self, key: str) -> AsyncIterator[None]:
        """Hold the lease on a login, or wait until whoever has it is done."""
        async with self._asked("login-lease", {"key": key}) as reader:
            while (await _reply(reader))[0] == client.WAIT:
                pass
            yield


async def _reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    body = await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
    return body[0], body[1:]


class Caller:
    """A program: mostly it wants its few profiles, now and then any, and sometimes many at once."""

    def __init__(self, number: int, witness: Witness, line: Line, seed: str) -> None:
        self._number = number
        self._chance = random.Random(f"{seed} caller {number}")  # noqa: S311 - to be had again by the seed
        self._profiles = witness.place.profiles
        self._witness = witness
        self._line = line
        self._favourites = self._chance.sample(self._profiles, 4)

    async def run(self) -> None:
        """Want credentials for ever."""
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / _EVERY))
            kind = self._chance.random()
            if kind < 0.03:
                wanted = self._chance.sample(self._profiles, 8)
            elif kind < 0.3:
                wanted = [self._chance.choice(self._profiles)]
            else:
                wanted = [self._chance.choice(self._favourites)]
            await asyncio.gather(*map(self._want, wanted))

    async def _want(self, profile: Profile) -> None:
        loop, call = asyncio.get_running_loop(), self._witness.asked(profile, self._number)
        fields = {"session": profile.session.name, "account": profile.account, "role": ROLE}
        try:
            async with asyncio.timeout_at(call.until) as limit:

                def wait(seconds: float) -> None:
                    call.wait(loop.time(), seconds)
                    limit.reschedule(call.until)

                status, payload = await self._line.ask("credentials", wait, **fields)
        except TimeoutError:
            self._witness.given_up(call)
        else:
            self._witness.answered(call, status, payload)


class Person:
    """Notices in their own time that a session is over, and logs in again where AWS can be reached.

    Attributes:
        logins: how often.
    """

    def __init__(self, session: Session, trouble: Trouble, line: Line, seed: str) -> None:
        self._chance = random.Random(f"{seed} {session.name}")  # noqa: S311 - to be had again by the seed
        self._session = session
        self._place = trouble.place
        self._trouble = trouble
        self._line = line
        self._witness = trouble.witness
        self.logins = 0

    async def run(self) -> None:
        """Look after the session for ever."""
        while True:
            await asyncio.sleep(300)
            if not self._witness.login_lost(self._session):
                continue
            await asyncio.sleep(self._chance.uniform(60, 4500))
            now = self._place.time.true()
            if not self._witness.reachable(TOKEN, now, now):
                continue
            legacy = self._session.old_start is not None and self._chance.random() < 0.5
            if self._chance.random() < 0.5:
                # `credhelper login`: callers know that it is under way, and wait for a while.
                async with self._line.lease(self._session.name):
                    await asyncio.sleep(self._chance.uniform(2, 60))
                    await self._log_in(legacy=legacy)
            else:
                await self._log_in(legacy=legacy)

    async def _log_in(self, *, legacy: bool) -> None:
        await self._trouble.log_in(self._session, legacy=legacy)
        self.logins += 1

    async def watch(self) -> None:
        """Have `status` open: it must answer whatever happens."""
        while True:
            await asyncio.sleep(1800)
            try:
                async with asyncio.timeout(ANSWER_WITHIN):
                    status, payload = await self._line.ask("status")
            except TimeoutError:
                self._witness.today.wrong.append(f"status did not answer in {ANSWER_WITHIN:g} s")
                continue
            if status != 0 or len(json.loads(payload)["profiles"]) > len(self._place.profiles):
                self._witness.today.wrong.append(f"status answered {status}: {payload!r}")
