"""The hook before each prompt of a real fish: profile, time left, warnings, and what it leaves alone."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from credhelper.names import encode_name
from tests.shells.fish import Fish, quote
from tests.shells.terminal import Output
from tests.shells.world import HOUR, World
from tests.waiting import wait_until

YELLOW, RED, PLAIN = "\x1b[33m", "\x1b[31m", "\x1b(B\x1b[m"
IN_USE = {"AWS_PROFILE": "corp-admin"}


def warning(name: str = "corp", minutes: int = 14) -> str:
    return f"credhelper: session {name} ends in {minutes} min. Run: credhelper login {name}\n"


# --- what it leaves alone -------------------------------------------------------------------------------------------


def test_the_status_of_a_pipe_stays(world: World) -> None:
    world.session(login="soon", left=14.5 * 60, shown=14.5 * 60)
    world.profile("corp-admin")
    with Fish(world) as fish:
        assert fish.run("true | sh -c 'exit 3' | sh -c 'exit 4'").status == 4
        assert fish.run("echo $status $pipestatus") == Output("4 0 3 4\n", 0)
        # Also where a warning is shown, where the line is empty, and where the segment is drawn anew.
        assert fish.run("set -gx AWS_PROFILE corp-admin; true | sh -c 'exit 3' | sh -c 'exit 4'").text == warning()
        assert fish.run("echo $status $pipestatus") == Output("4 0 3 4\n", 0)
        assert fish.run("sh -c 'exit 5'").status == 5
        assert fish.run("").status == 5
        assert fish.run('credhelper_prompt; echo " $status"') == Output(f"{YELLOW}corp-admin 14m{PLAIN} 5\n", 0)
        assert fish.run("false; credhelper_prompt >/dev/null").status == 1


def test_the_users_own_prompts_and_events_stay(world: World) -> None:
    world.session(shown=2 * HOUR - 1)
    world.profile("corp-admin")
    own = """
    function mine --on-event fish_prompt; set -g seen $seen prompt:$status; end
    function mine2 --on-event fish_preexec; set -g seen $seen pre:$argv; end
    function mine3 --on-event fish_postexec; set -g seen $seen post:$status; end
    function fish_right_prompt; credhelper_prompt; end
    abbr -a -g k aws
    """
    with Fish(world, before=own, env=IN_USE) as fish:
        fish.run("sh -c 'exit 3'")
        assert fish.run("string join \\n $seen").text.splitlines() == [
            "prompt:0",
            "pre:sh -c 'exit 3'",
            "post:3",
            "prompt:3",
            "pre:string join \\n $seen",
        ]
        # The right prompt shows it.
        assert fish.screen().splitlines()[0].split() == ["sh", "-c", "'exit", "3'", "corp-admin", "1h59m"]
        assert fish.run("k s3 ls") == Output("", 0)
        assert fish.run("abbr --show") == Output("abbr -a -- k aws\n", 0)
        assert "credhelper_prompt" in fish.run("functions fish_right_prompt").text
    assert world.lines == ["aws s3 ls"]


# --- the segment ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("login", "left", "shown", "text", "colour"),
    [
        ("no", 8 * HOUR, 26.5 * HOUR - 9, "26h29m", ""),
        ("no", 8 * HOUR, 7 * HOUR + 5.5 * 60, "7h05m", ""),
        ("no", 8 * HOUR, HOUR + 30, "1h00m", ""),
        ("no", 8 * HOUR, 59.5 * 60, "59m", ""),
        ("no", 8 * HOUR, 14.5 * 60, "14m", YELLOW),
        ("no", 8 * HOUR, 30, "0m", YELLOW),
        ("no", 8 * HOUR, None, "", ""),
        ("no", 8 * HOUR, -30, "", ""),
        ("no", -1, HOUR, "", ""),
        ("soon", 15.5 * 60, 15.5 * 60, "15m", ""),
        ("soon", -1, -1, "expired", RED),
        ("yes", 0, None, "expired", RED),
        ("yes", 8 * HOUR, 8 * HOUR, "expired", RED),
    ],
)
def test_the_segment(world: World, login: str, left: float, shown: float | None, text: str, colour: str) -> None:
    world.session(login=login, left=left, shown=shown)
    world.profile("corp-admin")
    whole = f"corp-admin {text}".rstrip()
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        assert fish.segment() == whole
        painted = f"{colour}{whole}{PLAIN}" if colour else whole
        assert fish.run("credhelper_prompt") == Output(painted, 0)
        assert fish.run("NO_COLOR=1 credhelper_prompt") == Output(whole, 0)
        assert fish.run("NO_COLOR= credhelper_prompt") == Output(painted, 0)


def test_which_profile_is_shown(world: World) -> None:
    world.session()
    for name in ("default", "one", "two"):
        world.profile(name)
    world.profile("three", config="+2Fan+20other+2Fconfig")
    world.profile("four", config="+2Fan+20other+2Fconfig")
    other = world.home / "of home"
    encoded = str(other).replace("/", "+2F").replace(" ", "+20")
    world.profile("five", config=encoded)
    with Fish(world) as fish:
        for line, shown in [
            ("", "default"),
            ("set -g AWS_DEFAULT_PROFILE one; set -g AWS_PROFILE two", "default"),
            ("set -gx AWS_DEFAULT_PROFILE one", "one"),
            ("set -gx AWS_PROFILE two", "two"),
            ("set -gx AWS_PROFILE ''", "one"),
            ("set -gx AWS_PROFILE unknown", ""),
            ("set -gx AWS_PROFILE two; set -gx AWS_CONFIG_FILE '/an other/config'", ""),
            ("set -gx AWS_PROFILE three", "three"),
            ("set -gx AWS_PROFILE four", "four"),
            ("set -gx AWS_PROFILE five; set -gx AWS_CONFIG_FILE '~/of home'", "five"),
            (f"set -gx AWS_CONFIG_FILE {quote(str(other))}", "five"),
            ("set -gx AWS_CONFIG_FILE 'of home'", ""),
            ("set -gx AWS_CONFIG_FILE /" + 300 * "x", ""),
            ("set -gx AWS_PROFILE two; set -gx AWS_CONFIG_FILE ~/.aws/config", "two"),
            ("set -gx AWS_CONFIG_FILE ''", "two"),
            ("set -gx AWS_PROFILE ..", ""),
            ("set -gx AWS_PROFILE " + 300 * "y", ""),
            ("set -gx AWS_PROFILE one two", ""),
            ("set -gx AWS_PROFILE one; set -gx CREDHELPER_COMMANDS", "one"),
        ]:
            assert fish.run(line) == Output("", 0)
            assert fish.segment() == shown, line


def test_a_hostile_name_is_shown_harmless(world: World) -> None:
    name = "a\x1b]0;title\x07\x9b31m\u202eb\nc$(touch ran)%n\\u\\[`id`!"
    world.session()
    world.profile(name)
    with Fish(world, env={"AWS_PROFILE": name}) as fish:
        text = fish.segment()
        assert not {character for character in text if not character.isprintable()}
        assert text.startswith("a?]0;title?")
        assert text.endswith("b?c$(touch ran)%n\\u\\[`id`!")
        assert fish.run("credhelper_prompt").text == text
    assert not (world.home / "ran").exists()


def test_the_segment_follows_the_clock_and_the_board(world: World) -> None:
    world.profile("corp-admin")
    with Fish(world, env=IN_USE) as fish:
        assert fish.segment() == ""
        world.session(left=HOUR, shown=123)
        assert fish.segment() == "corp-admin 2m"
        wait_until(lambda: fish.segment() == "corp-admin 1m")
        world.session(left=HOUR, shown=HOUR - 30)
        assert fish.segment() == "corp-admin 59m"
        # The same line, dated otherwise: by a backup, say.
        session = world.board / "session/corp"
        os.utime(session, (1, 1))
        assert fish.segment() == "corp-admin 59m"
        world.session(left=3, shown=HOUR + 30)
        assert fish.segment() == "corp-admin 1h00m"
        wait_until(lambda: fish.segment() == "corp-admin")
        world.session(left=0, login="yes")
        assert "has ended" in fish.run("true").text
        assert fish.segment() == "corp-admin expired"
        world.session(shown=None)
        assert fish.segment() == "corp-admin"
        world.no_board()
        assert fish.segment() == ""


@pytest.mark.parametrize(("what", "instead"), [("builtin -q path", "false"), ("path mtime", "path no-such-verb")])
def test_without_a_clock_of_its_own(world: World, what: str, instead: str) -> None:
    """Before 3.6 fish has no `path mtime`, and before 3.5 no `path`."""
    old = world.home / "old.fish"
    text = world.hook("fish").read_text()
    assert what in text
    old.write_text(text.replace(what, instead))
    world.credhelper()
    world.session(login="soon", left=14.5 * 60, shown=14.5 * 60)
    world.profile("corp-admin")
    with Fish(world, hook=f"source {old}", env=IN_USE) as fish:
        assert fish.first == Output(warning(), 0)
        assert fish.segment() == "corp-admin 14m"
        world.session(shown=2 * HOUR - 1)
        assert fish.segment() == "corp-admin 1h59m"
        assert fish.run("aws s3 ls") == Output("", 0)
    assert world.lines == ["aws s3 ls"]


def test_a_function_of_the_users_named_as_a_builtin(world: World) -> None:
    world.session(shown=2 * HOUR - 1)
    world.profile("corp-admin")
    with Fish(world, before="function path; string join \\n $PATH; end", env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        assert fish.segment() == "corp-admin 1h59m"


# --- warnings -------------------------------------------------------------------------------------------------------


def test_a_warning_is_shown_once_for_each_end(world: World) -> None:
    world.session(login="soon", left=15.5 * 60, shown=15.5 * 60)
    world.profile("corp-admin")
    world.profile("other")
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        world.session(login="soon", left=14.5 * 60, shown=14.5 * 60)
        assert fish.run("true") == Output(warning(), 0)
        for line in ("true", "", "set -gx AWS_PROFILE other", f"source {world.hook('fish')}"):
            assert fish.run(line).text == ""
        world.session(login="soon", left=4.5 * 60, shown=4.5 * 60)
        assert fish.run("false") == Output(warning(minutes=4), 1)
        world.session(login="soon", left=-1, shown=-1)
        assert fish.run("true").text == "credhelper: session corp has ended. Run: credhelper login corp\n"
        world.session(login="yes", left=0)
        assert fish.run("true") == Output("", 0)
        # Its next life, and its next end.
        world.session(left=8 * HOUR)
        assert fish.run("true") == Output("", 0)
        world.session(login="yes", left=0)
        assert fish.run("true 2>/dev/null").text == "credhelper: session corp has ended. Run: credhelper login corp\n"
        assert fish.run("true") == Output("", 0)
        # Who logs out knows.
        world.session(left=8 * HOUR)
        assert fish.run("true") == Output("", 0)
        world.session(login="yes", left=0, state="logged_out")
        assert fish.run("true") == Output("", 0)


@pytest.mark.parametrize("login", ["yes", "soon"])
def test_what_was_over_before_is_no_news(world: World, login: str) -> None:
    world.session(login=login, left=-1)
    world.profile("corp-admin")
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        assert fish.run("true") == Output("", 0)


def test_what_renews_itself_gives_no_warning(world: World) -> None:
    world.session(left=600, shown=300)
    world.profile("corp-admin")
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)


@pytest.mark.parametrize(
    ("name", "shown", "typed"),
    [
        ("it's $(touch ran)", "it's $(touch ran)", r"it\'s\ \$\(touch\ ran\)"),
        ("a\x1b[2J\x07b", "a?[2J?b", "'a?[2J?b'"),
        ("-x", "-x", "-- -x"),
        ("é ☃", "é ☃", "'é ☃'"),
        ("y" * 300, "y" * 300, "y" * 300),
    ],
)
def test_a_warning_names_the_session_as_it_is_typed(world: World, name: str, shown: str, typed: str) -> None:
    file = world.session("corp", login="soon", left=14.5 * 60, shown=14.5 * 60)
    world.profile("corp-admin")
    line = file.read_bytes().split()
    file.write_bytes(b" ".join([*line[:5], encode_name(name).encode()]) + b"\n")
    os.utime(file, (int(line[2]), int(line[2])))
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output(f"credhelper: session {shown} ends in 14 min. Run: credhelper login {typed}\n", 0)
    assert not (world.home / "ran").exists()


# --- a board full of garbage ----------------------------------------------------------------------------------------

GARBAGE = [
    b"",
    b"\n",
    b"\x00" * 100,
    bytes(range(256)),
    b"1",
    b"1 active",
    b"2 active 4102444800 no 4102444800 corp\n",
    b"1 active 4102444800 maybe 4102444800 corp\n",
    b"1 active 99999999999999999999 no 4102444800 corp\n",
    b"1 active 4102444800 no -5 corp\n",
    b"1 active 4102444800 no 4102444800 $(touch ran)\n",
    b"1 active (touch ran) no 4102444800 corp\n",
    b"1 active 4102444800 no 4102444800 corp and more\n",
    b"1 active 0x7fffffff no 4102444800 corp\n",
    b"1 active 1e9 no 4102444800 corp\n",
    b"1 active 4102444800 no 4102444800 " + b"x" * 3_000_000,
    b"x" * 3_000_000 + b"\n",
]


@pytest.mark.parametrize("content", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_as_good_as_nothing(world: World, content: bytes) -> None:
    world.credhelper(ensure=9)
    world.raw_session("corp", content)
    world.profile("corp-admin")
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        assert fish.segment() == ""
        assert fish.run("aws s3 ls") == Output("", 9)
    assert world.lines == ["credhelper ensure --profile corp-admin"]
    assert not (world.home / "ran").exists()


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "loop", "nothing", "device"])
def test_what_is_no_file_is_not_opened(world: World, kind: str) -> None:
    world.credhelper(ensure=9)
    place = world.board / "session/corp"
    world.profile("corp-admin")
    with socket.socket(socket.AF_UNIX) as listener:
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "folder":
            place.mkdir()
        elif kind == "socket":
            listener.bind(str(place))
        elif kind == "loop":
            place.symlink_to("corp")
        elif kind == "device":
            place.symlink_to("/dev/zero")
        with Fish(world, env=IN_USE) as fish:
            assert fish.first == Output("", 0)
            assert fish.segment() == ""
            assert fish.run("aws s3 ls") == Output("", 9)
    assert world.lines == ["credhelper ensure --profile corp-admin"]


def test_a_board_that_is_no_folder(world: World) -> None:
    world.credhelper(ensure=9)
    world.no_board()
    Path(world.board).write_bytes(b"\x00garbage")
    with Fish(world, env=IN_USE) as fish:
        assert fish.first == Output("", 0)
        assert fish.segment() == ""
        assert fish.run("aws s3 ls") == Output("", 9)
