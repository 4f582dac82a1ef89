"""Tab in bash, with the real command behind it, in a real terminal."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from tests.sandbox import PROJECT
from tests.shells.bash import MODES, Bash
from tests.shells.terminal import Output
from tests.shells.world import World

QUIET = Output("", 0)
# Ctrl-U. A Ctrl-C that comes just before the line editor waits for the next key has its effect only after that key.
CLEAR = "\x15"
# What is typed before Tab, and the profile that must come of it. None begins as another does.
NAMES = [
    ("plai", "plain-1.2"),
    ("w", "with space"),
    ("a", "a'quote"),
    ("d", 'd"quote'),
    ("s", "s$(touch pwned)"),
    ("t", "t`touch pwned`"),
    ("b", "b\\slash"),
    ("c", "c:olon:name"),
    ("c:o", "c:olon:name"),
    ("e", "e=quals"),
    ("x", "x;touch pwned"),
    ("ü", "ünïcøde ☃"),
    ("g", "g*[x]?{a,b}"),
    ("v", "v&|<>!"),
    ("h", "h#ash"),
    ("'w", "with space"),
    ('"w', "with space"),
    ("with\\ s", "with space"),
    ('"s', "s$(touch pwned)"),
    ("'b", "b\\slash"),
]


@pytest.fixture
def real(world: World) -> World:
    """The command itself, and a config with these profiles, none of which uses a session."""
    path = world.bin / "credhelper"
    path.write_text(f'#!/bin/sh\nPYTHONPATH={PROJECT} exec {sys.executable} -P -m credhelper "$@"\n')
    names = dict.fromkeys(name for _, name in NAMES)
    sections = (f'[profile "{name}"]\n' if '"' not in name else f"[profile '{name}']\n" for name in names)
    (world.home / ".aws" / "config").write_text("".join(f"{line}region = eu-west-1\n\n" for line in sections))
    return world


@pytest.mark.parametrize("mode", MODES)
def test_names_at_tab(real: World, mode: str) -> None:
    """What Tab inserts is run, and must name the very profile, whatever it is made of."""
    # The stand-in tells what it was given; completion is the real command's.
    asked = 'if [ -n "${_CREDHELPER_COMPLETE-}" ]; then exec "$0.real"; fi\n'
    (real.bin / "credhelper").rename(real.bin / "credhelper.real")
    real.program("credhelper", "exit 0")
    note = (real.bin / "credhelper").read_text()
    (real.bin / "credhelper").write_text(note.replace("#!/bin/sh\n", f"#!/bin/sh\n{asked}", 1))
    with Bash(real, mode) as terminal:
        terminal.run("set +o histexpand")
        for typed, name in NAMES:
            real.forget_calls()
            terminal.type(f"credhelper login {typed}\t")
            # A blank after the word tells that it is whole.
            terminal.type("END")
            terminal.wait_for("END")
            terminal.type("\x7f\x7f\x7f\r")
            assert terminal.prompt() == QUIET, typed
            assert [call.arguments for call in real.calls] == [("login", name)], typed
    assert not list(Path(real.home).rglob("pwned"))


def test_verbs_options_and_several_names(real: World) -> None:
    with Bash(real) as terminal:
        terminal.type("credhelper who\t")
        terminal.wait_for("credhelper whoami")
        terminal.type("--js\t")
        terminal.wait_for("credhelper whoami --json")
        terminal.type(f"{CLEAR}\r")
        terminal.prompt()
        real.home.joinpath(".aws", "config").write_text("[profile corp-admin]\n\n[profile corp-billing]\n")
        terminal.type("credhelper use co\t")
        terminal.wait_for("credhelper use corp-")
        terminal.type("\t\t")
        screen = terminal.wait_for("corp-billing")
        assert "corp-admin" in screen


def test_tab_without_the_command_is_silent(real: World) -> None:
    (real.bin / "credhelper").unlink()
    with Bash(real) as terminal:
        terminal.type("credhelper use w\t\t")
        terminal.type("x")
        terminal.wait_for("use wx")
        assert "not found" not in terminal.screen()


def test_nothing_is_run_for_completion_at_the_start(real: World) -> None:
    real.program("credhelper", "exit 0")
    with Bash(real) as terminal:
        assert terminal.run(":") == QUIET
        assert terminal.run("complete -p credhelper").text.endswith("-F __credhelper_complete credhelper\n")
        assert shlex.split(terminal.run("complete -p credhelper").text)[0] == "complete"
    assert real.calls == []
