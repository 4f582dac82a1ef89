"""The picker of `credhelper use`, at a real terminal: the real fzf, and the one for machines without it."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from credhelper import board
from credhelper.agent import Agent
from credhelper.aws.choices import Choices
from credhelper.cli.picker import lines_of, rows_of
from tests.cli.terminal import COMMAND, KEYS, Terminal, environment
from tests.shells import terminal as shells

MORE = f"""{KEYS}
[profile chained]
role_arn = arn:aws:iam::123456789012:role/some/path/deploy
source_profile = dev

[profile 'odd $(touch x) "q" 名前']
region = eu-west-1
"""
ENTER, DOWN, ESCAPE = "\r", "\x1b[B", "\x1b"


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    return terminal.add(MORE)


class Picking:
    """`use --print` as a hook runs it at a terminal: what the person sees is there, and stdout goes elsewhere."""

    def __init__(self, folder: Path, path: str) -> None:
        self._folder = folder
        self._path = path

    @contextlib.contextmanager
    def start(self, *arguments: str, **changes: str) -> Iterator[shells.Terminal]:
        line = f"exec {shlex.join([*COMMAND, 'use', '--print', *arguments])} >chosen"
        environ = {**environment(), "TERM": "xterm-256color", "PATH": self._path, **changes}
        with shells.Terminal(["/bin/sh", "-c", line], environ, self._folder) as seen:
            yield seen

    @property
    def chosen(self) -> str:
        return (self._folder / "chosen").read_text()


def path_with(folder: Path, fzf: str | None) -> str:
    """A PATH with this fzf, or with none."""
    folder.mkdir()
    if fzf is not None:
        (folder / "fzf").symlink_to(fzf)
    return str(folder)


@pytest.fixture
def fzf(tmp_path: Path) -> Picking:
    """With the real fzf."""
    program = shutil.which("fzf")
    if program is None:
        pytest.skip("no fzf: install it with the system's package manager")
    return Picking(tmp_path, path_with(tmp_path / "bin", program))


@pytest.fixture(params=["fzf", "questionary"])
def picking(request: pytest.FixtureRequest, tmp_path: Path) -> Picking:
    """With each picker."""
    if request.param == "questionary":
        return Picking(tmp_path, path_with(tmp_path / "bin", None))
    found: Picking = request.getfixturevalue("fzf")
    return found


@pytest.mark.usefixtures("daemon")
class TestAtATerminal:
    def test_it_shows_what_there_is_to_know_and_takes_what_is_chosen(
        self, terminal: Terminal, picking: Picking
    ) -> None:
        with picking.start() as seen:
            screen = seen.wait_for("keys")
            assert re.search("profile +account +role +session +state", screen)
            assert re.search("dev +100000000001 +AWSReadOnlyAccess +corp +not logged in", screen)
            assert re.search("chained +123456789012 +deploy +corp +not logged in", screen)
            seen.type("keys")
            seen.wait_until(lambda screen: "dev" not in screen)
            seen.type(ENTER)
            assert seen.wait() == 0
        assert picking.chosen == "keys\n"
        assert terminal.browser.opened() == []

    @pytest.mark.usefixtures("terminal")
    def test_an_odd_name_comes_out_as_it_is(self, picking: Picking) -> None:
        with picking.start() as seen:
            seen.wait_for('odd $(touch x) "q" ')
            seen.type("touch")
            seen.wait_until(lambda screen: "dev" not in screen)
            seen.type(ENTER)
            assert seen.wait() == 0
        assert picking.chosen == 'odd $(touch x) "q" 名前\n'

    def test_then_comes_the_login(self, terminal: Terminal, picking: Picking) -> None:
        with picking.start() as seen:
            seen.wait_for("keys")
            seen.type(ENTER)
            seen.wait_for("Logged in to corp until")
            assert seen.wait() == 0
        assert picking.chosen == "dev\n"
        assert len(terminal.browser.opened()) == 1
        with picking.start() as seen:
            assert re.search("dev +.* corp +logged in", seen.wait_for("keys"))
            seen.interrupt()
            assert seen.wait() == 130

    def test_ctrl_c_chooses_nothing(self, terminal: Terminal, picking: Picking) -> None:
        with picking.start("--default") as seen:
            seen.wait_for("keys")
            seen.interrupt()
            assert seen.wait() == 130
            assert "Traceback" not in seen.screen()
        assert picking.chosen == ""
        assert board.default_profile(terminal.paths) is None

    @pytest.mark.usefixtures("terminal")
    def test_the_current_one_stands_first(self, picking: Picking) -> None:
        with picking.start(AWS_PROFILE="keys") as seen:
            seen.wait_for("chained")
            seen.type(ENTER)
            assert seen.wait() == 0
        assert picking.chosen == "keys\n"


def test_those_used_last_come_after_it(terminal: Terminal) -> None:
    for name in ("chained", "keys", "keys"):
        assert terminal.run("use", name, "--print").code == 0
    choices = Choices.of(terminal.paths, {})
    assert [row.name for row in rows_of(choices, terminal.paths, {})][:3] == ["keys", "chained", "dev"]
    rows = rows_of(choices, terminal.paths, {"AWS_PROFILE": "dev"})
    assert [row.name for row in rows][:3] == ["dev", "keys", "chained"]
    terminal.config.write_text("[profile new]\n[profile chained]\n")
    rows = rows_of(Choices.of(terminal.paths, {}), terminal.paths, {"AWS_PROFILE": "gone"})
    assert [row.name for row in rows] == ["chained", "new"]


@pytest.mark.usefixtures("daemon", "terminal")
class TestFzf:
    def test_escape_chooses_nothing(self, fzf: Picking) -> None:
        with fzf.start() as seen:
            seen.wait_for("keys")
            seen.type(ESCAPE)
            assert seen.wait() == 130
        assert fzf.chosen == ""

    def test_what_fits_nothing_chooses_nothing(self, fzf: Picking) -> None:
        with fzf.start() as seen:
            seen.wait_for("keys")
            seen.type("no such thing")
            seen.wait_for("0/4")
            seen.type(ENTER)
            assert seen.wait() == 130
        assert fzf.chosen == ""

    @pytest.mark.parametrize(
        "options", ["--multi", "--print-query", "--print0", "--read0", "--expect=ctrl-x", "--ansi --tac"]
    )
    def test_the_persons_own_options_do_no_harm(self, fzf: Picking, options: str) -> None:
        with fzf.start(FZF_DEFAULT_OPTS=options) as seen:
            seen.wait_for("keys")
            seen.type("keys")
            seen.wait_for("1/4")
            seen.type(ENTER)
            assert seen.wait() == 0
        assert fzf.chosen == "keys\n"

    def test_one_that_fails_is_done_without(self, tmp_path: Path) -> None:
        program = tmp_path / "failing"
        program.write_text("#!/bin/sh\nexit 2\n")
        program.chmod(0o700)
        picking = Picking(tmp_path, path_with(tmp_path / "bin", str(program)))
        with picking.start() as seen:
            seen.wait_for("type to search")
            seen.type(DOWN + ENTER)
            assert seen.wait() == 0
        assert picking.chosen == "keys\n"


def test_two_thousand_profiles(terminal: Terminal, picking: Picking) -> None:
    with terminal.config.open("a") as file:
        file.writelines(f"[profile account-{number:04}-admin]\nregion = eu-west-1\n" for number in range(2000))
    with picking.start() as seen:
        seen.wait_for("keys")
        seen.type("0777")
        seen.wait_for("account-0777-admin")
        seen.type(ENTER)
        assert seen.wait() == 0
    assert picking.chosen == "account-0777-admin\n"


def test_a_terminal_that_can_show_no_list(terminal: Terminal, picking: Picking) -> None:
    with picking.start(TERM="dumb") as seen:
        assert seen.wait() == 2
        assert "there is no terminal to pick one at" in seen.screen()
    assert picking.chosen == ""


def test_nothing_to_pick_from(terminal: Terminal, picking: Picking) -> None:
    terminal.config.write_text("")
    with picking.start() as seen:
        assert seen.wait() == 1
        assert "has no profile" in seen.screen()


def test_what_is_shown_is_harmless(terminal: Terminal) -> None:
    terminal.config.write_text(
        '[profile "\x1b[2Jevil\ttab"]\nregion = x\n[profile \udce9]\n', errors="surrogateescape"
    )
    rows = rows_of(Choices.of(terminal.paths, {}), terminal.paths, {})
    assert [row.name for row in rows] == ["\x1b[2Jevil\ttab", "\udce9"]
    heading, lines = lines_of(rows)
    assert heading == "profile"
    assert all(line.isprintable() for line in lines)
    assert not Agent(terminal.paths).running()
