from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

from credhelper import files
from credhelper.errors import CredhelperError, FileChanged
from tests.sandbox import PROJECT
from tests.support import Processes


def failing(number: int) -> Callable[..., NoReturn]:
    def fail(*_: Any, **__: Any) -> NoReturn:
        raise OSError(number, os.strerror(number))

    return fail


def test_read_bytes(home: Path) -> None:
    (home / "f").write_bytes(b"a\r\n\0")
    assert files.read_bytes(home / "f") == b"a\r\n\0"


def test_read_of_nothing_is_absence(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        files.read_bytes(home / "f")


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(files.MAX_FILE + 1)


def make_loop(path: Path) -> None:
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_fifo, "is not a regular file"),
        (Path.mkdir, "is not a regular file"),
        (make_huge, "larger than 16 MiB"),
        (make_loop, "cannot be read"),
        (lambda path: path.symlink_to("/dev/zero"), "is not a regular file"),
    ],
)
def test_read_of_what_is_no_file(home: Path, make: Callable[[Path], None], message: str) -> None:
    make(home / "f")
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - a count
    with pytest.raises(CredhelperError, match=message):
        files.read_bytes(home / "f")
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208 - a count


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_read_that_fails(home: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", failing(number))
        with pytest.raises(CredhelperError, match=os.strerror(number)):
            files.read_bytes(home / "f")


def test_replace_makes_a_private_file_and_folders(home: Path) -> None:
    files.replace(home / "a" / "b" / "f", b"x")
    assert (home / "a" / "b" / "f").read_bytes() == b"x"
    assert stat.S_IMODE((home / "a" / "b" / "f").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "a").stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "a" / "b").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o400, 0o755])
def test_replace_keeps_the_mode(home: Path, mode: int) -> None:
    path = home / "f"
    path.write_bytes(b"old")
    path.chmod(mode)
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_replace_keeps_links(home: Path) -> None:
    (home / "real").mkdir()
    target = home / "real" / "f"
    target.write_bytes(b"old")
    (home / "middle").symlink_to("real/f")
    (home / "f").symlink_to(home / "middle")
    files.replace(home / "f", b"new", expected=b"old")
    assert (home / "f").is_symlink()
    assert (home / "middle").is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(home / "real") == ["f"]  # noqa: PTH208 - names


def test_replace_fills_a_dangling_link(home: Path) -> None:
    (home / "f").symlink_to("real/f")
    files.replace(home / "f", b"new", expected=b"")
    assert (home / "f").is_symlink()
    assert (home / "real" / "f").read_bytes() == b"new"


def test_replace_is_a_new_file_under_the_old_name(home: Path) -> None:
    path = home / "f"
    path.write_bytes(b"old")
    with path.open("rb") as reader:
        files.replace(path, b"new and longer")
        assert reader.read() == b"old"


@pytest.mark.parametrize(("before", "expected"), [(b"theirs", b"ours"), (None, b"ours"), (b"theirs", b"")])
def test_concurrent_edit_is_noticed(home: Path, before: bytes | None, expected: bytes) -> None:
    path = home / "f"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(FileChanged, match="changed by another program"):
        files.replace(path, b"new", expected=expected)
    assert (path.read_bytes() if path.exists() else None) == before
    assert sorted(home.iterdir()) == ([] if before is None else [path])


