"""Which calls count as what."""

from __future__ import annotations

from typing import Any

import pytest

from credhelper.demo.board import Board, Lane
from credhelper.demo.observer import Observer, short
from credhelper.demo.schedule import Schedule
from credhelper.demo.world import World

NEEDED = "credhelper: session client: AWS has ended the session. Run: credhelper login client"
STALE = "Credentials were refreshed, but the refreshed credentials are still expired."


def took(*lines: dict[str, Any], ended: float | None = None, mended: float | None = None) -> Board:
    """The board after these lines of the program of a session that was over from `ended` to `mended`."""
    board = Board({"p": Lane("p", "client", ended_at=ended, mended_at=mended)})
    with World(Schedule()) as world:
        observer = Observer(world, board)
        for line in lines:
            observer.take("p", line)
        observer.look()
    return board


def call(number: int, at: float, message: str | None = None) -> dict[str, Any]:
    line: dict[str, Any] = {"n": number, "at": at, "took": 0.1, "ok": message is None}
    return {**line, "arn": "arn:aws:sts::1:assumed-role/R/u"} if message is None else {
        **line, "error": "E", "message": message
    }  # fmt: skip


@pytest.mark.parametrize(
    ("ended", "mended", "message", "expected"),
    [
        (None, None, NEEDED, False),
        (90.0, None, NEEDED, True),
        (90.0, None, STALE, True),
        (90.0, None, "AccessDenied", False),
        (110.0, None, NEEDED, False),
        (90.0, 95.0, NEEDED, False),
        (90.0, 105.0, NEEDED, True),
        # A login before the end mends nothing.
        (90.0, 50.0, NEEDED, True),
    ],
)
def test_failures(ended: float | None, mended: float | None, message: str, expected: bool) -> None:
    board = took(call(1, 100.0, message), ended=ended, mended=mended)
    assert (board.expected, board.unexpected) == ((1, 0) if expected else (0, 1))
    assert bool(board.problems) is not expected


def test_a_lost_call_and_a_gap() -> None:
    board = took(call(1, 100.0), call(3, 109.0))
    assert board.problems == ["a call of p was lost"]
    assert board.lanes["p"].longest_gap == 9.0


def test_a_program_that_ends_by_itself() -> None:
    board = Board({"p": Lane("p", "client")})
    with World(Schedule()) as world:
        observer = Observer(world, board)
        observer.take("p", None)
        observer.look()
    assert board.problems == ["the program of p has ended by itself"]


def test_short_names() -> None:
    assert short("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Read_Only_0123/u") == "111122223333 Read_Only"
    assert short("arn:aws:sts::111122223333:assumed-role/plain/u") == "111122223333 plain"
