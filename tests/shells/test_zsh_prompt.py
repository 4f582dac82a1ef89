"""What shell/credhelper.zsh shows: the prompt, completion; and what it costs."""

from __future__ import annotations

import shlex
import shutil
import sys

import pytest

from tests.shells.terminal import Output
from tests.shells.world import HOUR, Forks, World
from tests.shells.zsh import Zsh

pytestmark = pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh on this machine")


# --- the prompt -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "segment"),
    [
        ({"shown": None}, "corp-admin"),
        ({"shown": 7 * HOUR + 12 * 60 + 30}, "corp-admin 7h12m"),
        ({"shown": 100 * HOUR + 30}, "corp-admin 100h00m"),
        ({"shown": HOUR + 30}, "corp-admin 1h00m"),
        ({"shown": HOUR - 10}, "corp-admin 59m"),
        ({"shown": 14 * 60 + 50}, "%F{yellow}corp-admin 14m%f"),
        ({"shown": 30}, "%F{yellow}corp-admin 0m%f"),
        ({"shown": -30}, "corp-admin"),
        ({"left": -30, "shown": HOUR}, "corp-admin"),
        ({"left": -30, "login": "soon", "shown": -30}, "%F{red}corp-admin expired%f"),
        ({"left": -30, "login": "yes", "state": "expired"}, "%F{red}corp-admin expired%f"),
        ({"left": HOUR, "login": "yes", "state": "logged_out"}, "%F{red}corp-admin expired%f"),
    ],
)
def test_the_segment(zsh: Zsh, world: World, session: dict[str, object], segment: str) -> None:
    world.session(**session)  # type: ignore[arg-type]
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("print -r -- $CREDHELPER_SEGMENT; AWS_PROFILE=keys NO_COLOR=1") == Output(
            segment + "\n", 0
        )
        plain = segment.removeprefix("%F{yellow}").removeprefix("%F{red}").removesuffix("%f")
        assert terminal.run("print -r -- $CREDHELPER_SEGMENT,$CREDHELPER_TEXT; unset AWS_PROFILE").text == ",\n"
        assert terminal.run("print -r -- $CREDHELPER_SEGMENT; export AWS_PROFILE=corp-admin").text == "\n"
        assert terminal.run("print -r -- $CREDHELPER_SEGMENT,$CREDHELPER_TEXT").text == f"{plain},{plain}\n"


def test_the_default_profile_is_shown_where_the_board_knows_it(zsh: Zsh, world: World) -> None:
    world.profile("default")
    with zsh.start() as terminal:
        terminal.prompt()
        assert terminal.run("print $CREDHELPER_TEXT; export AWS_DEFAULT_PROFILE=corp-dev").text == "default\n"
        assert terminal.run("print $CREDHELPER_TEXT").text == "corp-dev\n"


def test_a_warning_comes_once_for_each_end(zsh: Zsh, world: World) -> None:
    warning = "credhelper: session corp ends in {} min. Run: credhelper login corp\n"
    over = "credhelper: session corp has ended. Run: credhelper login corp\n"
    world.session(left=16 * 60, login="soon", shown=16 * 60)
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        assert terminal.prompt() == Output("", 0)
        world.session(left=890, login="soon", shown=890)
        assert terminal.run("(exit 9)") == Output(warning.format(14), 9)
        assert terminal.run("export AWS_PROFILE=corp-dev") == Output("", 0)
        assert terminal.run("true") == Output("", 0)
        world.session(left=30, login="soon", shown=30)
        assert terminal.run("true") == Output(warning.format(1), 0)
        world.session(left=-1, login="soon", shown=-1)
        assert terminal.run("false") == Output(over, 1)
        assert terminal.run("true") == Output("", 0)
        world.session(left=-1, login="yes", state="expired")
        assert terminal.run("true") == Output("", 0)
        world.session(left=890, login="no", shown=890)
        assert terminal.run("true") == Output("", 0)
        world.session(left=0, login="yes", state="logged_out")
        assert terminal.run("true") == Output("", 0)


def test_a_segment_of_powerlevel10k(zsh: Zsh, world: World) -> None:
    world.profile("50%!")
    # As powerlevel10k does: in a precmd of its own, with the arguments expanded as a prompt is.
    theme = """
p10k() { printf '<%s>' "${(@%)@}"; print }
theme() { emulate -L zsh -o prompt_subst; prompt_credhelper; true }
precmd_functions+=(theme)
"""
    zsh.write(after=theme)
    with zsh.start(AWS_PROFILE="50%!") as terminal:
        assert terminal.prompt() == Output("<segment><-s><OK><-f><><-t><50%!>\n", 0)
        world.session(shown=630)
        assert terminal.run("true") == Output("<segment><-s><SHORT><-f><yellow><-t><50%! 10m>\n", 0)
        world.session(login="yes")
        assert terminal.run("NO_COLOR=1") == Output(
            "credhelper: session corp has ended. Run: credhelper login corp\n"
            "<segment><-s><OVER><-f><><-t><50%! expired>\n",
            0,
        )
        assert terminal.run("AWS_PROFILE=keys") == Output("", 0)


