"""Picking a profile at the terminal: with fzf where that is installed, else with questionary."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import click

from credhelper.aws.choices import Choices
from credhelper.cli import need
from credhelper.cli.lists import output_on
from credhelper.cli.recent import recent
from credhelper.errors import CredhelperError, UsageError
from credhelper.paths import Paths, chosen_profile
from credhelper.terminal import printable

_COLUMNS = ("profile", "account", "role", "session", "state")
_GAP = "  "
_PROMPT = "profile> "
# Of fzf: nothing chosen because nothing fits, its own failure, and Ctrl-C or Esc.
_NO_MATCH, _ABORTED = 1, 130


@dataclass(frozen=True, slots=True)
class Row:
    """One profile: its plain name and what is shown of it, cell by cell, harmless already."""

    name: str
    cells: tuple[str, ...]


def pick(choices: Choices, paths: Paths, environ: Mapping[str, str]) -> str:
    """The profile that the person picks.

    Raises UsageError where nobody is there to pick, CredhelperError where there is nothing to pick from,
    click.Abort where the person gives up.
    """
    if not need.can_ask() or environ.get("TERM", "dumb") == "dumb":
        raise UsageError("no profile is named, and there is no terminal to pick one at", "Name one")
    rows = rows_of(choices, paths, environ)
    if not rows:
        raise CredhelperError(f"{choices.path} has no profile", "Run `credhelper setup` to make one")
    program = shutil.which("fzf")
    if program is not None:
        at = _with_fzf(program, rows)
        if at is not None:
            return rows[at].name
    return rows[_with_questionary(rows)].name


def rows_of(choices: Choices, paths: Paths, environ: Mapping[str, str]) -> list[Row]:
    """The profiles: the current one, then those used last, then the others in the order of the files."""
    states = _states(paths)
    first = [chosen_profile(environ), *recent(paths)]
    rows = []
    for name in dict.fromkeys([*(name for name in first if name is not None and name in choices), *choices.names]):
        if "\n" in name:
            continue  # no shell could be given it
        session = choices.session(name)
        state = states.get((session.name, session.start_url), "not logged in") if session else ""
        cells = (name, choices.account(name), choices.role(name), session.name if session else "", state)
        rows.append(Row(name, tuple(map(printable, cells))))
    return rows


def _states(paths: Paths) -> dict[tuple[str, str], str]:
    """By name and start URL of a session, whether it is logged in, for people."""
    from credhelper.cli.status import gather  # noqa: PLC0415

    try:
        sessions = gather(paths)["sessions"]
    except CredhelperError:
        return {}
    words = {"active": "logged in", "expiring": "ends soon", "logged_out": "not logged in"}
    return {
        (session["name"], session["start_url"]): words.get(session["state"], session["state"]) for session in sessions
    }


def lines_of(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """A heading and a line for each row, in columns; those that are empty throughout are left out."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    kept = [at for at in range(len(_COLUMNS)) if any(row.cells[at] for row in rows)]
    table = [_COLUMNS, *(row.cells for row in rows)]
    widths = {at: max(cell_len(cells[at]) for cells in table) for at in kept}
    heading, *lines = (_GAP.join(set_cell_size(cells[at], widths[at]) for at in kept).rstrip() for cells in table)
    return heading, lines


def _with_fzf(program: str, rows: Sequence[Row]) -> int | None:
    """The row's place; None where this fzf does not work here. Raises click.Abort."""
    heading, lines = lines_of(rows)
    # What it gives back begins with the place; shown and searched is the rest.
    given = "\n".join(f"{at}\t{line}" for at, line in enumerate(lines))
    options = [
        "--no-multi",
        "--no-read0",
        "--delimiter=\t",
        "--with-nth=2..",
        "--height=50%",
        "--reverse",
        f"--prompt={_PROMPT}",
    ]
    done = subprocess.run(
        [program, *options, f"--header={heading}"],
        input=given.encode(errors="backslashreplace"),
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode in {_NO_MATCH, _ABORTED}:
        raise click.Abort
    # The person's own FZF_DEFAULT_OPTS may have it print more than the line.
    found = re.search(r"(?:^|[\n\0])([0-9]+)\t", done.stdout.decode(errors="replace"))
    if done.returncode or found is None or int(found[1]) >= len(rows):
        return None
    return int(found[1])


def _with_questionary(rows: Sequence[Row]) -> int:
    """The row's place. Raises click.Abort."""
    import questionary  # noqa: PLC0415 - 0.2 s, and only where there is no fzf

    heading, lines = lines_of(rows)
    output = output_on(sys.stderr)  # stdout is the hook's
    question = questionary.select(
        "Profile",
        choices=[questionary.Choice(line, value=at) for at, line in enumerate(lines)],
        use_search_filter=True,
        use_jk_keys=False,
        instruction=f"(type to search, Enter takes it)\n   {heading[: output.get_size().columns - 4]}",
        output=output,
        erase_when_done=True,
    )
    try:
        at = question.unsafe_ask()
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
    if not isinstance(at, int):
        raise click.Abort
    return at
