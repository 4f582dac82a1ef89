"""The table of plain columns, on terminals of any width."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from credhelper.cli.columns import Columns

TITLES = ("profile", "account", "empty", "name", "role")
ROWS = [
    ("corp-dev.Admin", "100000000001", "-", "Corp Dev", "AWSAdministratorAccess"),
    ("日本-prod", "100000000002", "", "日本 of a long name that goes on and on", "Read\x1b[31mOnly"),
]


def shown(width: int | None, *, encoding: str = "utf-8") -> list[str]:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    console = Console(file=stream, width=width or 20, legacy_windows=False)
    console.print(Columns(TITLES, ROWS, ("name", "role"), whole=width is None), soft_wrap=width is None)
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue().decode(encoding).splitlines()


def test_whole() -> None:
    assert shown(None) == [
        "profile         account       name                                     role",
        "─" * 93,
        "corp-dev.Admin  100000000001  Corp Dev                                 AWSAdministratorAccess",
        "日本-prod       100000000002  日本 of a long name that goes on and on  Read\\x1b[31mOnly",
    ]


def test_shortened_then_left_out() -> None:
    assert shown(72)[2:] == [
        "corp-dev.Admin  100000000001  Corp Dev              AWSAdministratorAcc…",
        "日本-prod       100000000002  日本 of a long name…  Read\\x1b[31mOnly",
    ]
    assert shown(48)[2:] == [
        "corp-dev.Admin  100000000001  AWSAdministratorA…",
        "日本-prod       100000000002  Read\\x1b[31mOnly",
    ]
    assert shown(30)[2:] == ["corp-dev.Admin  100000000001", "日本-prod       100000000002"]


@pytest.mark.parametrize("width", range(1, 110))
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    lines = shown(width)
    assert len(lines) == 4
    assert max(map(cell_len, lines)) <= width


def test_a_terminal_without_such_signs() -> None:
    lines = shown(48, encoding="ascii")
    assert lines[1].startswith("----")
    assert lines[3].startswith("\\u65e5")
