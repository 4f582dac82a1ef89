"""shell/credhelper.bash: what the prompt shows and warns of, whatever lies on the board, and what it costs."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shells.bash import MODES, Bash, command, write_rc
from tests.shells.terminal import Output, Terminal
from tests.shells.world import HOUR, Forks, World

QUIET = Output("", 0)
ENV = {"AWS_PROFILE": "dev"}
SHOW = 'printf %s "$CREDHELPER_TEXT"'
LOOK = 'printf %s "$CREDHELPER_SEGMENT"'
modes = pytest.mark.parametrize("mode", MODES)


# --- the segment ----------------------------------------------------------------------------------------------------

# Seconds left; the kind; seconds until what is shown; the text; the colour.
SEGMENTS = [
    (8 * HOUR, "no", 7 * HOUR + 12 * 60 + 30, "dev 7h12m", ""),
    (8 * HOUR, "no", 31 * HOUR + 5 * 60 + 30, "dev 31h05m", ""),
    (HOUR, "no", 42 * 60 + 30, "dev 42m", ""),
    (HOUR, "no", None, "dev", ""),
    (HOUR, "no", -5, "dev", ""),
    (HOUR, "no", 14 * 60 + 30, "dev 14m", "33"),
    (HOUR, "soon", HOUR + 30, "dev 1h00m", ""),
    (-5, "no", 7 * HOUR, "dev", ""),
    (-5, "soon", -5, "dev expired", "31"),
    (-5, "yes", None, "dev expired", "31"),
]


@modes
def test_the_segment(corp: World, mode: str) -> None:
    with Bash(corp, mode, env=ENV) as terminal:
        for index, (left, login, until, text, colour) in enumerate(SEGMENTS):
            # Each time another session, so that there is nothing to be warned of.
            corp.session(f"s{index}", left=left, login=login, shown=until)
            corp.profile("dev", f"s{index}")
            assert terminal.run(":") == QUIET
            assert terminal.run(SHOW) == Output(text, 0)
            coloured = f"\x01\x1b[{colour}m\x02{text}\x01\x1b[0m\x02" if colour else text
            assert terminal.run(LOOK) == Output(coloured, 0)
            assert terminal.run("credhelper_prompt") == Output(coloured, 0)
            assert terminal.run("NO_COLOR=1") == QUIET
            assert terminal.run(LOOK) == Output(text, 0)
            assert terminal.run("NO_COLOR=") == QUIET


@modes
def test_what_the_segment_speaks_of(corp: World, mode: str) -> None:
    corp.profile("default")
    elsewhere = corp.home / "odd place" / "config"
    folder = "".join(c if c.isalnum() or c in "._-" else f"+{ord(c):02X}" for c in str(elsewhere))
    corp.profile("far", config=folder)
    with Bash(corp, mode) as terminal:
        assert terminal.run(SHOW) == Output("default", 0)
        for line, text in (
            ("export AWS_DEFAULT_PROFILE=dev", "dev"),
            ("export AWS_PROFILE=other", ""),
            ("AWS_PROFILE=", "dev"),
            ("AWS_PROFILE=gone", ""),
            ("AWS_PROFILE=..", ""),
            ("AWS_PROFILE=" + "x" * 300, ""),
            ("AWS_PROFILE=far", ""),
            (f"export AWS_CONFIG_FILE={shlex.quote(str(elsewhere))}", "far"),
            ("AWS_CONFIG_FILE='~/odd place/config'", "far"),
            ("AWS_CONFIG_FILE='odd place/config'", ""),
            ("AWS_CONFIG_FILE=/" + "x" * 200, ""),
            ("AWS_CONFIG_FILE=~/.aws/config AWS_PROFILE=dev", "dev"),
            ("unset HOME", ""),
        ):
            assert terminal.run(line) == QUIET
            assert terminal.run(SHOW) == Output(text, 0), line


def test_colours_take_no_room_in_the_prompt(corp: World) -> None:
    corp.session(left=600.5, login="soon", shown=600.5)
    ps1 = "${CREDHELPER_SEGMENT:+$CREDHELPER_SEGMENT }> "
    with Bash(corp, ps1=ps1, env=ENV) as terminal:
        typed = "echo " + "".join(str(index % 10) for index in range(200))
        terminal.type(typed)
        prompt = "dev 10m > " if "dev 10m > " in terminal.wait_for(typed[-30:]) else "dev 9m > "
        whole = prompt + typed
        lines = terminal.screen().splitlines()
        assert lines[-2:] == [whole[:120], whole[120:]]
        # The line editor redraws from what it believes to be the width.
        terminal.type("\x01X\x05Y")
        wanted = prompt + "X" + typed + "Y"
        terminal.wait_until(lambda screen: screen.splitlines()[-2:] == [wanted[:120], wanted[120:]])


# --- the warning ----------------------------------------------------------------------------------------------------


@modes
def test_a_warning_comes_once_for_each_session_and_end(corp: World, mode: str) -> None:
    def warning(name: str, what: str) -> Output:
        return Output(f"credhelper: session {name} {what}. Run: credhelper login {name}\n", 0)

    corp.session(left=HOUR, login="soon", shown=HOUR)
    with Bash(corp, mode, env=ENV) as terminal:
        assert terminal.first == QUIET
        corp.session(left=14 * 60 + 30, login="soon", shown=14 * 60 + 30)
        assert terminal.run(":") == warning("corp", "ends in 14 min")
        assert [terminal.run(":") for _ in range(3)] == [QUIET] * 3
        corp.session("b", left=30.5, login="soon", shown=30.5)
        corp.profile("b", "b")
        assert terminal.run("AWS_PROFILE=b") == warning("b", "ends in 1 min")
        assert terminal.run("AWS_PROFILE=dev") == QUIET
        assert terminal.run("AWS_PROFILE=b") == QUIET
        # Its end, and what a login makes of it.
        corp.session("b", left=-1, login="yes", state="expired")
        assert terminal.run(":") == warning("b", "has ended")
        assert terminal.run(":") == QUIET
        corp.session("b", left=700.5, login="soon", shown=700.5)
        assert terminal.run(":") == warning("b", "ends in 11 min")
        corp.session("b", left=-1, login="soon", shown=-1)
        assert terminal.run(":") == warning("b", "has ended")
        assert terminal.run(":") == QUIET
        # Who logs out knows.
        corp.session("b")
        assert terminal.run(":") == QUIET
        corp.session("b", left=-1, login="yes", state="logged_out")
        assert terminal.run(":") == QUIET


def test_no_warning_of_what_renews_itself_or_was_over_before(corp: World) -> None:
    corp.session(left=60, shown=60)
    with Bash(corp, env=ENV) as terminal:
        assert (terminal.first, terminal.run(":")) == (QUIET, QUIET)
    corp.session(left=-60, login="yes", state="expired")
    with Bash(corp, env=ENV) as terminal:
        assert (terminal.first, terminal.run(":")) == (QUIET, QUIET)


# --- the board as it should not be ----------------------------------------------------------------------------------

NOW = int(time.time())
GOOD = f"1 active {NOW + 7200} no 0 corp"
GARBAGE = {
    "empty": b"",
    "newline": b"\n",
    "blanks": b"      \n",
    "no line end": GOOD.encode(),
    "other version": GOOD.replace("1 ", "2 ", 1).encode() + b"\n",
    "seventh field": GOOD.encode() + b" more\n",
    "fifth field missing": f"1 active {NOW + 7200} no corp\n".encode(),
    "CRLF": GOOD.encode() + b"\r\n",
    "long line": b"1 active " + b"9" * 3_000_000,
    "long name": GOOD.encode() + b"x" * 3_000_000 + b"\n",
    "binary": bytes(range(256)) * 40,
    "zeros": b"\0" * 100_000,
    "huge number": b"1 active 99999999999999999999999999 no 0 corp\n",
    "huge shown": f"1 active {NOW + 7200} no 99999999999999999999 corp\n".encode(),
    "negative": b"1 active -5 no 0 corp\n",
    "hexadecimal": b"1 active 0xffffffff no 0 corp\n",
    "no ends": b"1 active - no 0 corp\n",
    "arithmetic": b"1 active a[$(touch${IFS}pwned)] no 0 corp\n",
    "arithmetic in shown": f"1 active {NOW + 7200} no x[`touch${{IFS}}pwned`] corp\n".encode(),
    "variable": b"1 active SECONDS no RANDOM corp\n",
    "other word": f"1 active {NOW + 7200} maybe 0 corp\n".encode(),
    "glob": b"* * * * * *\n",
    "invalid UTF-8": b"1 active \xff\xfe no 0 corp\n",
}


def check_that_nothing_is_known(terminal: Bash, world: World) -> None:
    """The prompt shows nothing; `ensure` is asked; nothing is said."""
    assert terminal.run(":") == QUIET
    assert terminal.run(SHOW) == QUIET
    world.forget_calls()
    assert terminal.run("aws s3 ls") == QUIET
    assert world.lines == ["credhelper ensure --profile dev", "aws s3 ls"]
    assert not (world.home / "pwned").exists()


@modes
def test_garbage_is_as_good_as_nothing(corp: World, mode: str) -> None:
    with Bash(corp, mode, env=ENV) as terminal:
        for what, content in GARBAGE.items():
            corp.raw_session("corp", content)
            try:
                check_that_nothing_is_known(terminal, corp)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error
        corp.raw_session("corp", GOOD.encode() + b"\n")
        assert terminal.run(":") == QUIET
        assert terminal.run(SHOW).text == "dev"


def _link_to_fifo(path: Path) -> None:
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to("fifo")


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


OTHERS: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "folder": Path.mkdir,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "link in a circle": lambda path: path.symlink_to(path),
    "link to a device": lambda path: path.symlink_to("/dev/zero"),
    "link to the terminal": lambda path: path.symlink_to("/dev/tty"),
    "link to a FIFO": _link_to_fifo,
    "socket": _socket,
}


@pytest.mark.parametrize("mode", ["plain", "strict"])
def test_what_is_no_file_blocks_nothing(corp: World, mode: str) -> None:
    entry = corp.board / "session" / "corp"
    with Bash(corp, mode, env=ENV) as terminal:
        for what, make in OTHERS.items():
            if entry.is_dir():
                entry.rmdir()
            else:
                entry.unlink()
            make(entry)
            try:
                check_that_nothing_is_known(terminal, corp)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error


@modes
def test_a_default_profile_that_is_no_file(corp: World, mode: str) -> None:
    os.mkfifo(corp.board / "default-profile")
    with Bash(corp, mode) as terminal:
        assert terminal.first == QUIET


@modes
def test_no_board_and_a_dead_daemon(corp: World, mode: str) -> None:
    with Bash(corp, mode, env=ENV) as terminal:
        # It has died: its last line has run out.
        corp.session(left=-1, shown=HOUR)
        assert terminal.run(":") == QUIET
        assert terminal.run(SHOW).text == "dev"
        corp.forget_calls()
        assert terminal.run("aws s3 ls") == QUIET
        assert corp.lines == ["credhelper ensure --profile dev", "aws s3 ls"]
        corp.session(left=HOUR).unlink()
        check_that_nothing_is_known(terminal, corp)
        shutil.rmtree(corp.board / "profile" / "default")
        check_that_nothing_is_known(terminal, corp)
        corp.no_board()
        check_that_nothing_is_known(terminal, corp)
    with Bash(corp, mode, env=ENV) as terminal:
        assert terminal.first == QUIET


# --- environments from elsewhere ------------------------------------------------------------------------------------


def test_a_pane_of_tmux_with_an_old_environment(corp: World) -> None:
    if not shutil.which("tmux"):
        pytest.skip("no tmux on this machine")
    corp.session("old", left=HOUR, shown=HOUR + 30)
    corp.session("new", left=HOUR, shown=3 * HOUR + 30)
    corp.profile("dev", "old")
    rc = write_rc(corp, ps1="<${CREDHELPER_TEXT}> ")
    shell = shlex.join(command(rc))
    server = ["tmux", "-S", str(corp.home / "tmux.sock"), "-f", "/dev/null"]
    old = {"AWS_PROFILE": "dev", "CREDHELPER_TEXT": "stale", "CREDHELPER_SEGMENT": "stale"}
    old |= {"__credhelper_alive": "old", "__credhelper_started": "1", "__credhelper_previous": "stale"}
    old |= {"__credhelper_found": f"{corp.home}::dev", "__credhelper_file": "/etc/passwd"}
    with Terminal([*server, "new-session", shell], {**corp.env, **old, "SHELL": "/bin/sh"}, corp.home) as terminal:
        try:
            terminal.wait_for("<dev 1h00m>")
            corp.profile("dev", "new")
            tmux = shlex.join(server)
            terminal.type(f"clear; {tmux} split-window {shlex.quote(shell)}\r")
            screen = terminal.wait_until(lambda screen: screen.count("<dev 3h00m>") >= 1)
            assert "stale" not in screen
            terminal.type("clear; credhelper use -; credhelper use other; echo now=$AWS_PROFILE\r")
            assert "no other profile" in terminal.wait_for("now=other")
        finally:
            terminal.type("tmux kill-server\r")
            with Terminal([*server, "kill-server"], corp.env, corp.home) as killer:
                killer.wait()


def test_a_bash_that_cannot_tell_the_time(corp: World) -> None:
    """bash before 4.2 has no `%(…)T`; it asks `date`, once."""
    corp.session(left=8 * HOUR, shown=2 * HOUR + 30)
    corp.program("date", "exec /bin/date +%s")
    old = 'printf() { case $* in *%\\(%s*) echo "printf: invalid" >&2; return 1 ;; esac; builtin printf "$@"; }'
    with Bash(corp, before=old, env=ENV) as terminal:
        assert terminal.first == QUIET
        for _ in range(3):
            assert terminal.run(SHOW) == Output("dev 2h00m", 0)
        assert corp.lines == ["date +%s"]
        assert terminal.run("SECONDS=0") == QUIET
        assert terminal.run(SHOW) == Output("dev 2h00m", 0)


# --- the cost -------------------------------------------------------------------------------------------------------


def test_no_fork_at_the_start_nor_before_a_prompt(corp: World, forks: Forks, tmp_path: Path) -> None:
    odd = "odd $(x) ü"
    corp.default_profile(odd)
    corp.profile(odd)
    with Bash(corp, hook=False, wrap=forks.trace([])):
        bare = forks.count()
    with Bash(corp, wrap=forks.trace([])) as terminal:
        assert terminal.run(":") == QUIET
        assert (forks.count(), forks.programs()) == (bare, 1)
        corp.session(left=600, login="soon", shown=600)
        assert terminal.run("AWS_PROFILE=dev").text.startswith("credhelper: session corp ends in ")
        corp.raw_session("corp", b"garbage")
        assert terminal.run("AWS_CONFIG_FILE='/odd place'") == QUIET
        assert terminal.run("unset AWS_CONFIG_FILE; credhelper_prompt") == QUIET
        assert (forks.count(), forks.programs()) == (bare, 1)


def test_a_command_whose_session_lives_costs_nothing_more(corp: World, forks: Forks) -> None:
    with Bash(corp, env=ENV, wrap=forks.trace([])) as terminal:
        before = forks.count()
        for line in ("aws s3 ls", "aws s3 ls --profile other", "terraform plan", "aws configure list"):
            assert terminal.run(line) == QUIET
        assert forks.count() - before == 4
    assert "credhelper" not in {call.program for call in corp.calls}
