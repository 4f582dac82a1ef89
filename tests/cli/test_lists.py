"""The lists to choose from, without a terminal: what is shown, what is searched, what is taken."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.application import Application
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.layout import Layout, Window
from prompt_toolkit.output import DummyOutput
from rich.cells import cell_len

from credhelper.cli.lists import Checklist, Painter, _keys

HEADINGS = ("account", "id", "role", "has a profile")
ROWS = [
    ("Client Production", "100000000002", "AWSAdministratorAccess", ""),
    ("Client Production", "100000000002", "AWSReadOnlyAccess", "prod"),
    ("Reply Sandbox", "100000000001", "AWSAdministratorAccess", ""),
    ("東京 本番", "100000000003", "AWSReadOnlyAccess", ""),
]


def painted(checklist: Checklist, lines: int = 24, columns: int = 80) -> list[str]:
    fragments = Painter(checklist, "Accounts and roles:", HEADINGS, ("has a profile", "id")).paint(lines, columns)
    return "".join(text for _, text in fragments).split("\n")


def several(checked: set[int] | None = None) -> Checklist:
    return Checklist(ROWS, set() if checked is None else checked)


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("", [0, 1, 2, 3]),
        ("prod", [0, 1]),
        ("PROD", [0, 1]),
        ("prod/admin", [0]),
        ("admin client prod", [0]),
        (" prod / readonly ", [1]),
        ("0001", [2]),
        ("東京", [3]),
        ("/", [0, 1, 2, 3]),
        ("nothing like it", []),
    ],
)
def test_a_search_shows_what_fits(query: str, shown: list[int]) -> None:
    checklist = several()
    checklist.search(query)
    assert checklist.shown == shown


def test_taking_and_leaving() -> None:
    checklist = several({0})
    checklist.move(1)
    checklist.toggle()
    assert checklist.checked == {0, 1}
    checklist.toggle()
    assert checklist.checked == {0}
    checklist.search("readonly")
    checklist.toggle_all()
    assert checklist.checked == {0, 1, 3}  # what is not shown stays as it is
    checklist.toggle_all()
    assert checklist.checked == {0}
    checklist.search("no such thing")
    checklist.toggle()
    checklist.move(1)
    assert checklist.taken() == {0}


def test_moving() -> None:
    checklist = several()
    checklist.move(-1)
    assert checklist.at == 3
    checklist.move(1)
    assert checklist.at == 0
    checklist.move(100)
    assert checklist.at == 3
    checklist.move(-100)
    assert checklist.at == 0


@pytest.mark.parametrize(
    "key",
    [
        "\x1b[D",
        "\x1b[C",
        "\x1b[3~",
        "\x1b[2~",
        "\x1bOP",
        "\x1b[Z",
        "\x1b[1;5A",
        "\x17",
        "\x1b[24;1R",
        "\x1b[200~\r\x07\x1b[201~",
    ],
    ids=[
        "left",
        "right",
        "delete",
        "insert",
        "F1",
        "shift-tab",
        "ctrl-up",
        "ctrl-w",
        "position",
        "paste of controls",
    ],
)
def test_keys_that_mean_nothing_type_nothing(key: str) -> None:
    checklist = several()
    with create_pipe_input() as keyboard:
        app: Application[set[int] | None] = Application(
            layout=Layout(Window()), key_bindings=_keys(checklist), input=keyboard, output=DummyOutput()
        )
        keyboard.send_text(f"prod{key} admin\t\r")
        assert app.run() == {0}
    assert checklist.query == "prod admin"


def test_one_of_many() -> None:
    checklist = Checklist(ROWS, None)
    checklist.toggle()
    checklist.toggle_all()
    checklist.move(1)
    assert checklist.taken() == {1}
    checklist.search("no such thing")
    assert checklist.taken() is None
    assert not any("[" in line for line in painted(checklist))


def test_what_is_seen() -> None:
    checklist = several({0, 3})
    checklist.move(1)
    assert painted(checklist) == [
        "? Accounts and roles:",
        "  2 of 4 chosen",
        "      account            id            role                    has a profile",
        "  [x] Client Production  100000000002  AWSAdministratorAccess",
        "> [ ] Client Production  100000000002  AWSReadOnlyAccess       prod",
        "  [ ] Reply Sandbox      100000000001  AWSAdministratorAccess",
        "  [x] 東京 本番          100000000003  AWSReadOnlyAccess",
        "  type to search, Tab: take or leave, Ctrl-A: all shown, Enter: go on",
    ]


def test_a_narrow_terminal_spares_columns_first() -> None:
    checklist = several()
    assert "has a profile" not in painted(checklist, columns=70)[2]
    assert "id" in painted(checklist, columns=70)[2].split()
    assert painted(checklist, columns=50)[2].split() == ["account", "role"]
    assert painted(checklist, columns=40) == [
        "? Accounts and roles:",
        "  0 of 4 chosen",
        "      account          role",
        "> [ ] Client Product…  AWSAdministrato…",
        "  [ ] Client Product…  AWSReadOnlyAcce…",
        "  [ ] Reply Sandbox    AWSAdministrato…",
        "  [ ] 東京 本番        AWSReadOnlyAcce…",
        "  type to search, Tab: take or leave",
        "  Ctrl-A: all shown, Enter: go on",
    ]


def test_a_long_list_has_a_window() -> None:
    rows = [(f"Account {number:04}", "", "Admin", "") for number in range(2000)]
    checklist = Checklist(rows, set(range(2000)))
    checklist.move(1000)
    lines = painted(checklist)
    assert len(lines) <= 23
    assert "> [x] Account 1000  Admin" in lines
    assert "  1,001 of 2,000" in lines
    assert lines[1] == "  2,000 of 2,000 chosen"
    checklist.search("0777")
    assert painted(checklist)[1:4] == [
        "  2,000 of 2,000 chosen  / 0777_",
        "      account       role",
        "> [x] Account 0777  Admin",
    ]


@settings(max_examples=60)
@given(
    st.lists(st.tuples(*[st.text("aé名 …", max_size=30)] * 4), max_size=20),
    st.integers(20, 200),
    st.integers(8, 60),
    st.text("a名/", max_size=5),
    st.integers(0, 50),
)
def test_it_never_needs_more_room_than_there_is(
    rows: list[tuple[str, ...]], columns: int, lines: int, query: str, at: int
) -> None:
    for checklist in (Checklist(rows, {0} & set(range(len(rows)))), Checklist(rows, None)):
        checklist.search(query)
        checklist.move(at)
        seen = painted(checklist, lines, columns)
        assert len(seen) < lines
        assert max(map(cell_len, seen)) < columns
