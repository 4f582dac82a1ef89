"""Reading and replacing files so that nobody ever sees half of one and no concurrent edit is lost."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from credhelper.errors import CredhelperError, FileChanged

# More than any config or token file that a person could have; a file beyond it is not read into memory.
MAX_FILE = 16 * 1024 * 1024
# The remedy where `flock` itself fails, as on NFS without a lock daemon (ENOLCK).
NO_LOCKS = "Its file system must support locks: mount it with them, or use a home folder on a local disk"
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
# How the names of our temporary files begin.
TEMPORARY = ".credhelper-"


def read_bytes(path: Path) -> bytes:
    """Read a regular file of at most 16 MiB.

    Raises FileNotFoundError where there is none, and CredhelperError for whatever else stands in the way: a
    folder, a FIFO (opening one would block for ever), no permission, too large.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CredhelperError(f"{path} cannot be read: {error.strerror}", "Check its owner and mode") from error
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode):
            raise CredhelperError(f"{path} is not a regular file", "Move it away")
        if status.st_size > MAX_FILE:
            raise CredhelperError(f"{path} is larger than 16 MiB", "Move it away")
        with open(fd, "rb", closefd=False) as file:
            return file.read(MAX_FILE)
    except OSError as error:
        raise CredhelperError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)


def is_folder(path: Path) -> bool:
    """Whether there is a folder at `path`, as far as we may see."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_unwritable(error: BaseException | None) -> bool:
    """Whether this says, or comes of, that a file system is full, read-only, or closed to us."""
    cause = error.__cause__ if isinstance(error, CredhelperError) else error
    return isinstance(cause, OSError) and cause.errno in _UNWRITABLE


def make_private_folder(path: Path) -> None:
    """`mkdir -p`; what is new gets mode 0700. Raises CredhelperError."""
    try:
        missing = []
        at = path
        while not at.exists():
            missing.append(at)
            at = at.parent
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    except OSError as error:
        raise CredhelperError(
            f"the folder {path} cannot be made: {error.strerror}", "Check its owner, mode and disk space"
        ) from error


def replace(path: Path, data: bytes, *, expected: bytes | None = None, new_mode: int = 0o600) -> None:
    """Replace the file at `path` by `data`, atomically.

    A symbolic link is followed and kept; an existing file keeps its mode and, where we may, its group. The data is
    on disk before the name points to it. With `expected`, the file must still hold these bytes just before the
    replacement (`b""` also where it does not exist).

    Raises FileChanged where it does not, CredhelperError where the file cannot be written; the old file is then
    untouched.
    """
    import tempfile  # noqa: PLC0415 - spares those that only read, as completion does, its imports

    target = Path(os.path.realpath(path))
    make_private_folder(target.parent)
    temporary = None
    try:
        mode, group = new_mode, None
        with contextlib.suppress(FileNotFoundError):
            status = target.stat()
            if not stat.S_ISREG(status.st_mode):  # a device, a FIFO, a folder: never to be replaced by a file
                raise CredhelperError(f"{path} is not a regular file; it is as it was", "Move it away")
            mode, group = stat.S_IMODE(status.st_mode), status.st_gid
        fd, name = tempfile.mkstemp(prefix=TEMPORARY, dir=target.parent)
        temporary = Path(name)
        with open(fd, "wb") as file:
            if group is not None and group != os.fstat(fd).st_gid:
                with contextlib.suppress(PermissionError):
                    os.fchown(fd, -1, group)
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        if expected is not None and _bytes_or_nothing(target) != expected:
            raise FileChanged(f"{path} was changed by another program just now", "Run the same command again")
        temporary.replace(target)
        temporary = None
    except OSError as error:
        raise CredhelperError(
            f"{path} cannot be written: {error.strerror}; it is as it was",
            "Check its folder's owner, mode and disk space",
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _bytes_or_nothing(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""


@contextlib.contextmanager
def locked(path: Path, *, timeout: float, what: str, instead: Path | None = None) -> Iterator[None]:
    """Hold an exclusive lock between processes of this machine.

    Args:
        path: the lock file, made (0600) where it is not there and never removed.
        timeout: seconds to wait for another holder.
        what: named in the error, as in "the token of s".
        instead: as for `open_lock`.

    Raises CredhelperError at the timeout or where the lock file cannot be made or locked.
    """
    busy = CredhelperError(f"another process has been busy with {what} for {timeout:.0f} s", "Try again")
    deadline = time.monotonic() + timeout
    with contextlib.ExitStack() as opened:
        fd = open_lock(path, instead)
        opened.callback(os.close, fd)
        flock_within(fd, path, timeout, busy)
        if instead is not None and not stat.S_ISDIR(os.fstat(fd).st_mode):
            # Also the folder's, shared by all who have their file: one who found that none can be made has it alone.
            try:
                folder = os.open(instead, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                opened.callback(os.close, folder)
                flock_within(folder, instead, deadline - time.monotonic(), busy, shared=True)
            except (OSError, CredhelperError) as error:  # no folder, or one that cannot be locked: then nobody does
                if error is busy:
                    raise
        yield


def open_lock(path: Path, instead: Path | None = None) -> int:
    """A descriptor of the lock file `path`, which is made (0600) where it is not there.

    Args:
        instead: a folder to lock in its place where the file cannot be made. Is it there, every holder of the file
            takes its lock too (shared), for the disk may recover meanwhile.

    Raises CredhelperError.
    """
    try:
        make_private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (CredhelperError, OSError) as error:
        if is_unwritable(error):
            # What is there can still be locked.
            for other, flags in ((path, 0), (instead, os.O_DIRECTORY)):
                if other is not None:
                    with contextlib.suppress(OSError):
                        return os.open(other, os.O_RDONLY | os.O_CLOEXEC | flags)
        if isinstance(error, CredhelperError):
            raise
        raise CredhelperError(
            f"the lock {path} cannot be made: {error.strerror}", "Check its folder's owner, mode and disk space"
        ) from error


def flock(fd: int, path: Path, how: int = fcntl.LOCK_EX) -> None:
    """Lock the open file or folder `fd`, of the name `path`, however long that takes.

    Raises CredhelperError where its file system knows no locks, BlockingIOError where `how` says not to wait.
    """
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        raise
    except OSError as error:
        raise CredhelperError(f"{path} cannot be locked: {error.strerror}", NO_LOCKS) from error


def try_flock(fd: int, path: Path, *, shared: bool = False) -> bool:
    """The same without waiting; False where another holder keeps it."""
    try:
        flock(fd, path, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def flock_within(fd: int, path: Path, timeout: float, busy: CredhelperError, *, shared: bool = False) -> None:
    """Lock the open file or folder `fd`, of the name `path`, within `timeout` seconds.

    Raises `busy` where another holder keeps it, CredhelperError where its file system knows no locks.
    """
    deadline = time.monotonic() + timeout
    pause = 0.005
    while not try_flock(fd, path, shared=shared):
        if time.monotonic() > deadline:
            raise busy
        time.sleep(pause)
        pause = min(pause * 2, 0.1)
