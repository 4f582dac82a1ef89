"""What `doctor` shows: a line for each theme that is well, and each finding with its cause and what mends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from credhelper.doctor.examination import Theme
from credhelper.doctor.remarks import Finding
from credhelper.terminal import counted, printable, width

_COLOURS = {"well": "green", "problem": "red", "hint": "yellow"}
_SIGNS = {"well": "✓", "problem": "✗", "hint": "!"}
# That many of what is well are told in a theme's one line.
_WELLS = 3
_ASCII = {"well": "+", "problem": "x", "hint": "!"}


def show(themes: Sequence[Theme], *, verbose: bool, only_findings: bool = False) -> None:
    """Print the themes to stdout.

    Args:
        verbose: tell each thing that is well.
        only_findings: tell none.
    """
    columns = width()
    console = Console(width=columns, highlight=False)
    signs = _SIGNS if _can_show(console.encoding) else _ASCII
    for theme in themes:
        if theme.findings or not only_findings:
            for line in _lines(theme, columns, signs, verbose=verbose):
                console.print(line, soft_wrap=True)


def show_finding(finding: Finding) -> None:
    """Print what is wrong and what mends it, without the cause."""
    columns = width()
    console = Console(width=columns, highlight=False)
    for line in _finding(finding, _SIGNS if _can_show(console.encoding) else _ASCII, columns, with_cause=False):
        console.print(line, soft_wrap=True)


def show_text(text: str) -> None:
    """Print a sentence."""
    columns = width()
    for line in _wrapped(Text(text), 0, columns):
        Console(width=columns, highlight=False).print(line, soft_wrap=True)


def summary(themes: Sequence[Theme], mended: int | None = None) -> str:
    """The last line.

    Args:
        mended: how many findings were mended; None where nobody tried.
    """
    findings = [finding for theme in themes for finding in theme.findings]
    problems = [finding for finding in findings if finding.kind == "problem"]
    hints = len(findings) - len(problems)
    done = f"{counted(mended, 'finding')} mended. " if mended else ""
    if not findings:
        return f"{done}All is well."
    counts = [counted(len(problems), "problem")] if problems else ["no problem"]
    counts += [counted(hints, "hint")] if hints else []
    text = f"{done}{', '.join(counts).capitalize()}{' left' if mended is not None else ''}."
    fixable = sum(finding.mend.can_be_done for finding in findings)
    if fixable and mended is None:
        which = "it" if len(findings) == 1 else "all of them" if fixable == len(findings) else f"{fixable} of them"
        text += f" `credhelper doctor --fix` mends {which}."
    return text


def _lines(theme: Theme, columns: int | None, signs: dict[str, str], *, verbose: bool) -> Iterator[Text]:
    kinds = {finding.kind for finding in theme.findings}
    kind = "problem" if "problem" in kinds else "hint" if kinds else "well"
    if not theme.findings and not verbose:
        said = "; ".join(well.text for well in theme.wells[:_WELLS]) or "nothing amiss"
        more = len(theme.wells) - _WELLS
        yield from _entry(signs, kind, f"{theme.title}: {said}{f'; and {more} more' if more > 0 else ''}", 0, columns)
        return
    yield Text.assemble((signs[kind], _COLOURS[kind]), " ", (theme.title, "bold"))
    if verbose:
        for well in theme.wells:
            yield from _entry(signs, "well", well.text, 2, columns)
        if not theme.wells and not theme.findings:
            yield from _entry(signs, "well", "nothing amiss", 2, columns)
    for finding in theme.findings:
        yield from _finding(finding, signs, columns)


def _finding(
    finding: Finding, signs: dict[str, str], columns: int | None, *, with_cause: bool = True
) -> Iterator[Text]:
    yield from _entry(signs, finding.kind, f"{finding.text}.", 2, columns)
    if with_cause:
        yield from _wrapped(Text(f"{printable(finding.cause)}.", "dim"), 4, columns)
    mend = finding.mend
    if mend.words:
        yield from _wrapped(Text(f"{printable(mend.words)}{':' if mend.command else '.'}"), 4, columns)
    if mend.command:
        # Never broken: it is there to be copied.
        yield Text.assemble("    ", "" if mend.words else "Run: ", (printable(mend.command), "bold"))


def _entry(signs: dict[str, str], kind: str, text: str, indent: int, columns: int | None) -> Iterator[Text]:
    lines = list(_wrapped(Text(printable(text)), indent + 2, columns))
    first = lines[0]
    yield Text.assemble(" " * indent, (signs[kind], _COLOURS[kind]), " ", first[indent + 2 :])
    yield from lines[1:]


def _wrapped(text: Text, indent: int, columns: int | None) -> Iterator[Text]:
    """Indented lines within the columns, broken between words; a longer word anywhere."""
    if columns is None:
        yield Text(" " * indent).append_text(text)
        return
    room = max(columns - indent, 16)
    for line in text.wrap(Console(width=room), room, overflow="fold"):
        line.rstrip()
        yield Text(" " * indent).append_text(line)


def _can_show(encoding: str) -> bool:
    try:
        "".join(_SIGNS.values()).encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
