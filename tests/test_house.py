"""The house's order: a file imports only from rooms that stand below its own."""

from __future__ import annotations

import ast
from pathlib import Path

import credhelper

ROOT = Path(credhelper.__file__).parent
# From the ground up; a room is a folder or a single file of the package.
FLOORS = [
    {"client", "errors", "__init__"},
    {"dates", "model", "names", "memory", "private", "headers", "words", "rc_files", "surroundings"},
    {"paths", "files", "endpoints", "terminal", "console", "profile_names"},
    {"settings", "agent", "board"},
    {"resources", "completion"},
    {"shell_files", "rc_places"},
    {"core"},
    {"aws"},
    {"standin"},
    {"daemon"},
    {"demo", "doctor"},
    {"cli"},
    {"__main__"},
]
LEVEL = {room: level for level, rooms in enumerate(FLOORS) for room in rooms}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "credhelper":
            parts = node.module.split(".")[1:]
            names = [parts[0]] if parts else [alias.name for alias in node.names]
            rooms |= {name if name in LEVEL else "__init__" for name in names}
    return rooms


def test_every_file_has_a_room() -> None:
    assert {room_of(path) for path in ROOT.rglob("*.py")} <= set(LEVEL)


def test_imports_go_down() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in sorted(ROOT.rglob("*.py"))
        for other in imported_rooms(path)
        if other != room_of(path) and LEVEL[other] >= LEVEL[room_of(path)]
    ]
    assert wrong == []


def test_the_helper_imports_nothing_of_the_package() -> None:
    assert imported_rooms(ROOT / "client.py") == set()
