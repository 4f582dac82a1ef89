"""The verb `demo`."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import CliRunner

from credhelper import demo
from credhelper.cli.demo import command
from credhelper.demo.board import Board
from credhelper.errors import CredhelperError


@pytest.mark.parametrize(("problems", "code"), [([], 0), (["a call failed"], 1)])
def test_exit_code(problems: list[str], code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def play(*, keep: bool) -> Board:
        asked.append(keep)
        return Board({}, problems=problems)

    monkeypatch.setattr(demo, "play", play)
    assert CliRunner().invoke(command, ["--keep"], standalone_mode=False).return_value == code
    assert asked == [True]


def test_a_part_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "credhelper.demo", None)
    result = CliRunner().invoke(command, [])
    assert isinstance(result.exception, CredhelperError)
    assert result.exception.remedy == "Install credhelper again"
