from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
from pathlib import Path

import pytest

from credhelper.daemon import singleton
from credhelper.daemon.singleton import Hold, Singleton
from credhelper.errors import CredhelperError
from credhelper.paths import Paths
from tests.support import Processes

HOLD = """
import sys
from pathlib import Path
from credhelper.daemon.singleton import Hold, Singleton
from credhelper.paths import Paths
assert Singleton(Paths(Path(sys.argv[1]))).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_one_at_a_time(paths: Paths) -> None:
    assert singleton.is_free(paths)
    first, second = Singleton(paths), Singleton(paths)
    assert first.acquire()
    assert not singleton.is_free(paths)
    assert not second.acquire()
    first.publish("/run/x/agent.sock")
    assert paths.address_record.read_bytes() == b"/run/x/agent.sock\n"
    first.touch()
    first.release()
    assert singleton.is_free(paths)
    assert not paths.address_record.exists()
    assert second.acquire()
    second.release()
    second.release()


def test_files_are_private(paths: Paths) -> None:
    lock = Singleton(paths)
    before = os.umask(0)
    try:
        assert lock.acquire()
        lock.publish("/x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o700
    for path in (paths.daemon_lock, paths.address_record):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    lock.release()


def test_lock_ends_with_its_process(paths: Paths, processes: Processes) -> None:
    holder = processes.python("-c", HOLD, str(paths.home), stdin=-1, stdout=-1, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    lock = Singleton(paths)
    assert not lock.acquire()
    holder.kill()
    holder.wait()
    assert lock.acquire()
    lock.release()


def test_who_never_had_the_lock_takes_no_address_away(paths: Paths) -> None:
    first, second = Singleton(paths), Singleton(paths)
    assert first.acquire()
    first.publish("/x")
    assert not second.acquire()
    second.release()
    second.touch()
    assert paths.address_record.exists()
    first.release()


def test_hosts_that_were_long_not_seen_are_swept_away(paths: Paths) -> None:
    paths.state.mkdir(parents=True)
    old = [paths.state / "daemon-old.lock", paths.state / "daemon-old.address"]
    kept = [paths.state / "daemon-new.lock", paths.state / "daemon.log", paths.state / "daemon-old.other"]
    for path in (*old, *kept):
        path.touch()
        os.utime(path, (0, 0))
    os.utime(kept[0])
    lock = Singleton(paths)
    assert lock.acquire()
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in kept)
    lock.release()


def test_state_folder_that_cannot_be_used(paths: Paths) -> None:
    paths.state.parent.mkdir(parents=True)
    paths.state.write_text("a file")
    with pytest.raises(CredhelperError, match="cannot be made"):
        Singleton(paths).acquire()
    assert singleton.is_free(paths)
    paths.state.unlink()
    paths.daemon_lock.mkdir(parents=True)
    with pytest.raises(CredhelperError, match="cannot be made"):
        Singleton(paths).acquire()


def test_file_system_without_locks(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS without a lock daemon."""

    def fail(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(CredhelperError, match=r"cannot be locked: No locks available\. Its file system must support"):
        Singleton(paths).acquire()
    assert paths.daemon_lock.exists()
    assert singleton.is_free(paths)


def test_lock_whose_file_was_removed_is_held_again(paths: Paths) -> None:
    lock, other = Singleton(paths), Singleton(paths)
    assert lock.hold() is Hold.KEPT
    assert lock.acquire()
    assert lock.hold() is Hold.KEPT
    for remove in (
        paths.daemon_lock.unlink,
        lambda: shutil.rmtree(paths.state),
        lambda: paths.state.rename(paths.home / "away"),
    ):
        remove()
        assert lock.hold() is Hold.REGAINED
        assert lock.hold() is Hold.KEPT
        assert not other.acquire()
    lock.release()
    assert singleton.is_free(paths)


@pytest.mark.parametrize("there", [True, False])
def test_where_no_lock_file_can_be_made(paths: Paths, monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    """A file that is there is locked as it is, else the folder, until the disk has recovered."""
    paths.state.mkdir(parents=True)
    if there:
        paths.daemon_lock.touch()
    real = os.open

    def refuse(name: Path, flags: int, *mode: int) -> int:
        if flags & (os.O_CREAT | os.O_RDWR):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(name, flags, *mode)

    first, second = Singleton(paths), Singleton(paths)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert first.acquire()
        assert not singleton.is_free(paths)
        assert not second.acquire()
        assert [first.hold() for _ in range(3)] == [Hold.KEPT] * 3
    assert [first.hold() for _ in range(3)] == [Hold.KEPT] * 3
    assert paths.daemon_lock.exists()
    assert not second.acquire()
    first.release()
    assert singleton.is_free(paths)
    assert second.acquire()
    second.release()


def test_who_came_up_first_when_the_disk_recovered_has_the_lock(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths.state.mkdir(parents=True)
    real = os.open

    def refuse(name: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(name, flags, *mode)

    first, second = Singleton(paths), Singleton(paths)
    with monkeypatch.context() as patch:
        patch.setattr(os, "open", refuse)
        assert first.acquire()
    assert second.acquire()
    assert first.hold() is Hold.LOST
    second.release()
    assert singleton.is_free(paths)


def test_lock_that_another_took_is_left_to_it(paths: Paths) -> None:
    lock, other = Singleton(paths), Singleton(paths)
    assert lock.acquire()
    paths.daemon_lock.unlink()
    assert other.acquire()
    other.publish("/theirs")
    assert lock.hold() is Hold.LOST
    lock.release()
    assert paths.address_record.read_text() == "/theirs\n"
    assert not singleton.is_free(paths)
    other.release()


@pytest.mark.parametrize("fallback", [True, False])
def test_who_only_asks_is_not_taken_for_another_daemon(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, *, fallback: bool
) -> None:
    """A probe has the lock in the moment in which a daemon takes it anew."""
    paths.state.mkdir(parents=True)
    real = os.open

    def refuse(name: Path, flags: int, *mode: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(name, flags, *mode)

    lock = Singleton(paths)
    with monkeypatch.context() as patch:
        if fallback:
            patch.setattr(os, "open", refuse)
        assert lock.acquire()
    if not fallback:
        paths.daemon_lock.unlink()
    paths.daemon_lock.touch()
    probe = paths.daemon_lock.open("rb")
    fcntl.flock(probe, fcntl.LOCK_SH)
    monkeypatch.setattr("time.sleep", lambda _: probe.close())
    assert lock.hold() is (Hold.KEPT if fallback else Hold.REGAINED)
    assert probe.closed
    assert not Singleton(paths).acquire()
    lock.release()
