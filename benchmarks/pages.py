"""Figures in their place in a page of the documentation."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

from credhelper import __version__

DOCS = Path(__file__).parents[1] / "docs"
ENDURANCE = DOCS / "endurance.md"
# More work for each processor than this is not a machine at rest.
_AT_REST = 0.5


def at_rest(load: float) -> bool:
    """Whether figures taken on a machine with this load are worth keeping."""
    return load / (os.cpu_count() or 1) <= _AT_REST


def circumstances(command: str, seconds: float, load: float) -> str:
    """What was measured, when, on what and how, as one line; `load` is the machine's before it began."""
    cores = os.cpu_count() or 1
    busy = "" if at_rest(load) else " **The machine was busy with other work.**"
    return (
        f"credhelper {__version__}; {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}; Python "
        f"{platform.python_version()}, {platform.system()} {platform.machine()}, {cores} cores, load {load:.1f} "
        f"before it; `{command}`, {seconds:.0f} s.{busy}"
    )


def put(page: Path, name: str, text: str) -> None:
    """Put figures into their place, which is between two comments that bear its name. ValueError: it has none."""
    content = page.read_text()
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    head, found, rest = content.partition(begin)
    _, ends, tail = rest.partition(end)
    if not found or not ends:
        raise ValueError(f"{page} has no place for {name}")
    page.write_text(f"{head}{begin}\n{text.strip()}\n\n{end}{tail}")
