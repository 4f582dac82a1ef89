"""The verb `demo`."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from click.testing import CliRunner

from credhelper import demo
from credhelper.cli import main
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


def test_a_shell_for_a_person_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["demo", "--shell"])
    assert end.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "credhelper: `credhelper demo --shell` opens a shell, which needs a terminal",
        "  Run it in a terminal; `credhelper demo` alone needs none",
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--lifetime", "20"], "--lifetime goes with --shell."),
        (["--shell", "--lifetime", "5"], "5 is not in the range 6<=x<=3600."),
    ],
)
def test_a_lifetime_that_means_nothing(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(["demo", *arguments])
    assert end.value.code == 2
    assert complaint in capsys.readouterr().err


def test_what_the_shell_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(demo, "open_shell", lambda **options: asked.append(options))
    for arguments in (["--shell"], ["--shell", "--lifetime", "20", "--keep"]):
        assert CliRunner().invoke(command, arguments, standalone_mode=False).return_value == 0
    assert asked == [{"keep": False, "lifetime": None}, {"keep": True, "lifetime": 20}]


def test_a_part_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "credhelper.demo", None)
    result = CliRunner().invoke(command, [])
    assert isinstance(result.exception, CredhelperError)
    assert result.exception.remedy == "Install credhelper again"
