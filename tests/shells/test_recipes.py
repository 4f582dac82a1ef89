"""The lines that docs/shells.md and the README give for start-up files do in real shells what they say."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.sandbox import PROJECT
from tests.shells.terminal import Terminal
from tests.shells.world import World

SHELLS = ("bash", "zsh", "fish")
_PLAIN = {"bash": "PS1='> '\n", "zsh": "PROMPT='> '\n", "fish": "function fish_prompt; echo -n '> '; end\n"}
_ROW = re.compile(r"^\| (bash|zsh|fish|PowerShell) \| `(.+)` \|$", re.MULTILINE)


def recipes(page: str, heading: str) -> dict[str, str]:
    """The lines of a table below its heading row, by shell."""
    text = (PROJECT / page).read_text().partition(f"{heading}\n")[2].partition("\n\n")[0]
    return {shell: line.replace("\\|", "|") for shell, line in _ROW.findall(text)}


PROMPTS = recipes("docs/shells.md", "| prompt | in the start-up file, after the hook |")
LINES = recipes("docs/shells.md", "| shell | line |")


def start_up(world: World, name: str, text: str) -> list[str]:
    """Write a shell's start-up file; the command that starts it."""
    if shutil.which(name) is None:
        pytest.skip(f"no {name} on this machine")
    home = world.home
    # Where this folder is missing fish fills it, in a process that outlives it.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    rc = {"bash": home / ".bashrc", "zsh": home / ".zshrc", "fish": home / ".config/fish/config.fish"}[name]
    rc.parent.mkdir(parents=True, exist_ok=True)
    rc.write_text(text)
    return {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-d", "-i"], "fish": ["fish", "-i"]}[name]


def test_all_shells_have_lines_and_the_readme_has_the_same() -> None:
    assert list(PROMPTS) == list(LINES) == [*SHELLS, "PowerShell"]
    assert recipes("README.md", "| shell | in its start-up file |") == PROMPTS
    for name, line in LINES.items():
        assert f"credhelper hook {name.lower()}" in line


@pytest.mark.parametrize("name", SHELLS)
def test_the_prompt_shows_profile_and_time(name: str, world: World) -> None:
    world.session("corp", left=42.5 * 60, shown=42.5 * 60)
    world.profile("corp-dev")
    world.session("client", left=7.5 * 60, shown=7.5 * 60, login="soon")
    world.profile("client-prod", "client")
    command = start_up(world, name, f"{_PLAIN[name]}source {world.hook(name)}\n{PROMPTS[name]}\n")
    with Terminal(command, {**world.env, "AWS_PROFILE": "corp-dev"}, world.home) as terminal:
        terminal.wait_until(lambda screen: re.search(r"corp-dev 42m( >$|$)", screen))
        terminal.type("export AWS_PROFILE=client-prod\r")
        terminal.wait_until(lambda screen: re.search(r"client-prod 7m( >$|$)", screen))
        shown = terminal.screen()
        assert shown.count("credhelper: session client ends in 7 min. Run: credhelper login client") == 1
        assert re.search(rb"\x1b\[33m(\x1b\[K)?client-prod 7m\x1b", terminal.raw()), "in yellow"
        terminal.type("export AWS_PROFILE=\r")
        # Neither before nor, in fish, behind the line.
        terminal.wait_until(lambda screen: screen.endswith("\n>"))


@pytest.mark.parametrize("name", SHELLS)
def test_the_line_loads_the_hook(name: str, world: World) -> None:
    program = world.bin / "credhelper"
    program.unlink()
    program.symlink_to(Path(sys.executable).with_name("credhelper"))
    command = start_up(world, name, f"{_PLAIN[name]}{LINES[name]}\n")
    with Terminal(command, world.env, world.home) as terminal:
        terminal.wait_for(">")
        terminal.type("type credhelper aws; echo di''d\r")
        shown = terminal.wait_for("\ndid")
        assert "not found" not in shown
        # Each says it in its own words, in bash and fish with the function's text, longer than a screen.
        functions = re.findall(rb"(credhelper|aws) is a (?:shell )?function", terminal.raw())
        assert sorted(functions) == [b"aws", b"credhelper"]
