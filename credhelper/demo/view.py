"""How a board is shown: as a live picture on a terminal, else as plain lines."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any, Self

import click
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.control import Control
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.segment import ControlType
from rich.table import Table
from rich.text import Text

from credhelper.demo.board import Board, Event, Kind, Lane, View
from credhelper.demo.observer import short
from credhelper.demo.pages import STEPS
from credhelper.terminal import printable, width

# Smaller terminals get plain lines.
_COLUMNS, _LINES = 76, 22
_EVENTS = 8
# Wider lines are hard to read.
_WIDEST = 100
# Of the column beside calls and token, and of that before them.
_REMARK, _NAME = 20, 11
# Colours from the terminal's own palette, which suits its ground.
_STYLES: Mapping[Kind, str] = {"plain": "", "good": "green", "warn": "yellow", "bad": "bold red"}
_STATES = {
    "": ("", ""),
    "active": ("renews itself", "green"),
    "renewing": ("being renewed", "yellow"),
    "offline": ("offline", "yellow"),
    "expiring": ("ENDING: log in", "bold yellow"),
    "expired": ("OVER: log in", "bold red"),
    "logged_out": ("no login", "bold red"),
}


def choose_view(environ: Mapping[str, str]) -> View:
    """The live picture where there is a terminal for it."""
    columns = width()
    console = Console(width=columns)
    fits = console.width >= _COLUMNS and console.height >= _LINES
    # Not `console.is_terminal`: FORCE_COLOR makes that true for a file, too.
    if sys.stdout.isatty() and not console.is_dumb_terminal and environ.get("TERM") and fits:
        return LiveView(console)
    return PlainView(columns)


class PlainView:
    """One line for each event, without any escape code; all is wrapped where `width`, a terminal's, is given."""

    def __init__(self, width: int | None = None) -> None:
        self._wraps = width is not None
        self._width = min(width or _WIDEST, _WIDEST)
        self._step = 0
        self._shown = 0
        self._config: Any = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, board: Board) -> None:
        if board.step != self._step:
            self._step = board.step
            click.echo()
            click.echo(textwrap.fill(f"Step {board.step} of {STEPS}: {board.title}", self._width))
            click.echo(textwrap.fill(board.text, self._width, initial_indent="  ", subsequent_indent="  "))
        if board.config is not self._config:
            self._config = board.config
            for line, new in board.config:
                self._write(f"  {'+' if new else '|'} {line}".rstrip(), 6)
        for event in board.events[self._shown :]:
            mark = "!" if event.kind == "bad" else " "
            line = f"{event.at:5.1f} s {mark} {printable(event.text)}"
            self._write(line, 10)
        self._shown = len(board.events)

    def _write(self, line: str, indent: int) -> None:
        """A file's lines stay whole, for whoever searches them."""
        if self._wraps:
            line = textwrap.fill(line, self._width, subsequent_indent=" " * indent, break_on_hyphens=False)
        click.echo(line)


