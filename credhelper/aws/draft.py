"""A token file that is about to be replaced: everything but the content is made ready beforehand.

With refresh-token rotation the server's reply is the only copy of what keeps the session alive, until it is in the
file. So the temporary file is there, open, in the right folder and with the right mode, before the request goes out;
what follows the reply is one write and one rename.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from credhelper import files
from credhelper.errors import CredhelperError


class Draft:
    """The next content of the file `path`, which others see whole or not at all. Mode 0600; a link is followed.

    The caller holds the lock of the token; so whoever holds it later knows that a draft that is still there was left
    by a process that was killed (`remove_abandoned`). Use as a context manager: what was not committed is removed.
    """

    def __init__(self, path: Path, *, makes_folder: bool = True) -> None:
        """`makes_folder`: whether a folder that is missing is made; where it was removed, not all may be written."""
        self._path = path
        self._makes_folder = makes_folder
        self._target = path
        self._fd: int | None = None
        self._temporary: str | None = None
        self._replaced: int | None = None
        self._durable = False

    def prepare(self, size: int = 0) -> None:
        """Make the temporary file, with room for `size` bytes. Harmless when repeated.

        Raises CredhelperError; where there is no such room, what is there may still be committed.
        """
        if self._fd is not None:
            return
        self.discard()  # what a try before this one has opened
        self._target = Path(os.path.realpath(self._path))
        if self._makes_folder:
            files.make_private_folder(self._target.parent)
        try:
            with contextlib.suppress(FileNotFoundError):
                if not stat.S_ISREG(self._target.stat().st_mode):  # never replace a device, a FIFO, a folder
                    raise CredhelperError(f"{self._path} is not a regular file; it is as it was", "Move it away")
                # Held open: a rename over a file that nobody has open frees its blocks first. One that we may not
                # read can be replaced all the same. O_NONBLOCK: a FIFO would be waited at.
                with contextlib.suppress(PermissionError):
                    self._replaced = os.open(self._target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            self._fd, self._temporary = tempfile.mkstemp(prefix=_prefix(self._path), dir=self._target.parent)
            _make_room(self._fd, size)
        except OSError as error:
            raise self._unwritable(error) from error

    def commit(self, data: bytes, *, durable_first: bool = True) -> None:
        """Put `data` into the file.

        Args:
            durable_first: the data is on the disk before the name points to it, so that not even a power failure
                leaves anything but the old content or the new. Where the old content is worth nothing any more the
                name comes first, because each moment before that is one in which a kill loses the data; the disk
                follows at once.

        Raises CredhelperError; the file is then as it was.
        """
        try:
            try:
                self._fill(data, durable_first)
                self._publish()
            except FileNotFoundError:
                if not self._makes_folder:
                    raise
                # The folder has gone since `prepare`, and the temporary file with it; or it was swept away.
                self.discard()
                self._fill(data, durable_first)
                self._publish()
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            self.discard()

    def fill(self, data: bytes, *, durable: bool = True) -> None:
        """Put `data` into the draft, which takes its time; `publish` then makes the draft the file.

        Args:
            durable: the data is on the disk before this returns, else after `publish`.

        Raises CredhelperError.
        """
        try:
            self._fill(data, durable)
        except OSError as error:
            raise self._unwritable(error) from error

    def publish(self) -> None:
        """Make the filled draft the file: one rename. Its folder is never made anew.

        Raises CredhelperError; the file is then as it was.
        """
        try:
            self._publish()
        except OSError as error:
            raise self._unwritable(error) from error
        finally:
            self.discard()

    def _fill(self, data: bytes, durable: bool) -> None:
        if self._fd is None:
            self.prepare()
        if self._fd is None:
            raise AssertionError("a prepared draft has a file")
        _write(self._fd, data)
        if durable:
            os.fsync(self._fd)
        self._durable = durable

    def _publish(self) -> None:
        fd, temporary = self._fd, self._temporary
        if fd is None or temporary is None:
            raise AssertionError("a filled draft has a file")
        os.replace(temporary, self._target)  # noqa: PTH105 - a Path would cost as much as the system call
        self._temporary = None
        if not self._durable:
            with contextlib.suppress(OSError):  # it is in the file; what remains is a power failure just now
                os.fsync(fd)
                _sync_folder(self._target.parent)

    def discard(self) -> None:
        """Take the temporary file away, if it is not the file by now."""
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                Path(self._temporary).unlink()
            self._temporary = None
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
        if self._replaced is not None:
            os.close(self._replaced)
            self._replaced = None

    def is_at(self, path: Path) -> bool:
        """Whether `path` is the temporary file."""
        return self._temporary is not None and Path(self._temporary) == path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _unwritable(self, error: OSError) -> CredhelperError:
        return CredhelperError(
            f"{self._path} cannot be written: {error.strerror}; it is as it was",
            "Check its folder's owner, mode and disk space",
        )


def remove_abandoned(path: Path, *, but: Draft | None = None) -> None:
    """Remove the drafts of the file `path`; only for who holds its lock: then nobody is at work on one.

    `but`: a draft that was made before the lock was had. Another's sweep may have removed it: it is made anew then.
    """
    for folder in {path.parent, Path(os.path.realpath(path)).parent}:
        with contextlib.suppress(OSError):
            for draft in folder.glob(_prefix(path) + "*"):
                if but is not None and but.is_at(draft):
                    continue
                with contextlib.suppress(OSError):
                    status = draft.lstat()
                    if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                        draft.unlink()


def _make_room(fd: int, size: int) -> None:
    """Take disk space for `size` bytes. Raises OSError where there is none.

    Where the kernel can, the file stays empty: cutting off afterwards what was too much would free a block, which
    takes milliseconds on some disks. Blocks that are there also spare ext4 the search for them, which it would make
    just before the rename.
    """
    if size and not _allocate(fd, size):
        _write(fd, bytes(size))


def _allocate(fd: int, size: int) -> bool:
    """`fallocate(2)` with FALLOC_FL_KEEP_SIZE; False where kernel or file system know none. Raises OSError."""
    if sys.platform != "linux" or sys.maxsize < 1 << 32:
        return False
    keep_size = 1
    try:
        import ctypes  # noqa: PLC0415 - Linux only, and not in every Python

        fallocate = ctypes.CDLL(None, use_errno=True).fallocate
    except (ImportError, OSError, AttributeError, MemoryError):  # the last where no memory may be made executable
        return False
    fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    if fallocate(fd, keep_size, 0, size) == 0:
        return True
    number = ctypes.get_errno()
    if number in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG}:
        raise OSError(number, os.strerror(number))
    return False


def _write(fd: int, data: bytes) -> None:
    """Make `data` the whole content."""
    os.lseek(fd, 0, os.SEEK_SET)
    written = 0
    while written < len(data):
        written += os.write(fd, data[written:])
    if os.fstat(fd).st_size > written:
        os.ftruncate(fd, written)


def _prefix(path: Path) -> str:
    return f"{files.TEMPORARY}{path.stem}-"


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
