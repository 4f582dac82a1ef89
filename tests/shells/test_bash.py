"""shell/credhelper.bash in interactive shells: its start, and that nothing of the person's own is disturbed."""

from __future__ import annotations

import shlex

import pytest

from tests.shells.bash import MODES, Bash, command, write_rc
from tests.shells.terminal import Output, Terminal
from tests.shells.world import HOUR, TOOLS, World

QUIET = Output("", 0)
modes = pytest.mark.parametrize("mode", MODES)


def shown(terminal: Terminal) -> str:
    return terminal.run('printf %s "$CREDHELPER_TEXT"').text


# --- the start ------------------------------------------------------------------------------------------------------


@modes
def test_the_start_is_silent_and_defines_only_what_is_ours(corp: World, mode: str) -> None:
    look = "compgen -A function || :; compgen -v"
    with Bash(corp, mode, hook=False) as bare:
        bare.run(":")
        before = set(bare.run(look).text.split())
    with Bash(corp, mode) as terminal:
        assert terminal.first == QUIET
        assert terminal.run(":") == QUIET
        new = {name for name in set(terminal.run(look).text.split()) - before if not name.startswith("__credhelper_")}
    ours = {"credhelper", "credhelper_prompt", *TOOLS, "CREDHELPER_TEXT", "CREDHELPER_SEGMENT"}
    assert new - {"PROMPT_COMMAND", "PIPESTATUS", "_"} == ours


@modes
@pytest.mark.parametrize("form", ["source", "eval"])
def test_options_are_left_as_they_were(corp: World, mode: str, form: str) -> None:
    look = "set +o > $HOME/{0}; shopt -p > $HOME/{0}.shopt || :"
    line = f"eval \"$(cat '{corp.hook('bash')}')\"" if form == "eval" else f"source '{corp.hook('bash')}'"
    with Bash(corp, mode, hook=False, before=look.format("one") + f"\n{line}\n" + look.format("two")) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("type -t credhelper") == Output("function\n", 0)
    for name in ("one", "one.shopt"):
        assert (corp.home / name).read_text() == (corp.home / name.replace("one", "two")).read_text()


@modes
def test_new_shells_have_the_default_profile(corp: World, mode: str) -> None:
    name = "odd $(touch pwned) 'ü'"
    corp.default_profile(name)
    with Bash(corp, mode) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("printenv AWS_PROFILE") == Output(name + "\n", 0)
        terminal.run("unset AWS_PROFILE")
        assert terminal.run(f"source '{corp.hook('bash')}'; echo \"${{AWS_PROFILE-none}}\"").text == "none\n"
    assert not (corp.home / "pwned").exists()


@pytest.mark.parametrize(
    "env", [{"AWS_PROFILE": "mine"}, {"AWS_PROFILE": ""}, {"AWS_DEFAULT_PROFILE": "mine"}, {"AWS_ACCESS_KEY_ID": "x"}]
)
def test_a_profile_of_the_environment_stays(corp: World, env: dict[str, str]) -> None:
    corp.default_profile("dev")
    with Bash(corp, env=env) as terminal:
        assert terminal.run('echo "${AWS_PROFILE-unset}"').text == env.get("AWS_PROFILE", "unset") + "\n"


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"no line end", b"a b\n", b"x+0g\n", b"+00\n", b"\\x41\n", b"$(id)\n", b"\xff\n"]
)
def test_a_broken_default_profile_is_none(corp: World, content: bytes) -> None:
    (corp.board / "default-profile").write_bytes(content)
    with Bash(corp) as terminal:
        assert terminal.first == QUIET
        assert terminal.run('echo "${AWS_PROFILE-unset}"').text == "unset\n"


@modes
def test_sourcing_again_changes_nothing(corp: World, mode: str) -> None:
    again = f"source '{corp.hook('bash')}'"
    with Bash(corp, mode, before="PROMPT_COMMAND='mine=1'", after="function eksctl { echo own; }") as terminal:
        terminal.run("credhelper use dev")
        terminal.run("credhelper use other")
        once = terminal.run('declare -p PROMPT_COMMAND; declare -f | grep -c ""').text
        for _ in range(3):
            assert terminal.run(again) == QUIET
        assert terminal.run('declare -p PROMPT_COMMAND; declare -f | grep -c ""').text == once
        assert terminal.run("eksctl") == Output("own\n", 0)
        assert terminal.run("credhelper use -; echo $AWS_PROFILE") == Output("dev\n", 0)


