"""The figures of a run and the one table in which they are shown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

_MANY = 20


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; every cell is text for people.

    Attributes:
        what: was measured.
        figure: the median, or a count.
        spread: the tenth and the ninetieth percentile; of fewer than 20 figures the least and the greatest.
        ratio: to the base that the row's section names.
        budget: the limit, where there is one.
        met: whether it was kept; None where there is no budget.
        note: what one must know to read the figure, or why there is none.
        count: how many figures it is the median of; None where it is not one.
    """

    what: str
    figure: str = "–"
    spread: str = ""
    ratio: str = ""
    budget: str = ""
    met: bool | None = None
    note: str = ""
    count: int | None = None


@dataclass(slots=True)
class Section:
    """Rows that belong together."""

    title: str
    rows: list[Row] = field(default_factory=list)


def timed(
    what: str,
    seconds: Sequence[float],
    base: Sequence[float] | None = None,
    *,
    most: float | None = None,
    most_ratio: float | None = None,
    note: str = "",
) -> Row:
    """The row of something that was timed in seconds.

    Args:
        what: was timed.
        seconds: one figure for each round.
        base: the figures of what the ratio is to.
        most: the budget in seconds for the median.
        most_ratio: the budget for the ratio of the medians.
        note: for the row.
    """
    median = statistics.median(seconds)
    ratio = None if base is None else median / statistics.median(base)
    budget, met = "", None
    if most is not None:
        budget, met = f"≤ {duration(most)}", median <= most
    elif most_ratio is not None and ratio is not None:
        budget, met = f"≤ {most_ratio:g} ×", ratio <= most_ratio
    shown = "" if ratio is None else f"{ratio:.2f} ×" if ratio < 10 else f"{ratio:.0f} ×"
    return Row(what, duration(median), spread(seconds), shown, budget, met, note, len(seconds))


def spread(seconds: Sequence[float]) -> str:
    """The range that holds the middle eight of ten figures; all of them where they are few."""
    if len(seconds) < _MANY:
        return f"{duration(min(seconds))} – {duration(max(seconds))}"
    return f"{duration(percentile(seconds, 10))} – {duration(percentile(seconds, 90))}"


def percentile(values: Sequence[float], percent: int) -> float:
    """The value below which so many percent of them lie."""
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def duration(seconds: float) -> str:
    """Seconds, in the unit that suits them."""
    milliseconds = seconds * 1000
    if abs(milliseconds) < 1:
        return f"{milliseconds * 1000:.0f} µs"
    if milliseconds < 100:
        return f"{milliseconds:.1f} ms"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{seconds:.2f} s"


def megabytes(size: int) -> str:
    """Bytes of memory, in units of 10⁶."""
    return f"{size / 1e6:.1f} MB"


def render(sections: Sequence[Section]) -> str:
    """The table in Markdown, ending with a newline."""
    lines = [
        "| what | median | n | 10th – 90th percentile | ratio | budget | kept | note |",
        "|---|--:|--:|--:|--:|--:|---|---|",
    ]
    for section in sections:
        lines.append(f"| **{_cell(section.title)}** | | | | | | | |")
        for row in section.rows:
            kept = "" if row.met is None else "yes" if row.met else "**no**"
            count = "" if row.count is None else str(row.count)
            cells = [row.what, row.figure, count, row.spread, row.ratio, row.budget, kept, row.note]
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
