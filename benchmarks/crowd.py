"""Many callers at once: on a role that is not in memory, and with no daemon there."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from benchmarks.patience import let_the_helper_wait
from benchmarks.storm import Answer, Storm, at_once
from benchmarks.table import Row, Section, duration, percentile
from benchmarks.world import World
from credhelper import client, resources
from credhelper.standin import Fault

_FETCH = "GetRoleCredentials"
# What AWS takes to answer, more or less.
_UPSTREAM = 0.2
_MOST_ABSENT = 300
_PATIENCE = 60.0


def crowds(world: World, count: int) -> list[Section]:
    """So many real helper processes on one cold role, and fewer that find no daemon."""
    floor = at_once([[world.interpreter, "-I", "-S", "-c", "pass"]] * count, world.environ)
    return [_together(world, count), _cold(world, count, floor), _absent(world, min(count, _MOST_ABSENT))]


def _together(world: World, count: int) -> Section:
    """All connected before AWS answers the first: so many that wait at the same time."""
    section = Section(f"{count:,} callers on one cold role, all connected before AWS answers")
    world.agent.call("forget")
    world.standin.clear_calls()
    let_the_helper_wait(world.paths)
    pid, address = world.daemon, os.fsdecode(world.paths.address_record.read_bytes().strip())
    try:
        with world.standin.fault(_FETCH, Fault.hold()) as held, Storm([world.helper] * count, world.environ) as storm:
            # The daemon gives AWS 10 s; so many interpreters may take longer to start. It stands still until then.
            os.kill(pid, signal.SIGSTOP)
            try:
                storm.release()
                _until(lambda: _waiting(address) >= count)
            finally:
                os.kill(pid, signal.SIGCONT)
            process = psutil.Process(pid)
            peak = _until(lambda: _accepted(process, address), count)
            held.remove()
            answers = storm.answers()
    finally:
        resources.install_helper(world.paths)
    upstream = len(world.standin.calls(_FETCH))
    bad = [answer for answer in answers if not _is_answer(answer)]
    section.rows += [
        Row("calls to AWS", str(upstream), budget="1", met=upstream == 1),
        Row(
            "callers that failed or said anything on stderr",
            str(len(bad)),
            budget="0",
            met=not bad,
            note=f"{len(answers) - len(bad):,} valid answers; here the helper may take a minute{_complaint(bad)}",
        ),
        Row("connections that the daemon held at once", f"{peak:,}", budget=f"{count:,}", met=peak == count),
    ]
    return section


def _cold(world: World, count: int, floor: Sequence[Answer]) -> Section:
    """How long it takes as it is shipped. Times are from the release of all to the end of one."""
    section = Section(
        f"{count:,} callers released at once on one cold role, for which AWS takes {duration(_UPSTREAM)}"
    )
    world.agent.call("forget")
    world.standin.clear_calls()
    with world.standin.fault(_FETCH, Fault.slow(_UPSTREAM)):
        answers = at_once([world.helper] * count, world.environ)
    section.rows += [_served(world, answers), *_times("the helpers", answers, floor)]
    section.rows += _times("floor: as many `python -I -S -c pass`", floor, floor)
    return section


def _absent(world: World, count: int) -> Section:
    """No daemon, and the helper with the limits that it is shipped with."""
    section = Section(f"{count:,} callers released at once, no daemon there")
    floor = at_once([[world.interpreter, "-I", "-S", "-c", "pass"]] * count, world.environ)
    world.stop()
    world.standin.clear_calls()
    before = _starts(world)
    answers = at_once([world.helper] * count, world.environ)
    daemons = _starts(world) - before
    section.rows += [
        _served(world, answers),
        Row("daemons that began to listen", str(daemons), budget="1", met=daemons == 1),
        *_times("the helpers", answers, floor),
        *_times("floor: as many `python -I -S -c pass`", floor, floor),
    ]
    world.agent.start()  # if it is not there by now
    return section


def _served(world: World, answers: Sequence[Answer]) -> Row:
    bad = [answer for answer in answers if not _is_answer(answer)]
    fetches = len(world.standin.calls(_FETCH))
    return Row(
        f"served within the helper's own limit of {client.DEADLINE:g} s",
        f"{len(answers) - len(bad):,} of {len(answers):,}",
        note=f"{fetches:,} {'call' if fetches == 1 else 'calls'} to AWS{_complaint(bad)}",
    )


def _times(what: str, answers: Sequence[Answer], floor: Sequence[Answer]) -> list[Row]:
    each, least = ([answer.seconds for answer in some] for some in (answers, floor))
    p50 = percentile(each, 50)
    late, ratio = f"99th percentile {duration(percentile(each, 99))}", f"{p50 / percentile(least, 50):.2f} ×"
    return [
        Row(f"{what}: until the last has ended", duration(max(each)), ratio=f"{max(each) / max(least):.2f} ×"),
        Row(f"{what}: one of them", duration(p50), late, ratio, count=len(each)),
    ]


def _complaint(bad: Sequence[Answer]) -> str:
    lines = [line for answer in bad for line in answer.error.splitlines()[:1]]
    return f"; first complaint: `{lines[0][:200]}`" if lines else ""


def _is_answer(answer: Answer) -> bool:
    try:
        return not answer.status and not answer.error and bool(json.loads(answer.output)["SessionToken"])
    except (ValueError, KeyError, TypeError):
        return False


def _starts(world: World) -> int:
    return world.paths.log.read_text().count(" listens at ")


def _until(look: Callable[[], int], least: int = 1) -> int:
    """Look until it is at least so much, or for long enough; returns the most that was seen."""
    until, most = time.monotonic() + _PATIENCE, 0
    while most < least and time.monotonic() < until:
        most = max(most, look())
        time.sleep(0.02)
    return most


def _waiting(address: str) -> int:
    """Connections to the address, accepted or not: each has an end that bears it, and so has the one that listens."""
    table = Path("/proc/net/unix")
    if table.is_file():
        return sum(line.endswith(f" {address}") for line in table.read_text().splitlines()) - 1
    return sum(str(connection.laddr) == address for connection in psutil.net_connections("unix")) - 1


def _accepted(process: psutil.Process, address: str) -> int:
    return sum(str(connection.laddr) == address for connection in process.net_connections("unix")) - 1