@modes
def test_nested_shells_and_exec(corp: World, mode: str) -> None:
    corp.session(shown=3 * HOUR + 90)
    with Bash(corp, mode) as terminal:
        terminal.run("credhelper use dev")
        nested = shlex.join(command(corp.home / ".bashrc", mode))
        assert terminal.run(nested) == QUIET
        assert shown(terminal) == "dev 3h01m"
        terminal.run("credhelper use other")
        assert shown(terminal) == ""
        assert terminal.run("exit") == Output("exit\n", 0)
        assert shown(terminal) == "dev 3h01m"
        assert terminal.run(f"exec {nested}") == QUIET
        assert shown(terminal) == "dev 3h01m"
        assert terminal.run("credhelper use - || :").text.endswith("Run: credhelper use NAME\n")


def test_a_shell_without_the_hook_inherits_nothing_that_runs(corp: World) -> None:
    with Bash(corp, after="export PROMPT_COMMAND; set -a; credhelper use dev; set +a") as terminal:
        bare = write_rc(corp, hook=False)
        assert terminal.run(shlex.join(command(bare))) == QUIET
        assert terminal.run(":") == QUIET
        assert terminal.run("echo $PROMPT_COMMAND; type -t aws").text == '"${__credhelper_hook-:}" && :\nfile\n'


# --- what is the person's own ---------------------------------------------------------------------------------------

SEEN = 'seen() { echo "$? ${PIPESTATUS[*]}" >>"$HOME/seen"; }\n'
PROMPT_COMMANDS = {
    "unset": "",
    "empty": "PROMPT_COMMAND=",
    "string": "PROMPT_COMMAND=seen",
    "semicolon": "PROMPT_COMMAND='seen; '",
    "comment": "PROMPT_COMMAND='seen # and no more'",
    "exported": "export PROMPT_COMMAND=seen",
    "array of none": "PROMPT_COMMAND=()",
    "array of one": "PROMPT_COMMAND=(seen)",
    "array of two": "PROMPT_COMMAND=(seen 'x=1')",
}


