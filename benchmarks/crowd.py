"""Many callers at once on a role that is not in memory.

`python -m benchmarks.crowd COUNT OUT ERR COMMAND…` starts them as quickly as it can, from a process that has no other
children, and writes what became of each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.table import Row, Section, duration, percentile
from benchmarks.world import World
from credhelper.standin import Fault

# What AWS takes to answer, more or less.
_UPSTREAM = 0.2


@dataclass(frozen=True, slots=True)
class Crowd:
    """What became of the callers: seconds of each, seconds in all, exit codes, and what they wrote."""

    each: list[float]
    total: float
    codes: list[int]
    out: bytes
    err: bytes


def crowd(world: World, count: int) -> Section:
    """So many real helper processes on one cold role, beside as many interpreters that do nothing."""
    section = Section(
        f"{count:,} callers at once on one cold role, which AWS takes {duration(_UPSTREAM)} to answer for"
    )
    floor = run_crowd([world.interpreter, "-I", "-S", "-c", "pass"], world.environ, count)
    world.agent.call("forget")
    world.standin.clear_calls()
    world.standin.fault("GetRoleCredentials", Fault.slow(_UPSTREAM))
    callers = run_crowd(world.helper, world.environ, count)
    world.standin.clear_faults("GetRoleCredentials")
    upstream = len(world.standin.calls("GetRoleCredentials"))
    good = sum(1 for line in callers.out.splitlines() if _is_answer(line))
    failures = sum(1 for code in callers.codes if code)
    section.rows += [
        Row("calls to AWS", str(upstream), budget="1", met=upstream == 1),
        Row(
            "callers that failed or said anything on stderr",
            f"{failures + bool(callers.err)}",
            budget="0",
            met=not failures and not callers.err and good == count,
            note=f"{good:,} valid answers" + (f"; first complaint: `{_first(callers.err)}`" if callers.err else ""),
        ),
        _total("all of them, in seconds", callers, floor),
        _total("floor: as many `python -I -S -c pass`", floor, floor),
        _caller("one caller", callers, floor),
        _caller("floor: one of the interpreters", floor, floor),
    ]
    return section


def _total(what: str, made: Crowd, floor: Crowd) -> Row:
    return Row(what, duration(made.total), ratio=f"{made.total / floor.total:.2f} ×")


def _caller(what: str, made: Crowd, floor: Crowd) -> Row:
    p50, p99 = percentile(made.each, 50), percentile(made.each, 99)
    ratio = p50 / percentile(floor.each, 50)
    return Row(what, duration(p50), f"99th percentile {duration(p99)}", f"{ratio:.2f} ×")


def _first(err: bytes) -> str:
    return err.decode("utf-8", "replace").splitlines()[0][:200]


def _is_answer(line: bytes) -> bool:
    try:
        return bool(json.loads(line)["SessionToken"])
    except (ValueError, KeyError, TypeError):
        return False


def run_crowd(command: Sequence[str], environ: Mapping[str, str], count: int) -> Crowd:
    """Start so many of a command and wait for them all."""
    with tempfile.TemporaryDirectory(prefix="ch-crowd-") as top:
        out, err = Path(top) / "out", Path(top) / "err"
        starter = [sys.executable, "-m", "benchmarks.crowd", str(count), str(out), str(err), *command]
        # The environment is for the callers; what starts them needs the checkout on its path.
        here = Path(__file__).parents[1]
        done = subprocess.run(
            starter, env=environ, cwd=here, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, timeout=120
        )
        found = json.loads(done.stdout)
        return Crowd(found["each"], found["total"], found["codes"], out.read_bytes(), err.read_bytes())


def _start(count: int, out: str, err: str, command: list[str]) -> None:
    began: dict[int, float] = {}
    ended: dict[int, tuple[float, int]] = {}
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [(os.POSIX_SPAWN_OPEN, 1, out, append, 0o600), (os.POSIX_SPAWN_OPEN, 2, err, append, 0o600)]

    def reap() -> None:
        for _ in range(count):
            pid, status = os.wait()
            ended[pid] = time.perf_counter(), os.waitstatus_to_exitcode(status)

    reaper = threading.Thread(target=reap)
    for number in range(count):
        at = time.perf_counter()
        began[os.posix_spawn(command[0], command, os.environ, file_actions=files)] = at
        if number == 0:
            reaper.start()
    reaper.join()
    first, last = min(began.values()), max(at for at, _ in ended.values())
    each = [ended[pid][0] - at for pid, at in began.items()]
    json.dump({"each": each, "total": last - first, "codes": [code for _, code in ended.values()]}, sys.stdout)


if __name__ == "__main__":
    _start(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
