from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import pytest

from credhelper.aws import draft
from credhelper.aws.draft import Draft, remove_abandoned
from credhelper.errors import CredhelperError
from tests.faults.disk import denied


@pytest.fixture
def path(home: Path) -> Path:
    path = home / "cache" / "0123.json"
    path.parent.mkdir()
    path.write_bytes(b"old")
    path.chmod(0o644)
    return path


def drafts(folder: Path) -> list[Path]:
    return list(folder.glob(".credhelper-*"))


@pytest.mark.parametrize("durable_first", [True, False])
@pytest.mark.parametrize("prepared", [True, False])
def test_a_draft_becomes_the_file(path: Path, *, durable_first: bool, prepared: bool) -> None:
    with path.open("rb") as reader, Draft(path) as made:
        if prepared:
            made.prepare()
            made.prepare()
            (only,) = drafts(path.parent)
            assert stat.S_IMODE(only.stat().st_mode) == 0o600
            assert only.read_bytes() == b""
        made.commit(b"new", durable_first=durable_first)
        assert reader.read() == b"old", "others see the old file whole"
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert drafts(path.parent) == []


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("size", [1, 5000])
def test_room_is_made_beforehand(path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool, size: int) -> None:
    if not known:
        monkeypatch.setattr(draft, "_allocate", lambda fd, size: False)
    with Draft(path) as made:
        made.prepare(3000)
        (only,) = drafts(path.parent)
        assert only.stat().st_blocks * 512 >= 3000
        made.commit(b"x" * size)
    assert path.read_bytes() == b"x" * size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="other OS: no /dev/full")
def test_no_room_is_known_beforehand(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draft, "_allocate", lambda fd, size: False)
    monkeypatch.setattr(tempfile, "mkstemp", lambda **_: (os.open("/dev/full", os.O_RDWR), "/nonexistent"))
    with Draft(path) as made, pytest.raises(CredhelperError, match=os.strerror(errno.ENOSPC)):
        made.prepare(3000)


def test_a_file_system_that_cannot_allocate() -> None:
    with open("/dev/null", "wb") as null:
        assert not draft._allocate(null.fileno(), 10)


def test_what_is_not_committed_leaves_nothing(path: Path) -> None:
    with Draft(path) as made:
        made.prepare()
    assert drafts(path.parent) == []
    assert path.read_bytes() == b"old"


def test_a_link_is_followed_and_kept(path: Path, home: Path) -> None:
    link = home / "link.json"
    link.symlink_to(path)
    with Draft(link) as made:
        made.prepare()
        assert len(drafts(path.parent)) == 1
        made.commit(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    with Draft(link) as killed:
        killed.prepare()
        remove_abandoned(link)
        assert drafts(path.parent) == []


def test_a_folder_that_was_made_anew_meanwhile(path: Path) -> None:
    with Draft(path) as made:
        made.prepare()
        shutil.rmtree(path.parent)
        made.commit(b"new")
    assert path.read_bytes() == b"new"
    assert drafts(path.parent) == []


@pytest.mark.parametrize("name", ["fsync", "write", "replace"])
def test_failure_leaves_the_file_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, Draft(path) as made:
        patch.setattr(os, name, full)
        with pytest.raises(CredhelperError, match=os.strerror(errno.ENOSPC)) as caught:
            made.commit(b"new")
        assert caught.value.remedy
    assert path.read_bytes() == b"old"
    assert drafts(path.parent) == []


def test_a_failing_disk_after_the_rename_is_no_failure(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> NoReturn:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with Draft(path) as made:
        made.commit(b"new", durable_first=False)
    assert path.read_bytes() == b"new"


def test_where_no_draft_can_be_made(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(tempfile, "mkstemp", refuse)
    with Draft(path) as made:
        with pytest.raises(CredhelperError, match=os.strerror(errno.EROFS)):
            made.prepare()
        with pytest.raises(CredhelperError, match=os.strerror(errno.EROFS)):
            made.commit(b"new")


def test_a_folder_that_only_a_login_makes(path: Path) -> None:
    with Draft(path, makes_folder=False) as made:
        made.prepare()
        shutil.rmtree(path.parent)
        made.fill(b"new")
        with pytest.raises(CredhelperError, match="cannot be written"):
            made.publish()
        with pytest.raises(CredhelperError, match="cannot be written"):
            made.prepare()
        with pytest.raises(CredhelperError, match="cannot be written"):
            made.commit(b"new")
    assert not path.parent.exists()


@pytest.mark.parametrize("durable", [True, False])
def test_nobody_sees_a_draft_before_it_is_published(path: Path, *, durable: bool) -> None:
    with Draft(path) as made:
        made.fill(b"new", durable=durable)
        assert path.read_bytes() == b"old"
        made.publish()
    assert path.read_bytes() == b"new"
    assert drafts(path.parent) == []


def test_a_file_that_we_may_not_read_is_replaced(path: Path) -> None:
    with denied(path):
        with pytest.raises(PermissionError):
            path.read_bytes()
        with Draft(path) as made:
            made.commit(b"new")
        assert path.read_bytes() == b"new"


def test_what_is_no_file_is_not_replaced(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)
    with Draft(path) as made, pytest.raises(CredhelperError, match="not a regular file"):
        made.prepare()
    assert drafts(path.parent) == []


def test_only_this_file_s_drafts_are_removed(path: Path) -> None:
    other = path.with_name("4567.json")
    with Draft(path) as ours, Draft(other) as theirs:
        ours.prepare()
        theirs.prepare()
        remove_abandoned(path)
        assert [found.name.split("-")[1] for found in drafts(path.parent)] == ["4567"]


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: no /proc")
def test_no_descriptor_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> NoReturn:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    before = len(list(Path("/proc/self/fd").iterdir()))
    with Draft(path) as made:
        made.prepare(100)
        made.commit(b"new")
    with monkeypatch.context() as patch, Draft(path) as made:
        patch.setattr(tempfile, "mkstemp", refuse)
        for _ in range(3):
            with contextlib.suppress(CredhelperError):
                made.prepare()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
