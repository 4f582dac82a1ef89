"""QR codes on a terminal, read from the screen as a phone would."""

from __future__ import annotations

import re

import pexpect
import pyte
import pytest

from credhelper.cli.qr import drawing
from credhelper.standin.browser import visit
from tests.cli.phone import look_at
from tests.cli.terminal import Terminal, spawn, without_display

PORTAL = "https://d-93670bd35a.awsapps.com/start/#/device?user_code=ABCD-EFGH"
GOVCLOUD = "https://start.us-gov-home.awsapps.com/directory/d-9067f8c9d0#/device?user_code=ABCD-EFGH"
DUAL_STACK = "https://ssoins-722389a1b2c3d4e5.portal.eu-central-1.app.aws/start/#/device?user_code=ABCD-EFGH"
DEVICE = ("login", "--device", "--no-browser")
# The ink and the ground of a dark and a light terminal, of Solarized's both, and of one that has black on black.
GROUNDS = {
    "dark": (204, 0),
    "light": (0, 255),
    "solarized dark": (140, 40),
    "solarized light": (110, 245),
    "none": (0, 0),
}


def shown(lines: list[str], columns: int, rows: int) -> pyte.Screen:
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed("\r\n".join(lines))
    return screen


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("text", [PORTAL, GOVCLOUD, DUAL_STACK])
def test_a_phone_reads_it_on_any_ground(text: str, ground: str) -> None:
    ink, back = GROUNDS[ground]
    lines = drawing(text, 80, 22)
    assert lines is not None
    assert len(lines) <= 22
    assert look_at(shown(lines, 80, 24), ink=ink, ground=back) == [text]


@pytest.mark.parametrize("text", [PORTAL, GOVCLOUD, DUAL_STACK])
@pytest.mark.parametrize("leading", [1, 3, 5])
def test_a_phone_reads_it_where_lines_stand_apart(text: str, leading: int) -> None:
    lines = drawing(text, 80, 22)
    assert lines is not None
    assert look_at(shown(lines, 80, 24), ink=204, ground=0, leading=leading) == [text]


@pytest.mark.parametrize("ground", ["dark", "light"])
def test_a_terminal_without_block_characters(ground: str) -> None:
    ink, back = GROUNDS[ground]
    lines = drawing(PORTAL, 100, 50, "iso-8859-1")
    assert lines is not None
    assert "\n".join(lines).isascii()
    assert look_at(shown(lines, 100, 50), ink=ink, ground=back) == [PORTAL]
    assert drawing(PORTAL, 80, 22, "iso-8859-1") is None
    assert drawing(PORTAL, 80, 22, "no such encoding") is None


def margin_of(rows: list[list[pyte.screens.Char]]) -> int:
    """The light cells before the first that is not all light."""
    return min(
        next((x for x, cell in enumerate(row) if cell.bg == "000000" or cell.data in "▀▄"), len(row)) for row in rows
    )


def test_the_wide_margin_goes_first() -> None:
    def margin(columns: int, rows: int) -> int:
        lines = drawing(PORTAL, columns, rows)
        assert lines is not None
        screen = shown(lines, 100, 50)
        rows_of_it = [[screen.buffer[y][x] for x in range(100)] for y in range(len(lines))]
        assert {sum(cell.bg != "default" for cell in row) for row in rows_of_it} == {margin_of(rows_of_it) * 2 + 33}
        return margin_of(rows_of_it)

    assert margin(80, 40) == 4
    assert margin(80, 20) == 2  # as high as its window leaves it
    assert margin(40, 40) == 2


@pytest.mark.parametrize(("columns", "rows"), [(30, 40), (80, 18), (0, 0)])
def test_what_does_not_fit_is_not_drawn(columns: int, rows: int) -> None:
    assert drawing(PORTAL, columns, rows) is None


