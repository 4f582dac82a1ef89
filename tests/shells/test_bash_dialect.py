"""shell/credhelper.bash keeps to what bash 3.2, that of macOS, understands.

No bash 3.2 is to be had here. So the file is searched for what later versions brought, and driven once with
`BASH_COMPAT=3.2`, which changes the meaning of some expressions back but takes no syntax away. The lint's shellcheck
reads it as bash too. What 3.2 does with it is seen only where there is one: BASH_3 may name it for this test.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sandbox import PROJECT
from tests.shells.bash import Bash
from tests.shells.terminal import Output
from tests.shells.world import HOUR, World

HOOK = PROJECT / "shell" / "credhelper.bash"

# What came after 3.2, and what 3.2 gets wrong or refuses in POSIX mode.
LATER = {
    "associative arrays": r"\b(?:declare|local|typeset)\s+-\w*A",
    "global declarations": r"\b(?:declare|typeset)\s+-\w*g",
    "references": r"\b(?:declare|local|typeset)\s+-\w*n\b",
    "change of case by declaration": r"\b(?:declare|local|typeset)\s+-\w*[luc]\b",
    "mapfile": r"\b(?:mapfile|readarray)\b",
    "coprocesses": r"\bcoproc\b",
    "change of case": r"\$\{!?\w+(?:\[[^]]*\])?(?:,|\^)",
    "transformations": r"\$\{!?\w+(?:\[[^]]*\])?@[A-Za-z]\}",
    "negative lengths": r"\$\{\w+:[^}:{]*:\s*-",
    "negative indices": r"\w\[-\d",
    "|& and &>>": r"\|&|&>>",
    "falling through in case": r";&|;;&",
    "descriptors in variables": r"\bexec\s+\{\w+\}",
    "[[ -v and -R": r"\[\[[^]]*\s-[vR]\s",
    "test -v": r"\btest\s+-[vR]\b",
    "wait -n": r"\bwait\s+-\w*[npf]",
    "read -N, and fractions of seconds": r"\bread\s[^|;]*-(?:\w*N|t\s*\d*\.\d)",
    "printf -v of an element": r"printf\s+-v\s+[\"']?\w+\[",
    "zero-padded ranges": r"\{0\d+\.\.\d+",
    "compopt, complete -D -E -I": r"\bcompopt\b|\bcomplete\s[^|;]*-\w*[DEI]\b",
    "later variables": r"\b(?:EPOCHSECONDS|EPOCHREALTIME|BASHPID|SRANDOM|BASH_XTRACEFD|BASH_ARGV0|FUNCNEST)\b",
    "later options": r"\b(?:globstar|lastpipe|autocd|checkjobs|inherit_errexit|localvar_inherit)\b",
    "\\u in strings": r"\$'[^']*\\[uU]",
    # A syntax error in POSIX mode before 5.1: the whole file would not be read.
    "process substitution": r"[<>]\(",
    # Its parser takes the first `)` of a pattern for the end.
    "case within $( )": r"\$\([^)]*\bcase\b",
}
# Those that are guarded: an error that is hidden or never met, and the way around it beside it.
GUARDED = (
    "((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)) || [[ ${!name@a} == *x* ]]",
    "printf -v __credhelper_now '%(%s)T' -1 2>/dev/null; then",
    "complete -o nosort -F __credhelper_complete",
)


def code() -> str:
    """The file without its comments."""
    return "\n".join(re.sub(r"(?:^|\s)#.*", "", line) for line in HOOK.read_text().splitlines())


def test_nothing_that_came_later() -> None:
    text = code().replace(GUARDED[0], "")
    found = {what: re.findall(pattern, text) for what, pattern in LATER.items()}
    assert {what: hits for what, hits in found.items() if hits} == {}


def test_what_is_newer_is_guarded() -> None:
    text = code()
    assert re.findall(r"%\([^)]*\)T", text) == ["%(%s)T"]
    assert text.count("nosort") == 1
    assert [text.count(guard) for guard in GUARDED] == [1, 1, 1]
    assert "2>/dev/null || complete -F __credhelper_complete credhelper" in text


@pytest.mark.parametrize(
    "line",
    [
        "declare -A x",
        "local -n y=z",
        "mapfile -t a",
        'x="${x,,}"',
        "echo ${x^}",
        "echo ${x@Q}",
        "echo ${x:0:-1}",
        "echo ${a[-1]}",
        "a |& b",
        "a &>>b",
        "case x in a) ;;& esac",
        "exec {fd}<x",
        "if [[ -v x ]]; then",
        "read -r -N 5 x",
        "now=$EPOCHSECONDS",
        "compopt -o nospace",
        "while read -r x; do :; done < <(y)",
        "x=$(case $y in a) echo; esac)",
        "echo $'\\u00e9'",
    ],
)
def test_the_search_finds_what_it_is_for(line: str) -> None:
    assert [what for what, pattern in LATER.items() if re.search(pattern, line)]


def test_every_name_of_ours_has_the_prefix() -> None:
    text = code()
    functions = re.findall(r"^\s*(?:function\s+)?([A-Za-z_]\w*)\s*\(\)", text, re.MULTILINE)
    assert {name for name in functions if not name.startswith("__credhelper_")} == {"credhelper", "credhelper_prompt"}
    assert text.count("eval ") == 1
    assert text.count("'@CREDHELPER@'") == 1


def test_with_the_meanings_of_old(world: World) -> None:
    world.credhelper()
    odd = "odd $(touch pwned) 'ü'"
    world.session(left=8 * HOUR, shown=2 * HOUR + 30)
    world.session("over", left=-5, login="yes", state="expired")
    world.profile(odd)
    world.profile("late", "over")
    world.default_profile(odd)
    with Bash(world, env={"BASH_COMPAT": "3.2"}) as terminal:
        assert terminal.first == Output("", 0)
        assert terminal.run("shopt -q compat32") == Output("", 0)
        assert terminal.run('printf %s "$CREDHELPER_TEXT"').text == odd.replace("$", "?") + " 2h00m"
        assert terminal.run("aws s3 ls --profile late; (exit 3) | (exit 4)").status == 4
        assert terminal.run("credhelper use late; credhelper use -") == Output("", 0)
        assert terminal.run('printf %s "$AWS_PROFILE"') == Output(odd, 0)
    assert world.lines[:2] == ["credhelper ensure --profile late", "aws s3 ls --profile late"]
    assert not (world.home / "pwned").exists()


def test_a_real_bash_3(world: World, tmp_path: Path) -> None:
    bash = os.environ.get("BASH_3", "/bin/bash")
    version = subprocess.run([bash, "-c", "echo $BASH_VERSION"], capture_output=True, text=True, check=True).stdout
    if not version.startswith("3."):
        pytest.skip(f"other OS: {bash} is bash {version.strip()}")
    (tmp_path / "bash").symlink_to(shutil.which(bash) or bash)
    world.credhelper()
    world.session(left=8 * HOUR, shown=2 * HOUR + 30)
    world.profile("dev")
    with Bash(world, env={"PATH": f"{tmp_path}:{world.env['PATH']}", "AWS_PROFILE": "dev"}) as terminal:
        # It knows no PS0, which marks where a line's output begins.
        assert terminal.first.text == ""
        terminal.type('echo "<$CREDHELPER_TEXT>"; credhelper use a; echo "<$AWS_PROFILE>"\r')
        terminal.wait_for("<dev 2h00m>")
        terminal.wait_for("<a>")
