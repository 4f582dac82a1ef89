"""The tables of `status`: laid out for a terminal of any width and height, or whole for a file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.text import Text

from credhelper.dates import moment_of
from credhelper.names import login_command
from credhelper.terminal import counted, printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions

REMARK = "yellow"
_COLOURS = {
    "active": "green",
    "renewing": "yellow",
    "offline": "yellow",
    "expiring": "yellow",
    "expired": "red",
    "logged_out": "red",
}
_GAP = "  "
# Columns that a name keeps where others need the room, and that a sentence beside a row must have.
_LEAST_NAME, _LEAST_SENTENCE = 12, 24
# What a profile's name, which often begins as others do, keeps before whole columns are left out for it.
_LEAST_PROFILE = 24
# What a name keeps on the narrowest of terminals.
_LEAST = 8
# What goes first where there is not even room for shortened columns.
_SHED = ("account", "session", "role")

Row = tuple[Text, ...]
Block = list[Text]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that `status` shows, as a rich renderable.

    Where the height is limited (`--watch`) it keeps within that: what matters comes first there, and what there
    is no room for is counted.

    Attributes:
        document: as `--json` prints it.
        said: remarks below the tables, harmless already.
        now: seconds since the epoch.
        whole: for a file: nothing is wrapped, shortened or left out.
        height: lines that there are for it, where that is limited.
    """

    document: Mapping[str, Any]
    said: Sequence[str] = ()
    now: float | None = None
    whole: bool = False
    height: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        signs = _Signs(console.encoding, ascii_only=options.ascii_only)
        width = None if self.whole else options.max_width
        for line in self._lines(width, self.height, signs):
            line.no_wrap, line.overflow = True, "ignore"
            yield line

    def _lines(self, width: int | None, height: int | None, signs: _Signs) -> Block:
        now = time.time() if self.now is None else self.now
        running = self.document["daemon"]["running"]
        sessions, profiles = list(self.document["sessions"]), list(self.document["profiles"])
        feet = [_wrapped(line, width) for line in (_daemon(self.document["daemon"]), *self._remarks())]

        def upper() -> tuple[list[Block], list[Block]]:
            return (
                _session_blocks(sessions, now, width, signs, running=running),
                _profile_blocks(profiles, now, width, signs),
            )

        first, second = upper()
        if height is None:
            return [*_joined(first), *_joined(second), *_joined(feet)]
        needed = sum(map(len, [*first, *second, *feet]))
        if needed > height:
            sessions.sort(key=lambda session: session["state"] == "active")
            profiles.sort(key=lambda profile: _rank(profile, now))
            first, second = upper()
        feet = _fitting(feet, max(1 + height // 4, height - sum(map(len, [*first, *second]))), 1, "remark")
        room = height - len(_joined(feet))
        first = _fitting(first, max(room // 2, room - sum(map(len, second))), 1, "session")
        second = _fitting(second, room - len(_joined(first)), 1, "profile")
        below = _joined(feet)
        return [*_joined([*first, *second])[: max(0, height - len(below))], *below][:height]

    def _remarks(self) -> Iterator[Text]:
        for said in self.said:
            yield Text(said, REMARK)


class _Signs:
    """The signs that a stream can show, and text made of them."""

    def __init__(self, encoding: str, *, ascii_only: bool) -> None:
        self._encoding = encoding
        self.rule, self.ellipsis = ("-", "...") if ascii_only else ("─", "…")

    def text(self, text: str, style: str = "") -> Text:
        """`text` as the stream will show it, so that its width is known."""
        shown = printable(text).encode(self._encoding, "backslashreplace").decode(self._encoding)
        return Text(shown, style)

    def shortened(self, text: Text, width: int) -> Text:
        if text.cell_len <= width:
            return text
        short = text.copy()
        short.truncate(max(0, width - len(self.ellipsis)), overflow="crop")
        return short.append(self.ellipsis[:width])


def _session_blocks(
    sessions: Iterable[Mapping[str, Any]], now: float, width: int | None, signs: _Signs, *, running: bool
) -> list[Block]:
    """The heading, then the lines of each session; the last of all is followed by an empty line."""
    rows, sentences = [], []
    for session in sessions:
        state = session["state"]
        rows.append(
            (
                signs.text(session["name"]),
                Text(state.replace("_", " "), _COLOURS.get(state, "")),
                Text(span(_moment(session["expires_at"]), now)),
            )
        )
        sentences.append(signs.text(outlook(session, now, running=running)))
    if not rows:
        return [[Text("No session in the AWS config."), Text()]]
    titles = ("session", "state", "left")
    widths = _widths(titles, rows)
    if width is not None:
        widths["session"] = min(widths["session"], max(_LEAST_NAME, width // 3))
        for title in ("left", "state"):
            if sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
                widths["session"] = min(widths["session"], _LEAST)
                if sum(widths.values()) + len(_GAP) * (len(widths) - 1) > width:
                    del widths[title]
    used = sum(widths.values()) + len(_GAP) * len(widths)
    room = None if width is None else width - used
    longest = max(map(cell_len, ["next", *(sentence.plain for sentence in sentences)]))
    blocks = []
    for row, sentence in zip(rows, sentences, strict=True):
        line = _line(row, widths, signs)
        words = max((cell_len(word) for word in sentence.plain.split()), default=0)
        if room is None or (room >= max(words, min(_LEAST_SENTENCE, sentence.cell_len))):
            first, *more = _wrapped(sentence, room)
            blocks.append([_padded(line, used).append_text(first), *(_indented(text, used) for text in more)])
        else:  # below the row, where there is more room
            inner = max(1, (width or used) - 4)
            blocks.append([line, *(_indented(text, 4) for text in _wrapped(sentence, inner))])
    beside = used + (longest if room is None else max(0, min(room, longest)))
    head = Text.assemble(_padded(_line(tuple(map(Text, titles)), widths, signs), used), "next")
    blocks.insert(0, _heading(head, beside, width, signs))
    blocks[-1].append(Text())
    return blocks


def _profile_blocks(
    profiles: Iterable[Mapping[str, Any]], now: float, width: int | None, signs: _Signs
) -> list[Block]:
    """As for the sessions; one line for each profile."""
    titles = ("profile", "session", "account", "role", "credentials")
    profiles = list(profiles)
    if not profiles:
        return []

    def laid_out(*, brief: bool) -> tuple[list[Row], dict[str, int]]:
        rows = [
            (
                *(signs.text(profile[field] or "-") for field in ("name", "session", "account_id", "role_name")),
                Text(_credentials(profile, now, brief=brief)),
            )
            for profile in profiles
        ]
        return rows, _widths(titles, rows)

    rows, widths = laid_out(brief=False)
    if width is not None:
        if min(widths["profile"], _LEAST_PROFILE) + len(_GAP) + widths["credentials"] > width:
            rows, widths = laid_out(brief=True)
        _squeeze(widths, width)
    head = _line(tuple(map(Text, titles)), widths, signs)
    full = sum(widths.values()) + len(_GAP) * (len(widths) - 1)
    blocks = [_heading(head, full, width, signs), *([_line(row, widths, signs)] for row in rows)]
    blocks[-1].append(Text())
    return blocks


def _heading(titles: Text, full: int, width: int | None, signs: _Signs) -> Block:
    titles.stylize("bold")
    titles.rstrip()
    if width is not None:
        titles.truncate(width, overflow="crop")
        full = min(full, width)
    return [titles, Text(signs.rule * full, "dim")]


def _widths(titles: Sequence[str], rows: Iterable[Row]) -> dict[str, int]:
    return {
        title: max(len(title), *(cell.cell_len for cell in column))
        for title, column in zip(titles, zip(*rows, strict=True), strict=True)
    }


def _squeeze(widths: dict[str, int], width: int) -> None:
    """Shorten, then leave out columns of the profiles' table until it fits."""

    def over() -> int:
        return sum(widths.values()) + len(_GAP) * (len(widths) - 1) - width

    full = dict(widths)
    for name, least in (("role", _LEAST_NAME), ("session", _LEAST_NAME), ("profile", _LEAST_PROFILE)):
        widths[name] = max(min(widths[name], least), widths[name] - max(0, over()))
    for name in _SHED:
        if over() > 0:
            del widths[name]
    for name, least in (("profile", _LEAST), ("credentials", 1), ("profile", 1)):
        if over() > 0 and name in widths:
            widths[name] = max(min(widths[name], least), widths[name] - over())
            if name == "credentials" and over() > 0:
                del widths[name]
    # What a column that was left out has freed.
    for name in ("profile", "session", "role"):
        if name in widths:
            widths[name] = min(full[name], widths[name] + max(0, -over()))


def _line(row: Row, widths: Mapping[str, int], signs: _Signs) -> Text:
    """The cells of the columns that are shown, without blanks at the end."""
    titles = (
        ("profile", "session", "account", "role", "credentials") if len(row) == 5 else ("session", "state", "left")
    )
    line = Text()
    used = 0
    for title, cell in zip(titles, row, strict=True):
        if title in widths:
            line = _padded(line, used).append_text(signs.shortened(cell, widths[title]))
            used += widths[title] + len(_GAP)
    return line


def _padded(line: Text, width: int) -> Text:
    return line.append(" " * max(0, width - line.cell_len))


def _indented(line: Text, width: int) -> Text:
    return Text(" " * width).append_text(line)


def _wrapped(text: Text, width: int | None) -> Block:
    """Lines of at most `width` columns, broken between words; a longer word is broken anywhere."""
    if width is None or text.cell_len <= width:
        return [text]
    from rich.console import Console  # noqa: PLC0415 - its wrapping asks for one

    lines = list(text.wrap(Console(), width, overflow="fold"))
    for line in lines:
        line.rstrip()
    return lines


def _joined(blocks: Iterable[Block]) -> Block:
    return [line for block in blocks for line in block]


def _fitting(blocks: list[Block], room: int, kept: int, noun: str) -> list[Block]:
    """The first `kept` blocks and as many others as fit into `room` lines, then how many more there are."""
    if len(_joined(blocks)) <= room:
        return blocks
    chosen, rest = blocks[:kept], blocks[kept:]
    left = room - len(_joined(chosen)) - 1  # for the line that counts
    while rest and len(rest[0]) <= left:
        left -= len(rest[0])
        chosen.append(rest.pop(0))
    if rest:
        more = Text(f"and {counted(len(rest), 'more ' + noun)}", "dim")
        chosen.append([more, Text()] if left > 0 and noun != "remark" else [more])
    return chosen


def _rank(profile: Mapping[str, Any], now: float) -> int:
    """What does not work comes first, then what is in use."""
    if profile["shadowed"] or _unusable(profile):
        return 0
    if not profile["managed"]:
        return 3
    expiry = _moment(profile["expires_at"])
    return 1 if expiry is not None and expiry > now else 2


def _daemon(daemon: Mapping[str, Any]) -> Text:
    if daemon["running"]:
        return Text(f"The daemon {printable(str(daemon['version']))} runs (pid {daemon['pid']}).", "dim")
    return Text("The daemon does not run; `credhelper daemon start` starts it, and so does the next call.", "yellow")


def outlook(session: Mapping[str, Any], now: float, *, running: bool) -> str:
    """What becomes of a session of the `status` document, in a sentence; `running` tells whether the daemon is."""
    reason = str(session["reason"])
    if session["state"] in {"expiring", "expired", "logged_out"}:
        return f"{reason}; run: {login_command(session['name'])}"
    if session["next_action"] != "renew":
        return reason
    at = _moment(session["next_action_at"])
    when = "now" if at is None or at < now + 1 else f"in {span(at, now)}"
    # The time stands before the cause, which may be long.
    for action in ("renews itself", "renewal is tried again"):
        if reason.startswith(action):
            return f"{action} {when if running else 'once the daemon runs'}{reason.removeprefix(action)}"
    if not running:
        return "renews itself once the daemon runs"
    if reason == "is being renewed":
        return reason if when == "now" else f"renews itself {when}"
    return f"renewal is tried again {when}: {reason}"


def _unusable(profile: Mapping[str, Any]) -> bool:
    """Whether it is of Identity Center, and its session is not to be found."""
    return profile["session"] is None and bool(profile["managed"] or profile["account_id"] or profile["role_name"])


def _credentials(profile: Mapping[str, Any], now: float, *, brief: bool) -> str:
    if _unusable(profile):
        return "no session"
    if profile["shadowed"]:
        return "shadowed"
    if not profile["managed"]:
        return "not managed"
    expiry = _moment(profile["expires_at"])
    if expiry is None or expiry <= now:
        return "on demand"
    return span(expiry, now) if brief else f"in memory, {span(expiry, now)}"


def _moment(date: str | None) -> float | None:
    return None if date is None else moment_of(date)


def span(moment: float | None, now: float) -> str:
    """Time left in the two largest units: `7 h 59 min`, `12 min`, `40 s`; `-` where there is none."""
    if moment is None:
        return "-"
    left = int(moment - now)
    if left <= 0:
        return "none"
    if left < 100:
        return f"{left} s"
    minutes = left // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes:02} min"
