"""A terminal of a fixed size with a program in it, and its screen as an SVG picture."""

from __future__ import annotations

import contextlib
import io
import itertools
import re
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import pexpect
import pyte
from rich.console import Console
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

# A dark window, which reads well on a light page and on a dark one.
_THEME = TerminalTheme(
    (27, 31, 36),
    (225, 228, 232),
    [(76, 83, 92), (255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 184, 255), (210, 168, 255), (86, 212, 221),
     (225, 228, 232)],
    [(110, 118, 129), (255, 161, 152), (126, 231, 135), (242, 204, 96), (165, 214, 255), (226, 197, 255),
     (118, 227, 234), (255, 255, 255)],
)  # fmt: skip
# As rich's own, without the font that it fetches from elsewhere: every reader has one of these.
_SVG = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg" role="img">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px; line-height: {line_height}px; white-space: pre }}
.{unique_id}-title {{ font-family: system-ui, sans-serif; font-size: 18px; font-weight: bold }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
# Seconds of silence after which a screen is whole; the demo draws one every 0.1 s.
_PAUSE = 0.03
_END_WITHIN = 15.0
_HEX = re.compile(r"[0-9a-f]{6}")


class _Screen(pyte.Screen):
    """pyte knows no faint text: it passes as text that blinks, which nothing here does."""

    def select_graphic_rendition(self, *attrs: int, **options: Any) -> None:
        faint = {2: (5,), 22: (22, 25)}
        # Not where the numbers are those of a colour (`38;5;2`).
        changed = attrs if 38 in attrs or 48 in attrs else [n for attr in attrs for n in faint.get(attr, (attr,))]
        super().select_graphic_rendition(*changed, **options)


class Terminal:
    """A program in a terminal. A context manager: the program is ended with it.

    Args:
        command: the program and its arguments.
        environ: its whole environment.
        columns, lines: of the terminal.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], *, columns: int, lines: int) -> None:
        self._screen = _Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        self._child: pexpect.spawn[bytes] = pexpect.spawn(
            command[0], list(command[1:]), env=dict(environ), dimensions=(lines, columns), timeout=None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # First of all the SIGHUP of a terminal that is closed, and time to end in order.
        self._child.kill(signal.SIGHUP)
        with contextlib.suppress(TimeoutError):
            self.end(_END_WITHIN)
        self._child.close()

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._child.sendline(line)

    def press(self, keys: str) -> None:
        """Press keys, as `\x03` for Ctrl-C."""
        self._child.send(keys)

    @property
    def pid(self) -> int | None:
        """Of the program."""
        return self._child.pid

    def end(self, timeout: float) -> int | None:
        """Wait for the program's end; its exit code, or None where a signal ended it. Raises TimeoutError."""
        with contextlib.suppress(pexpect.EOF):
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                with contextlib.suppress(pexpect.TIMEOUT):
                    self._stream.feed(self._child.read_nonblocking(65536, 0.1))
            raise TimeoutError(f"the program did not end in {timeout:g} s:\n{self.text()}")
        self._child.wait()
        return self._child.exitstatus

    def text(self) -> str:
        """The screen's lines."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip("\n")

    def wait(self, done: Callable[[str], Any], timeout: float, what: str) -> str:
        """Let the program go on until its screen is as wanted, and return the screen's text.

        Raises TimeoutError after `timeout` seconds, or where the program has ended.
        """
        deadline = time.monotonic() + timeout
        while not done(self.text()):
            try:
                self._stream.feed(self._child.read_nonblocking(65536, 0.1))
            except pexpect.TIMEOUT:
                pass
            except pexpect.EOF:
                if done(self.text()):
                    break
                raise TimeoutError(f"the program ended before {what}:\n{self.text()}") from None
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {timeout:g} s for {what}:\n{self.text()}")
        return self.text()

    def _read_on(self) -> None:
        """Take in what is under way, so that no picture is half drawn."""
        with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
            while True:
                self._stream.feed(self._child.read_nonblocking(65536, _PAUSE))

    def svg(self, name: str, title: str, *, columns: int | None = None) -> str:
        """The screen as it is when the program pauses next, down to its last line with text.

        Args:
            name: of the picture, unique on a page.
            title: of its window.
            columns: how many of the screen's it shows; all by default.
        """
        self._read_on()
        rows = max((row for row, line in enumerate(self._screen.display) if line.strip()), default=0) + 1
        console = Console(
            record=True,
            width=columns or self._screen.columns,
            file=io.StringIO(),
            force_terminal=True,
            legacy_windows=False,
        )
        for row in range(rows):
            console.print(self._row(row), no_wrap=True, overflow="crop")
        console.print()  # room below
        picture = console.export_svg(title=title, theme=_THEME, code_format=_SVG, unique_id=name)
        return "\n".join(line.rstrip() for line in picture.splitlines()) + "\n"

    def _row(self, row: int) -> Text:
        line = [self._screen.buffer[row][column] for column in range(self._screen.columns)]
        text = Text()
        for style, chars in itertools.groupby(line, _style):
            # Word by word: not all that show SVG keep blanks at a text's beginning.
            for part in re.split(r"( +)", "".join(char.data for char in chars)):
                text.append(part, style)
        text.rstrip()
        return text


def _style(char: Any) -> Style:
    return Style(
        color=_colour(char.fg),
        bgcolor=_colour(char.bg),
        bold=char.bold,
        dim=char.blink,
        italic=char.italics,
        underline=char.underscore,
        reverse=char.reverse,
    )


def _colour(name: str) -> str | None:
    if name == "default":
        return None
    if _HEX.fullmatch(name):
        return f"#{name}"
    # pyte has its own words for two of rich's: brown, and bright without a blank.
    return name.replace("bright", "bright_", 1).replace("brown", "yellow")