class LiveView:
    """The picture; it is taken away at the end, when the summary comes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True, vertical_overflow="crop")

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, board: Board) -> None:
        self._live.update(picture(board, time.time(), self._console), refresh=True)
        # From the end of a full line the echo of a Ctrl-C would go to the next, and a line of the picture would stay.
        self._console.control(Control(ControlType.CARRIAGE_RETURN))


def picture(board: Board, now: float, console: Console) -> RenderableType:
    """The whole picture: heading, what happens now, the config or the programs, the last events."""
    ascii_only = console.options.ascii_only
    width = min(console.width, _WIDEST) - 2
    now_text = Text.assemble((board.title, "bold cyan"), "\n", board.text)
    parts: list[RenderableType] = [
        _heading(board, width, ascii_only=ascii_only),
        Rule(style="dim", characters="-" if ascii_only else "─"),
        now_text,
        "",
    ]
    # Two lines for the sides, one for the cursor.
    options = console.options.update(width=width)
    if board.config:
        parts.append(Text("~/.aws/config", style="dim"))
        room = console.height - 1 - sum(len(console.render_lines(part, options, pad=False)) for part in parts)
        lines = _config(board, width - 2)
        if len(lines) > room:  # as high as the terminal it would scroll at its end, and leave a line there
            lines = [line for line in lines if line.plain][:room]
        parts += lines
    else:
        parts += [_programs(board, now, width, ascii_only=ascii_only), "", _counters(board), ""]
        room = console.height - 3 - sum(len(console.render_lines(part, options, pad=False)) for part in parts)
        parts.append(_events(board, room, width - 8))
    return Padding(Constrain(Group(*parts), width), (0, 1), expand=False)


def _heading(board: Board, width: int, *, ascii_only: bool) -> Text:
    done, rest = ("#", ".") if ascii_only else ("●", "○")
    time_shown = f"{board.elapsed:.0f} s"
    text = Text.assemble(
        ("credhelper demo", "bold"),
        "   ",
        (done * board.step, "cyan"),
        (rest * (STEPS - board.step), "dim"),
        f"  step {board.step} of {STEPS}",
        no_wrap=True,
    )
    text.append(" " * (width - text.cell_len - len(time_shown)))
    return text.append(time_shown, "dim")


def _config(board: Board, width: int) -> list[Text]:
    lines: list[Text] = []
    for line, new in board.config:
        news = new and not line.startswith("#")
        style = "dim" if line.startswith("#") else "green" if news else ""
        # What is too long goes on below, further in.
        wrapped = textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)
        mark = "+ " if news and line else "  "
        lines += [Text(f"{mark}{part}".rstrip(), style=style, no_wrap=True) for part in wrapped or [""]]
    return lines


def _programs(board: Board, now: float, width: int, *, ascii_only: bool) -> RenderableType:
    """Three lines for each program: who it is, how each of its calls went, how long its token lives."""
    bar = width - _NAME - _REMARK - 4
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, min_width=_NAME)
    table.add_column(no_wrap=True, width=bar, overflow="ellipsis")
    table.add_column(no_wrap=True, width=_REMARK)
    longest = max((lane.longest_life for lane in board.lanes.values()), default=1.0)
    for number, lane in enumerate(board.lanes.values()):
        state, style = _STATES.get(lane.state, (lane.state, ""))
        left = max(0.0, (lane.expires_at or now) - now)
        life = Text("") if lane.expires_at is None else Text(f"{left:.0f} s  ")
        if number:
            table.add_row("", "", "")
        table.add_row(Text(lane.profile, style="bold"), _answer(lane), "")
        table.add_row(Text("  calls"), _strip(lane, bar, ascii_only=ascii_only), _calls(lane))
        table.add_row(
            Text("  token"),
            _left(lane, left, longest, bar, ascii_only=ascii_only),
            life.append(state, style),
        )
    return table


def _answer(lane: Lane) -> Text:
    if lane.error is not None:
        return Text("call failed: a person must log in" if lane.expected else "call failed", style="bold red")
    return Text(f"AWS answers: {short(lane.arn)}", style="green") if lane.arn else Text("no call yet", style="dim")


def _strip(lane: Lane, width: int, *, ascii_only: bool) -> Text:
    """A mark for each of the last calls."""
    good, bad = ("+", "x") if ascii_only else ("✓", "✗")
    text = Text()
    for ok in lane.history[-width:]:
        text.append(good if ok else bad, "green" if ok else "bold red")
    return text


def _calls(lane: Lane) -> Text:
    text = Text(f"{lane.ok} ok")
    if lane.expected or lane.unexpected:
        text.append(f"  {lane.expected + lane.unexpected} failed", style="red")
    return text


def _left(lane: Lane, left: float, longest: float, width: int, *, ascii_only: bool) -> Text:
    full = min(width, round(width * left / longest)) if longest else 0
    done, rest = ("#", ".") if ascii_only else ("━", "─")
    style = "green" if lane.state == "active" else "yellow" if left else "red"
    return Text.assemble((done * full, style), (rest * (width - full), "dim"))


def _counters(board: Board) -> RenderableType:
    return Text.assemble(
        (f"{board.renewals}", "bold"),
        " tokens renewed   ",
        (f"{board.logins}", "bold"),
        " logins   ",
        (f"{board.answers}", "bold"),
        " answers to programs took ",
        (f"{board.aws_calls}", "bold"),
        " calls to AWS",
    )


def _events(board: Board, room: int, width: int) -> RenderableType:
    """The last events that fit into `room` lines of `width` columns for their text."""
    table = Table(box=None, pad_edge=False, show_header=False, expand=True)
    table.add_column(justify="right", no_wrap=True, min_width=5)
    table.add_column(ratio=1)
    chosen: list[Event] = []
    for event in reversed(board.events[-_EVENTS:]):
        room -= max(1, len(textwrap.wrap(event.text, width)))
        if room < 0:
            break
        chosen.insert(0, event)
    for event in chosen:
        table.add_row(Text(f"{event.at:.0f} s", style="dim"), Text(printable(event.text), style=_STYLES[event.kind]))
    return table


def summarize(board: Board, environ: Mapping[str, str]) -> None:
    """Print what came of it; also where the story was broken off."""
    columns = width()
    terminal = columns is not None
    console = Console(
        width=columns, highlight=False, force_terminal=terminal, no_color=bool(environ.get("NO_COLOR")) or None
    )
    upstream = board.upstream
    rows = [
        ("Calls of the programs", board.calls, f"{board.ok} succeeded"),
        ("  failed, as they had to", board.expected, "after a session's end, until the login"),
        ("  failed, unexpectedly", board.unexpected, ""),
        ("Tokens renewed", board.renewals, "in the background"),
        ("Logins", board.logins, "by the person"),
        ("Answers of the helper", board.answers, "role credentials handed to programs"),
        ("Calls to AWS for them", upstream.get("GetRoleCredentials", 0), "GetRoleCredentials"),
        ("Calls to AWS for tokens", upstream.get("CreateToken", 0), "CreateToken: logins and renewals"),
    ]
    click.echo(f"\nSummary after {board.elapsed:.0f} s\n")
    ascii_only = console.options.ascii_only
    for lane in board.lanes.values():
        strip = _strip(
            lane, (min(console.width, _WIDEST) if terminal else _WIDEST) - _NAME - 5, ascii_only=ascii_only
        )
        console.print(Text.assemble(f"  {lane.profile:{_NAME}}  ", strip), soft_wrap=True)
    click.echo()
    for name, number, remark in rows:
        line = Text.assemble(f"  {name:25} ", (f"{number:4}", "bold"))
        if columns is None or line.cell_len + 3 + len(remark) <= columns:
            line.append(f"   {remark}" if remark else "", "dim")
        else:  # below it
            line.append("\n").append(
                textwrap.fill(remark, columns, initial_indent=" " * 6, subsequent_indent=" " * 6), "dim"
            )
        console.print(line, soft_wrap=True)
    click.echo()
    for problem in board.problems:
        console.print(Text(f"Not as it should be: {printable(problem)}", style="bold red"), soft_wrap=not terminal)
    if not board.problems:
        console.print("No call failed that should not have.", style="green")
        console.print("To try things out in this world:  credhelper demo --shell", soft_wrap=True)
        console.print("With your own AWS profiles:       credhelper enable --all", soft_wrap=True)
        console.print("then, for each of your sessions:  credhelper login NAME", soft_wrap=True)
