"""How fast all accounts are listed, and what callers notice of it: `python -m benchmarks.discovery [--write]`.

1,000 accounts with two roles each, at a stand-in that throttles at 20 calls a second as AWS does, through the daemon
and its limiter. `--write` puts the figures into docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks.__main__ import PAGE
from benchmarks.pages import at_rest, circumstances, put
from benchmarks.table import duration, megabytes, percentile
from benchmarks.world import ROLE, SESSION, World, world
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import Progress, discover
from credhelper.core.limiter import CALLS_PER_SECOND
from credhelper.model import Session
from credhelper.standin import Settings, StandIn
from credhelper.standin.calls import Call

# As AWS, as far as is known.
_THROTTLE = 20
# Seconds between two callers: each is another moment of the limiter's second.
_CALLERS_EVERY = 0.37
_FIRST_ACCOUNT = 100_000_000_001


@dataclass(frozen=True, slots=True)
class Run:
    """One list of all accounts.

    Attributes:
        calls: to AWS, also those of callers meanwhile.
        refused: of these, by the throttle.
        missed: accounts or roles that are not in the list.
        memory: bytes that the daemon held more at its end than before it (resident).
    """

    what: str
    calls: int
    refused: int
    seconds: float
    missed: int
    memory: int

    @property
    def share(self) -> float:
        """Of what the limiter allows."""
        return self.calls / self.seconds / CALLS_PER_SECOND


class _BrokenOff(Exception):
    pass


def _listed(made: World, progress: Callable[[Progress], None] = lambda _: None) -> int:
    """Make the list; how many roles are missing in it."""
    session = Session(SESSION, made.token["startUrl"], made.token["region"])
    found = discover(Desk.of(made.paths, made.environ), session, progress)
    listed = {(known.account_id, role) for known in found.accounts for role in known.roles or ()}
    real = {(a.account_id, role) for a in made.standin.settings.directory().values() for role in a.roles}
    return len(real ^ listed)


def _whole(made: World) -> int:
    return _listed(made)


def _in_three_parts(made: World) -> int:
    """Broken off after each third."""
    count = len(made.standin.settings.directory())
    for third in (1, 2):

        def stop(progress: Progress, least: int = count * third // 3) -> None:
            if progress.listed >= least:
                raise _BrokenOff

        with contextlib.suppress(_BrokenOff):
            _listed(made, stop)
    return _listed(made)


def run(made: World, what: str, work: Callable[[World], int]) -> Run:
    """Do this and count."""
    made.standin.clear_calls()
    daemon = psutil.Process(made.daemon)
    before = daemon.memory_info().rss
    began = time.monotonic()
    missed = work(made)
    seconds = time.monotonic() - began
    calls: list[Call] = made.standin.calls()
    refused = sum(call.status == 429 for call in calls)
    return Run(what, len(calls), refused, seconds, missed, daemon.memory_info().rss - before)


# --- callers --------------------------------------------------------------------------------------------------------


def ask(made: World, account: int) -> float:
    """One helper's whole run; its seconds."""
    began = time.monotonic()
    done = subprocess.run(
        [str(made.paths.helper), SESSION, str(account), ROLE], env=made.environ, capture_output=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr.decode())
    return time.monotonic() - began


@dataclass(slots=True)
class Callers:
    """Seconds that helpers took: for credentials that the daemon has, and for those that it has to fetch."""

    warm: list[float]
    cold: list[float]

    def come(self, made: World, accounts: Iterator[int], going_on: Callable[[], bool]) -> None:
        """One after the other, as long as that goes on."""
        while going_on():
            account = next(accounts)
            self.cold.append(ask(made, account))
            self.warm.append(ask(made, account))
            time.sleep(_CALLERS_EVERY)


def with_callers(made: World, accounts: Iterator[int], callers: Callers) -> Callable[[World], int]:
    """The whole list, and callers meanwhile."""

    def work(_: World) -> int:
        missed: list[int] = []
        walking = threading.Thread(target=lambda: missed.append(_listed(made)))
        walking.start()
        callers.come(made, accounts, walking.is_alive)
        walking.join()
        return missed[0]

    return work


# --- the page -------------------------------------------------------------------------------------------------------


def render(runs: Sequence[Run], alone: Callers, meanwhile: Callers) -> str:
    """Both tables."""
    lines = [
        "| list of all accounts | calls to AWS | throttled by AWS | seconds | share of the limit | missed | memory |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {one.what} | {one.calls:,} | {one.refused} | {one.seconds:.1f} | {one.share:.1%} | {one.missed} "
        f"| {megabytes(one.memory)} |"
        for one in runs
    ]
    lines += [
        "",
        "| a helper's whole run | n | median | 90th percentile | longest |",
        "|---|--:|--:|--:|--:|",
    ]
    for what, seconds in (
        ("cold role, daemon at rest", alone.cold),
        ("cold role, during a list", meanwhile.cold),
        ("warm, daemon at rest", alone.warm),
        ("warm, during a list", meanwhile.warm),
    ):
        cells = (statistics.median(seconds), percentile(seconds, 90), max(seconds))
        lines.append(f"| {what} | {len(seconds)} | {' | '.join(map(duration, cells))} |")
    return "\n".join(lines) + "\n"


def measure(count: int, alone_for: int) -> tuple[list[Run], Callers, Callers]:
    """All of it.

    Args:
        count: of accounts, at least 300.
        alone_for: callers while nothing is listed.
    """
    settings = Settings(accounts=count, throttle=_THROTTLE, token_lifetime=8 * 3600, role_lifetime=8 * 3600)
    alone, meanwhile = Callers([], []), Callers([], [])
    accounts = iter(range(_FIRST_ACCOUNT, _FIRST_ACCOUNT + count))
    with StandIn(settings) as standin, world(standin) as made:
        alone.come(made, accounts, lambda: len(alone.cold) < alone_for)
        runs = [run(made, "at one go", _whole)]
        time.sleep(1)  # each begins with a second of its own
        runs.append(run(made, "broken off twice, and gone on with", _in_three_parts))
        time.sleep(1)
        runs.append(run(made, "with callers meanwhile", with_callers(made, accounts, meanwhile)))
    return runs, alone, meanwhile


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where anything was missed, or a list had less than nine tenths of the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.discovery", description=__doc__.partition(":")[0])
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--callers", type=int, default=50, help="while nothing is listed")
    parser.add_argument("--write", action="store_true", help=f"put the figures into docs/{PAGE.name}")
    parser.add_argument("--anyway", action="store_true", help="on a busy machine too; the page then says so")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    if given.write and not (given.anyway or at_rest(load)):
        parser.error(f"the machine has other work (load {load:.1f}): wait until it rests, or add --anyway")
    began = time.monotonic()
    runs, alone, meanwhile = measure(given.accounts, given.callers)
    words = " ".join(["python -m benchmarks.discovery", *(sys.argv[1:] if arguments is None else arguments)])
    text = f"{circumstances(words, time.monotonic() - began, load)}\n\n{render(runs, alone, meanwhile)}"
    print(text, end="")
    if given.write:
        put(PAGE, "discovery", text)
    return int(any(one.missed or one.share < 0.9 for one in runs))


if __name__ == "__main__":
    sys.exit(main())
