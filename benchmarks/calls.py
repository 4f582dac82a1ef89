"""One role's credentials: the helper warm, cold and alone, beside the floor and the programs of others."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.programs import Missing, Program, programs
from benchmarks.rounds import Task, interleaved, process
from benchmarks.table import Row, Section, timed
from benchmarks.world import PROFILE, SSO_PROFILE, World

_FLOOR = "floor: `python -I -S -c pass`"
_TRUE = "`/bin/true`"
_WARM = "helper, warm"
_COLD = "helper, cold: the role is not in memory"
_ABSENT = "helper, no daemon: it starts one, which asks AWS"

_IMPORT = "floor: `import boto3`, a session, nothing asked for"
_OWN = "botocore's own SSO provider, token cached"
_HELPED = "through the helper, warm"
_BOTO3 = "import sys, boto3; s = boto3.Session(profile_name=sys.argv[1])"
_ASK = f"{_BOTO3}; s.get_credentials().get_frozen_credentials().access_key or sys.exit(1)"


def one_role(world: World, rounds: int) -> Section:
    """A whole process, from its start to its end, that gives the credentials of one role."""
    section = Section(f"Credentials of one role, a whole process (ratio to {_FLOOR})")
    agent, helper = world.agent, process(world.helper, world.environ).run

    def forget() -> None:
        helper()
        agent.call("forget")

    # Each right after an untimed run of the same program.
    floor, true = (
        process([world.interpreter, "-I", "-S", "-c", "pass"], world.environ).run,
        process(["/bin/true"], {}).run,
    )
    tasks = {_FLOOR: Task(floor, before=floor), _TRUE: Task(true, before=true), _WARM: Task(helper, before=helper)}
    with tempfile.TemporaryDirectory(prefix="ch-peers-") as top:
        times = interleaved(tasks, rounds, warm_up=3)
        slow = {_FLOOR: tasks[_FLOOR], _COLD: Task(helper, before=forget), _ABSENT: Task(helper, world.stop, every=3)}
        missing: list[Row] = []
        notes = {_COLD: "one call to the stand-in, over loopback", _ABSENT: "interpreter, boto3, one call"}
        for found in programs(world, Path(top)):
            if isinstance(found, Missing):
                missing.append(Row(found.name, note=found.why))
                continue
            for name, task in _turns(found):
                slow[name] = task
                notes[name] = found.note
            if found.forget is None:
                missing.append(Row(f"{found.name}, cold", note=found.cold))
        slowly = interleaved(slow, max(rounds // 10, 1))
    section.rows += [
        timed(name, values, times[_FLOOR], most_ratio=1.3 if name == _WARM else None)
        for name, values in times.items()
    ]
    section.rows += [
        timed(name, values, slowly[_FLOOR], note=notes[name]) if values else Row(name, note="it failed in a round")
        for name, values in slowly.items()
        if name != _FLOOR
    ]
    section.rows += missing
    return section


def _turns(program: Program) -> list[tuple[str, Task]]:
    warm = process(program.command, program.environ)
    turns = [(f"{program.name}, from its cache", Task(warm.run, every=2, foreign=True))]
    if program.forget is not None:
        turns.append((f"{program.name}, cold", Task(warm.run, before=program.forget, every=2, foreign=True)))
    return turns


def fresh_boto3(world: World, rounds: int) -> Section:
    """The first credential of a boto3 process that has just begun."""
    section = Section(f"First credential of a fresh boto3 process (ratio to {_IMPORT})")
    tasks = {
        _IMPORT: process([sys.executable, "-c", _BOTO3, PROFILE], world.environ),
        _HELPED: process([sys.executable, "-c", _ASK, PROFILE], world.environ),
        _OWN: process([sys.executable, "-c", _ASK, SSO_PROFILE], world.environ),
    }
    times = interleaved(tasks, max(rounds // 10, 1))
    notes = {_OWN: "asks AWS in each process; over loopback here, some 100 ms and more in the field"}
    section.rows += [timed(name, values, times[_IMPORT], note=notes.get(name, "")) for name, values in times.items()]
    return section
