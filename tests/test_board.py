"""The board: its names, its lines, and who writes it in whatever place."""

from __future__ import annotations

import pytest

from credhelper import board
from credhelper.paths import Paths


def test_a_line_has_six_fields_of_harmless_characters() -> None:
    entry = board.Entry("my corp", "active", "soon", 1_800_000_000, 1_800_000_000)
    assert entry.line() == b"1 active 1800000000 soon 1800000000 my+20corp\n"
    assert board.Entry.parse(entry.line()) == entry


@pytest.mark.parametrize("name", ["plain", "with space", "$(touch x)", "'\"`", "ü", ".hidden", "a/b", "a\nb"])
def test_what_is_written_can_be_read(paths: Paths, name: str) -> None:
    entry = board.Entry(name, "active", "no", 4_000_000_000)
    file = board.session_file(name)
    assert board.Board(paths).write(board.Content({file: entry}, {"default": {name: file}}))
    assert board.entry_of_profile(paths, name, {}) == entry
    assert board.entry_of_session(paths, name) == entry
    assert board.profile_names(paths, {}) == [name]
    assert board.session_names(paths) == [name]