@pytest.mark.parametrize("length", [2900, 8000])
def test_an_address_of_any_length_is_no_fault(length: int) -> None:
    assert drawing(PORTAL + "x" * length, 80, 22) is None


def test_one_that_fills_every_column() -> None:
    lines = drawing(PORTAL, 37, 22)
    assert lines is not None
    assert look_at(shown(lines, 37, 24), ink=204, ground=0) == [PORTAL]
    assert drawing(PORTAL, 36, 22) is None


def test_a_drawing_that_was_cut_off_is_not_read() -> None:
    """Else the tests above could not fail."""
    lines = drawing(PORTAL, 80, 22)
    assert lines is not None
    assert look_at(shown(lines, 80, 14), ink=204, ground=0) == []
    assert look_at(shown([re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines], 80, 24), ink=204, ground=0) == []


@pytest.mark.usefixtures("daemon")
class TestLogin:
    """The whole command in a terminal; what a phone reads there is what the person then opens."""

    @pytest.mark.parametrize("ground", ["dark", "light"])
    @pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 50)])
    def test_a_phone_reads_the_address(self, terminal: Terminal, columns: int, rows: int, ground: str) -> None:
        screen = pyte.Screen(columns, rows)
        stream = pyte.Stream(screen)
        with spawn(*DEVICE, columns=columns, rows=rows) as child:
            child.expect(r"\d+:\d\d left")
            stream.feed(f"{child.before}{child.after}")
            ink, back = GROUNDS[ground]
            (address,) = look_at(screen, ink=ink, ground=back)
            text = "\n".join(screen.display)
            code = re.search(r"Your code: ([A-Z]{4}-[A-Z]{4})", text)
            assert code
            assert address == f"{terminal.standin.url}/device?user_code={code[1]}"
            assert ("scan the drawing with a phone" in text) is (rows > 24)  # the text has scrolled away
            visit(address)
            child.expect("Logged in to corp")
            child.expect(pexpect.EOF)
        assert child.exitstatus == 0

    @without_display
    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"SSH_CONNECTION": "203.0.113.1 50000 203.0.113.2 22", "DISPLAY": "localhost:10.0"}, "an SSH session"),
            ({"C9_PID": "2781", "C9_PROJECT": "work"}, "AWS Cloud9"),
            ({"container": "podman"}, "a container"),
        ],
    )
    def test_where_no_browser_opens_it_comes_by_itself(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], reason: str
    ) -> None:
        monkeypatch.delenv("BROWSER")
        screen = pyte.Screen(160, 50)
        with spawn("login", columns=160, rows=50, **changes) as child:
            child.expect(r"\d+:\d\d left")
            pyte.Stream(screen).feed(f"{child.before}{child.after}")
            text = "\n".join(screen.display)
            assert f"with a device code, because this is {reason}, from which no browser can be opened." in text
            (address,) = look_at(screen, ink=204, ground=0)
            visit(address)
            child.expect("Logged in to corp")
            child.expect(pexpect.EOF)
        assert child.exitstatus == 0
        assert terminal.cache.read("corp") is not None

    @pytest.mark.parametrize(("columns", "rows", "changes"), [(30, 24, {}), (80, 12, {}), (80, 24, {"TERM": "dumb"})])
    def test_where_none_is_drawn_none_is_spoken_of(
        self, terminal: Terminal, columns: int, rows: int, changes: dict[str, str]
    ) -> None:
        with spawn(*DEVICE, columns=columns, rows=rows, **changes) as child:
            child.expect(r"Your code: ([A-Z-]{9})")
            assert isinstance(child.match, re.Match)
            before = str(child.before)
            assert "▀" not in before
            assert "drawing" not in before
            assert f"{terminal.standin.url}/device?user_code={child.match[1]}" in before
            visit(f"{terminal.standin.url}/device?user_code={child.match[1]}")
            child.expect("Logged in to corp")
            child.expect(pexpect.EOF)
        assert child.exitstatus == 0
