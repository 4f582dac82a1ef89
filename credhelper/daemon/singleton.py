"""One daemon for each user, home and host: the lock, and where its address is written."""

from __future__ import annotations

import contextlib
import os
import stat
import time
from enum import Enum
from pathlib import Path

from credhelper import files
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

# Lock files of hosts (or boots) that were not seen for this long are swept away.
_STALE_AFTER = 90 * 86400.0
# Who asks whether a daemon runs (`is_free`) holds the lock for a moment, which must not be taken for another daemon.
_TRIES = 5
_PAUSE = 0.025


class Hold(Enum):
    """What has become of the lock."""

    KEPT = "kept"
    REGAINED = "regained"  # its file had been removed, and is there again
    LOST = "lost"  # its file had been removed, and another daemon has the lock


class Singleton:
    """The lock that makes the daemon one. Its file's name bears the host's id, so a network home never makes host B
    replace host A's daemon."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._fd: int | None = None
        # What is locked: the lock file; or, where that cannot be made (a full or read-only disk), the state folder.
        self._held: Path = paths.daemon_lock

    def acquire(self) -> bool:
        """Take the lock; False where another daemon holds it. Raises CredhelperError where it cannot be made.

        One that is held already is let go once the new one is had.
        """
        fd = files.open_lock(self._paths.daemon_lock, self._paths.state)
        try:
            taken = files.try_flock(fd, self._paths.daemon_lock)
        except CredhelperError:
            os.close(fd)
            raise
        if not taken:
            os.close(fd)
            return False
        self._held = self._paths.state if stat.S_ISDIR(os.fstat(fd).st_mode) else self._paths.daemon_lock
        with contextlib.suppress(OSError):
            os.utime(fd)
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd
        # Left behind by one that was killed; from now on a record is this daemon's own word that it listens.
        with contextlib.suppress(OSError):
            self._paths.address_record.unlink()
        self._sweep()
        return True

    def hold(self) -> Hold:
        """See to it that the lock is the one that others find. Raises CredhelperError where it cannot be made.

        May take a tenth of a second.
        """
        if self._fd is None:
            return Hold.KEPT
        try:
            there = os.path.samestat(self._held.stat(), os.fstat(self._fd))
        except FileNotFoundError:
            there = False
        except OSError:
            there = True  # nobody else gets at it either
        if there and self._held != self._paths.daemon_lock:
            there = not self._can_be_made()
        if there:
            return Hold.KEPT
        moves = self._held != self._paths.daemon_lock
        for left in reversed(range(_TRIES)):
            if self.acquire():
                return Hold.KEPT if moves else Hold.REGAINED
            if left:
                time.sleep(_PAUSE)
        os.close(self._fd)
        self._fd = None  # what lies in the folder is the other one's: `release` must leave it
        return Hold.LOST

    def _can_be_made(self) -> bool:
        """Whether the lock file, in whose place the folder is held, can be made by now: others would lock it."""
        try:
            os.close(os.open(self._paths.daemon_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError:
            return False
        return True

    def publish(self, address: str) -> None:
        """Write where this daemon listens, if that is not what is written. Raises CredhelperError."""
        record = os.fsencode(address) + b"\n"
        with contextlib.suppress(FileNotFoundError):
            if files.read_bytes(self._paths.address_record) == record:
                return
        files.replace(self._paths.address_record, record)

    def touch(self) -> None:
        """Show that this host is alive, to the sweep of others that share the home."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.utime(self._fd)

    def release(self) -> None:
        """Take the address back and let the lock go. The lock file stays: removing it would race with a successor."""
        if self._fd is None:
            return
        with contextlib.suppress(OSError):
            self._paths.address_record.unlink()
        os.close(self._fd)
        self._fd = None

    def _sweep(self) -> None:
        limit = time.time() - _STALE_AFTER
        for path in self._paths.state.glob("daemon-*"):
            with contextlib.suppress(OSError):
                if path.suffix in {".lock", ".address"} and path.stat().st_mtime < limit:
                    path.unlink()


def is_free(paths: Paths) -> bool:
    """Whether no daemon holds the lock at this moment."""
    for path in (paths.daemon_lock, paths.state):
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a FIFO would block for ever
        except OSError:
            continue
        try:
            if not files.try_flock(fd, path, shared=True):
                return False
        except CredhelperError:  # a file system without locks: then nobody holds one
            pass
        finally:
            os.close(fd)
    return True
