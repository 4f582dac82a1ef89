"""Choosing one or several of many lines at the terminal: type to search, Tab to take or leave.

Other than questionary's own list it shows no more lines than there is room for and keeps its marks in a set, so that
thousands of lines answer at once; and what takes all takes those that the search shows.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.output import Output

_GAP = "  "
# Columns before a line's text: the pointer and the mark.
_MARGIN = 6
_KEYS_OF_SEVERAL = ("type to search", "Tab: take or leave", "Ctrl-A: all shown", "Enter: go on")
_KEYS_OF_ONE = ("type to search", "Enter: take it")
_MOST_LINES = 16
# Where there is room for fewer than so many, the keys are not explained.
_LEAST_LINES = 3
_STYLE = [("question", "bold"), ("chosen", "fg:ansigreen"), ("at", "bold"), ("dim", "fg:ansibrightblack")]

Fragments = list[tuple[str, str]]


@dataclass(slots=True)
class Checklist:
    """The lines, which of them are chosen and which are shown; no terminal is needed for it.

    Attributes:
        rows: the cells of each line, harmless already.
        checked: places of the chosen ones; None where one is to be taken, that at which is pointed.
        query: what was typed; a line is shown where each of its words is found in a cell of it.
        shown: places of the lines that fit.
        at: which of the shown is pointed at.
    """

    rows: Sequence[tuple[str, ...]]
    checked: set[int] | None
    query: str = ""
    shown: list[int] = field(default_factory=list)
    at: int = 0
    _folded: list[tuple[str, ...]] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        self._folded = [tuple(cell.casefold() for cell in cells) for cells in self.rows]
        self.search(self.query)

    def search(self, query: str) -> None:
        """Show the lines that fit; what is chosen stays chosen."""
        words = query.casefold().replace("/", " ").split()
        self.query = query
        self.shown = [
            place
            for place, cells in enumerate(self._folded)
            if all(any(word in cell for cell in cells) for word in words)
        ]
        self.at = 0

    def move(self, by: int) -> None:
        """Point at another line; round the ends by single steps alone."""
        if not self.shown:
            return
        if abs(by) == 1:
            self.at = (self.at + by) % len(self.shown)
        else:
            self.at = min(max(self.at + by, 0), len(self.shown) - 1)

    def toggle(self) -> None:
        """Take the line that is pointed at, or leave it."""
        if self.shown and self.checked is not None:
            self.checked ^= {self.shown[self.at]}

    def toggle_all(self) -> None:
        """Take all lines that are shown, or leave them where all are taken."""
        if self.checked is None:
            return
        shown = set(self.shown)
        self.checked = self.checked - shown if shown <= self.checked else self.checked | shown

    def taken(self) -> set[int] | None:
        """What Enter takes; None where there is nothing for it to take."""
        if self.checked is not None:
            return self.checked
        return {self.shown[self.at]} if self.shown else None

    def window(self, height: int) -> range:
        """Which of the shown lines there is room for, with the one that is pointed at among them."""
        first = min(max(self.at - height // 2, 0), max(len(self.shown) - height, 0))
        return range(first, min(first + height, len(self.shown)))


def choose(
    title: str,
    headings: Sequence[str],
    rows: Sequence[tuple[str, ...]],
    checked: Collection[int],
    *,
    spare: Sequence[str] = (),
) -> set[int]:
    """The places of the rows that the person chooses, none if they want none.

    Args:
        headings: of the columns.
        checked: chosen from the beginning.
        spare: headings of columns that a narrow terminal is not shown, the first of them first.

    Raises click.Abort where the person gives up.
    """
    return _run(Checklist(rows, set(checked)), title, headings, spare)


def pick(title: str, headings: Sequence[str], rows: Sequence[tuple[str, ...]], *, spare: Sequence[str] = ()) -> int:
    """The place of the row that the person takes. Arguments and errors as in `choose`."""
    (place,) = _run(Checklist(rows, None), title, headings, spare)
    return place


def output_on(stream: TextIO) -> Output:
    """The terminal that this stream is, for prompt_toolkit and questionary; without colour where NO_COLOR says so."""
    from prompt_toolkit.output import ColorDepth  # noqa: PLC0415
    from prompt_toolkit.output.vt100 import Vt100_Output  # noqa: PLC0415

    output = Vt100_Output.from_pty(stream, default_color_depth=ColorDepth.from_env())
    output.enable_cpr = False  # terminals that do not answer would be waited for
    return output


def _run(checklist: Checklist, title: str, headings: Sequence[str], spare: Sequence[str]) -> set[int]:
    from prompt_toolkit.application import Application  # noqa: PLC0415 - 0.2 s
    from prompt_toolkit.layout import FormattedTextControl, HSplit, Layout, Window  # noqa: PLC0415
    from prompt_toolkit.styles import Style  # noqa: PLC0415

    output = output_on(sys.stdout)
    painter = Painter(checklist, title, headings, spare)

    def painted() -> AnyFormattedText:
        return [*painter.paint(*_size(output))]

    body = Window(FormattedTextControl(painted, show_cursor=False), wrap_lines=False)
    app: Application[set[int] | None] = Application(
        layout=Layout(HSplit([body])),
        key_bindings=_keys(checklist),
        style=Style(_STYLE),
        output=output,
        erase_when_done=True,
    )
    try:
        chosen = app.run()
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
    if chosen is None:
        raise click.Abort
    return chosen


@dataclass(slots=True)
class Painter:
    """Draws a checklist for a terminal of some size."""

    checklist: Checklist
    title: str
    headings: Sequence[str]
    spare: Sequence[str] = ()
    _widths: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        from rich.cells import cell_len  # noqa: PLC0415

        table = [tuple(self.headings), *self.checklist.rows]
        self._widths = [max(map(cell_len, cells)) for cells in zip(*table, strict=True)]

    def paint(self, lines: int, columns: int) -> Fragments:
        """At most `lines` lines, none wider than `columns`."""
        from rich.cells import set_cell_size  # noqa: PLC0415

        columns -= 1  # a line that fills the last column makes some terminals begin another
        checklist = self.checklist
        several = checklist.checked is not None
        margin = _MARGIN if several else _MARGIN - 4
        kept, widths = self._layout(columns - margin)
        head: list[Fragments] = [[("class:question", cut(f"? {self.title}", columns))]]
        count = "" if checklist.checked is None else f"  {len(checklist.checked):,} of {len(checklist.rows):,} chosen"
        search = f"  / {checklist.query}_" if checklist.query else ""
        if count or search:
            head.append([("class:dim", cut(count, columns)), ("", cut(search, columns - len(count)))])
        headings = _GAP.join(set_cell_size(self.headings[at], widths[at]) for at in kept)
        if headings.strip():
            head.append([("class:dim", cut(" " * margin + headings.rstrip(), columns))])
        keys = _folded_words(_KEYS_OF_SEVERAL if several else _KEYS_OF_ONE, columns)
        room = lines - 2 - len(head) - len(keys)  # one line below, and one for the place in a long list
        if room < _LEAST_LINES:
            keys = []
            room = max(1, lines - 2 - len(head))
        room = min(room, _MOST_LINES)
        body = [self._line(place, kept, widths) for place in checklist.window(room)]
        if not checklist.shown:
            body = [[("", cut("  Nothing fits; Backspace takes letters back.", columns))]]
        elif len(checklist.shown) > room:
            body.append([("class:dim", cut(f"  {checklist.at + 1:,} of {len(checklist.shown):,}", columns))])
        painted: Fragments = []
        for line in [*head, *body, *([("class:dim", key)] for key in keys)]:
            painted += [*line, ("", "\n")]
        return painted[:-1]

    def _line(self, place: int, kept: Sequence[int], widths: Mapping[int, int]) -> Fragments:
        from rich.cells import set_cell_size  # noqa: PLC0415

        checklist = self.checklist
        row, here = checklist.shown[place], place == checklist.at
        line: Fragments = [("class:at" if here else "", "> " if here else "  ")]
        if checklist.checked is not None:
            taken = row in checklist.checked
            line.append(("class:chosen" if taken else "", "[x] " if taken else "[ ] "))
        cells = (set_cell_size(cut(checklist.rows[row][at], widths[at]), widths[at]) for at in kept)
        line.append(("class:at" if here else "", _GAP.join(cells).rstrip()))
        return line

    def _layout(self, room: int) -> tuple[list[int], dict[int, int]]:
        """Which columns are kept, and how wide each is."""
        widths = dict(enumerate(self._widths))
        kept = [at for at in widths if any(cells[at] for cells in self.checklist.rows)] or [0]
        spare = [self.headings.index(heading) for heading in self.spare]

        def excess() -> int:
            return sum(widths[at] for at in kept) + len(_GAP) * (len(kept) - 1) - room

        for at in spare:
            if excess() > 0 and at in kept:
                kept.remove(at)
        while excess() > 0:
            widest = max(kept, key=lambda at: widths[at])
            if widths[widest] <= 1:
                break
            widths[widest] -= 1
        return kept, widths


def _size(output: Output) -> tuple[int, int]:
    size = output.get_size()
    return size.rows, size.columns


def cut(text: str, width: int) -> str:
    """`text` in at most so many columns, with a sign where something was cut off."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…" if width > 0 else ""