@modes
@pytest.mark.parametrize("form", PROMPT_COMMANDS)
def test_both_forms_of_prompt_command(corp: World, mode: str, form: str) -> None:
    corp.session(shown=HOUR + 30)
    with Bash(corp, mode, before=SEEN + PROMPT_COMMANDS[form], env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.first == QUIET
        assert shown(terminal) == "dev 1h00m"
        (corp.home / "seen").write_text("")
        failing = "! true | true" if mode == "strict" else "(exit 3) | (exit 4)"
        assert terminal.run(failing) == Output("", 1 if mode == "strict" else 4)
        seen = (corp.home / "seen").read_text()
        wanted = "1 0 0\n" if mode == "strict" else "4 3 4\n"
        assert seen == (wanted if "seen" in PROMPT_COMMANDS[form] else "")


@modes
def test_prompt_commands_added_later_see_the_status_too(corp: World, mode: str) -> None:
    with Bash(corp, mode, after=SEEN + 'PROMPT_COMMAND="$PROMPT_COMMAND; seen"') as terminal:
        (corp.home / "seen").write_text("")
        terminal.run(":" if mode == "strict" else "(exit 5)")
        assert (corp.home / "seen").read_text().split()[0] == ("0" if mode == "strict" else "5")


@modes
def test_status_and_pipestatus_are_untouched(corp: World, mode: str) -> None:
    with Bash(corp, mode, env={"AWS_PROFILE": "dev"}) as terminal:
        if mode == "strict":
            assert terminal.run("! true").status == 1
            assert terminal.run("echo $?") == Output("1\n", 0)
            assert terminal.run("! true | true").status == 1
            assert terminal.run("echo ${PIPESTATUS[*]}") == Output("0 0\n", 0)
        else:
            for status in (1, 7, 130, 255):
                assert terminal.run(f"(exit {status})").status == status
                assert terminal.run("echo $?") == Output(f"{status}\n", 0)
            terminal.run("(exit 3) | true | (exit 4)")
            assert terminal.run("echo ${PIPESTATUS[*]}") == Output("3 0 4\n", 0)
        assert terminal.run("credhelper_prompt >/dev/null") == QUIET


@modes
def test_variables_that_commands_set_are_untouched(corp: World, mode: str) -> None:
    corp.session(left=600.5, login="soon", shown=600.5)
    with Bash(corp, mode) as terminal:
        terminal.run("REPLY=mine OPTIND=3; read -r line <<<'a b'; [[ abc =~ b ]]; getopts x y -- -x || :")
        terminal.run("export AWS_PROFILE=dev; [[ xyz =~ y ]]; echo last")
        assert terminal.run('echo "$_ ${BASH_REMATCH[0]} $REPLY $line"') == Output("last y mine a b\n", 0)


@pytest.mark.parametrize("mode", ["plain", "posix"])
def test_traps_are_the_persons_own(corp: World, mode: str) -> None:
    traps = """
trap 'echo "$BASH_COMMAND" >>"$HOME/debug"' DEBUG
trap 'echo "err $?" >>"$HOME/err"' ERR
trap 'echo bye >>"$HOME/exit"' EXIT
trap 'echo int' INT
"""
    with Bash(corp, mode, before=traps, env={"AWS_PROFILE": "dev"}) as terminal:
        for name in ("debug", "err", "exit"):
            (corp.home / name).write_text("")
        terminal.run("(exit 6)")
        terminal.run("aws s3 ls")
        # A DEBUG trap sees whatever stands in PROMPT_COMMAND; no function's inside.
        debug = (corp.home / "debug").read_text().splitlines()
        hook = ['"${__credhelper_hook-:}"', ":"]
        assert [line for line in debug if line not in hook] == ["( exit 6 )", "aws s3 ls"]
        assert set(debug) == {"( exit 6 )", "aws s3 ls", *hook}
        kept = terminal.run("trap -p").text
        assert all(f"trap -- 'echo {what}" in kept for what in ('"$BASH_COMMAND"', '"err $?"', "bye", "int'"))
        assert (corp.home / "err").read_text() == "err 6\n"
        assert (corp.home / "exit").read_text() == ""
        terminal.type("exit\r")
        terminal.wait()
    assert (corp.home / "exit").read_text() == "bye\n"
    assert corp.lines == ["aws s3 ls"]


def test_traps_that_functions_inherit_see_no_failure_of_ours(corp: World) -> None:
    with Bash(corp, after="set -ET; trap 'echo err' ERR", env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.first == QUIET
        for line in (":", "aws s3 ls", "aws s3 ls --profile other", "credhelper use other", "credhelper use -"):
            assert terminal.run(line) == QUIET


@modes
def test_aliases_reach_nothing_of_ours(corp: World, mode: str) -> None:
    words = "cd command builtin local printf read export return declare complete shift type echo eval set credhelper"
    hostile = "".join(f"alias {word}='echo alias {word};'\n" for word in words.split())
    with Bash(corp, mode, before=f"shopt -s expand_aliases\n{hostile}", env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("\\unalias -a") == QUIET
        assert terminal.run("credhelper use other") == QUIET
        assert terminal.run("aws s3 ls; true") == QUIET
        assert terminal.run("credhelper_prompt; printf '%s\\n' $AWS_PROFILE") == Output("other\n", 0)


ODD_OPTIONS = """\
IFS=_0123456789abcdefghijklmnopqrstuvwxyz
set -fC
shopt -s failglob nullglob nocasematch nocaseglob dotglob extglob xpg_echo
"""


@modes
def test_odd_options_and_word_splitting_change_nothing(corp: World, mode: str) -> None:
    corp.session(left=8 * HOUR, shown=7 * HOUR + 12 * 60 + 30)
    corp.session("over", left=-5, login="yes", state="expired")
    corp.profile("the *", "over")
    corp.default_profile("the *")
    with Bash(corp, mode, before=ODD_OPTIONS) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("aws s3 ls '*' -f 'a b'") == QUIET
        assert terminal.run("credhelper use -- 'the *'; credhelper use dev") == QUIET
        assert shown(terminal) == "dev 7h12m"
        assert terminal.run("aws --profile 'the *' sso login -x") == QUIET
        assert terminal.run("credhelper use -; printenv AWS_PROFILE") == Output("the *\n", 0)
    calls = [call.arguments for call in corp.calls]
    assert calls[:2] == [("ensure", "--profile", "the *"), ("s3", "ls", "*", "-f", "a b")]
    assert calls[4] == ("aws-sso-login", "--profile", "the *", "-x")


def test_two_names_that_differ_in_their_case(corp: World) -> None:
    corp.session("other", shown=2 * HOUR + 30)
    corp.profile("DEV", "other")
    with Bash(corp, before="shopt -s nocasematch", env={"AWS_PROFILE": "dev"}) as terminal:
        assert shown(terminal) == "dev"
        terminal.run("credhelper use DEV")
        assert shown(terminal) == "DEV 2h00m"
        terminal.run("credhelper use -")
        assert shown(terminal) == "dev"


@pytest.mark.parametrize("mode", ["plain", "posix"])
def test_tracing_shows_hardly_anything_of_ours(corp: World, mode: str) -> None:
    with Bash(corp, mode, env={"AWS_PROFILE": "dev"}) as terminal:
        assert len(terminal.run("set -x").text.splitlines()) < 12
        traced = terminal.run("aws s3 ls").text.splitlines()
        assert {"+ aws s3 ls", "+ command aws s3 ls"} <= set(traced)
        assert len(traced) < 30
        corp.session(login="yes", left=-5)
        corp.credhelper(ensure=5)
        assert terminal.run("aws s3 ls").status == 5
        assert terminal.run("echo $-").text.count("x") > 0
        terminal.run("set +x")
        assert terminal.run(":") == QUIET


@modes
def test_the_segment_can_be_asked_for_before_the_first_prompt(corp: World, mode: str) -> None:
    with Bash(corp, mode, after="credhelper_prompt; after=reached", env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("echo $after; credhelper_prompt") == Output("reached\ndev", 0)


def test_a_prompt_command_that_must_not_change(corp: World) -> None:
    with Bash(
        corp, before="readonly PROMPT_COMMAND=x=1", after="after=reached", env={"AWS_PROFILE": "dev"}
    ) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("echo $after; credhelper use other; echo $AWS_PROFILE") == Output("reached\nother\n", 0)


def test_an_exported_text_stays_exported(corp: World) -> None:
    """For prompts that are programs of their own and get an environment."""
    with Bash(corp, after="export CREDHELPER_TEXT", env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.run("printenv CREDHELPER_TEXT") == Output("dev\n", 0)


@pytest.mark.parametrize("locale", ["C", "no_SUCH.locale"])
def test_what_a_terminal_of_unicode_would_obey_is_not_shown_in_the_locale_c(corp: World, locale: str) -> None:
    name = "é\x9b31m\u202e"
    corp.session(name, left=600.5, login="soon", shown=600.5)
    corp.profile(name, name)
    with Bash(corp, env={"LANG": locale, "LC_ALL": locale, "AWS_PROFILE": name}) as terminal:
        assert "credhelper: session ????31m??? ends in 10 min." in terminal.first.text
        assert shown(terminal).startswith("????31m??? ")


def test_what_a_terminal_would_obey_is_not_shown(corp: World) -> None:
    name = "a\x1b]0;title\x07b\x9bc\x7f\t\u061c\u202e\u2066"
    corp.session(name, left=600.5, login="soon", shown=600.5)
    corp.profile(name, name)
    with Bash(corp) as terminal:
        corp.credhelper(use=name)
        warned = terminal.run("credhelper use odd").text
        assert terminal.run("printf %s \"$AWS_PROFILE\" | od -An -tx1 | tr -d ' \\n'").text == name.encode().hex()
        assert shown(terminal).startswith("a?]0;title?b?c????? ")
    assert warned.startswith("credhelper: session a?]0;title?b?c????? ends in 10 min. Run: credhelper login ")
    assert not {character for character in warned[:-1] if not character.isprintable()}


@modes
@pytest.mark.parametrize("where", ["before", "after"])
def test_an_alias_of_a_tool_goes_through_the_hook(corp: World, mode: str, where: str) -> None:
    corp.session(login="yes", left=-1)
    alias = "shopt -s expand_aliases\nalias aws='aws --no-cli-pager' terraform=tofu"
    with Bash(corp, mode, before=alias if where == "before" else "", after=alias if where == "after" else "") as bash:
        assert bash.first == QUIET
        assert bash.run("aws s3 ls --profile dev") == QUIET
        assert bash.run("AWS_PROFILE=dev terraform plan") == QUIET
    ensure = "credhelper ensure --profile dev"
    assert corp.lines == [ensure, "aws --no-cli-pager s3 ls --profile dev", ensure, "tofu plan"]


@modes
@pytest.mark.parametrize("where", ["before", "after"])
def test_a_function_of_a_tools_name_stays(corp: World, mode: str, where: str) -> None:
    corp.session(login="yes", left=-1)
    own = 'aws() { echo "own $*"; }'
    with Bash(corp, mode, before=own if where == "before" else "", after=own if where == "after" else "") as bash:
        assert bash.run("aws s3 ls --profile dev") == Output("own s3 ls --profile dev\n", 0)
        assert bash.run(f"source '{corp.hook('bash')}'; aws x") == Output("own x\n", 0)
    assert corp.calls == []
