"""Many callers at once, and what each of them got."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.machine import ACCOUNT, ROLE, Machine

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
        self._count = len(commands)
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
        assert self._hear() == "ready\n"

    def release(self) -> None:
        """Let all go."""
        self._say("go")

    def answers(self) -> list[Answer]:
        """Wait for the last one; in the order of the commands."""
        results = json.loads(self._hear())
        assert self._starter.wait(10) == 0
        folder = Path(self._folder.name)
        return [
            Answer(status, (folder / f"{number}.out").read_text(), (folder / f"{number}.err").read_text(), seconds)
            for number, (status, seconds) in enumerate(results)
        ]

    def _say(self, line: str) -> None:
        assert self._starter.stdin is not None
        self._starter.stdin.write(line + "\n")
        self._starter.stdin.flush()

    def _hear(self) -> str:
        assert self._starter.stdout is not None
        return self._starter.stdout.readline()

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


def helper(machine: Machine, session: str = "corp", account: str = ACCOUNT, role: str = ROLE) -> list[str]:
    """The command of one helper call."""
    return [str(machine.paths.helper), session, account, role]


def bare_environment(machine: Machine) -> dict[str, str]:
    """What a caller needs to have, and no more."""
    return {"HOME": str(machine.paths.home), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}


def credentials(answer: Answer) -> dict[str, Any]:
    """The JSON that a caller got, which must be right, with silence on stderr."""
    assert (answer.status, answer.error) == (0, "")
    found: dict[str, Any] = json.loads(answer.output)
    assert found["Version"] == 1
    assert {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId"} <= found.keys()
    return found


def starts(machine: Machine) -> int:
    """How many daemons have begun to listen, by the log, which all of them write."""
    return machine.paths.log.read_text().count(" listens at ")
