"""shell/credhelper.zsh in a real zsh behind a real terminal."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.shells.terminal import Output, Terminal
from tests.shells.world import HOUR, Call, World
from tests.shells.zsh import Zsh

_ZSH = shutil.which("zsh")
pytestmark = pytest.mark.skipif(_ZSH is None, reason="no zsh on this machine")

ODD = [
    "a b",
    "it's",
    '"quoted"',
    "$(touch ran)",
    "`touch ran`",
    "é日本",
    "100%",
    "a!b",
    "back\\slash",
    "-dash",
    "a*b?[c]",
]


@pytest.fixture
def zsh(world: World, tmp_path: Path) -> Zsh:
    """A zsh in a folder of its own, to be written to and started."""
    return Zsh(world, tmp_path)


SOURCED = "source {}"
EVALUATED = 'eval "$(<{})"'


# --- strange surroundings -------------------------------------------------------------------------------------------

OPTIONS = [
    "",
    "err_exit no_unset pipe_fail",
    "err_return warn_create_global warn_nested_var no_clobber all_export no_aliases",
    "ksh_arrays sh_word_split glob_subst nomatch ksh_typeset rc_expand_param",
    "extended_glob null_glob ksh_glob no_interactive_comments prompt_subst no_multibyte",
    "sh_glob rc_quotes csh_junkie_quotes csh_junkie_loops no_short_loops no_multi_func_def no_equals",
    "ignore_braces ignore_close_braces posix_builtins posix_aliases posix_identifiers magic_equal_subst octal_zeroes",
]


@pytest.mark.parametrize("how", [SOURCED, EVALUATED])
@pytest.mark.parametrize("options", OPTIONS)
def test_all_of_it_under_any_options(zsh: Zsh, world: World, options: str, how: str) -> None:
    set_up(world)
    zsh.write(f"setopt {options}\n" if options else "", how=how)
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        goes_through_it(terminal, world)


@pytest.mark.parametrize("how", [SOURCED, EVALUATED])
def test_all_of_it_with_aliases_of_the_words_in_it(zsh: Zsh, world: World, how: str) -> None:
    words = "aws credhelper cd command builtin local typeset export emulate setopt unset print read return shift set"
    aliases = "\n".join(f"alias {word}='builtin print ALIAS {word}; {word}'" for word in words.split())
    aliases += "\nalias -g -- --help='| cat' -h='| cat' L='| less' G='| grep' NUL='&>/dev/null'\n"
    set_up(world)
    zsh.write(aliases, aliases + "unalias aws credhelper print\n", how=how)
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        goes_through_it(terminal, world)


def test_an_alias_goes_on_working(zsh: Zsh, world: World) -> None:
    zsh.write("alias aws='aws --no-cli-pager' cdk='noglob cdk' sam=terraform")
    with zsh.start() as terminal:
        terminal.prompt()
        assert terminal.run("aws s3 ls; cdk *; sam x; 'aws' s3") == Output("", 0)
    assert world.lines == ["aws --no-cli-pager s3 ls", "cdk *", "terraform x", "aws s3"]


def set_up(world: World) -> None:
    world.profile("corp-admin")
    world.session(left=630, login="soon", shown=630)
    world.credhelper()


def goes_through_it(terminal: Terminal, world: World) -> None:
    assert terminal.prompt() == Output("credhelper: session corp ends in 10 min. Run: credhelper login corp\n", 0)
    assert terminal.run('print -r -- "$CREDHELPER_SEGMENT"') == Output("%F{yellow}corp-admin 10m%f\n", 0)
    assert terminal.run("aws s3 '' 'a b'") == Output("", 0)
    assert terminal.run("credhelper use 'a b'; credhelper use -") == Output("", 0)
    assert terminal.run("aws --profile other sso login --no-browser") == Output("", 0)
    assert world.calls == [
        Call("aws", "corp-admin", ("s3", "", "a b")),
        Call("credhelper", "corp-admin", ("use", "--print", "a b")),
        Call("credhelper", "a b", ("use", "--print", "--", "corp-admin")),
        Call("credhelper", "corp-admin", ("aws-sso-login", "--profile", "other", "--no-browser")),
    ]


def test_what_is_the_users_stays(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.session()
    mine = """
