"""How a board is shown: as a live picture on a terminal, else as plain lines."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Mapping
from typing import Any, Self

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from credhelper.demo.board import STEPS, Board, Event, Kind, Lane, View
from credhelper.demo.observer import short
from credhelper.terminal import printable

# Smaller terminals get plain lines.
_COLUMNS, _LINES = 76, 22
_EVENTS = 8
_BAR = 6
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
    console = Console()
    fits = console.width >= _COLUMNS and console.height >= _LINES
    # Not `console.is_terminal`: FORCE_COLOR makes that true for a file, too.
    if sys.stdout.isatty() and not console.is_dumb_terminal and environ.get("TERM") and fits:
        return LiveView(console)
    return PlainView()


class PlainView:
    """One line for each event, without any escape code."""

    def __init__(self) -> None:
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
            click.echo(f"\nStep {board.step} of {STEPS}: {board.title}")
            click.echo(textwrap.fill(board.text, 98, initial_indent="  ", subsequent_indent="  "))
        if board.config is not self._config:
            self._config = board.config
            for line, new in board.config:
                click.echo(f"  {'+' if new else '|'} {line}".rstrip())
        for event in board.events[self._shown :]:
            mark = "!" if event.kind == "bad" else " "
            click.echo(f"{event.at:5.1f} s {mark} {printable(event.text)}")
        self._shown = len(board.events)


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


def picture(board: Board, now: float, console: Console) -> RenderableType:
    """The whole picture: heading, what happens now, the config or the programs, the last events."""
    ascii_only = console.options.ascii_only
    heading = Text.assemble(
        ("credhelper demo", "bold"), f"   step {board.step} of {STEPS}   {board.elapsed:.0f} s", no_wrap=True
    )
    now_text = Text.assemble((board.title, "bold cyan"), "\n", board.text)
    parts: list[RenderableType] = [
        heading,
        Rule(style="dim", characters="-" if ascii_only else "─"),
        now_text,
        "",
    ]
    if board.config:
        parts += [Text("~/.aws/config", style="dim"), *_config(board, console.width - 4)]
    else:
        parts += [_programs(board, now, ascii_only=ascii_only), _counters(board), ""]
        # Two lines for the sides, one for the cursor.
        room = console.height - 3 - sum(len(console.render_lines(part, pad=False)) for part in parts)
        parts.append(_events(board, room, console.width - 10))
    return Padding(Group(*parts), (0, 1))


def _config(board: Board, width: int) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for line, new in board.config:
        style = "dim" if line.startswith("#") else "green" if new else ""
        # What is too long goes on below, further in.
        wrapped = textwrap.wrap(line, width, subsequent_indent="    ", break_on_hyphens=False)
        lines += [Text(f"  {part}", style=style, no_wrap=True) for part in wrapped or [""]]
    return lines


def _programs(board: Board, now: float, *, ascii_only: bool) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True, header_style="dim")
    table.add_column("program of", no_wrap=True)
    table.add_column("AWS answers", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("calls", no_wrap=True, min_width=14)
    table.add_column("token left", no_wrap=True, min_width=_BAR + 5)
    table.add_column("session", no_wrap=True, min_width=14)
    longest = max((lane.longest_life for lane in board.lanes.values()), default=1.0)
    for lane in board.lanes.values():
        state, style = _STATES.get(lane.state, (lane.state, ""))
        table.add_row(
            Text(lane.profile, style="bold"),
            _answer(lane),
            _calls(lane),
            _left(lane, now, longest, ascii_only=ascii_only),
            Text(state, style=style),
        )
    return table


def _answer(lane: Lane) -> Text:
    if lane.error is not None:
        return Text("call failed", style="bold red")
    return Text(short(lane.arn), style="green") if lane.arn else Text("-", style="dim")


def _calls(lane: Lane) -> Text:
    text = Text(f"{lane.ok} ok")
    if lane.expected or lane.unexpected:
        text.append(f" {lane.expected + lane.unexpected} failed", style="red")
    return text


def _left(lane: Lane, now: float, longest: float, *, ascii_only: bool) -> Text:
    if lane.expires_at is None:
        return Text("-", style="dim")
    left = max(0.0, lane.expires_at - now)
    full = min(_BAR, round(_BAR * left / longest)) if longest else 0
    done, rest = ("#", ".") if ascii_only else ("━", "─")
    style = "green" if lane.state == "active" else "yellow" if left else "red"
    return Text.assemble((done * full, style), (rest * (_BAR - full), "dim"), f" {left:2.0f} s")


def _counters(board: Board) -> RenderableType:
    return Text.assemble(
        "\n",
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
    terminal = sys.stdout.isatty()
    console = Console(highlight=False, force_terminal=terminal, no_color=bool(environ.get("NO_COLOR")) or None)
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
    for name, number, remark in rows:
        line = Text.assemble(f"  {name:25} ", (f"{number:4}", "bold"), (f"   {remark}" if remark else "", "dim"))
        console.print(line, soft_wrap=True)
    click.echo()
    for problem in board.problems:
        console.print(Text(f"Not as it should be: {printable(problem)}", style="bold red"), soft_wrap=not terminal)
    if not board.problems:
        console.print("No call failed that should not have.", style="green")
        console.print("To start for real: credhelper enable --all, then credhelper login")
