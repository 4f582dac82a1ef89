"""shell/credhelper.bash: `credhelper use`, and names of any form."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from credhelper.names import encode_name
from tests.shells.bash import MODES, Bash
from tests.shells.terminal import Output
from tests.shells.world import World

ODD_NAMES = [
    "with space",
    "it's",
    'double"quote',
    "$(touch pwned)",
    "`touch pwned`",
    "a;touch pwned",
    "back\\slash",
    "${HOME}",
    "100%s!!",
    "*",
    "-n",
    "--help-me",
    "ünïcøde ☃",
    "a/b/../c",
    "~",
    "&|<>",
    "[x]",
    "+41",
]
QUIET = Output("", 0)
SHOW = 'printf %s "$CREDHELPER_TEXT"'
modes = pytest.mark.parametrize("mode", MODES)


@modes
def test_use_exports_the_profile(corp: World, mode: str) -> None:
    with Bash(corp, mode, env={"AWS_DEFAULT_PROFILE": "x"}) as terminal:
        assert terminal.run("credhelper use dev") == QUIET
        assert terminal.run("printenv AWS_PROFILE") == Output("dev\n", 0)
        assert terminal.run("credhelper use --default other; printenv AWS_PROFILE") == Output("other\n", 0)
        assert terminal.run("credhelper use -; printenv AWS_PROFILE") == Output("dev\n", 0)
        assert terminal.run("credhelper use -; printenv AWS_PROFILE") == Output("other\n", 0)
        assert terminal.run("credhelper use --default -; printenv AWS_PROFILE") == Output("dev\n", 0)
    start = "credhelper use --print"
    given = ("dev", "--default other", "-- dev", "-- other", "--default -- dev")
    assert corp.lines == [f"{start} {arguments}" for arguments in given]


@modes
def test_use_clears(corp: World, mode: str) -> None:
    corp.program("credhelper", "exit 0")
    with Bash(corp, mode, env={"AWS_PROFILE": "dev"}) as terminal:
        assert terminal.run("credhelper use --unset") == QUIET
        assert terminal.run('echo "${AWS_PROFILE-unset}"').text == "unset\n"
        corp.credhelper()
        assert terminal.run("credhelper use -; printenv AWS_PROFILE") == Output("dev\n", 0)


@pytest.mark.parametrize("mode", ["plain", "posix"])
def test_a_use_that_fails_leaves_the_profile(corp: World, mode: str) -> None:
    with Bash(corp, mode, env={"AWS_PROFILE": "dev"}) as terminal:
        for body, status in (("echo why >&2; exit 2", 2), ("echo name; exit 130", 130), ("kill -INT $$", 130)):
            corp.program("credhelper", body)
            output = terminal.run("credhelper use prod")
            assert output.status == status
            assert output.text.replace("\n", "") in {"why", ""}
            assert terminal.run("printenv AWS_PROFILE") == Output("dev\n", 0)
        # Nothing chosen, nothing wrong: all stays.
        corp.program("credhelper", "exit 0")
        assert terminal.run("credhelper use; printenv AWS_PROFILE") == Output("dev\n", 0)
        corp.program("credhelper", "echo usage; exit 0")
        for option in ("-h", "--help", "dev --help", "--print"):
            assert terminal.run(f"credhelper use {option}; printenv AWS_PROFILE") == Output("usage\ndev\n", 0)


@pytest.mark.parametrize("mode", ["plain", "posix"])
@pytest.mark.parametrize("how", ["", "trap 'exit 130' INT;"])
def test_ctrl_c_leaves_the_profile(corp: World, mode: str, how: str) -> None:
    corp.program("credhelper", f"{how} echo waiting >&2; while :; do sleep 0.1; done")
    with Bash(corp, mode, env={"AWS_PROFILE": "dev"}) as terminal:
        terminal.start("credhelper use prod")
        terminal.wait_for("waiting")
        terminal.interrupt()
        assert terminal.prompt().status == 130
        assert terminal.run("printenv AWS_PROFILE") == Output("dev\n", 0)


@modes
def test_other_verbs_pass_through(corp: World, mode: str) -> None:
    corp.program("credhelper", "echo out; echo err >&2; exit 0")
    with Bash(corp, mode) as terminal:
        assert terminal.run("credhelper status --json 'a b' ''") == Output("out\nerr\n", 0)
        assert terminal.run("credhelper") == Output("out\nerr\n", 0)
        corp.program("credhelper", "exit 3")
        assert terminal.run("credhelper status || echo $?") == Output("3\n", 0)
    assert [call.arguments for call in corp.calls] == [("status", "--json", "a b", ""), (), ("status",)]


@modes
def test_the_doctor_hears_that_the_hook_is_loaded(corp: World, mode: str) -> None:
    corp.program("credhelper", 'echo "${_CREDHELPER_IN-none}" "$2"; exit 1')
    with Bash(corp, mode) as terminal:
        assert terminal.run("credhelper doctor --fix || echo $?") == Output("bash --fix\n1\n", 0)
        assert terminal.run("credhelper login x || printenv _CREDHELPER_IN || echo $?") == Output("none x\n1\n", 0)


@pytest.mark.parametrize("mode", ["plain", "posix"])
def test_names_of_any_form(corp: World, mode: str) -> None:
    """Each is exported as it is, found on the board, harmless in both forms of a prompt, and warned of."""
    with Bash(corp, mode, ps1="${CREDHELPER_SEGMENT:+$CREDHELPER_SEGMENT }> ") as terminal:
        # As those do who put the prompt together themselves: PS1 is expanded with the name in it.
        terminal.run("PROMPT_COMMAND=$PROMPT_COMMAND'\nPS2=\"$CREDHELPER_SEGMENT> \"; : ${PS2@P}'")
        for name in ODD_NAMES:
            corp.session("of " + name, left=600.5, login="soon", shown=600.5)
            corp.profile(name, "of " + name)
            output = terminal.run(f"credhelper use -- {shlex.quote(name)}")
            safe = "credhelper: session of " + name + " ends in 10 min. Run: credhelper login "
            assert output.status == 0
            assert output.text.startswith(safe)
            assert shlex.split(output.text.removeprefix(safe)) == ["of " + name]
            assert terminal.run('printf %s "$AWS_PROFILE"') == Output(name, 0)
            assert terminal.run(SHOW).text in {re.sub(r"[$`\\]", "?", name) + f" {left}m" for left in (9, 10)}
    assert not (corp.home / "pwned").exists()
    assert {call.program for call in corp.calls} == {"credhelper"}


@pytest.mark.parametrize("locale", ["C.UTF-8", "C", "en_US.UTF-8", "no_SUCH.locale"])
def test_names_are_encoded_as_the_daemon_does(corp: World, locale: str, tmp_path: Path) -> None:
    names = [*ODD_NAMES, "\udcff\udc80 raw", "tab\tnew\nline", "é" * 40, "plain-1.2_3"]
    lines = "".join(
        f"__credhelper_encode {shlex.quote(name)}; printf '%s\\n' \"$__credhelper_encoded\"\n"
        f'__credhelper_decode "$__credhelper_encoded"; printf \'%s\\0\' "$__credhelper_decoded" >>decoded\n'
        for name in names
    )
    (corp.home / "lines").write_bytes(lines.encode("utf-8", "surrogateescape"))
    with Bash(corp) as terminal:
        env = f"LANG={locale} LC_ALL={locale}"
        output = terminal.run(
            f"{env} bash --norc -c \"source '{corp.hook('bash')}'; exec 2>err; source lines\" 2>/dev/null"
        )
    assert output.text.splitlines() == [encode_name(name) for name in names]
    decoded = (corp.home / "decoded").read_bytes().decode("utf-8", "surrogateescape")
    assert decoded.split("\0")[:-1] == names
    assert (corp.home / "err").read_text() == ""
