"""One daemon living through it all, and the figures of each day."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.soaking.acceleration import AcceleratedLoop, Time, patched
from benchmarks.soaking.people import Caller, Line, Person
from benchmarks.soaking.place import ROLE_LIFETIME, Place
from benchmarks.soaking.trouble import Trouble
from benchmarks.soaking.witness import Day, Witness
from credhelper.core.clock import Clock
from credhelper.daemon.app import App
from credhelper.daemon.process import start_log
from credhelper.standin import Settings, StandIn

CALLERS = 5
_DAY = 86400.0
# Each session ends so long after its login, whatever is done.
_SESSION_CAP = 26 * 3600.0


@dataclass
class Figures:
    """One day.

    Attributes:
        memory: resident, in bytes, after a garbage collection; of daemon, stand-in and callers together.
        blocks: of memory that Python's objects take, after the same.
        log: bytes written to the daemon's log.
    """

    number: int
    day: Day
    renewals: int
    fetches: int
    logins: int
    troubles: int
    memory: int
    blocks: int
    descriptors: int
    threads: int
    log: int
    complaints: list[str]


class _Count(logging.Handler):
    """Counts what is written to the log, and keeps what should not be there."""

    def __init__(self) -> None:
        super().__init__()
        self.written = 0
        self.complaints: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        self.written += len(text.encode()) + 1
        if record.exc_info or "unforeseen" in text:
            self.complaints.append(text)


class Life:
    """Everything within one loop. `run` yields to `report` after each day."""

    def __init__(self, home: Path, standin: StandIn, loop: AcceleratedLoop, seed: str) -> None:
        self.time = Time(loop)
        standin.configure(clock=self.time.true)
        self.place = Place(home, standin, self.time)
        self.witness = Witness(self.place)
        self.trouble = Trouble(self.place, self.witness, seed)
        self._seed = seed
        self._standin = standin

    async def run(self, days: int, report: Callable[[Figures], None]) -> None:
        """Live for so many days."""
        for session in self.place.sessions:
            await self.trouble.log_in(session, legacy=session.old_start is not None)
        count = _Count()
        with _logged(self.place, count):
            app = App(self.place.paths, dict(os.environ), Clock(self.time.wall, self.time.true))
            await app.start()
            living = asyncio.create_task(app.run())
            others: list[asyncio.Task[None]] = []
            try:
                await self._days(app, others, count, days, report)
            finally:
                for task in others:
                    task.cancel()
                await asyncio.gather(*others, return_exceptions=True)
                self._standin.clear_faults()
                app._stop_soon()
                await living

    async def _days(
        self,
        app: App,
        others: list[asyncio.Task[None]],
        count: _Count,
        days: int,
        report: Callable[[Figures], None],
    ) -> None:
        line = Line(self.place.paths)
        people = [Person(session, self.trouble, line, self._seed) for session in self.place.sessions]
        callers = [Caller(number, self.witness, line, self._seed) for number in range(CALLERS)]
        works = [*(c.run() for c in callers), *(p.run() for p in people), people[0].watch()]
        others += [asyncio.create_task(work) for work in (*works, self.trouble.run(), self.trouble.nights())]
        before: Counter[str] = Counter()
        began = self.time.true()
        for number in range(1, days + 1):
            while self.time.true() < began + number * _DAY:
                await asyncio.sleep(min(3600.0, began + number * _DAY - self.time.true()))
                self.witness.harvest()
                self.witness.prune()
                self.witness.look_for_the_unanswered()
                for task in others:
                    if task.done():
                        task.result()  # the soak itself has a bug
            counts: Counter[str] = Counter(
                renewals=self.witness.renewals,
                fetches=app._broker.fetches,
                logins=sum(person.logins for person in people),
                troubles=self.trouble.counts.total(),
                log=count.written,
            )
            report(self._figures(number, counts - before, count))
            before, count.complaints = counts, []

    def _figures(self, number: int, new: Counter[str], count: _Count) -> Figures:
        gc.collect()
        process = psutil.Process()
        return Figures(
            number=number,
            day=self.witness.end_day(),
            renewals=new["renewals"],
            fetches=new["fetches"],
            logins=new["logins"],
            troubles=new["troubles"],
            memory=process.memory_info().rss,
            blocks=sys.getallocatedblocks(),
            descriptors=process.num_fds(),
            threads=threading.active_count(),
            log=new["log"],
            complaints=count.complaints,
        )


@contextlib.contextmanager
def _logged(place: Place, count: _Count) -> Iterator[None]:
    """The daemon's own log, on disk as ever, and a count of it."""
    start_log(place.paths, foreground=False)
    logger = logging.getLogger("credhelper")
    count.setFormatter(logger.handlers[-1].formatter)
    names = ("credhelper", "asyncio")
    for name in names:
        logging.getLogger(name).addHandler(count)
    try:
        yield
    finally:
        for name in names:
            for handler in list(logging.getLogger(name).handlers):
                logging.getLogger(name).removeHandler(handler)
                handler.close()


def soak(days: int, seed: str, report: Callable[[Figures], None]) -> Life:
    """Let a daemon live for so many days in a home folder of its own, which is removed."""
    settings = Settings(
        session_cap=_SESSION_CAP, rotate_refresh_tokens=True, accounts=20, role_lifetime=ROLE_LIFETIME
    )
    lives: list[Life] = []
    with tempfile.TemporaryDirectory(prefix="ch-soak-") as top, StandIn(settings) as standin:
        home, runtime = Path(top) / "home", Path(top) / "run"
        for folder in (home, runtime):
            folder.mkdir(mode=0o700)
        before = dict(os.environ)
        os.environ.update(HOME=str(home), XDG_RUNTIME_DIR=str(runtime))
        loop = AcceleratedLoop(lambda: lives[0].trouble.held() if lives else 0)
        try:
            lives.append(Life(home, standin, loop, seed))
            with patched(loop):
                loop.run_until_complete(lives[0].run(days, report))
        finally:
            loop.close()
            os.environ.clear()
            os.environ.update(before)
    return lives[0]
