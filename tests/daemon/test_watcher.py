from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from credhelper.daemon.watcher import Watcher
from tests.waiting import wait_until


class Bell:
    """Counts."""

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self) -> None:
        self.rings += 1

    def wait(self) -> None:
        wait_until(lambda: self.rings, what="an event")
        self.rings = 0


@pytest.fixture
def bell() -> Bell:
    return Bell()


@pytest.fixture
def watcher(bell: Bell) -> Iterator[Watcher]:
    before = threading.active_count()
    watcher = Watcher(bell)
    yield watcher
    watcher.close()
    wait_until(lambda: threading.active_count() <= before, what="the watcher's threads to end")


def test_a_folder(watcher: Watcher, bell: Bell, home: Path) -> None:
    folder = home / "cache"
    folder.mkdir()
    watcher.watch([folder], [])
    (folder / "new").write_text("x")
    bell.wait()
    (folder / "new").rename(folder / "renamed")
    bell.wait()
    (folder / "renamed").unlink()
    bell.wait()


def test_a_file_and_not_its_neighbours(watcher: Watcher, bell: Bell, home: Path) -> None:
    watcher.watch([], [home / "config"])
    (home / "other").write_text("x")
    (home / "folder").mkdir()
    (home / "temporary").write_text("x")
    (home / "temporary").rename(home / "config")
    bell.wait()
    seen = threading.Event()
    watcher.watch([home / "folder"], [home / "config"])
    (home / "other").write_text("y")
    (home / "folder" / "last").write_text("x")
    bell.wait()
    assert not seen.is_set()


def test_reading_is_no_change(watcher: Watcher, bell: Bell, home: Path) -> None:
    (home / "config").write_text("x")
    (home / "mark").mkdir()
    watcher.watch([home / "mark"], [home / "config"])
    for _ in range(10):
        (home / "config").read_text()
    (home / "mark" / "now").write_text("x")
    bell.wait()
    wait_until(lambda: not bell.rings or bell.rings < 10)
    assert bell.rings < 5  # of the mark; the ten readings made none


def test_what_does_not_exist_yet(watcher: Watcher, bell: Bell, home: Path) -> None:
    folder = home / "a" / "b"
    watcher.watch([folder], [])
    (home / "a").mkdir()
    bell.wait()
    watcher.watch([folder], [])
    folder.mkdir()
    bell.wait()
    watcher.watch([folder], [])
    (folder / "file").write_text("x")
    bell.wait()


def test_folder_that_is_made_anew(watcher: Watcher, bell: Bell, home: Path) -> None:
    folder = home / "cache"
    folder.mkdir()
    watcher.watch([folder], [])
    for _ in range(3):
        folder.rmdir()
        watcher.watch([folder], [])
        folder.mkdir()
        watcher.watch([folder], [])
        bell.rings = 0
        (folder / "file").write_text("x")
        bell.wait()
        (folder / "file").unlink()


def test_no_watches_left_is_said_once(
    watcher: Watcher, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify watch limit reached")

    with monkeypatch.context() as patch:
        patch.setattr(watcher._observer, "schedule", refuse)
        for _ in range(3):
            watcher.watch([home], [])
    assert caplog.text.count("cannot be watched") == 1
