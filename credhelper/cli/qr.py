"""A QR code on a terminal, for a phone to read whatever the terminal's own colours are."""

from __future__ import annotations

from itertools import groupby

# Rows of modules around the code that stay light. The standard asks for four; phones make do with two.
_QUIET, _LEAST_QUIET = 4, 2
# Of the 256 colours that every terminal knows, those that no theme changes: macOS's own terminal takes exact ones for
# something else. What is all dark is a coloured blank, too: where lines stand apart, no block fills the space between
# them, and the ground of a cell does.
_WHITE, _BLACK, _HALF, _END = "\x1b[48;5;231m", "\x1b[48;5;16m", "\x1b[38;5;16;48;5;231m", "\x1b[0m"
_MARKS = {(0, 0): (_WHITE, " "), (1, 0): (_HALF, "▀"), (0, 1): (_HALF, "▄"), (1, 1): (_BLACK, " ")}

_Matrix = list[list[int]]


def drawing(text: str, columns: int, rows: int, encoding: str = "utf-8") -> list[str] | None:
    """The lines of a QR code that holds `text`, black on white; None where it does not fit in.

    Args:
        columns: of the terminal.
        rows: that the code may take.
        encoding: in which the terminal is written to; one without block characters needs four times the room.
    """
    import segno  # noqa: PLC0415 - needed for a device code alone

    try:
        code = segno.make(text, error="l", micro=False)
    except segno.DataOverflowError:  # the address is a server's, and may have any length
        return None
    for quiet in (_QUIET, _LEAST_QUIET):
        matrix = [[int(module) for module in row] for row in code.matrix_iter(border=quiet)]
        blocks = _has_blocks(encoding)
        wide, high = (len(matrix), (len(matrix) + 1) // 2) if blocks else (2 * len(matrix), len(matrix))
        if wide <= columns and high <= rows:
            return _in_blocks(matrix) if blocks else _in_colours(matrix)
    return None


def _has_blocks(encoding: str) -> bool:
    try:
        "▀▄".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _in_blocks(matrix: _Matrix) -> list[str]:
    """Two modules in each character, one above the other."""
    if len(matrix) % 2:
        matrix = [*matrix, [0] * len(matrix[0])]
    return [
        _line([_MARKS[top, bottom] for top, bottom in zip(upper, lower, strict=True)])
        for upper, lower in zip(matrix[::2], matrix[1::2], strict=True)
    ]


def _in_colours(matrix: _Matrix) -> list[str]:
    """Each module as two coloured blanks."""
    return [_line([(_BLACK if module else _WHITE, "  ") for module in row]) for row in matrix]


def _line(cells: list[tuple[str, str]]) -> str:
    """The cells, a colour and a text each, with one escape sequence for all neighbours of one colour."""
    parts = [colour + "".join(text for _, text in run) for colour, run in groupby(cells, lambda cell: cell[0])]
    return "".join(parts) + _END
