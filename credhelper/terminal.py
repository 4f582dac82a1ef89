"""What a terminal is shown: text from outside made harmless, and moments in local time."""

from __future__ import annotations

import math
import os
import shutil
import sys
import textwrap
import time


def printable(text: str) -> str:
    """`text` with everything that is no visible character written as an escape.

    Control characters could move the cursor, retitle the window or hide what stands there; so could the format
    characters that turn the direction of writing. Undecodable bytes (surrogates) become escapes too, so that the
    result can always be encoded.
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def paragraph(text: str, indent: str = "") -> str:
    """`text` made `printable` line by line; those after the first are indented, so as to pass for nothing else."""
    return f"\n{indent}".join(printable(line) for line in text.split("\n"))


def flowed(text: str, *whole: str) -> str:
    """`text`, which is harmless, for stdout: broken between words where that is a terminal.

    A word that does not fit, such as an address, stays whole, and so does each of `whole`: commands to be copied.
    """
    if sys.stdout is None or not sys.stdout.isatty():  # None where the caller closed it
        return text
    columns = size()[0]
    for command in whole:
        text = text.replace(command, command.replace(" ", "\N{NO-BREAK SPACE}"))
    lines = textwrap.wrap(text, columns, break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines).replace("\N{NO-BREAK SPACE}", " ")


def size() -> tuple[int, int]:
    """Columns and rows of the terminal that stdout is; 80 and 24 where it is none, or does not know."""
    # Not shutil's: it believes $COLUMNS, which is often another window's.
    try:
        found = os.get_terminal_size(sys.stdout.fileno())
    except (OSError, ValueError):
        return 80, 24
    return found.columns or 80, found.lines or 24  # a serial line knows neither


def local_time(moment: float, now: float) -> str:
    """`moment` (seconds since the epoch) as `HH:MM` of this machine's zone, with the day where it is not today's."""
    then, today = time.localtime(moment), time.localtime(now)
    if then[:3] == today[:3]:
        return time.strftime("%H:%M", then)
    return time.strftime("%a %d %b %H:%M", then)


def counted(number: int, noun: str) -> str:
    """`1 profile`, `3 profiles`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """A length of time for a sentence: `45 seconds`, `60 minutes`, `7 hours`, `3 days`; rounded down."""
    for size, unit in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if seconds >= 2 * size:
            return f"{int(seconds // size)} {unit}"
    return counted(max(0, math.ceil(seconds)), "second")


def width() -> int | None:
    """The columns of the terminal that stdout is, also of a dumb one; None where it is no terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def is_terminal() -> bool:
    """Whether there is a person to ask."""
    return sys.stdin.isatty()


def use_colour() -> bool:
    """Whether stdout is a terminal that wants colour."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
