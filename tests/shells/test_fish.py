"""The hook in a real fish: what is defined, `credhelper use`, the profile of new shells, Tab."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shells.fish import Fish, quote, write_config
from tests.shells.terminal import Output
from tests.shells.world import Forks, World
from tests.waiting import wait_until

# As they may stand in an AWS config. None of them may ever run; `touch` would leave a file in the folder.
ODD_NAMES = [
    "reply-b.paques",
    "two words",
    'it\'s "quoted"',
    "$(touch ran)",
    "`touch ran`",
    "(touch ran)",
    "; touch ran;",
    "a\\b$HOME{1,2}*?[x]~",
    "~/é ☃/%41",
    "-n",
    "--unset",
    "#comment",
]


def fish_can(world: World, command: str) -> str:
    """What a script of one line prints; the user's config.fish is read."""
    done = subprocess.run(
        ["fish", "-c", command],
        env=world.env,
        cwd=world.home,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


# --- use ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_use_exports_the_profile(world: World, name: str) -> None:
    world.credhelper(use=name)
    world.session(shown=7 * 3600 + 13 * 60 - 1)
    world.profile(name)
    with Fish(world) as fish:
        assert fish.first == Output("", 0)
        assert fish.run(f"credhelper use {quote(name)}") == Output("", 0)
        assert fish.segment() == f"{name} 7h12m"
        assert fish.run("credhelper_prompt") == Output(f"{name} 7h12m", 0)
        assert fish.run("aws s3 ls; sh -c 'aws s3 cp'") == Output("", 0)
    assert [call.profile for call in world.calls] == [None, name, name]
    assert world.lines == [f"credhelper use --print {name}", "aws s3 ls", "aws s3 cp"]
    assert not (world.home / "ran").exists()


def test_use_goes_back_and_clears(world: World) -> None:
    world.credhelper()
    with Fish(world) as fish:
        assert fish.run("credhelper use -") == Output(
            "credhelper: no other profile was in use in this shell. Run: credhelper use NAME\n", 1
        )
        for typed, in_use in [
            ("one", "one"),
            ("two", "two"),
            ("-", "one"),
            ("-", "two"),
            ("two", "two"),
            ("-", "one"),
            ("--default three", "three"),
            ("-", "one"),
            ("--default -", "three"),
            ("-", "one"),
        ]:
            assert fish.run(f"credhelper use {typed}") == Output("", 0)
            assert fish.run("echo $AWS_PROFILE") == Output(f"{in_use}\n", 0)
        world.program("credhelper")
        assert fish.run("credhelper use --unset") == Output("", 0)
        assert fish.run("set -q AWS_PROFILE; echo $status; env | string match 'AWS_*'") == Output("1\n", 1)
        world.credhelper()
        assert fish.run("credhelper use -; echo $AWS_PROFILE") == Output("one\n", 0)
    assert world.lines[2:4] == ["credhelper use --print -- one", "credhelper use --print -- two"]
    assert "credhelper use --print --default three" in world.lines
    assert "credhelper use --print --default -- three" in world.lines
    assert "credhelper use --print --unset" in world.lines


@pytest.mark.parametrize("code", [1, 2, 3, 130])
def test_where_use_fails_the_profile_stays(world: World, code: int) -> None:
    world.program("credhelper", f"echo 'credhelper: no' >&2; echo other; exit {code}")
    with Fish(world, env={"AWS_PROFILE": "corp-admin"}) as fish:
        assert fish.run("credhelper use other") == Output("credhelper: no\n", code)
        assert fish.run("echo $AWS_PROFILE") == Output("corp-admin\n", 0)


def test_a_program_that_says_nothing_changes_nothing(world: World) -> None:
    world.program("credhelper")
    with Fish(world, env={"AWS_PROFILE": "corp-admin"}) as fish:
        assert fish.run("credhelper use other; echo $AWS_PROFILE") == Output("corp-admin\n", 0)


def test_all_else_goes_to_the_program_as_it_is(world: World) -> None:
    world.program("credhelper", 'test -t 1 && echo terminal; echo err >&2; exit "${3:-7}"')
    with Fish(world) as fish:
        assert fish.run("credhelper use --help") == Output("terminal\nerr\n", 7)
        assert fish.run("credhelper use -h") == Output("terminal\nerr\n", 7)
        assert fish.run("credhelper") == Output("terminal\nerr\n", 7)
        assert fish.run("credhelper login 'a b' 5") == Output("terminal\nerr\n", 5)
        assert fish.run("credhelper user ''") == Output("terminal\nerr\n", 7)
    assert [call.arguments for call in world.calls] == [
        ("use", "--help"),
        ("use", "-h"),
        (),
        ("login", "a b", "5"),
        ("user", ""),
    ]


def test_the_doctor_hears_that_the_hook_is_loaded(world: World) -> None:
    world.program("credhelper", 'echo "${_CREDHELPER_IN-none}" "$2"; exit 1')
    with Fish(world) as fish:
        assert fish.run("credhelper doctor --fix") == Output("fish --fix\n", 1)
        assert fish.run("credhelper login 'a b'; printenv _CREDHELPER_IN") == Output("none a b\n", 1)


def test_use_has_the_terminal(world: World) -> None:
    world.program("credhelper", 'test -t 0 && test -t 2 && echo which? >&2 && read line </dev/tty && echo "$line"')
    with Fish(world) as fish:
        fish.type("credhelper use\r")
        fish.wait_for("which?")
        fish.type("chosen one\r")
        assert fish.prompt().status == 0
        assert fish.run("echo $AWS_PROFILE") == Output("chosen one\n", 0)


@pytest.mark.parametrize(
    ("body", "code"),
    [("trap 'exit 130' INT; echo waiting >&2; sleep 60 >&2 & wait", 130), ("echo waiting >&2; exec sleep 60", 1)],
)
def test_ctrl_c_calls_use_off(world: World, body: str, code: int) -> None:
    """A program that ends with 130, and one that the signal kills: fish then ends the function at once."""
    world.program("credhelper", body)
    with Fish(world, env={"AWS_PROFILE": "corp-admin"}) as fish:
        fish.type("credhelper use other\r")
        fish.wait_for("waiting")
        fish.interrupt()
        assert fish.prompt().status == code
        assert fish.run("echo $AWS_PROFILE") == Output("corp-admin\n", 0)


def test_the_program_of_the_rendered_file_is_called(world: World) -> None:
    odd = world.home / "it's a $(touch ran) \\folder"
    odd.mkdir()
    world.credhelper()
    (world.bin / "credhelper").rename(odd / "credhelper")
    rendered = world.rendered("fish", odd / "credhelper", quote(str(odd / "credhelper")))
    with Fish(world, hook=f"source {rendered}") as fish:
        assert fish.run("credhelper status; credhelper use x; echo $AWS_PROFILE") == Output("x\n", 0)
    assert world.lines == ["credhelper status", "credhelper use --print x"]
    assert not (world.home / "ran").exists()


# --- the surroundings -----------------------------------------------------------------------------------------------


def test_universal_variables_are_never_written(world: World) -> None:
    world.credhelper()
    stored = world.home / ".config/fish/fish_variables"
    with Fish(world, after="set -q AWS_PROFILE; or set -Ux AWS_PROFILE universal") as fish:
        before = stored.read_bytes()
        fish.run("credhelper use x; aws s3 ls")
        assert fish.run("sh -c 'echo $AWS_PROFILE'") == Output("x\n", 0)
        world.program("credhelper")
        # The user's own stays, and nothing could hide it from the programs.
        assert fish.run("credhelper use --unset") == Output(
            "credhelper: AWS_PROFILE is also a universal variable, which is yours. Run: set -eU AWS_PROFILE\n", 1
        )
        assert fish.run("set -U | string match '*credhelper*' -i; sh -c 'echo $AWS_PROFILE'") == Output(
            "universal\n", 0
        )
        assert stored.read_bytes() == before


def test_a_script_gets_the_command_alone(world: World) -> None:
    world.credhelper()
    world.session(login="yes", left=0)
    world.profile("corp-admin")
    world.default_profile("corp-admin")
    write_config(world)
    assert fish_can(world, "functions -a | string match '*credhelper*'") == "__credhelper_use\ncredhelper\n"
    assert fish_can(world, "functions -q aws; echo $status $AWS_PROFILE; credhelper use x; echo $AWS_PROFILE") == (
        "1\nx\n"
    )
    assert fish_can(world, "aws s3 ls --profile corp-admin") == ""
    assert world.lines == ["credhelper use --print x", "aws s3 ls --profile corp-admin"]


def test_loading_twice_changes_nothing(world: World) -> None:
    world.credhelper(ensure=4)
    world.session(login="yes", left=0)
    world.profile("corp-admin")
    hook = f"source {world.hook('fish')}"
    with Fish(world, hook=f"{hook}; {hook}", env={"AWS_PROFILE": "corp-admin"}) as fish:
        assert fish.first == Output("", 0)
        defined = fish.run("functions -a | sort; complete -c credhelper")
        assert fish.run("credhelper use other") == Output("", 0)
        assert fish.run(f"cat {world.hook('fish')} | source") == Output("", 0)
        assert fish.run("functions -a | sort; complete -c credhelper") == defined
        assert fish.run("aws s3 ls --profile corp-admin") == Output("", 4)
        assert fish.run("credhelper use -; echo $AWS_PROFILE") == Output("corp-admin\n", 0)
    assert world.lines == [
        "credhelper use --print other",
        "credhelper ensure --profile corp-admin",
        "credhelper use --print -- corp-admin",
    ]


def test_the_start_and_the_prompts_start_no_process(world: World, forks: Forks) -> None:
    world.credhelper()
    world.session("soon", login="soon", left=570, shown=570)
    world.session("far", shown=3 * 3600 - 1)
    world.profile("a-soon", "soon")
    world.profile("far $(away)", "far")
    world.profile("none", None)
    world.default_profile("far $(away)")
    with Fish(world, hook="", forks=forks):
        empty = forks.count()
    with Fish(world, forks=forks) as fish:
        assert forks.count() == empty
        assert fish.segment() == "far $(away) 2h59m"
        assert "session soon ends in 9 min" in fish.run("set -gx AWS_PROFILE a-soon").text
        for line in (
            "",
            "true | true",
            "set -gx AWS_PROFILE none",
            "set -gx AWS_CONFIG_FILE /no/such/file",
            "set -gx CREDHELPER_COMMANDS aws",
            "set -e AWS_CONFIG_FILE; set -gx AWS_PROFILE 'far $(away)'",
        ):
            assert fish.run(line) == Output("", 0)
        assert forks.count() == empty
        # Only the command itself.
        fish.run("aws s3 ls")
        assert forks.count() - empty == len(world.calls) == 1


# --- the profile of new shells --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_new_shell_has_the_default_profile(world: World, name: str) -> None:
    world.default_profile(name)
    with Fish(world) as fish:
        assert fish.first == Output("", 0)
        fish.run("aws s3 ls")
    assert [call.profile for call in world.calls] == [name]


@pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
@pytest.mark.parametrize("value", ["mine", ""])
def test_a_profile_that_was_chosen_stays(world: World, variable: str, value: str) -> None:
    world.default_profile("corp-admin")
    with Fish(world, env={variable: value}) as fish:
        assert fish.run("env | string match -r '^AWS_.*'") == Output(f"{variable}={value}\n", 0)


def test_keys_of_the_environment_stay(world: World) -> None:
    world.default_profile("corp-admin")
    with Fish(world, env={"AWS_ACCESS_KEY_ID": "x"}) as fish:
        assert fish.run("env | string match -r '^AWS_.*'") == Output("AWS_ACCESS_KEY_ID=x\n", 0)


@pytest.mark.parametrize("content", [b"", b"\n", b"a b\n", b"$(touch ran)\n", b"\x00\xff\n", b"x" * 3_000_000, None])
def test_garbage_is_no_default_profile(world: World, content: bytes | None) -> None:
    file = world.board / "default-profile"
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)
    with Fish(world) as fish:
        assert fish.first == Output("", 0)
        assert fish.run("set -q AWS_PROFILE; echo $status; touch seen") == Output("1\n", 0)


