"""Rounds in which every task has its turn, so that a slow moment of the machine hits all of them.

Each round begins with another task than the one before, so that no task always follows the same one.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Unusable(Exception):
    """A program that cannot be measured here; the message says why, in its own words where it has any."""


@dataclass(frozen=True, slots=True)
class Task:
    """Something to be timed.

    Attributes:
        run: is timed.
        before: prepares a turn, untimed.
        every: it has its turn in each so many rounds, for what takes long.
        foreign: somebody else's program, whose failure must not end the run; it has no more turns then.
    """

    run: Callable[[], object]
    before: Callable[[], object] | None = None
    every: int = 1
    foreign: bool = False


def interleaved(tasks: Mapping[str, Task], rounds: int, *, warm_up: int = 1) -> dict[str, list[float]]:
    """Seconds of each task in each of its rounds; none of a foreign one that failed. Raises what others raise."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    failed: set[str] = set()
    names = list(tasks)
    for number in range(-warm_up, rounds):
        first = number % len(names)
        for name in (*names[first:], *names[:first]):
            task = tasks[name]
            if name in failed or (number > 0 and number % task.every):
                continue
            if task.before is not None:
                task.before()
            begin = time.perf_counter()
            try:
                task.run()
            except (OSError, subprocess.SubprocessError):
                if not task.foreign:
                    raise
                failed.add(name)
                times[name].clear()
            else:
                if number >= 0:
                    times[name].append(time.perf_counter() - begin)
    return times


def process(command: Sequence[str], environ: Mapping[str, str]) -> Task:
    """A whole process that must end well."""
    return Task(_runner(command, environ))


def _runner(command: Sequence[str], environ: Mapping[str, str]) -> Callable[[], object]:
    def run() -> None:
        nowhere = subprocess.DEVNULL
        with subprocess.Popen(command, env=environ, stdin=nowhere, stdout=nowhere, stderr=nowhere) as child:
            _await_end(child, 60)
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)

    return run


def _await_end(child: subprocess.Popen[bytes], limit: float) -> None:
    """Wait for a process, and kill it after `limit` seconds.

    Not by `Popen.wait(limit)`, which looks after 0.5 ms, 1.5 ms … 15.5 ms, 31.5 ms and so sees 9 ms as 16 ms.
    """
    if not hasattr(os, "pidfd_open"):
        child.wait()
        return
    fd = os.pidfd_open(child.pid)
    try:
        ended, _, _ = select.select([fd], [], [], limit)
    finally:
        os.close(fd)
    if not ended:
        child.kill()
    child.wait()


def try_out(command: Sequence[str], environ: Mapping[str, str], timeout: float = 15.0) -> None:
    """Run a `credential_process` once. Raises Unusable where it gives no credentials."""
    try:
        done = subprocess.run(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        said = error.stderr or error.stdout or b""
        text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
        raise Unusable(f"no answer in {timeout:g} s{_last_line(text)}") from error
    except OSError as error:
        raise Unusable(f"it does not start: {error.strerror}") from error
    try:
        answer = json.loads(done.stdout)
        usable = bool(answer["AccessKeyId"])
    except (ValueError, KeyError, TypeError):
        usable = False
    if not usable:
        raise Unusable(f"exit {done.returncode}{_last_line(done.stderr or done.stdout)}")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in _COLOURS.sub("", text).splitlines() if line.strip()]
    return f": `{lines[-1][:400]}`" if lines else ""