def _folded_words(parts: Sequence[str], columns: int) -> list[str]:
    """The parts, in lines of at most so many columns."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + len(part) + 2 <= columns:
            lines[-1] += f", {part}"
        else:
            lines.append(cut(f"  {part}", columns))
    return lines


def _keys(checklist: Checklist) -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings  # noqa: PLC0415
    from prompt_toolkit.keys import Keys  # noqa: PLC0415

    bindings = KeyBindings()
    far = len(checklist.rows) + 1
    page = _MOST_LINES - 1
    steps = {"up": -1, "c-p": -1, "down": 1, "c-n": 1, "pageup": -page, "pagedown": page, "home": -far, "end": far}
    for key, step in steps.items():
        bindings.add(key)(partial(_move, checklist, step))
    bindings.add("tab")(lambda _: checklist.toggle())
    bindings.add("c-a")(lambda _: checklist.toggle_all())
    bindings.add("backspace")(lambda _: checklist.search(checklist.query[:-1]))
    bindings.add("c-u")(lambda _: checklist.search(""))
    for key in ("enter", "c-j"):  # the second where it was typed before the list was there
        bindings.add(key)(partial(_leave, checklist))
    for key in ("c-c", "c-d"):
        bindings.add(key)(lambda event: event.app.exit(result=None))

    @bindings.add(Keys.Any)
    def typed(event: Any) -> None:
        if isinstance(event.key_sequence[-1].key, Keys):
            return  # an arrow or the like, whose data is what the terminal sends for it
        if event.data == " " and not checklist.query:
            checklist.toggle()  # as in other lists; in a search it stands between two words
        else:
            checklist.search(checklist.query + "".join(_letters(event.data)))

    @bindings.add(Keys.BracketedPaste)
    def pasted(event: Any) -> None:
        checklist.search(checklist.query + "".join(_letters(event.data)))

    return bindings


def _leave(checklist: Checklist, event: Any) -> None:
    taken = checklist.taken()
    if taken is not None:
        event.app.exit(result=taken)


def _move(checklist: Checklist, step: int, _: object) -> None:
    checklist.move(step)


def _letters(data: str) -> Iterator[str]:
    return (char for char in data if char.isprintable())