def test_exec_fish_nested_shells_and_old_panes(world: World) -> None:
    world.credhelper()
    world.session(shown=2 * 3600 - 1)
    world.profile("corp-admin")
    world.default_profile("corp-admin")
    with Fish(world) as fish:
        assert fish.segment() == "corp-admin 1h59m"
        for start in ("fish", "exec fish"):
            assert fish.run(start) == Output("", 0)
            assert fish.segment() == "corp-admin 1h59m"
            assert fish.run("credhelper use other; echo $AWS_PROFILE") == Output("other\n", 0)
            # The nested one's choice is inherited, and nothing else of ours is.
            assert fish.run("env | string match '*redhelper*' -i") == Output("", 1)
            fish.run("set -gx AWS_PROFILE corp-admin")
        assert fish.run("exit").text == ""
        assert fish.segment() == "corp-admin 1h59m"


def test_a_tmux_pane_with_an_old_environment(world: World) -> None:
    if not shutil.which("tmux"):
        pytest.skip("no tmux on this machine")
    world.session(shown=2 * 3600 - 1)
    world.profile("corp-admin")
    write_config(world)
    shell = shutil.which("fish")
    assert shell is not None
    server = ["tmux", "-S", str(world.home / "tmux"), "-f", "/dev/null"]
    # The server's environment is that of a day on which the shell that started it knew other things.
    old = {"AWS_PROFILE": "corp-admin", "CREDHELPER_SEGMENT": "corp-admin 9h99m", "SHELL": shell}
    subprocess.run(
        [*server, "new-session", "-d", "-x", "100", "-y", "20", "-c", str(world.home)],
        env={**world.env, **old},
        check=True,
    )
    try:

        def types(line: str) -> None:
            subprocess.run([*server, "send-keys", line, "Enter"], env=world.env, check=True)

        def shows(name: str) -> str:
            answer = world.home / name
            wait_until(lambda: answer.exists() and answer.read_text().endswith("\n"))
            return answer.read_text()

        types("echo $CREDHELPER_SEGMENT >one")
        assert shows("one") == "corp-admin 1h59m\n"
        world.session(left=0, login="yes")
        subprocess.run([*server, "respawn-pane", "-k"], env=world.env, check=True)
        types("echo $CREDHELPER_SEGMENT >two")
        assert shows("two") == "corp-admin expired\n"
    finally:
        subprocess.run([*server, "kill-server"], env=world.env, check=True)


