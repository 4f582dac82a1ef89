"""The order of the picker."""

from __future__ import annotations

import pytest

from credhelper.cli.recent import note, recent
from credhelper.paths import Paths


def test_the_latest_first_and_each_once(paths: Paths) -> None:
    assert recent(paths) == []
    for name in ("one", "two words", "$(three)\n", "one", "one"):
        note(paths, name)
    assert recent(paths) == ["one", "$(three)\n", "two words"]


def test_no_more_than_a_person_remembers(paths: Paths) -> None:
    for number in range(60):
        note(paths, f"profile-{number}")
    assert recent(paths) == [f"profile-{number}" for number in range(59, 9, -1)]


def test_nothing_is_written_where_nothing_changes(paths: Paths) -> None:
    note(paths, "one")
    before = (paths.state / "recent").stat()
    note(paths, "one")
    assert (paths.state / "recent").stat().st_ino == before.st_ino


@pytest.mark.parametrize("garbage", [b"", b"\xff", b"not encoded: $(x)\n", b"one\0\n", b"\n\n"])
def test_garbage(paths: Paths, garbage: bytes) -> None:
    paths.state.mkdir(parents=True)
    (paths.state / "recent").write_bytes(garbage)
    assert recent(paths) == []
    note(paths, "one")
    assert recent(paths) == ["one"]


def test_what_cannot_be_written(paths: Paths) -> None:
    (paths.state / "recent").mkdir(parents=True)
    note(paths, "one")
    assert recent(paths) == []
