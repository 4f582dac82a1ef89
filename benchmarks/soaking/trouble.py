"""Everything that goes wrong on a person's machine, by chance from a seed."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from benchmarks.soaking.place import Place, Session
from benchmarks.soaking.witness import FETCH, TOKEN, Span, Witness
from credhelper.dates import format_date
from credhelper.standin import Fault, PlacedFault

# Seconds between two troubles, on average.
_EVERY = 1500.0
# As long as the daemon's client waits for an answer.
_READ_TIMEOUT = 10.0

_ANSWERS: dict[str, Callable[[], Fault]] = {
    "500": lambda: Fault.error("InternalServerException"),
    "empty 500": Fault.empty,
    "429": lambda: Fault.error("TooManyRequestsException"),
    "drop": Fault.drop,
    "reset": Fault.reset,
    "lost answer": lambda: Fault.drop(after=True),
    "torn answer": Fault.torn,
    "captive page": Fault.captive_page,
    "captive redirect": Fault.captive_redirect,
    "garbage": Fault.garbage,
}


class Trouble:
    """Makes trouble, and tells the witness.

    Attributes:
        counts: how often each kind was made.
    """

    def __init__(self, place: Place, witness: Witness, seed: str) -> None:
        self.place = place
        self.witness = witness
        self._chance = random.Random(f"{seed} trouble")  # noqa: S311 - to be had again by the seed
        self._waiting: list[PlacedFault] = []
        self._busy: set[str] = set()
        self.counts: Counter[str] = Counter()

    def held(self) -> int:
        """How many calls to AWS hang until time ends them."""
        return sum(len(cast("Any", placed.ended)._cond._waiters) for placed in self._waiting)

    async def run(self) -> None:
        """Make trouble for ever."""
        kinds: list[tuple[Callable[[], Awaitable[None]], int]] = [
            (self._wrong_answers, 10),
            (self._silence, 3),
            (self._clock_off, 1),
            (self._suspend, 1),
            (self._other_logs_out, 1),
            (self._other_logs_in, 2),
            (self._other_renews, 3),
            (self._half_a_token, 3),
            (self._file_touched, 2),
            (self._config_touched, 2),
            (self._half_a_config, 1),
            (self._revoked, 1),
        ]
        running = set()
        while True:
            await asyncio.sleep(self._chance.expovariate(1 / _EVERY))
            (kind,) = self._chance.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
            task = asyncio.ensure_future(kind())
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(lambda done: done.result() if not done.cancelled() else None)

    async def nights(self) -> None:
        """The machine sleeps from evening to morning but for one night a week; some mornings the network is late."""
        while True:
            await asyncio.sleep(self._chance.uniform(8, 10.5) * 3600)
            if self._chance.random() < 0.85:
                self._sleep(self._chance.uniform(13.5, 15.5) * 3600)
                if self._chance.random() < 0.5:
                    await self._outage(self._chance.uniform(2, 30))

    def _session(self) -> Session:
        return self._chance.choice(self.place.sessions)

    def _length(self, longest: float) -> float:
        """Mostly short: from a second on, evenly on a logarithmic scale."""
        return float(longest ** self._chance.random())

    # AWS and the network

    async def _wrong_answers(self) -> None:
        name = self._chance.choice(sorted(_ANSWERS))
        operation = self._chance.choice(["*", FETCH, TOKEN])
        seconds = self._length(1800)
        if name in {"lost answer", "torn answer"}:
            # With rotation each of these spends a refresh token; one is enough.
            operation, seconds = self._chance.choice([FETCH, TOKEN]), min(seconds, 20.0)
        self.counts[name] += 1
        span = self.witness.upstream(operation)
        placed = self.place.standin.fault(operation, _ANSWERS[name]())
        await asyncio.sleep(seconds)
        placed.remove()
        self._over(span)

    async def _outage(self, seconds: float) -> None:
        span = self.witness.upstream("*")
        placed = self.place.standin.fault("*", Fault.drop())
        await asyncio.sleep(seconds)
        placed.remove()
        self._over(span)

    async def _silence(self) -> None:
        """Calls hang: until the network is back, or the caller's own timeout ends them."""
        self.counts["silence"] += 1
        until = asyncio.get_running_loop().time() + self._length(300)
        span = self.witness.upstream("*")
        while (left := until - asyncio.get_running_loop().time()) > 0:
            placed = self.place.standin.fault("*", Fault.silence())
            self._waiting.append(placed)
            await asyncio.sleep(min(left, _READ_TIMEOUT))
            placed.remove()
            self._waiting.remove(placed)
        self._over(span)

    def _over(self, span: Span) -> None:
        span.end = self.place.time.true()

    async def _revoked(self) -> None:
        """An administrator ends a session."""
        session = self._session()
        self.counts["revoked"] += 1
        self.place.standin.revoke_sessions(session.start_url)

    # The machine

    async def _clock_off(self) -> None:
        time = self.place.time
        if time.error:
            return
        self.counts["clock off"] += 1
        time.put(self._chance.choice([-600.0, 600.0]))
        await asyncio.sleep(self._chance.uniform(60, 5400))
        time.put(0.0)

    async def _suspend(self) -> None:
        self._sleep(self._chance.uniform(0.1, 4) * 3600)

    def _sleep(self, seconds: float) -> None:
        self.counts["suspended"] += 1
        self.place.time.sleep(seconds)

    # Other clients

    async def _other_logs_out(self) -> None:
        """`aws sso logout`: ended at AWS, then the files go."""
        session = self._session()
        if session.name in self._busy:
            return
        self.counts["logout elsewhere"] += 1
        self.place.standin.revoke_sessions(session.start_url)
        await asyncio.sleep(self._chance.uniform(0.05, 1))
        for legacy in (False, True) if session.old_start else (False,):
            self.place.token_file(session, legacy=legacy).unlink(missing_ok=True)
        self.witness.forget(session)
        # Whoever has not noticed by now does so at the next sweep.
        await asyncio.sleep(31)
        self.witness.forget(session)

    async def _other_logs_in(self) -> None:
        """`aws sso login` although there is a login: other tokens of the same session."""
        session = self._session()
        self.counts["login elsewhere"] += 1
        await self.log_in(session, legacy=False)

    async def log_in(self, session: Session, *, legacy: bool) -> None:
        """A login whose client writes the file by truncating it in place, as the AWS CLI does."""
        if session.name in self._busy:
            return
        content = self.place.log_in(session, legacy=legacy)
        await self._write(session, json.dumps(content).encode(), legacy=legacy, pause=self._chance.uniform(0, 0.2))

    async def _other_renews(self) -> None:
        """Another client renews a token that is not due yet, with rotation: ours is spent."""
        session = self._session()
        content = self.place.read_token(session)
        if session.name in self._busy or content is None or not self.witness.refresh_lives(content):
            return
        self.counts["renewed elsewhere"] += 1
        books = self.place.standin._state
        with books.lock:
            issued = books._sessions.refresh(content["refreshToken"], content["clientId"], self.place.time.true())
        content["accessToken"] = issued.access_token
        content["refreshToken"] = issued.refresh_token or content["refreshToken"]
        content["expiresAt"] = format_date(self.place.time.wall() + issued.expires_in)
        await self._write(session, json.dumps(content).encode(), pause=self._chance.uniform(0, 0.2))

    async def _write(self, session: Session, data: bytes, *, legacy: bool = False, pause: float = 0.0) -> None:
        """Truncate and write, with a moment in between in which others see half of it."""
        path = self.place.token_file(session, legacy=legacy)
        self._busy.add(session.name)
        span = self.witness.file(session)
        try:
            path.touch(0o600)
            path.write_bytes(data[: len(data) // 2])
            await asyncio.sleep(pause)
            path.write_bytes(data)
            self.place.date(path)
        finally:
            self._over(span)
            self._busy.discard(session.name)

    async def _half_a_token(self) -> None:
        """A client that dies while it writes; its next run writes the whole."""
        session = self._session()
        path = self.place.token_file(session)
        if session.name in self._busy or self.place.read_token(session) is None:
            return
        self.counts["half a token"] += 1
        whole = path.read_bytes()
        await self._write(session, whole, pause=self._length(120))

    async def _file_touched(self) -> None:
        session = self._session()
        if session.name not in self._busy and self.place.token_file(session).exists():
            self.counts["token touched"] += 1
            self.place.date(self.place.token_file(session))

    async def _config_touched(self) -> None:
        """Saved again by an editor, with a comment more or less."""
        if "config" in self._busy:
            return
        self.counts["config touched"] += 1
        text = self.place.config_text
        if self._chance.random() < 0.5:
            text += "# saved\n"
        temporary = self.place.config.with_name("config~")
        temporary.write_text(text)
        temporary.replace(self.place.config)

    async def _half_a_config(self) -> None:
        """Half of the config for a while: sessions are missing, and what was held for them is dropped."""
        if "config" in self._busy:
            return
        self.counts["half a config"] += 1
        self._busy.add("config")
        text = self.place.config_text
        span = self.witness.config()
        self.place.config.write_text(text[: int(len(text) * self._chance.random())])
        await asyncio.sleep(self._length(90))
        self.place.config.write_text(text)
        self._over(span)
        self._busy.discard("config")
        for session in self.place.sessions:
            self.witness.forget(session)