# --- Tab ------------------------------------------------------------------------------------------------------------


def test_tab_completes_commands_options_and_odd_names(world: World) -> None:
    odd = "it's $(touch ran) ☃"
    world.credhelper(completion=f"{odd}\tof corp\nplain\nother:name")
    with Fish(world) as fish:
        fish.type("credhelper use i\t")
        fish.wait_for("☃")
        assert fish.prompt_after_enter() == Output("", 0)
        assert fish.run("echo $AWS_PROFILE") == Output(f"{odd}\n", 0)
        fish.type("credhelper use 'it\t")
        fish.wait_until(lambda screen: screen.count("☃") >= 2)
        assert fish.prompt_after_enter() == Output("", 0)
        # fish looks inside of names too, and shows the rest of them with their help.
        assert fish.run("complete -C 'credhelper use ame'") == Output("other:name\n", 0)
        assert fish.run("complete -C 'credhelper use '").text.splitlines() == sorted(
            [f"{odd}\tof corp", "other:name", "plain"], key=lambda line: line
        )
    assert [call.arguments[-1] for call in world.calls if call.arguments] == [odd, odd]
    assert not (world.home / "ran").exists()


def test_tab_with_the_real_program(world: World) -> None:
    """Its names come from the AWS config; a name of this shell's own kind is put in so that it can be run."""
    program = Path(sys.executable).with_name("credhelper")
    names = ['it\'s $(touch ran) "x" ☃', "plain", "other:name"]
    (world.home / ".aws/config").write_text(
        "".join(
            f"[profile {shlex.quote(name)}]\n"
            "sso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Admin\n"
            for name in names
        )
        + "[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://d-93670bd35a.awsapps.com/start\n"
    )
    with Fish(world, hook=f"{quote(str(program))} hook fish | source") as fish:
        assert fish.first == Output("", 0)
        fish.type("credhelper whoami it\t")
        fish.wait_for("☃")
        fish.type("\x01echo \x1bd\x1bd\x05\r")  # in place of the two first words: echo
        assert fish.prompt() == Output(f"{names[0]}\n", 0)
        offered = fish.run("complete -C 'credhelper use '").text.splitlines()
        assert sorted(line.split("\t")[0] for line in offered) == sorted(names)
        assert fish.run("complete -C 'credhelper us'").text.startswith("use\t")
        assert "--default" in fish.run("complete -C 'credhelper use --'").text
    assert not (world.home / "ran").exists()


def test_what_is_asked_at_tab(world: World) -> None:
    asked = world.home / "asked"
    world.program(
        "credhelper",
        'printf \'%s|\' "$_CREDHELPER_COMPLETE" "$_CREDHELPER_WORDS" "$_CREDHELPER_WORD" "$#" >>asked; echo err >&2',
    )
    with Fish(world) as fish:
        for line, sent in [
            ("credhelper ", "lines_complete|||0|"),
            ("credhelper us", "lines_complete|||0|"),
            ("credhelper use --de", "lines_complete|use|--de|0|"),
            ("credhelper use 'a b' --format=j", "lines_complete|use\na b|--format=j|0|"),
            ("credhelper run x\\ y ''", "lines_complete|run\nx y||0|"),
        ]:
            assert fish.run(f"complete -C {quote(line)}") == Output("", 0)
            assert asked.read_text() == sent
            asked.unlink()
        assert fish.run("env | string match '_CRED*'") == Output("", 1)