def test_starship_sees_the_text(zsh: Zsh, world: World) -> None:
    world.profile("50%!")
    world.session(shown=HOUR + 30)
    zsh.write(after="export CREDHELPER_TEXT; setopt prompt_subst; PROMPT='<$(printenv CREDHELPER_TEXT)> '")
    with zsh.start(AWS_PROFILE="50%!") as terminal:
        terminal.prompt()
        assert terminal.run("printenv CREDHELPER_TEXT") == Output("50%! 1h00m\n", 0)


# --- what it costs --------------------------------------------------------------------------------------------------


def test_no_process_at_the_start_at_a_prompt_or_before_a_command(zsh: Zsh, world: World, forks: Forks) -> None:
    world.session(left=600, login="soon", shown=600)
    world.default_profile("corp-admin")
    zsh.write(after="typeset -A _comps; compdef() { _comps[$2]=$1 }")  # compinit itself starts processes
    with zsh.start(forks.trace) as terminal:
        terminal.prompt()
        assert (forks.count(), forks.programs()) == (0, 1)
        for line in ("true", "export AWS_PROFILE='a b'", f"source {world.hook('zsh')}", "credhelper_prompt"):
            terminal.run(line)
        assert (forks.count(), forks.programs()) == (0, 1)
        terminal.run("aws s3 ls --profile corp-admin")
        assert (forks.count(), forks.programs()) == (1, 2)
        terminal.run("credhelper use corp-dev")
        assert (forks.count(), forks.programs()) == (2, 3)


# --- completion -----------------------------------------------------------------------------------------------------

COMPINIT = "autoload -Uz compinit && compinit -D -u"
FEATURES = [("", ""), (COMPINIT, ""), ("", COMPINIT)]


@pytest.mark.parametrize(("before", "after"), FEATURES)
def test_completion(zsh: Zsh, world: World, before: str, after: str) -> None:
    world.credhelper(completion="corp-admin\ncorp-dev\nit's $(touch ran)\nlogin\tLog in to a session.")
    zsh.write(before, after)
    with zsh.start() as terminal:
        assert terminal.prompt() == Output("", 0)
        assert world.calls == []
        terminal.type("credhelper use corp-\t")
        terminal.wait_for("corp-admin  corp-dev")
        terminal.type("d\t\r")
        terminal.prompt()
        terminal.type("credhelper use it\t\r")
        terminal.prompt()
        terminal.type("credhelper lo\t\r")
        terminal.prompt()
    called = [call.arguments for call in world.calls if call.arguments]
    assert called == [("use", "--print", "corp-dev"), ("use", "--print", "it's $(touch ran)"), ("login",)]
    assert not (zsh.folder / "ran").exists()


def test_completion_registers_when_compinit_comes_late(zsh: Zsh, world: World) -> None:
    world.credhelper(completion="corp-admin\nlogin\tLog in to a session.")
    with zsh.start() as terminal:
        terminal.prompt()
        assert terminal.run(COMPINIT) == Output("", 0)
        assert terminal.run("print $_comps[credhelper]") == Output("__credhelper_complete\n", 0)
        terminal.type("credhelper \t")
        terminal.wait_for("login  -- Log in to a session.")


def test_completion_asks_with_plain_words(zsh: Zsh, world: World) -> None:
    asks = 'printf "%s<%s><%s>\\n" "$_CREDHELPER_COMPLETE" "$_CREDHELPER_WORDS" "$_CREDHELPER_WORD" >asked'
    world.program("credhelper", f'{asks}; printf "%sZZ\\n" "$_CREDHELPER_WORD"')
    zsh.write(COMPINIT)
    with zsh.start() as terminal:
        terminal.prompt()
        for typed, words in (
            ("enable 'a b' it\\'s ", "<enable\na b\nit's><>"),
            ('use "a b', "<use><a b>"),
            ("use 'it", "<use><it>"),
            ("use it\\'s\\ ", "<use><it's >"),
            ("--he", "<><--he>"),
        ):
            terminal.type(f"credhelper {typed}\t")
            terminal.wait_for("ZZ")
            assert (zsh.folder / "asked").read_text() == f"lines_complete{words}\n"
            terminal.run("")
            terminal.run("clear")


def test_completion_and_use_with_the_real_program(zsh: Zsh, world: World) -> None:
    program = world.bin / "credhelper"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m credhelper "$@"\n')
    typed = {
        'it\'s "odd"': ("it", r"it\'s\ \"odd\""),
        "$(touch ran)": (r"\$", r"\$\(touch\ ran\)"),
        "tilde~ é": ("ti", r"tilde\~\ é"),
        "semi;colon&": ("'s", "'semi;colon&'"),
    }
    for name in typed:
        world.profile(name, None)
    zsh.write(COMPINIT, how='eval "$(credhelper hook zsh)" # {}')
    with zsh.start() as terminal:
        assert terminal.prompt() == Output("", 0)
        for name, (begun, completed) in typed.items():
            terminal.type(f"credhelper use {begun}\t")
            terminal.wait_for(completed)
            assert terminal.run("") == Output("", 0)
            assert terminal.run('print -r -- "$AWS_PROFILE"; clear').text.startswith(f"{name}\n")
    assert not (zsh.folder / "ran").exists()
