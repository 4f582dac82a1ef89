"""A folder that is ours alone, worked on by its descriptor: no name on the way to it is looked up twice.

For files that can be written anew at any time: what is in them reaches the disk when the system likes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Container, Iterator
from pathlib import Path

from credhelper.errors import CredhelperError

# How the names of files and links in the making begin; nothing else may have such a name.
NEW = "~new-"
# An older one was left by a writer that was killed.
_MADE_WITHIN = 60.0
_TRIES = 10


@contextlib.contextmanager
def private_folder(parent: int, path: Path) -> Iterator[int]:
    """The folder `path`, which lies in the folder of the descriptor `parent`; made (0700) where it is not there.

    Raises CredhelperError for a link, another user's folder, or something else of that name, and OSError.
    """
    try:
        fd = _open_or_make(path.name, parent)
    except OSError as error:
        if error.errno in {errno.ENOTDIR, errno.ELOOP}:
            raise CredhelperError(f"{path} is a link or no folder", "Move it away") from error
        raise
    try:
        status = os.fstat(fd)
        if status.st_uid != os.geteuid():
            raise CredhelperError(f"{path} belongs to another user", "Move it away")
        if stat.S_IMODE(status.st_mode) != 0o700:
            os.fchmod(fd, 0o700)
        yield fd
    finally:
        os.close(fd)


@contextlib.contextmanager
def inner_folder(parent: int, name: str) -> Iterator[int]:
    """A folder in one that is private; what else stands in its place is removed. Raises OSError."""
    try:
        fd = _open_or_make(name, parent)
    except OSError as error:
        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
            raise
        os.unlink(name, dir_fd=parent)
        fd = _open_or_make(name, parent)
    try:
        yield fd
    finally:
        os.close(fd)


def _open_or_make(name: str, parent: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=parent)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.mkdir(name, 0o700, dir_fd=parent)
        return os.open(name, flags, dir_fd=parent)


def put_file(at: int, name: str, data: bytes, date: int | None = None) -> None:
    """Put a file (0600) into the folder `at` in one step, with the date `date` (seconds since the epoch).

    Raises OSError; what was there is then as it was.
    """

    def make(new: str) -> None:
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=at)
        with open(fd, "wb") as file:
            file.write(data)
            file.flush()
            if date is not None:
                with contextlib.suppress(OSError, OverflowError):  # a file system that has no such dates
                    os.utime(fd, (date, date))

    _put(at, name, make)


def put_link(at: int, name: str, target: str) -> bool:
    """Let `name` in the folder `at` be a link to `target`; whether it was not yet. Raises OSError."""
    try:
        if os.readlink(name, dir_fd=at) == target:
            return False
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):
            os.symlink(target, name, dir_fd=at)
            return True
    except OSError as error:
        if error.errno != errno.EINVAL:  # not a link
            raise
    _put(at, name, lambda new: os.symlink(target, new, dir_fd=at))
    return True


def _put(at: int, name: str, make: Callable[[str], None]) -> None:
    """Let `make` put something under a name that is given to nothing else, then move it to `name` in one step."""
    for more_tries in reversed(range(_TRIES)):
        new = f"{NEW}{os.getpid()}-{os.urandom(6).hex()}"  # in each container of one home the process may be the same
        try:
            make(new)
            _rename(at, new, name)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(new, dir_fd=at)
            # Another host's daemon may have swept it away.
            if not (more_tries and isinstance(error, FileNotFoundError)):
                raise
        else:
            return


def _rename(at: int, new: str, name: str) -> None:
    try:
        os.rename(new, name, src_dir_fd=at, dst_dir_fd=at)
    except IsADirectoryError:
        _remove_folder(at, name)
        os.rename(new, name, src_dir_fd=at, dst_dir_fd=at)


def sweep(at: int, wanted: Container[str], *, only_new: bool = False) -> bool:
    """Remove from the folder `at` what is not wanted; whether there was anything. Raises OSError.

    A folder that holds folders stays: none of ours does.

    Args:
        only_new: only what another process was killed in the making of.
    """
    with os.scandir(at) as entries:
        unwanted = [entry for entry in entries if entry.name not in wanted]
        names = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in unwanted]
    changed = False
    for name, is_folder in names:
        if only_new and not _is_left_over(at, name):
            continue
        try:
            if is_folder:
                _remove_folder(at, name)
            else:
                os.unlink(name, dir_fd=at)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT}:
                raise
        else:
            changed = True
    return changed


def _remove_folder(at: int, name: str) -> None:
    """Remove a folder with the files and links in it. Raises OSError where it holds folders: none of ours does."""
    with inner_folder(at, name) as inner:
        with os.scandir(inner) as entries:
            found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        if not any(is_folder for _, is_folder in found):
            for inside, _ in found:
                os.unlink(inside, dir_fd=inner)
    os.rmdir(name, dir_fd=at)


def _is_left_over(at: int, name: str) -> bool:
    with contextlib.suppress(OSError):
        if not name.startswith(NEW):
            return False
        age = time.time() - os.stat(name, dir_fd=at, follow_symlinks=False).st_ctime
        return not 0 <= age < _MADE_WITHIN
    return False


def signature(at: int, name: str | None = None) -> tuple[int, ...] | None:
    """What changes when a file (or, without a name, the folder itself) does; None for what is not there."""
    try:
        status = os.fstat(at) if name is None else os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
