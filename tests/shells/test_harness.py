"""The harness of the shells' tests: its terminal and its counting, shown with a bare bash."""

from __future__ import annotations

from pathlib import Path

import psutil

from tests.shells.terminal import STARTED, Output, Terminal, finished
from tests.shells.world import Call, Forks, World


def bare_bash(world: World) -> list[str]:
    rc = world.home / "rc"
    rc.write_text(f"PS0='{STARTED}'\nPS1='\\[{finished('$?')}\\]$ '\n")
    return ["bash", "--noprofile", "--rcfile", str(rc), "-i"]


def test_a_line_gives_exactly_its_output_and_status(world: World, tmp_path: Path) -> None:
    with Terminal(bare_bash(world), world.env, tmp_path) as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("echo out; echo err >&2; (exit 7)") == Output("out\nerr\n", 7)
        assert terminal.run("printf 'no line end'") == Output("no line end", 0)
        assert terminal.run("pwd; [ -t 0 ] && [ -t 1 ] && [ -t 2 ]") == Output(f"{tmp_path}\n", 0)
        assert terminal.run("stty size") == Output("24 120\n", 0)
        assert "no line end$ pwd" in terminal.screen()
        assert terminal.run("fg").text == "bash: fg: current: no such job\n"


def test_ctrl_c_and_typing(world: World, tmp_path: Path) -> None:
    with Terminal(bare_bash(world), world.env, tmp_path) as terminal:
        terminal.prompt()
        terminal.start("cat")
        terminal.type("seen\r")
        terminal.wait_until(lambda screen: screen.count("seen") == 2)
        terminal.interrupt()
        assert terminal.prompt().status == 130
        terminal.type("half a line")
        terminal.wait_for("half a line")
        # Ctrl-C here may be heard only with the next key: bash looks for signals before it waits for a key.
        terminal.type("\x15\r")
        assert terminal.prompt().status == 130


def test_the_session_ends_with_the_terminal(world: World, tmp_path: Path) -> None:
    with Terminal(bare_bash(world), world.env, tmp_path) as terminal:
        terminal.prompt()
        left = int(terminal.run("(trap '' HUP TERM; exec sleep 600) & echo $!").text.split()[-1])
    # Whoever adopts orphans here may be slow to bury them.
    assert not psutil.pid_exists(left) or psutil.Process(left).status() == psutil.STATUS_ZOMBIE


def test_programs_note_their_calls(world: World, tmp_path: Path) -> None:
    world.credhelper(ensure=3)
    with Terminal(bare_bash(world), world.env, tmp_path) as terminal:
        terminal.prompt()
        assert terminal.run("AWS_PROFILE=$'a b\\n' aws s3 '' \"it's\"") == Output("", 0)
        assert terminal.run("credhelper ensure --profile x").status == 3
        assert terminal.run("credhelper use --print 'q r'") == Output("q r\n", 0)
    assert world.calls == [
        Call("aws", "a b\n", ("s3", "", "it's")),
        Call("credhelper", None, ("ensure", "--profile", "x")),
        Call("credhelper", None, ("use", "--print", "q r")),
    ]


def test_forks_are_counted(world: World, forks: Forks, tmp_path: Path) -> None:
    with Terminal(forks.trace(bare_bash(world)), world.env, tmp_path) as terminal:
        terminal.prompt()
        before, programs = forks.count(), forks.programs()
        terminal.run("cd /; x=1; [[ -e / ]]")
        assert forks.count() == before
        terminal.run("y=$(true)")
        assert (forks.count() - before, forks.programs() - programs) == (1, 0)
        terminal.run("aws | aws")
        assert (forks.count() - before, forks.programs() - programs) == (3, 2)
