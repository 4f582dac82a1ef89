"""Listing a session's accounts and roles with a progress bar on stderr, for the commands that do so."""

from __future__ import annotations

import os
import sys
import time

from credhelper.aws.directory import Directory
from credhelper.cli import tell
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import Progress, discover
from credhelper.model import Session
from credhelper.terminal import counted, printable

# Seconds between two lines of progress where there is no terminal to draw a bar on.
_LINE_EVERY = 10.0


def walk(desk: Desk, session: Session, *, fresh: bool = True) -> Directory:
    """All accounts and roles of the session; the progress is shown, and at the end how many there are.

    Raises as `discover` does, KeyboardInterrupt.
    """
    title = f"Accounts of {printable(session.name)}"
    if sys.stderr.isatty() and (os.environ.get("TERM") or "dumb") != "dumb":
        found = _with_bar(desk, session, title, fresh=fresh)
    else:
        found = discover(desk, session, _Lines(title), fresh=fresh)
    roles = sum(len(account.roles or ()) for account in found.accounts)
    tell(f"{title}: {len(found.accounts):,} with {counted(roles, 'role')} of yours.")
    return found


def _with_bar(desk: Desk, session: Session, title: str, *, fresh: bool) -> Directory:
    from rich.console import Console  # noqa: PLC0415 - 0.1 s
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    # Else rich believes $COLUMNS, which is often another window's.
    columns_there = os.get_terminal_size(sys.stderr.fileno()).columns or 80
    console = Console(stderr=True, highlight=False, width=columns_there)
    wide = console.width >= 60
    columns = [TextColumn("{task.description}", markup=False), BarColumn(None if wide else 12), MofNCompleteColumn()]
    with Bar(*columns, *([TimeRemainingColumn()] if wide else []), console=console, transient=True) as bar:
        task = bar.add_task(title if wide else "Accounts", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, total=progress.accounts, completed=progress.listed)

        return discover(desk, session, show, fresh=fresh)


class _Lines:
    """Says now and then how far it is, for logs."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._last = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.accounts is not None and now - self._last >= _LINE_EVERY:
            self._last = now
            tell(f"{self._title}: {progress.listed:,} of {progress.accounts:,} listed")
