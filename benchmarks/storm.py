"""Many programs that begin at the same moment, and what each of them gave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_STARTER = Path(__file__).with_name("starter.py")


@dataclass(frozen=True)
class Answer:
    """What one program gave: exit code, output, and the seconds from the release of all to its end."""

    status: int
    output: str
    error: str
    seconds: float


class Storm:
    """Programs that wait to be released together. Use as a context manager: they end with it.

    Args:
        commands: argument lists with absolute paths.
        environ: of all.
        limit: hard and soft limit of descriptors.
    """

    def __init__(
        self, commands: Sequence[Sequence[str]], environ: Mapping[str, str], *, limit: int | None = None
    ) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ch-storm-")
        self._starter = subprocess.Popen(
            [sys.executable, "-IS", str(_STARTER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(environ),
            start_new_session=True,
            cwd="/",
        )
        orders = {"commands": commands, "folder": self._folder.name, "limit": limit, "hold": True}
        self._say(json.dumps(orders))
        if self._hear() != "ready\n":
            raise RuntimeError("the starter does not start")

    def release(self) -> None:
        """Let all go."""
        self._say("go")

    def answers(self) -> list[Answer]:
        """Wait for the last one; in the order of the commands."""
        results = json.loads(self._hear())
        if status := self._starter.wait(10):
            raise RuntimeError(f"the starter ended with {status}")
        folder = Path(self._folder.name)
        return [
            Answer(status, (folder / f"{number}.out").read_text(), (folder / f"{number}.err").read_text(), seconds)
            for number, (status, seconds) in enumerate(results)
        ]

    def _say(self, line: str) -> None:
        if self._starter.stdin is not None:
            self._starter.stdin.write(line + "\n")
            self._starter.stdin.flush()

    def _hear(self) -> str:
        return "" if self._starter.stdout is None else self._starter.stdout.readline()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._starter.poll() is None:
            os.killpg(self._starter.pid, 9)
            self._starter.wait()
        for pipe in (self._starter.stdin, self._starter.stdout):
            if pipe is not None:
                pipe.close()
        self._folder.cleanup()


def at_once(
    commands: Sequence[Sequence[str]], environ: Mapping[str, str], *, limit: int | None = None
) -> list[Answer]:
    """Start all of them at the same moment and wait for all."""
    with Storm(commands, environ, limit=limit) as storm:
        storm.release()
        return storm.answers()