def test_edit_during_our_own_writing_is_noticed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / "f"
    path.write_bytes(b"old")
    sync = os.fsync

    def edit_meanwhile(fd: int) -> None:
        sync(fd)
        path.write_bytes(b"theirs")

    monkeypatch.setattr(os, "fsync", edit_meanwhile)
    with pytest.raises(FileChanged):
        files.replace(path, b"new", expected=b"old")
    assert path.read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("os.fsync", errno.ENOSPC),
        ("os.fsync", errno.EIO),
        ("os.fchmod", errno.EPERM),
        ("pathlib.Path.replace", errno.EACCES),
        ("tempfile.mkstemp", errno.EROFS),
        ("tempfile.mkstemp", errno.EDQUOT),
    ],
)
def test_failed_write_leaves_everything_as_it_was(
    home: Path, function: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "f"
    path.write_bytes(b"old")
    with monkeypatch.context() as patch:
        patch.setattr(function, failing(number))
        with pytest.raises(CredhelperError, match=f"{os.strerror(number)}; it is as it was") as caught:
            files.replace(path, b"new")
    assert caught.value.remedy
    assert path.read_bytes() == b"old"
    assert list(home.iterdir()) == [path]


def test_replace_of_a_loop_is_an_expected_failure(home: Path) -> None:
    make_loop(home / "f")
    with pytest.raises(CredhelperError):
        files.replace(home / "f", b"new")
    assert (home / "f").is_symlink()


def test_replace_of_a_name_as_long_as_can_be(home: Path) -> None:
    path = home / ("漢" * 85)
    files.replace(path, b"new")
    assert path.read_bytes() == b"new"


def test_folder_under_a_file(home: Path) -> None:
    (home / "f").write_bytes(b"")
    with pytest.raises(CredhelperError, match="Not a directory"):
        files.make_private_folder(home / "f" / "g")
    with pytest.raises(CredhelperError, match="Not a directory"):
        files.make_private_folder(home / "f")


def test_existing_folder_is_left_alone(home: Path) -> None:
    (home / "d").mkdir(mode=0o755)
    files.make_private_folder(home / "d" / "e")
    assert stat.S_IMODE((home / "d").stat().st_mode) == 0o755


HOLDER = """
import pathlib, sys
from credhelper import files
with files.locked(pathlib.Path(sys.argv[1]), timeout=5, what="it"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_holds_between_processes(home: Path, processes: Processes) -> None:
    path = home / "locks" / "l"
    holder = processes.python(
        "-c", HOLDER, str(path), cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(CredhelperError, match="busy with the token"), files.locked(path, timeout=0, what="the token"):
        pytest.fail("two holders")
    holder.stdin.close()
    with files.locked(path, timeout=10, what="the token"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lock_is_freed_by_an_error_and_by_a_death(home: Path, processes: Processes) -> None:
    path = home / "l"
    with pytest.raises(ZeroDivisionError), files.locked(path, timeout=1, what="it"):
        raise ZeroDivisionError
    holder = processes.python(
        "-c", HOLDER, str(path), cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.kill()
    with files.locked(path, timeout=10, what="it"):
        pass


def test_file_system_without_locks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS without a lock daemon."""

    def fail(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with (
        pytest.raises(CredhelperError, match=r"cannot be locked: No locks available\. Its file system must support"),
        files.locked(home / "l", timeout=1, what="it"),
    ):
        pytest.fail("it cannot be locked")


def test_lock_that_cannot_be_made(home: Path) -> None:
    (home / "l").mkdir()
    with pytest.raises(CredhelperError, match="cannot be made"), files.locked(home / "l", timeout=1, what="it"):
        pytest.fail("a folder cannot be locked")


def test_a_device_is_never_replaced_by_a_file(tmp_path: Path) -> None:
    fifo, link = tmp_path / "fifo", tmp_path / "link"
    os.mkfifo(fifo)
    link.symlink_to(fifo)
    with pytest.raises(CredhelperError, match="not a regular file"):
        files.replace(link, b"data")
    assert fifo.is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "link"]


def test_lock_where_nothing_can_be_written(home: Path) -> None:
    """An existing lock file is locked as it is; where there is none, the folder that is given for that."""
    path, instead = home / "locks" / "l", home / "instead"
    instead.mkdir()
    refused = OSError(errno.EROFS, os.strerror(errno.EROFS))
    opened, real = [], os.open

    def refuse(name: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise refused
        opened.append(name)
        return real(name, flags, *mode)

    path.parent.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", refuse)
        with files.locked(path, timeout=1, what="it", instead=instead):
            assert opened == [path, instead]
            with (
                pytest.raises(CredhelperError, match="busy"),
                files.locked(path, timeout=0, what="it", instead=instead),
            ):
                pytest.fail("it is locked already")
        path.write_bytes(b"")
        opened.clear()
        with files.locked(path, timeout=1, what="it", instead=instead):
            assert opened == [path, instead]
        path.unlink()
        with (
            pytest.raises(CredhelperError, match="cannot be made: Read-only file system"),
            files.locked(path, timeout=1, what="it"),
        ):
            pytest.fail("there is nothing to lock")


def test_lock_of_one_who_could_make_no_file_holds_when_the_disk_recovers(home: Path) -> None:
    path, other, instead = home / "locks" / "l", home / "locks" / "other", home / "instead"
    instead.mkdir()
    path.parent.mkdir()
    real = os.open

    def refuse(name: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(name, flags, *mode)

    with contextlib.ExitStack() as first:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "open", refuse)
            first.enter_context(files.locked(path, timeout=1, what="it", instead=instead))
        with (
            pytest.raises(CredhelperError, match="busy"),
            files.locked(path, timeout=0, what="it", instead=instead),
        ):
            pytest.fail("it is locked already")
    with (
        files.locked(path, timeout=1, what="it", instead=instead),
        files.locked(other, timeout=0, what="another", instead=instead),
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(os, "open", refuse)
        with (
            pytest.raises(CredhelperError, match="busy"),
            files.locked(path.with_name("third"), timeout=0, what="it", instead=instead),
        ):
            pytest.fail("others are at work in that folder")


def test_a_folder_that_cannot_be_locked_is_not_needed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock

    def flock(fd: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    (home / "instead").mkdir()
    for instead in (home / "instead", home / "missing"):
        with files.locked(home / "l", timeout=0, what="it", instead=instead):
            pass
