"""The daemon at rest: how soon it is ready, what it occupies, how often it wakes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from benchmarks.rounds import Task, interleaved, process
from benchmarks.table import Row, Section, duration, megabytes, timed
from benchmarks.world import World, world
from credhelper.standin import StandIn

_PROFILES = 1000
# How often it is looked at. Whatever happens between two looks is one time that it wakes: who never rests wakes ten
# times a second by this count.
_LOOK = 0.1
# Seconds of processor time a minute that rest may cost: our own bound, so that no wake-up is a long one.
_MOST_CPU = 0.3


class Rest:
    """Watches a daemon that nobody asks anything, while other things are measured."""

    def __init__(self, pid: int) -> None:
        self._process = Path(f"/proc/{pid}")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.looks = 0
        self.wakes = 0
        self.switches = 0
        self._began = time.monotonic()
        self._until = self._began
        self._first = self._last = self._spent()
        if self._process.is_dir():
            self._thread.start()

    @property
    def cpu(self) -> float:
        """Seconds of processor time, of threads that have ended too."""
        return (self._last - self._first) / os.sysconf("SC_CLK_TCK")

    @property
    def seconds(self) -> float:
        """How long it has been watched."""
        return self._until - self._began

    def end(self, least: float) -> None:
        """Stop watching, after at least so many seconds. What is under way then does not count."""
        if self._thread.ident is not None:
            self._ended.wait(max(self._began + least - time.monotonic(), 0.0))
            self._ended.set()
            self._thread.join()

    def _watch(self) -> None:
        threads = self._threads()
        while not self._ended.wait(_LOOK):
            now, spent = self._threads(), self._spent()
            # A thread that began since then has all its switches since then; one that ended cannot be seen.
            voluntary, forced = (
                sum(max(counts[kind] - threads.get(thread, (0, 0))[kind], 0) for thread, counts in now.items())
                for kind in (0, 1)
            )
            self.looks += 1
            self.switches += voluntary
            self.wakes += bool(voluntary or forced or spent > self._last)
            threads, self._last, self._until = now, spent, time.monotonic()

    def _threads(self) -> dict[str, tuple[int, int]]:
        """How often each thread has gone to sleep, and how often it was made to wait."""
        found = {}
        with contextlib.suppress(OSError):
            for thread in os.listdir(self._process / "task"):  # noqa: PTH208 - ten times a second
                with contextlib.suppress(OSError):
                    text = (self._process / "task" / thread / "status").read_text()
                    words = text.partition("\nvoluntary_ctxt_switches:")[2].split()
                    found[thread] = int(words[0]), int(words[2])
        return found

    def _spent(self) -> int:
        """Ticks of processor time."""
        try:
            fields = (self._process / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0
        return int(fields[11]) + int(fields[12])


class Idle:
    """A daemon with many profiles and nothing to do."""

    def __init__(self, made: World) -> None:
        self._world = made
        self._pid = made.daemon
        self.before = self._resident()
        self._rest = Rest(self._pid)
        self._busy: Rest | None = None
        self._after = 0

    def load_boto3(self) -> None:
        """Ask for one role: from then on boto3 is loaded, and there is something to renew."""
        subprocess.run(self._world.helper, env=self._world.environ, capture_output=True, check=True)
        self._after = self._resident()

    def watch_again(self) -> None:
        """Watch it once more, with a role in memory."""
        self._busy = Rest(self._pid)

    def section(self, least: float) -> Section:
        """The rows, once it has been watched for at least so many seconds in both states."""
        section = Section(f"The daemon at rest with {_PROFILES:,} profiles")
        for what, size, most in (
            ("resident memory before boto3 is loaded", self.before, 35),
            ("resident memory with boto3 loaded", max(self._after, self._resident()), 60),
        ):
            section.rows.append(Row(what, megabytes(size), budget=f"≤ {most} MB", met=size <= most * 1e6))
        for what, rest in (("before boto3", self._rest), ("with boto3 and a role in memory", self._busy)):
            if rest is None:
                continue
            rest.end(least)
            section.rows += rest_rows(what, rest)
        return section

    def end_first(self, least: float) -> None:
        """The first watch is over: what follows is of our own making."""
        self._rest.end(least)

    def _resident(self) -> int:
        return int(psutil.Process(self._pid).memory_info().rss)


def rest_rows(what: str, rest: Rest) -> list[Row]:
    """What one watch has seen."""
    names = f"wake-ups a minute, {what}", f"processor time a minute, {what}"
    if not rest.seconds:
        return [Row(name, note="counted under Linux only") for name in names]
    minutes = rest.seconds / 60
    wakes, cpu = rest.wakes / minutes, rest.cpu / minutes
    note = f"{rest.wakes} in {rest.seconds:.0f} s; {rest.switches / minutes:.0f} voluntary context switches a minute"
    return [
        Row(names[0], f"{wakes:.1f}", budget="≤ 4", met=wakes <= 4, note=note),
        Row(names[1], duration(cpu), budget=f"≤ {duration(_MOST_CPU)}", met=cpu <= _MOST_CPU),
    ]


@contextlib.contextmanager
def idle(standin: StandIn) -> Iterator[Idle]:
    """A daemon to look at now and then."""
    with world(standin, profiles=_PROFILES) as made:
        time.sleep(1.0)  # the thread that looks at the helper after the start has ended; no figure hangs on it
        yield Idle(made)


def start(standin: StandIn, rounds: int) -> Section:
    """From the start of the process to its word that callers can connect."""
    section = Section("Start of the daemon to ready")
    floor = "floor: `python -c pass`"
    with world(standin, daemon=False) as few, world(standin, profiles=_PROFILES, daemon=False) as many:
        starts = {f"with {count:,} profiles": _Starter(made) for count, made in ((2, few), (_PROFILES, many))}
        tasks = {floor: process([sys.executable, "-c", "pass"], few.environ)}
        tasks |= {name: Task(starter.run, before=starter.end) for name, starter in starts.items()}
        try:
            times = interleaved(tasks, max(rounds // 10, 1))
        finally:
            for starter in starts.values():
                starter.end()
    section.rows += [
        timed(name, values, times[floor], most=None if name == floor else 0.3) for name, values in times.items()
    ]
    return section


class _Starter:
    def __init__(self, made: World) -> None:
        self._world = made
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> None:
        ready_in, ready_out = os.pipe()
        command = [sys.executable, "-P", "-m", "credhelper", "daemon", "run", "--ready-fd", str(ready_out)]
        self._process = subprocess.Popen(
            command,
            env=self._world.environ,
            pass_fds=[ready_out],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(ready_out)
        with open(ready_in, "rb") as pipe:
            word = pipe.read()
        if word != b"ready\n":
            raise RuntimeError(f"the daemon does not start: {word!r}")

    def end(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            self._process = None
