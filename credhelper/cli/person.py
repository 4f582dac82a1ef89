"""The person at the terminal during a login: what they are shown, and what they may paste."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any, NoReturn, Self

import click

from credhelper.aws import browser
from credhelper.aws.login.failures import AGAIN
from credhelper.aws.login.ui import NoBrowser
from credhelper.cli.qr import drawing
from credhelper.endpoints import is_loopback
from credhelper.errors import CredhelperError
from credhelper.terminal import flowed, printable, size

_MAX_PASTE = 64 * 1024
# Seconds between two looks at input that is not ours.
_PAUSE = 0.2


class Person:
    """The `Ui` of a login, on this process's stdin and stdout. Use as a context manager: it gives the terminal back.

    Args:
        open_browser: False prints the page's address only.
        read_stdin: take a pasted address even where stdin is no terminal.
        environ: for `$BROWSER` and the display.
        own: the browser that the settings name for the session (`browser.commands`).
    """

    def __init__(
        self, *, open_browser: bool, read_stdin: bool, environ: Mapping[str, str], own: str | None = None
    ) -> None:
        self._open_browser = open_browser
        self._own = own
        self._environ = environ
        self._live = sys.stdout.isatty() and environ.get("TERM") != "dumb"
        self._line_shown = False
        self._told = False
        self._pasted = b""
        self._terminal: tuple[int, list[Any]] | None = None
        self._input = _input_of(sys.stdin, read_stdin=read_stdin)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.done_waiting()

    @property
    def input_fd(self) -> int | None:
        return self._input

    @property
    def can_answer(self) -> bool:
        return self._open_browser or self._input is not None

    def say(self, message: str) -> None:
        self._clear_line()
        click.echo(flowed(message))

    def show_page(self, url: str) -> None:
        if self._open_browser:
            if not self._opened(url):
                self._open_browser = False
                raise NoBrowser
            self.say("Opened the login page in your browser. If you do not see it, open this address yourself:")
        else:
            self.say("Open this address in a browser:")
        click.echo(f"\n  {url}\n")
        if self._input is not None:
            self.say(
                "If that browser is on another machine, it ends at a page of 127.0.0.1 that it cannot show: "
                "paste the address of that page here."
            )
            self._take_keys()

    def show_code(self, code: str, page: str, complete: str) -> None:
        opened = self._open_browser and self._opened(complete)
        columns, rows = size()
        # The code and the line that counts the time stand below it; all must be on the screen at once.
        lines = drawing(complete, columns, rows - 2, sys.stdout.encoding or "ascii") if self._live else None
        scan = ", or scan the drawing with a phone," if lines else ""
        # A browser that could be started may still show nothing, so the address is always there.
        self.say(
            f"Opened the login page in your browser; check that it shows the code below. Else open it yourself{scan}:"
            if opened
            else f"Open this address on any device{scan} and check that it shows the code below:"
        )
        click.echo(f"\n  {complete}\n")
        self.say(f"Or type the code in at {page}")
        if lines:
            click.echo("\n".join(lines))
        self.say(f"Your code: {code}")

    def waiting(self, what: str, left: float) -> None:
        minutes, seconds = divmod(int(left), 60)
        if not self._live:
            if not self._told:
                self._told = True
                click.echo(flowed(f"Waiting for {what}, for {minutes}:{seconds:02} at most."))
            return
        # A line that wraps could not be taken back.
        line = _line_of(what, f"{minutes}:{seconds:02} left", len(self._pasted), size()[0] - 1)
        click.echo(f"\r\x1b[K{line}", nl=False)
        self._line_shown = True

    def done_waiting(self) -> None:
        self._clear_line()
        if self._terminal is not None:
            fd, mode = self._terminal
            self._terminal = None
            with contextlib.suppress(termios.error):
                termios.tcsetattr(fd, termios.TCSADRAIN, mode)

    def read_input(self) -> list[str] | None:
        fd = self._input
        if fd is None:
            return None
        if os.isatty(fd) and not _in_foreground(fd):
            # Reading would stop the process, and what is typed for another stays there: this loop would never rest.
            time.sleep(_PAUSE)
            return []
        try:
            part = os.read(fd, 4096)
        except OSError:
            part = b""
        if os.isatty(fd) and not part:
            raise _called_off()
        if not part:
            self._input = None
            rest, self._pasted = self._pasted, b""
            return [rest.decode("utf-8", "replace")] if rest else None
        *lines, self._pasted = self._edit(part).replace(b"\r", b"\n").split(b"\n")
        self._pasted = self._pasted[:_MAX_PASTE]
        return [line.decode("utf-8", "replace") for line in lines]

    def _edit(self, part: bytes) -> bytes:
        """What was typed so far with `part`: without the terminal's line editing, we do the little that is needed."""
        if self._terminal is None:
            return self._pasted + part
        text = bytearray(self._pasted)
        for byte in part:
            if byte in {0x7F, 0x08}:
                del text[-1:]
            elif byte == 0x15:  # Ctrl-U
                text.clear()
            elif byte == 0x04:  # Ctrl-D: at the beginning of a line it ends a terminal's input
                if not text or text[-1] in b"\r\n":
                    raise _called_off()
            else:
                text.append(byte)
        return bytes(text)

    def _take_keys(self) -> None:
        """Let the terminal hand over what is typed at once and unshown.

        In its usual mode a line holds 4,095 characters, on macOS 1,023, and a pasted address is cut off there; and it
        would be written across the line that counts the time.
        """
        fd = self._input
        if fd is None or not os.isatty(fd) or not _in_foreground(fd):
            return
        with contextlib.suppress(termios.error):
            before = termios.tcgetattr(fd)
            mode = termios.tcgetattr(fd)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            self._terminal = fd, before  # first, so that a Ctrl-C at this very moment takes nothing with it
            termios.tcsetattr(fd, termios.TCSADRAIN, mode)

    def _opened(self, url: str) -> bool:
        try:
            return browser.open_page(url, self._environ, loopback=is_loopback(url), own=self._own)
        except CredhelperError as error:
            self.say(printable(str(error)))
            return False

    def _clear_line(self) -> None:
        if self._line_shown:
            self._line_shown = False
            click.echo("\r\x1b[K", nl=False)