precmd() { seen+=(precmd:$?) }
preexec() { seen+=(preexec) }
also() { seen+=(also:$?:${pipestatus// /,}) }
precmd_functions=(also)
aws() { print mine }
TRAPZERR() { zerr+=($?) }
trap 'print interrupted' INT
state() { print ${$(setopt):#shinstdin}; trap; alias; bindkey; typeset -p IFS }
was="$(state)"
"""
    zsh.write(mine, "precmd_functions+=(also)")
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("(exit 3) | (exit 4)") == Output("", 4)
        assert terminal.run("print $? $pipestatus") == Output("4 3 4\n", 0)
        assert terminal.run("seen=(); zerr=(); (exit 7)") == Output("", 7)
        assert terminal.run("print $seen - $zerr") == Output("precmd:7 also:7:7 also:7:7 preexec - 7\n", 0)
        assert terminal.run("aws") == Output("mine\n", 0)
        assert terminal.run("zerr=(); cdk x; (exit 5)").status == 5
        assert terminal.run("print $zerr; functions TRAPZERR").text == "5\nTRAPZERR () {\n\tzerr+=($?) \n}\n"
        assert terminal.run("trap 'debugs+=(${funcstack[1]-})' DEBUG").status == 0
        assert (
            terminal.run("trap - DEBUG; print ${(M)debugs:#__credhelper*}").text
            == "__credhelper_precmd __credhelper_precmd\n"
        )
        assert terminal.run("diff <(print -r -- $was) <(state) && kill -INT $$") == Output("interrupted\n", 0)
    assert world.lines == ["cdk x"]


def test_tracing_is_not_of_us(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.session()
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        terminal.prompt()
        shown = terminal.run("set -x").text
        assert shown.count("\n+__credhelper_precmd") + shown.startswith("+__credhelper_precmd") == 1
        assert "set +x" in terminal.run("set +x").text


def test_sourcing_again(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.session(left=600, login="soon", shown=650)
    world.default_profile("corp-admin")
    hook = shlex.quote(str(world.hook("zsh")))
    with zsh.start() as terminal:
        assert terminal.prompt().text.count("credhelper: session corp ends in") == 1
        assert terminal.run(f"source {hook}; source {hook}; print $AWS_PROFILE") == Output("corp-admin\n", 0)
        assert terminal.run("print ${(M)precmd_functions:#__credhelper*}").text == "__credhelper_precmd\n"
        assert terminal.run("credhelper use --unset") == Output("", 0)
        assert terminal.run(f"source {hook}; print ${{+AWS_PROFILE}}") == Output("0\n", 0)
        assert terminal.run(f"aws() {{ print mine }}; source {hook}; aws") == Output("mine\n", 0)
        assert (
            terminal.run(f"CREDHELPER_COMMANDS='cdk a/b \\$(x) -x'; source {hook}; print ${{+functions[sam]}}").text
            == "0\n"
        )
        assert terminal.run("print -l ${(k)functions[(R)?__credhelper_run *]}").text == "cdk\n"
        assert terminal.run(f"CREDHELPER_COMMANDS=; source {hook}; print ${{+functions[cdk]}}").text == "0\n"
        words = "print ${+functions[return]} ${+functions[.]} ${+functions[command]} ${+functions[cdk]}"
        assert terminal.run(f"CREDHELPER_COMMANDS='return . command cdk'; source {hook}; {words}").text == "0 0 0 1\n"


def test_nested_shells_exec_and_an_old_environment(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.profile("other", None)
    world.session(shown=7 * HOUR + 13 * 60 - 10)
    world.credhelper()
    stale = {
        "CREDHELPER_SEGMENT": "stale",
        "CREDHELPER_TEXT": "stale",
        "__credhelper_codes": "x",
        "__credhelper_warned": "y",
    }
    with zsh.start(AWS_PROFILE="corp-admin", **stale) as terminal:
        for line in ("true", "zsh -d", "exec zsh -d", "zsh -d -c 'exec zsh -d -i'"):
            assert terminal.run(line) == Output("", 0) if line != "true" else terminal.prompt() == Output("", 0)
            assert terminal.run("print $CREDHELPER_TEXT") == Output("corp-admin 7h12m\n", 0)
        assert terminal.run("credhelper use other; zsh -d") == Output("", 0)
        assert terminal.run("print -r - $AWS_PROFILE,$CREDHELPER_TEXT,$functions[aws]") == Output(
            'other,,\t__credhelper_run aws "$@"\n', 0
        )
        assert terminal.run("credhelper use -").status == 1
        assert terminal.run("exit 0").status == 0
        assert terminal.run("credhelper use -; print $AWS_PROFILE") == Output("corp-admin\n", 0)
        assert "__credhelper_" not in terminal.run("env").text


def test_a_pane_of_tmux_with_an_old_environment(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.session(shown=2 * HOUR + 90)
    zsh.write(after="setopt prompt_subst; PROMPT='<$CREDHELPER_TEXT> '")
    if shutil.which("tmux") is None:
        pytest.skip("no tmux on this machine")
    server = ["tmux", "-S", str(world.home / "tmux.sock"), "-f", "/dev/null"]
    try:
        with Terminal(
            [*server, "new-session", "zsh -d"], {**zsh.env, "AWS_PROFILE": "corp-admin"}, zsh.folder
        ) as terminal:
            terminal.wait_for("<corp-admin 2h01m>")
            world.session(shown=5 * HOUR + 90)
            terminal.type("tmux split-window 'zsh -d'\r")
            terminal.wait_for("<corp-admin 5h01m>")
    finally:
        subprocess.run([*server, "kill-server"], env=world.env, check=True, capture_output=True)


# --- the board ------------------------------------------------------------------------------------------------------


def test_no_board_and_a_dead_daemon(zsh: Zsh, world: World) -> None:
    world.profile("corp-admin")
    world.session(left=-5)
    world.credhelper()
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("print $CREDHELPER_TEXT; aws s3 ls") == Output("corp-admin\n", 0)
        world.no_board()
        assert terminal.run("aws s3 ls") == Output("", 0)
        assert terminal.run("print $CREDHELPER_TEXT") == Output("\n", 0)
        shutil.rmtree(world.home)
        assert terminal.run("unset HOME; aws s3 ls") == Output("", 0)
    assert world.lines == ["credhelper ensure --profile corp-admin", "aws s3 ls"] * 3


GARBAGE = {
    "empty": b"",
    "long": b"1 active " + b"9" * 1_000_000,
    "binary": bytes(range(256)) * 20,
    "another version": b"2 active 9999999999 no 0 corp\n",
    "too few": b"1 active 9999999999 no 0\n",
    "too many": b"1 active 9999999999 no 0 corp corp\n",
    "no line end": b"1 active 9999999999 no 0 corp",
    "two lines": b"1 active 9999999999 no 0 corp\n\n",
    "a huge number": b"1 active 99999999999999999999 no 0 corp\n",
    "no number": b"1 active $(touch$IFS./ran) no 0 corp\n",
    "a subscript": b"1 active a[$(touch${IFS}ran)] no 0 corp\n",
    "a bad name": b"1 active 9999999999 soon 0 co+rp\n",
    "escapes": b"1 active 9999999999 soon 0 \x1b[31mcorp\n",
}


@pytest.mark.parametrize("kind", [*GARBAGE, "fifo", "folder", "loop", "dangling", "endless"])
def test_garbage_on_the_board(zsh: Zsh, world: World, kind: str) -> None:
    world.profile("corp-admin")
    entry = world.board / "session" / "corp"
    if kind in GARBAGE:
        world.raw_session("corp", GARBAGE[kind])
    for place in [world.board / "default-profile", *([] if kind in GARBAGE else [entry])]:
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "folder":
            place.mkdir()
        elif kind == "loop":
            place.symlink_to(place)
        elif kind == "endless":
            place.symlink_to("/dev/zero")
        elif kind in GARBAGE and kind != "long":
            place.write_bytes(GARBAGE[kind])
    world.credhelper()
    with zsh.start() as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("print ${+AWS_PROFILE}") == Output("0\n", 0)
        assert terminal.run("export AWS_PROFILE=corp-admin") == Output("", 0)
        assert terminal.run('print -r -- "$CREDHELPER_SEGMENT"; aws s3 ls') == Output("\n", 0)
    assert world.lines == ["credhelper ensure --profile corp-admin", "aws s3 ls"]
    assert not (zsh.folder / "ran").exists()


IN_SINGLE_QUOTES = "PROMPT='<$CREDHELPER_SEGMENT> '"
IN_DOUBLE_QUOTES = 'mine() { PROMPT="<$CREDHELPER_SEGMENT> " }; precmd_functions+=(mine)'


@pytest.mark.parametrize(
    ("locale", "prompt"), [("C.UTF-8", IN_SINGLE_QUOTES), ("C", IN_SINGLE_QUOTES), ("C.UTF-8", IN_DOUBLE_QUOTES)]
)
def test_odd_names(zsh: Zsh, world: World, locale: str, prompt: str) -> None:
    zsh.write("setopt prompt_subst prompt_bang", prompt)
    world.credhelper()
    zsh.env |= {"LANG": locale, "LC_ALL": locale}
    for name in ODD:
        world.profile(name, name)
        world.session(name, left=14 * 60 + 30, login="soon", shown=14 * 60 + 30)
    with zsh.start() as terminal:
        terminal.prompt()
        for name in ODD:
            shown = (
                name
                if locale != "C"
                else "".join(char if char.isascii() else "?" * len(char.encode()) for char in name)
            )
            word = "$'" + "".join(f"\\x{byte:02x}" for byte in name.encode()) + "'"
            text = terminal.run(f"credhelper use -- {word}").text
            assert text.startswith(f"credhelper: session {shown} ends in 14 min. Run: credhelper login ")
            login = shlex.split(text.removesuffix("\n").rpartition("Run: ")[2])
            assert login == ["credhelper", "login", *(["--"] if shown[0] == "-" else []), shown]
            shown = re.sub(r"[\\`$]", "?", shown)
            terminal.wait_for(f"<{shown} 14m>")
            assert terminal.run('print -r -- "$CREDHELPER_TEXT" && credhelper_prompt').text == (
                f"{shown} 14m\n\x1b[33m{shown} 14m\x1b[39m"
            )
            assert terminal.run("aws s3 ls") == Output("", 0)
    assert [call for call in world.calls if call.program == "aws"] == [
        Call("aws", name, ("s3", "ls")) for name in ODD
    ]
    assert not any(call.arguments[0] == "ensure" for call in world.calls)
    assert not (zsh.folder / "ran").exists()


def test_names_that_would_steer_the_terminal(zsh: Zsh, world: World) -> None:
    name = "a\x1b[31m\x07\u202eb\u200bc\u2066\x9bd\u061c\u00ad\ufeff\udc9b"
    world.profile(name, name, config="x")
    (world.board / "profile" / "x").rename(world.board / "profile" / "default.new")
    (world.board / "profile" / "default").rmdir()
    (world.board / "profile" / "default.new").rename(world.board / "profile" / "default")
    world.session(name, left=600, login="soon", shown=600)
    with zsh.start(AWS_PROFILE=name) as terminal:
        text = terminal.prompt().text
        assert text.startswith("credhelper: session a?[31m??b?c??d???? ends in ")
        assert terminal.run('print -r -- "$CREDHELPER_TEXT"').text.startswith("a?[31m??b?c??d???? ")
