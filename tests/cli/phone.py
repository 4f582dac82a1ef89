"""A phone that looks at a terminal: the screen as points of grey, and the QR code that is seen on it."""

from __future__ import annotations

import re

import pyte
import zxingcpp

# A cell of the screen in points, as most fonts have it.
_WIDE, _HIGH = 8, 16
_HALVES = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1)}
_NAMES = {"black": 0, "white": 229}


def look_at(screen: pyte.Screen, *, ink: int, ground: int, leading: int = 0) -> list[str]:
    """What the QR codes say that are seen on the screen whole.

    Args:
        ink: the grey of the terminal's letters, 0 (black) to 255.
        ground: and that of its ground.
        leading: points between one line's letters and the next one's; they have the ground of their cell.
    """
    lines = [_points(screen, row, ink, ground, leading) for row in range(screen.lines)]
    picture = b"".join(line for cell in lines for line in cell)
    view = memoryview(picture).cast("B", shape=[screen.lines * (_HIGH + leading), screen.columns * _WIDE])
    # Some phones read white on black as well; here it must not be needed.
    return [found.text for found in zxingcpp.read_barcodes(view, try_invert=False)]


def _points(screen: pyte.Screen, row: int, ink: int, ground: int, leading: int) -> list[bytes]:
    """One row of the screen, as lines of points."""
    lines = [bytearray() for _ in range(_HIGH + leading)]
    for column in range(screen.columns):
        cell = screen.buffer[row][column]
        front, back = _grey(cell.fg, ink), _grey(cell.bg, ground)
        if cell.reverse:
            front, back = back, front
        for y, line in enumerate(lines):
            line.extend(front if _is_ink(cell.data, x, y) else back for x in range(_WIDE))
    return [bytes(line) for line in lines]


def _is_ink(char: str, x: int, y: int) -> bool:
    halves = _HALVES.get(char)
    if halves is not None:
        return bool(halves[y >= _HIGH // 2])
    return 2 <= x < 6 and 4 <= y < 12 and (x + y) % 3 > 0  # a letter of some kind


def _grey(colour: str, default: int) -> int:
    if colour == "default":
        return default
    if re.fullmatch("[0-9a-f]{6}", colour):
        return sum(bytes.fromhex(colour)) // 3
    return _NAMES[colour]
