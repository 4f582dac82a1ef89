"""Whose turn it is to log in to a session: one login for each session on the machine, with or without a daemon."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from credhelper import files


@contextlib.contextmanager
def turn(path: Path, *, waiting: Callable[[], None]) -> Iterator[bool]:
    """Hold the turn for the time of the block; yields whether another login had it first.

    Another login lasts as long as its person needs, so there is no limit to the wait; it ends with the other process.

    Args:
        path: the lock file, made (0600) where it is not there and never removed.
        waiting: called once where another login has the turn.

    Raises CredhelperError where there can be no lock.
    """
    fd = files.open_lock(path)
    try:
        yield _take(fd, path, waiting)
    finally:
        os.close(fd)


def _take(fd: int, path: Path, waiting: Callable[[], None]) -> bool:
    if files.try_flock(fd, path):
        return False
    waiting()
    files.flock(fd, path)
    return True
