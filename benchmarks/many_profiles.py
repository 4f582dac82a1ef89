"""What thousands of profiles cost: `enable --all`, and the helper beside itself with two."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.rounds import Task, interleaved, process
from benchmarks.table import Section, timed
from benchmarks.world import SSO_PROFILE, world
from credhelper.standin import StandIn

_CREDHELPER = [sys.executable, "-P", "-m", "credhelper"]


def many_profiles(standin: StandIn, rounds: int, count: int) -> Section:
    """Both, with so many profiles."""
    section = Section(f"{count:,} profiles")
    with world(standin, profiles=count, managed=False, daemon=False) as made, tempfile.TemporaryDirectory() as top:
        config, before = made.paths.aws / "config", Path(top) / "config"
        shutil.copy(config, before)
        enable = [*_CREDHELPER, "enable", "--all", "--yes"]
        floor = f"floor: `credhelper enable {SSO_PROFILE}` with that config, in place already"
        tasks = {
            "`credhelper enable --all --yes`": Task(
                process(enable, made.environ).run, before=lambda: shutil.copy(before, config)
            ),
            floor: process([*_CREDHELPER, "enable", SSO_PROFILE, "--yes"], made.environ),
        }
        times = interleaved(tasks, max(rounds // 10, 1))
        enabled = config.read_bytes().count(b"\ncredential_process")
        if enabled != count:
            raise RuntimeError(f"{enabled} of {count} profiles were enabled")
        names = list(tasks)
        section.rows.append(timed(names[0], times[names[0]], times[floor], most=1.0))
        section.rows.append(timed(floor, times[floor], note="reads the file, changes nothing"))
    with world(standin, profiles=count) as many, world(standin, profiles=2) as few:
        tasks = {
            "helper, warm, with 2 profiles": process(few.helper, few.environ),
            f"helper, warm, with {count:,} profiles": process(many.helper, many.environ),
        }
        times = interleaved(tasks, rounds, warm_up=3)
    first, second = times
    section.rows.append(timed(first, times[first]))
    section.rows.append(timed(second, times[second], times[first], most_ratio=1.1, note="“unchanged”: within 10 %"))
    return section


def help_page(rounds: int) -> Section:
    """`credhelper --help`, which a person waits for."""
    section = Section("`credhelper --help`")
    script = Path(sys.executable).with_name("credhelper")
    command = [str(script)] if script.is_file() else _CREDHELPER
    environ = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    floor = 'floor: `python -c "import click"`'
    shown = subprocess.run([*command, "--help"], env=environ, capture_output=True, text=True, check=True)
    if "enable" not in shown.stdout:
        raise RuntimeError("the help page does not name the commands")
    times = interleaved(
        {
            floor: process([sys.executable, "-c", "import click"], environ),
            "`credhelper --help`": process([*command, "--help"], environ),
        },
        max(rounds // 6, 1),
    )
    section.rows += [
        timed(name, values, times[floor], most_ratio=None if name == floor else 2.0) for name, values in times.items()
    ]
    return section
