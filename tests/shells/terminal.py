"""A real shell behind a real pseudo-terminal.

The shell's start-up file (which the test writes) prints two marks that no screen shows: `STARTED` when a typed line
begins to run, `finished(…)` with the exit status where the next prompt begins. What stands between them is what the
line's programs, the shell and its hooks wrote, to stdout and stderr together; the line editor's own drawing lies
outside. In bash: `PS0=$STARTED` and `PS1='\\[' + finished('$?') + '\\]$ '`; in zsh and fish a preexec hook and the
prompt print them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import pyte

from tests.waiting import wait_until

STARTED = "\x1b]7777;started\x07"
_FINISHED = re.compile(rb"\x1b\]7777;finished;(\d+)\x07")
# What line editors switch on and off around a command, also where nothing is drawn.
_MODES = re.compile(rb"\x1b\[\?\d+[hl]|\x1b[=>]")

# Makes the terminal the shell's own and becomes the shell. Python ignores two signals, and would hand that down.
_LAUNCHER = """\
import fcntl, os, signal, sys, termios
for name in ("SIGPIPE", "SIGXFSZ"):
    signal.signal(getattr(signal, name), signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""

_Value = TypeVar("_Value")


def finished(status: str) -> str:
    """The mark of a prompt; `status` is how the shell writes the last exit status, `$?` in bash."""
    return f"\x1b]7777;finished;{status}\x07"


@dataclass(frozen=True)
class Output:
    """What one line showed, with `\\n` line ends, and its exit status."""

    text: str
    status: int


class Terminal:
    """A program, mostly a shell, in a session of its own with a terminal of 24 lines and 120 columns.

    Args:
        argv: the program, found on the PATH of `env`.
        env: its whole environment.
        cwd: its folder.
    """

    def __init__(
        self, argv: list[str], env: Mapping[str, str], cwd: Path, *, lines: int = 24, columns: int = 120
    ) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        try:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _LAUNCHER, *argv],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=dict(env),
                cwd=cwd,
                start_new_session=True,
            )
        finally:
            os.close(slave)
        self._shown = bytearray()
        self._read_to = 0
        self._changed = threading.Condition()
        self._screen = pyte.Screen(columns, lines)
        # Some programs ask the terminal where the cursor stands or what it is, and wait for the answer.
        self._screen.write_process_input = self._answer  # type: ignore[method-assign]
        self._stream = pyte.ByteStream(self._screen)
        self._over = False
        self._stop, self._stopper = os.pipe()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    # --- what a person does ---------------------------------------------------------------------------------------

    def type(self, text: str) -> None:
        """Type this, with no line end of its own."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self._master, data) :]

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.type("\x03")

    def run(self, line: str, limit: float = 30.0) -> Output:
        """Type a line and Enter; wait for the next prompt."""
        self.type(line + "\r")
        return self.prompt(limit)

    def start(self, line: str, limit: float = 30.0) -> None:
        """Type a line and Enter; wait until it has begun to run.

        Only then is what is typed next the program's own: an Enter that the line editor was sent is none for others.
        """
        self.type(line + "\r")
        self._await(lambda: STARTED.encode() in self._shown[self._read_to :] or None, limit, "the line's start")

    def prompt(self, limit: float = 30.0) -> Output:
        """Wait for the next prompt. Its output is what was shown since the line was started.

        Before the first prompt, and where no line was started (Ctrl-C at the prompt), it is all that was shown.
        """

        def found() -> re.Match[bytes] | None:
            return _FINISHED.search(self._shown, self._read_to)

        match = self._await(found, limit, "a prompt")
        shown = bytes(self._shown[self._read_to : match.start()])
        self._read_to = match.end()
        _, mark, after = shown.rpartition(STARTED.encode())
        raw = after if mark else shown
        text = _MODES.sub(b"", raw).replace(b"\r\n", b"\n")
        return Output(text.decode("utf-8", "replace"), int(match[1]))

    # --- what a person sees ---------------------------------------------------------------------------------------

    def screen(self) -> str:
        """The visible lines, without blanks at their ends and without empty lines at the bottom."""
        with self._changed:
            return self._display()

    def wait_for(self, text: str, limit: float = 30.0) -> str:
        """Wait until the screen shows `text`; return the screen."""
        return self._await(lambda: self._display() if text in self._display() else None, limit, repr(text))

    def wait_until(self, seen: Callable[[str], object], limit: float = 30.0) -> str:
        """Wait until `seen` finds what it looks for on the screen; return the screen."""
        return self._await(lambda: self._display() if seen(self._display()) else None, limit, "the screen")

    def raw(self) -> bytes:
        """All bytes that were shown since the last prompt."""
        with self._changed:
            return bytes(self._shown[self._read_to :])

    # --- its end --------------------------------------------------------------------------------------------------

    def wait(self, limit: float = 30.0) -> int:
        """Wait until the program ends; its exit status."""
        return self.process.wait(limit)

    def end(self) -> None:
        """Hang up, as a closed window does, and end whatever is left of the session."""

        def gone() -> bool:
            # More than once: a shell that is just about to wait for a key hears of the first only with that key.
            self._signal(signal.SIGHUP)
            self._signal(signal.SIGCONT)
            return not self._members() and self.process.poll() is not None

        try:
            wait_until(gone, 2, pause=0.05)
        except AssertionError:
            self._signal(signal.SIGKILL)
            wait_until(lambda: not self._members(), 10, "the end of the session's processes")
            self.process.wait(10)
        os.write(self._stopper, b"x")
        self._reader.join(10)
        for descriptor in (self._master, self._stop, self._stopper):
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _members(self) -> list[int]:
        """The living processes of this session. The leader stays a zombie, and its number its own, until we wait."""
        listed = subprocess.run(["ps", "-A", "-o", "pid=,sess=,stat="], capture_output=True, text=True, check=True)
        rows = (line.split() for line in listed.stdout.splitlines())
        return [int(pid) for pid, session, state in rows if session == str(self.process.pid) and state[0] != "Z"]

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _answer(self, data: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self._master, data.encode())

    def _read(self) -> None:
        while True:
            ready, _, _ = select.select([self._master, self._stop], [], [])
            data = b""
            if self._master in ready:
                # EIO: nobody has the other end open any more.
                with contextlib.suppress(OSError):
                    data = os.read(self._master, 65536)
            with self._changed:
                self._over = not data
                self._shown += data
                self._stream.feed(data)
                self._changed.notify_all()
            if not data:
                return

    def _display(self) -> str:
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n")

    def _await(self, look: Callable[[], _Value | None], limit: float, what: str) -> _Value:
        deadline = time.monotonic() + limit
        with self._changed:
            while (found := look()) is None:
                left = deadline - time.monotonic()
                if self._over or left <= 0 or not self._changed.wait(left):
                    why = "it has ended" if self._over else f"waited {limit:g} s"
                    raise AssertionError(f"no sight of {what}: {why}; the screen:\n{self._display()}")
            return found
