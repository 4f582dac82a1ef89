"""Interactive shells in pseudo-terminals, as people have them: started, typed into, measured, their forks counted.

A shell's first descriptors are a terminal that it controls, of 24 lines and 80 columns, whose output is read at once
and thrown away.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import tempfile
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.rounds import Unusable

_LIMIT = 60.0
# A question of newer fishes, for whose answer they wait; and what a plain terminal says.
_WHO = re.compile(rb"\x1b\[0?c")
_A_TERMINAL = b"\x1b[?62c"
_FORKS = re.compile(r"^\d+ +(?:clone3?|v?fork)\((?!.*CLONE_THREAD)", re.MULTILINE)


class Shell:
    """A shell in a terminal of its own. A context manager: the shell ends with it.

    Args:
        command: the shell and its arguments; the first is an absolute path.
        environ: its whole environment.
        typed: what lies in the terminal's input before the shell is there.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], typed: bytes = b"") -> None:
        self._count = 0
        self._tail = b""
        self._master, slave = pty.openpty()
        try:
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            name = os.ttyname(slave)
            if typed:
                os.write(self._master, typed)
            # The first terminal that the leader of a session opens becomes the one that controls it.
            actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
                (os.POSIX_SPAWN_OPEN, 0, name, os.O_RDWR, 0),
                (os.POSIX_SPAWN_DUP2, 0, 1),
                (os.POSIX_SPAWN_DUP2, 0, 2),
            ]
            self.pid = os.posix_spawn(
                command[0], list(command), dict(environ), file_actions=actions, setsid=True, setsigdef=[signal.SIGINT]
            )
        except BaseException:
            os.close(self._master)
            raise
        finally:
            os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)  # a terminal that is closed: SIGHUP
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def run(self, lines: Sequence[str], limit: float = _LIMIT) -> None:
        """Type lines and wait until all of them have run. Raises TimeoutError."""
        self._count += 1
        # The echo of what is typed has the quotes, what it prints has not.
        self.type("".join(f"{line}\r" for line in lines) + f"echo en''d-{self._count}-\r")
        self.wait(f"end-{self._count}-".encode(), limit)

    def type(self, text: str) -> None:
        """Press these keys."""
        raw = text.encode()
        while raw:
            self._read(0.0)
            raw = raw[os.write(self._master, raw[:512]) :]

    def wait(self, marker: bytes, limit: float = _LIMIT) -> None:
        """Let the shell go on until it has shown these bytes. Raises TimeoutError."""
        until = time.monotonic() + limit
        while marker not in self._tail:
            if not self._read(until - time.monotonic()) and time.monotonic() >= until:
                raise TimeoutError(f"{marker!r} is not shown; the last was {self._tail[-400:]!r}")
        self._tail = self._tail.rpartition(marker)[2]

    def end(self, limit: float = _LIMIT) -> int:
        """Wait for the shell's own end, and return its exit code. Raises TimeoutError."""
        until = time.monotonic() + limit
        # Until nobody has the terminal any more; what the shell left behind may still have it.
        while self._read(until - time.monotonic()):
            pass
        if time.monotonic() >= until:
            raise TimeoutError(f"the shell does not end; the last it showed was {self._tail[-400:]!r}")
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def _read(self, seconds: float) -> bool:
        """Take in what is shown within that time; False where nothing was or nothing can be any more."""
        if not select.select([self._master], [], [], max(seconds, 0.0))[0]:
            return False
        try:
            read = os.read(self._master, 65536)
        except OSError:
            return False  # nobody has the terminal any more
        if _WHO.search(read):
            os.write(self._master, _A_TERMINAL)
        self._tail = (self._tail + read)[-4096:]
        return bool(read)


def lifetime(command: Sequence[str], environ: Mapping[str, str], typed: str = "exit\r") -> None:
    """A shell that is told to exit at its first prompt, from its start to its end."""
    with Shell(command, environ, typed.encode()) as shell:
        shell.end()


def forks(command: Sequence[str], environ: Mapping[str, str], lines: Sequence[str]) -> int:
    """How many processes a shell, and what it starts, makes until it has run these lines and exited.

    Raises Unusable where there is no strace.
    """
    strace = shutil.which("strace")
    if strace is None:
        raise Unusable("not counted: no strace here (Debian: `apt install strace`)")
    with tempfile.TemporaryDirectory() as top:
        log = Path(top) / "log"
        traced = [strace, "-f", "-qq", "-o", str(log), "-e", "trace=clone,clone3,fork,vfork", *command]
        with Shell(traced, environ) as shell:
            shell.run(lines)
            shell.type("exit\r")
            shell.end()
        return len(_FORKS.findall(log.read_text(errors="replace")))