@contextlib.contextmanager
def person(
    *, open_browser: bool, read_stdin: bool, environ: Mapping[str, str], own: str | None = None
) -> Iterator[Person]:
    """A `Person` for one login. A signal that ends the process gives the terminal back first."""
    someone = Person(open_browser=open_browser, read_stdin=read_stdin, environ=environ, own=own)
    with _orderly_end(), someone:
        yield someone


@contextlib.contextmanager
def _orderly_end() -> Iterator[None]:
    def leave(number: int, _: object) -> NoReturn:
        sys.exit(128 + number)

    replaced = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has it ignored
                signal.signal(number, leave)
                replaced.append(number)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _line_of(what: str, left: str, pasted: int, room: int) -> str:
    """What is shown while a login waits, in at most `room` columns. The time, which changes, is given up last."""
    if pasted:
        long = f"({pasted} characters pasted; press Enter)"
        lines = [f"Waiting for {what}, {left} {long}", f"{left} {long}", f"{left}, {pasted} pasted: press Enter"]
    else:
        lines = [f"Waiting for {what}, {left}", f"Waiting, {left}"]
    return next((line for line in lines if len(line) <= room), left[: max(room, 0)])


def _called_off() -> CredhelperError:
    return CredhelperError("the login was called off by Ctrl-D", AGAIN)


def _input_of(stream: IO[str] | None, *, read_stdin: bool) -> int | None:
    try:
        fd = stream.fileno() if stream is not None else None
    except (io.UnsupportedOperation, ValueError, OSError):
        return None
    return fd if fd is not None and (read_stdin or os.isatty(fd)) else None


def _in_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        return False
