"""Folders that are full, read-only or closed to us."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from credhelper.aws import draft
from tests.daemon.inside import Inside

_SIZE = 256 * 1024


class Disk:
    """Puts a small tmpfs in a folder's place, with the same content, and lets it go wrong."""

    def __init__(self) -> None:
        self._mounted: list[Path] = []

    @contextlib.contextmanager
    def full(self, folder: Path) -> Iterator[None]:
        """No byte and no file more can be written below the folder."""
        self._mount(folder)
        filler = folder / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 512)
        with contextlib.suppress(OSError):
            for number in range(10_000):
                (folder / f"filler-{number}").touch()
        yield
        for path in folder.glob("filler*"):
            path.unlink()

    @contextlib.contextmanager
    def read_only(self, folder: Path) -> Iterator[None]:
        """Nothing below the folder can be changed."""
        self._mount(folder)
        _mount("-o", "remount,ro", str(folder))
        yield
        _mount("-o", "remount,rw", str(folder))

    def _mount(self, folder: Path) -> None:
        if folder in self._mounted:
            return
        content = Path(tempfile.mkdtemp(dir=folder.parent, prefix="content-"))
        shutil.copytree(folder, content, dirs_exist_ok=True, symlinks=True)
        _mount("-t", "tmpfs", "-o", f"size={_SIZE},nr_inodes=64,mode=0700", "tmpfs", str(folder))
        self._mounted.append(folder)
        shutil.copytree(content, folder, dirs_exist_ok=True, symlinks=True)
        shutil.rmtree(content)

    def close(self) -> None:
        for folder in reversed(self._mounted):
            # Lazily: a watch may still hold it for a moment.
            subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True, timeout=10)


@functools.cache
def mounts_are_permitted() -> bool:
    """Whether this process may mount a tmpfs; a container's usually may not."""
    if sys.platform != "linux" or os.geteuid() != 0 or not (shutil.which("mount") and shutil.which("umount")):
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            _mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder)
            _mount("-o", "remount,ro", folder)
        except (subprocess.SubprocessError, OSError):
            return False
        finally:
            subprocess.run(["umount", "-l", folder], check=False, capture_output=True)
    return True


class Injected(Disk):
    """The same by an audit hook that refuses system calls of this process."""

    @contextlib.contextmanager
    def full(self, folder: Path) -> Iterator[None]:
        with _refused(folder, errno.ENOSPC, _makes_something):
            yield

    @contextlib.contextmanager
    def read_only(self, folder: Path) -> Iterator[None]:
        with _refused(folder, errno.EROFS, _changes_something):
            yield


class Halfway(Injected):
    """A disk on which there is no more room, or nothing may be written any more, from the middle of a file on. A file
    can still be made. The file system does not know how to keep room for one; where the content is not written by
    `os.write`, it is the disk's own last word (`fsync`) that is bad, as on NFS."""

    @contextlib.contextmanager
    def full(self, folder: Path) -> Iterator[None]:
        with _broken_off(folder, errno.ENOSPC):
            yield

    @contextlib.contextmanager
    def read_only(self, folder: Path) -> Iterator[None]:
        with _broken_off(folder, errno.EROFS):
            yield


@contextlib.contextmanager
def _broken_off(folder: Path, number: int) -> Iterator[None]:
    write, fsync = os.write, os.fsync

    def concerned(fd: int) -> bool:
        return _name_of(fd).startswith(f"{os.path.realpath(folder)}/")

    def half(fd: int, data: bytes) -> int:
        if not concerned(fd):
            return write(fd, data)
        # The kernel writes what has room; it is the next try for the rest that fails.
        if len(data) > 1 and os.fstat(fd).st_size == 0:
            return write(fd, data[: len(data) // 2])
        raise OSError(number, os.strerror(number))

    def refuse(fd: int) -> None:
        if concerned(fd):
            raise OSError(number, os.strerror(number))
        fsync(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", half)
        patch.setattr(os, "fsync", refuse)
        patch.setattr(draft, "_allocate", lambda *_: False)
        yield


def _name_of(fd: int) -> str:
    """The path of an open file."""
    if sys.platform == "darwin":
        return os.fsdecode(fcntl.fcntl(fd, fcntl.F_GETPATH, bytes(1024)).rstrip(b"\0"))
    return os.readlink(f"/proc/self/fd/{fd}")  # noqa: PTH115 - it may be no path


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_refusals: list[tuple[str, int, Callable[[str, tuple[Any, ...]], bool]]] = []


def _changes_something(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool(arguments[2] & _WRITING)
    return event in {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.utime", "os.truncate"}


def _makes_something(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        return bool(arguments[2] & os.O_CREAT) and not os.path.lexists(arguments[0])
    return event == "os.mkdir"


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _refusals or not (event == "open" or event.startswith("os.")) or not arguments:
        return
    path = arguments[0]
    if not isinstance(path, str | bytes):
        return
    for folder, number, concerned in _refusals:
        if os.fsdecode(path).startswith(folder) and concerned(event, arguments):
            raise OSError(number, os.strerror(number), path)


_hooked: list[bool] = []


@contextlib.contextmanager
def _refused(folder: Path, number: int, concerned: Callable[[str, tuple[Any, ...]], bool]) -> Iterator[None]:
    if not _hooked:  # a hook cannot be taken away again
        sys.addaudithook(_hook)
        _hooked.append(True)
    entry = (f"{folder}/", number, concerned)
    _refusals.append(entry)
    try:
        yield
    finally:
        _refusals.remove(entry)


@contextlib.contextmanager
def denied(folder: Path) -> Iterator[None]:
    """EACCES for the folder and all that is below it, also where the tests run as root."""
    mode = folder.stat().st_mode & 0o7777
    with _without_roots_rights():
        folder.chmod(0)
        try:
            yield
        finally:
            folder.chmod(mode)


@contextlib.asynccontextmanager
async def closed(inside: Inside, path: Path) -> AsyncIterator[None]:
    """The same, and the daemon's own threads are refused."""

    def refused() -> bool:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except PermissionError:
            return True
        return False

    with denied(path):
        assert await inside.app._tools.calls.aside(refused), "the daemon still has root's rights"
        yield


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@contextlib.contextmanager
def _without_roots_rights() -> Iterator[None]:
    """This thread, and those that it starts meanwhile, are bound by modes (capabilities(7))."""
    if sys.platform != "linux" or os.geteuid() != 0:
        yield
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header, data = _CapHeader(0x20080522, 0), (_CapData * 2)()
    if libc.capget(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capget")
    before = data[0].effective
    dac_override, dac_read_search = 1 << 1, 1 << 2
    data[0].effective = before & ~(dac_override | dac_read_search)
    if libc.capset(ctypes.byref(header), data):
        raise OSError(ctypes.get_errno(), "capset")
    try:
        yield
    finally:
        data[0].effective = before
        if libc.capset(ctypes.byref(header), data):
            raise OSError(ctypes.get_errno(), "capset")
