"""The table of rooms in docs/architecture.md names every room, and every module of the two largest."""

from __future__ import annotations

import re
from pathlib import Path

import credhelper
from tests.sandbox import PROJECT
from tests.test_house import LEVEL

_TEXT = (PROJECT / "docs/architecture.md").read_text(encoding="utf-8")
_ROWS = re.findall(
    r"^\| (`.+`) \| (.+) \|$", _TEXT.partition("## The rooms\n")[2].partition("\n## ")[0], re.MULTILINE
)


def names(text: str) -> set[str]:
    return {name.rstrip("/").removesuffix(".py") for name in re.findall(r"`([^`]+)`", text)}


def test_every_room_is_in_the_table() -> None:
    listed = set().union(*(names(room) for room, _ in _ROWS))
    assert listed == set(LEVEL) - {"__init__", "__main__"}


def test_every_module_of_aws_and_the_daemon_is_named() -> None:
    inside = {room.strip("`/"): names(held) for room, held in _ROWS}
    for room in ("aws", "daemon"):
        here = (Path(credhelper.__file__).parent / room).iterdir()
        modules = {path.stem for path in here if path.is_dir() or path.suffix == ".py"} - {"__init__", "__pycache__"}
        assert modules <= inside[room], room
