"""How a board looks."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from credhelper.demo.board import Board, Lane
from credhelper.demo.pages import PAGES, Page
from credhelper.demo.story import _news
from credhelper.demo.view import LiveView, PlainView, choose_view, picture, summarize

ARN = "arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Deploy_0123456789abcdef/you@example.com"


def board() -> Board:
    lanes = {
        "corp-dev": Lane(
            "corp-dev",
            "corp",
            ARN,
            ok=123,
            history=[True] * 123,
            state="active",
            expires_at=1005.0,
            longest_life=9.0,
            last_call=999.0,
        ),
        "client-prod": Lane(
            "client-prod",
            "client",
            ARN,
            ok=99,
            expected=12,
            history=[True] * 99 + [False] * 12,
            error="X: y",
            state="expired",
            expires_at=990.0,
        ),
    }
    made = Board(lanes, step=5, title="A title", text="What happens now, in a sentence or two. " * 4)
    for number in range(20):
        made.elapsed = float(number)
        made.say(f"event {number} " + "with many words " * (number % 4), "warn")
    return made


def drawn(made: Board, columns: int = 80, lines: int = 24, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, errors="replace")  # as `play` sets it
    console = Console(
        file=stream, width=columns, height=lines, force_terminal=True, no_color=True, legacy_windows=False
    )
    console.print(picture(made, 1000.0, console))
    stream.flush()
    return re.sub(r"\x1b\[[0-9;]*m", "", raw.getvalue().decode(encoding)).rstrip("\n").split("\n")


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (76, 22), (120, 40), (200, 60)])
def test_fits_and_ends_with_the_last_event(columns: int, lines: int) -> None:
    rows = drawn(board(), columns, lines)
    assert len(rows) < lines
    assert "event 19" in "\n".join(rows)
    assert "step 5 of 6" in rows[0]
    assert any("✓✓✗✗✗✗✗✗✗✗✗✗✗✗  99 ok  12 failed" in row for row in rows)
    assert any("0 s  OVER: log in" in row for row in rows)
    assert max(len(row) for row in rows) <= min(columns, 100)


@pytest.mark.parametrize("page", PAGES[:3])
def test_the_config_fits(page: Page) -> None:
    made = board()
    made.title, made.text = page.title, page.text
    made.config = (
        [("sso_region = eu-west-1", False)] * 14
        + [("", False)] * 3
        + [("credential_process = " + "x" * 70 + " a b c", True)]
    )
    assert len(drawn(made)) < 24


def test_what_is_new_in_the_config() -> None:
    before = "[profile a]\nsso_x = 1\nregion = e\n"
    after = "[profile a]\n#m: sso_x = 1\nnew = n\nregion = e\n\n[sso-session s]\nsso_x = 1\n"
    news = _news(before, after, "[profile a]")
    assert [line for line, new in news if new] == ["#m: sso_x = 1", "new = n", "[sso-session s]", "sso_x = 1"]
    assert [line for line, new in news if not new] == ["[profile a]", "region = e", ""]
    made = board()
    made.config = news
    rows = [row.rstrip() for row in drawn(made)]
    assert rows[-7:] == [
        "   [profile a]",
        "   #m: sso_x = 1",
        " + new = n",
        "   region = e",
        "",
        " + [sso-session s]",
        " + sso_x = 1",
    ]


def test_a_terminal_without_the_signs() -> None:
    text = "\n".join(drawn(board(), encoding="ascii"))
    assert "#####." in text
    assert "###" in text
    assert "---" in text
    assert "++xxxxxxxxxxxx  99 ok" in text


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (None, "\nStep 1 of 6: A title\n  A text of words.\n  0.0 s   one\\x1b[31m and more\n  0.0 s ! two\n"),
        (
            22,
            "\nStep 1 of 6: A title\n  A text of words.\n  0.0 s   one\\x1b[31m\n          and more\n  0.0 s ! two\n",
        ),
    ],
)
def test_plain_lines_come_once(width: int | None, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = Board({}, step=1, title="A title", text="A text of words.")
    made.say("one\x1b[31m and more")
    with PlainView(width) as view:
        view.show(made)
        made.problem("two")
        made.problem("two")
        view.show(made)
        view.show(made)
    assert capsys.readouterr().out == shown


def test_no_effect_is_told_before_its_cause() -> None:
    made = Board({})
    made.hold()
    made.say("calls succeed again")
    assert made.events == []
    made.elapsed = 2.0
    made.release("logged in")
    made.say("later")
    assert [(event.at, event.text) for event in made.events] == [
        (2.0, "logged in"),
        (2.0, "calls succeed again"),
        (2.0, "later"),
    ]
    made.hold()
    made.say("held")
    made.problem("what must not be held back")
    assert [event.text for event in made.events[3:]] == ["held", "what must not be held back"]


@pytest.mark.parametrize("term", ["dumb", "xterm"])
def test_a_narrow_terminal(term: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Rich takes every dumb terminal to be 80 columns wide."""
    for name, value in {"TERM": term, "COLUMNS": "60", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    made = board()
    made.config = [("credential_process = /tmp/x/.local/share/credhelper/credential-process corp 1 Deploy", True)]
    with choose_view({"TERM": term}) as view:
        view.show(made)
    summarize(made, {})
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert [line for line in lines if len(line) > 60] == []
    assert "      after a session's end, until the login" in lines


def test_the_summary_names_every_problem(capsys: pytest.CaptureFixture[str]) -> None:
    made = board()
    made.problem("p" * 100)
    made.problem("second")
    summarize(made, {})
    out = capsys.readouterr().out
    assert f"Not as it should be: {'p' * 100}\n" in out
    assert "Not as it should be: second\n" in out
    assert "No call failed" not in out


@pytest.mark.parametrize(
    ("environ", "tty", "live"),
    [
        ({"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}, True, True),
        ({"TERM": "xterm", "COLUMNS": "80", "LINES": "24", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "xterm", "COLUMNS": "60", "LINES": "24"}, True, False),
        ({"TERM": "xterm", "COLUMNS": "80", "LINES": "10"}, True, False),
        ({"TERM": "dumb", "COLUMNS": "80", "LINES": "24"}, True, False),
    ],
)
def test_which_view(
    environ: dict[str, str],
    tty: bool,
    live: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdout.isatty", lambda: tty)
    assert isinstance(choose_view(environ), LiveView if live else PlainView)
