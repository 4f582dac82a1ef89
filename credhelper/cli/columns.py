"""A table of plain columns: laid out for a terminal of any width, or whole for a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from credhelper.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

_GAP = "  "
# What each column has at least, if it needs it, before another one is left out for that; the first one names the row.
_LEAST, _LEAST_NAME = 12, 32


@dataclass(frozen=True, slots=True)
class Columns:
    """A rich renderable.

    Attributes:
        titles: one for each column.
        rows: cells as they are; they are made harmless here.
        shed: titles of columns that are left out where there is no room, first to last.
        whole: for a file: nothing is shortened or left out.
    """

    titles: Sequence[str]
    rows: Sequence[Sequence[str]]
    shed: Sequence[str] = ()
    whole: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        encoding = console.encoding
        rule, ellipsis = ("-", "...") if options.ascii_only else ("─", "…")
        table = [
            [printable(cell).encode(encoding, "backslashreplace").decode(encoding) for cell in row]
            for row in (self.titles, *self.rows)
        ]
        widths = {at: max(cell_len(row[at]) for row in table) for at in range(len(self.titles))}
        # A column that says nothing is of no use to a person.
        for at in [at for at in widths if all(row[at] in {"", "-"} for row in table[1:])]:
            del widths[at]
        if not self.whole:
            self._fit(widths, options.max_width)
        for number, row in enumerate(table):
            cells = [_cell(row[at], width, ellipsis) for at, width in widths.items()]
            line = Text(_GAP.join(cells).rstrip(), "bold" if number == 0 else "")
            line.no_wrap, line.overflow = True, "ignore"
            yield line
            if number == 0:
                yield Text(rule * _total(widths), "dim", no_wrap=True, overflow="ignore")

    def _fit(self, widths: dict[int, int], room: int) -> None:
        """Leave out as few columns as need be, then shorten the widest of those that stay."""
        least = {at: min(width, _LEAST_NAME if at == 0 else _LEAST) for at, width in widths.items()}
        for title in self.shed:
            if _total(least) <= room:
                break
            for kept in (least, widths):
                kept.pop(self.titles.index(title), None)
        _shorten(widths, room, least)
        _shorten(widths, room, dict.fromkeys(widths, 1))
        while len(widths) > 1 and _total(widths) > room:
            widths.popitem()


def _shorten(widths: dict[int, int], room: int, least: dict[int, int]) -> None:
    while _total(widths) > room:
        longer = [at for at, width in widths.items() if width > least[at]]
        if not longer:
            return
        widths[max(longer, key=lambda at: widths[at])] -= 1


def _total(widths: dict[int, int]) -> int:
    return sum(widths.values()) + len(_GAP) * (len(widths) - 1)


def _cell(text: str, width: int, ellipsis: str) -> str:
    if cell_len(text) <= width:
        return set_cell_size(text, width)
    return set_cell_size(text, max(0, width - len(ellipsis))) + ellipsis[:width]
