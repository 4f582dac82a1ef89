"""What the walks through one session's accounts write down: in the order in which they learned it."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

from credhelper.aws import directory

if TYPE_CHECKING:
    from credhelper.aws.directory import Directory
    from credhelper.model import Session
    from credhelper.paths import Paths


class Record:
    """The files of one session's directory.

    A write cannot be called back once a thread has begun it, and a disk may take a second for it. So each has a
    number, and none comes after one with a higher number, nor outlives a logout that came after it.

    `number` and `void` are for the event loop and do not block; the others do, on the disk.
    """

    def __init__(self, paths: Paths, session: Session) -> None:
        self._paths = paths
        self._session = session
        self._numbers = itertools.count(1)
        self._turn = threading.Lock()
        self._last = 0
        self._void = 0

    def number(self) -> int:
        """That of what is known now."""
        return next(self._numbers)

    def void(self) -> None:
        """From now on nothing that was learned by now is gone on with; `forget` then removes it."""
        self._void = next(self._numbers)

    def write(self, number: int, data: bytes, *, complete: bool) -> None:
        """Keep what `directory.encode` made, unless later knowledge is there. Raises CredhelperError."""
        with self._turn:
            if number > max(self._last, self._void):
                self._last = number
                directory.write_directory(self._paths, self._session, data, complete=complete)

    def unfinished(self) -> Directory | None:
        """What a list that was broken off had by then."""
        with self._turn:
            return None if self._last < self._void else directory.unfinished(self._paths, self._session)

    def forget(self) -> None:
        """Remove what is void."""
        with self._turn:
            if self._last < self._void:
                directory.forget_unfinished(self._paths, self._session)
