"""Login just in time in a real fish: before which commands, for which profile, and what the functions leave alone."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.shells.fish import Fish, quote, write_config
from tests.shells.terminal import Output
from tests.shells.world import HOUR, TOOLS, Forks, World
from tests.waiting import wait_until

LOGGED_OUT = {"AWS_PROFILE": "out"}


@pytest.fixture
def sessions(world: World) -> World:
    """Profiles `live` and `out` of sessions that live and are over, and `static` without any."""
    world.credhelper()
    world.session("corp", shown=2 * HOUR - 1)
    world.session("old", left=0, login="yes")
    world.profile("live", "corp")
    world.profile("out", "old")
    world.profile("static", None)
    return world


def asked(world: World, tool: str) -> list[str]:
    """For which profiles `ensure` was called, and that the command then ran."""
    lines = world.lines
    world.forget_calls()
    assert [line.split()[0] for line in lines][-1:] == [tool]
    assert all(line.startswith("credhelper ensure --profile ") for line in lines[:-1])
    return [line.removeprefix("credhelper ensure --profile ") for line in lines[:-1]]


# --- whether a login is begun ---------------------------------------------------------------------------------------


def test_for_which_profile(sessions: World) -> None:
    with Fish(sessions) as fish:
        for line, profiles in [
            ("aws s3 ls --profile out", ["out"]),
            ("aws --profile out s3 ls", ["out"]),
            ("aws s3 ls --profile=out", ["out"]),
            ("aws s3 ls --profile live --profile out", ["out"]),
            ("aws s3 ls --profile live", []),
            ("aws s3 ls --profile static", []),
            ("aws s3 ls --profile nobody-knows", []),
            ("aws s3 ls", []),
            ("set -gx AWS_DEFAULT_PROFILE out; aws s3 ls", ["out"]),
            ("set -gx AWS_PROFILE live; aws s3 ls", []),
            ("set -gx AWS_PROFILE out; aws s3 ls", ["out"]),
            ("aws s3 ls --profile live", []),
            ("AWS_PROFILE=live aws s3 ls", []),
            ("AWS_ACCESS_KEY_ID=x aws s3 ls", []),
            ("AWS_ACCESS_KEY_ID= aws s3 ls", ["out"]),
            ("AWS_ACCESS_KEY_ID=x aws s3 ls --profile out", ["out"]),
            # A value that looks like an option, and an option whose value is missing.
            ("aws --query --profile s3 live", ["out"]),
            ("aws s3 ls --profile", ["out"]),
            ("aws s3 ls --profile ''", ["out"]),
            ("aws s3 ls -- --profile live --help", ["out"]),
            ("aws s3 ls --query --help", ["out"]),
            ("eksctl create cluster --version 1.33", ["out"]),
            ("aws s3 ls --query help", ["out"]),
            # These know only the environment.
            ("terraform plan --profile live", ["out"]),
            ("tofu plan --profile=live", ["out"]),
            ("pulumi up --profile live", ["out"]),
            ("cdk deploy --profile live", []),
            ("sam deploy --profile live", []),
            ("eksctl get cluster --profile=live", []),
            ("set -gx AWS_CONFIG_FILE /no/board; aws s3 ls --profile live", ["live"]),
            ("set -gx AWS_CONFIG_FILE relative; aws s3 ls --profile live", ["live"]),
            ("set -e AWS_CONFIG_FILE; aws s3 ls --profile ..", [".."]),
            (f"aws s3 ls --profile {'x' * 300}", ["x" * 300]),
        ]:
            assert fish.run(line) == Output("", 0), line
            tool = line.split("; ")[-1].split("=x ")[-1].split("= ")[-1].split("=live ")[-1].split()[0]
            assert asked(sessions, tool) == profiles, line


def test_what_needs_no_session(sessions: World) -> None:
    lines = [
        "aws",
        "aws help",
        "aws s3 help",
        "aws --version",
        "aws s3 ls --help",
        "aws configure list",
        "aws --profile out configure sso",
        "aws --cli-binary-format raw-in-base64-out configure sso",
        "aws --cli-read-timeout=60 configure sso",
        "aws sso logout",
        "aws --region x sso logout",
        "terraform -version",
        "terraform version",
        "terraform -help",
        "cdk --help",
        "sam help deploy",
    ]
    with Fish(sessions, env=LOGGED_OUT) as fish:
        for line in lines:
            assert fish.run(line) == Output("", 0), line
        assert sessions.lines == lines
        sessions.forget_calls()
        assert fish.run("aws sso-admin list-instances; aws lambda version x") == Output("", 0)
    assert sessions.lines == [
        "credhelper ensure --profile out",
        "aws sso-admin list-instances",
        "credhelper ensure --profile out",
        "aws lambda version x",
    ]


def test_each_command_is_guarded_with_its_own_arguments_and_status(sessions: World) -> None:
    arguments = ["x", "", "a b", "it's", "$(touch ran)", "-n", "--", "*", "\\"]
    with Fish(sessions, env=LOGGED_OUT) as fish:
        for tool in TOOLS:
            sessions.program(tool, "echo out; echo err >&2; exit 7")
            assert fish.run(f"{tool} {' '.join(map(quote, arguments))}") == Output("out\nerr\n", 7)
    assert [call.program for call in sessions.calls] == [name for tool in TOOLS for name in ("credhelper", tool)]
    assert {call.arguments for call in sessions.calls[1::2]} == {tuple(arguments)}


@pytest.mark.parametrize("code", [1, 3])
def test_where_the_login_fails_the_command_does_not_run(sessions: World, code: int) -> None:
    sessions.credhelper(ensure=f"echo 'no login' >&2; exit {code}")
    with Fish(sessions, env=LOGGED_OUT) as fish:
        assert fish.run("aws s3 ls; echo after $status") == Output(f"no login\nafter {code}\n", 0)
        assert fish.run("aws s3 ls") == Output("no login\n", code)
        assert fish.run("aws s3 ls && echo never") == Output("no login\n", code)
    assert {line.split()[0] for line in sessions.lines} == {"credhelper"}


def test_the_output_of_a_login_stays_out_of_the_commands(sessions: World) -> None:
    sessions.credhelper(ensure="echo said; exit 0")
    sessions.program("aws", "echo answer")
    with Fish(sessions, env=LOGGED_OUT) as fish:
        assert fish.run('set answer (aws s3 ls); echo "[$answer]"') == Output("said\n[answer]\n", 0)
        assert fish.run("aws s3 ls >file; cat file") == Output("said\nanswer\n", 0)


def test_without_a_terminal_nothing_begins(sessions: World) -> None:
    with Fish(sessions, env=LOGGED_OUT) as fish:
        for line in [
            "aws s3 ls </dev/null",
            "aws s3 ls 2>/dev/null",
            "echo x | aws s3 cp - s3://b",
            "aws s3 ls 2>&1 | cat",
            "aws sso login 2>/dev/null",
            "sh -c 'aws s3 ls'",
            "fish -c 'aws s3 ls'",
            "echo 'aws s3 ls' | source",
        ]:
            assert fish.run(line) == Output("", 0), line
            if "source" not in line:
                assert [name.split()[0] for name in sessions.lines] == ["aws"], line
            sessions.forget_calls()
        # Only stdout is elsewhere: a person is there.
        assert fish.run("aws s3 ls | cat") == Output("", 0)
        assert asked(sessions, "aws") == ["out"]


def test_sso_login_goes_to_credhelper(sessions: World) -> None:
    with Fish(sessions, env=LOGGED_OUT) as fish:
        for line in [
            "aws sso login",
            "aws sso login --profile live --no-browser",
            "aws --profile 'a b' sso login",
            "aws --region sso sso login --sso-session login",
            "aws sso --profile=login login sso login",
            "cdk sso login",
            "aws sso login help",
        ]:
            assert fish.run(line) == Output("", 0), line
    assert [(call.program, *call.arguments) for call in sessions.calls] == [
        ("credhelper", "aws-sso-login"),
        ("credhelper", "aws-sso-login", "--profile", "live", "--no-browser"),
        ("credhelper", "aws-sso-login", "--profile", "a b"),
        ("credhelper", "aws-sso-login", "--region", "sso", "--sso-session", "login"),
        ("credhelper", "aws-sso-login", "--profile=login", "sso", "login"),
        ("credhelper", "ensure", "--profile", "out"),
        ("cdk", "sso", "login"),
        ("aws", "sso", "login", "help"),
    ]


def test_a_missing_board_and_a_dead_daemon_lead_to_the_slow_way(sessions: World) -> None:
    with Fish(sessions, env={"AWS_PROFILE": "live"}) as fish:
        assert fish.run("aws s3 ls") == Output("", 0)
        assert asked(sessions, "aws") == []
        # What a daemon that died left behind is believed until its own end.
        sessions.session("corp", left=-1, shown=HOUR)
        assert fish.run("aws s3 ls") == Output("", 0)
        assert asked(sessions, "aws") == ["live"]
        (sessions.board / "session/corp").unlink()
        assert fish.run("aws s3 ls") == Output("", 0)
        assert asked(sessions, "aws") == ["live"]
        sessions.no_board()
        assert fish.run("aws s3 ls") == Output("", 0)
        assert asked(sessions, "aws") == ["live"]
        assert fish.run("aws s3 ls --profile '$(touch ran)'") == Output("", 0)
        assert asked(sessions, "aws") == ["$(touch ran)"]
    assert not (sessions.home / "ran").exists()


def test_where_credhelper_is_gone_the_commands_stay(sessions: World) -> None:
    (sessions.bin / "credhelper").unlink()
    with Fish(sessions, env=LOGGED_OUT) as fish:
        assert fish.first == Output("", 0)
        assert fish.run("aws s3 ls; aws sso login") == Output("", 0)
    assert sessions.lines == ["aws s3 ls", "aws sso login"]


def test_a_command_that_is_not_installed(sessions: World) -> None:
    (sessions.bin / "pulumi").unlink()
    with Fish(sessions, env=LOGGED_OUT) as fish:
        other = fish.run("no-such-command up")
        assert other == Output("fish: Unknown command: no-such-command\n", 127)
        assert fish.run("pulumi up") == Output(other.text.replace("no-such-command", "pulumi"), 127)
    assert sessions.lines == []


# --- a person's own -------------------------------------------------------------------------------------------------


def test_functions_and_aliases_of_the_user_stay(sessions: World) -> None:
    autoloaded = sessions.home / ".config/fish/functions/sam.fish"
    autoloaded.parent.mkdir(parents=True, exist_ok=True)
    autoloaded.write_text("function sam; echo my sam $argv; end\n")
    with Fish(
        sessions,
        before="function aws; echo my aws $argv; end",
        after="alias cdk 'cdk --color'; function eksctl; echo my eksctl $argv; end; alias tf terraform",
        env=LOGGED_OUT,
    ) as fish:
        assert fish.run("aws s3 ls; sam a; eksctl b") == Output("my aws s3 ls\nmy sam a\nmy eksctl b\n", 0)
        assert fish.run("cdk ls; tf plan") == Output("", 0)
        assert fish.run(f"source {sessions.hook('fish')}; aws; true | true; aws | cat") == Output(
            "my aws\nmy aws\n", 0
        )
        assert fish.run("function pulumi; echo my pulumi; end; pulumi") == Output("my pulumi\n", 0)
        assert fish.run("set -g CREDHELPER_COMMANDS tofu") == Output("", 0)
        assert fish.run("aws; sam; eksctl; pulumi; functions -q terraform") == Output(
            "my aws\nmy sam\nmy eksctl\nmy pulumi\n", 1
        )
    assert sessions.lines == ["cdk --color ls", "credhelper ensure --profile out", "terraform plan"]


def test_the_list_of_commands(sessions: World) -> None:
    sessions.program("my-tool.sh")
    with Fish(sessions, before="set -g CREDHELPER_COMMANDS terraform my-tool.sh", env=LOGGED_OUT) as fish:
        assert fish.run("aws s3; my-tool.sh --profile out") == Output("", 0)
        assert fish.run("set -gx CREDHELPER_COMMANDS 'cdk  aws'") == Output("", 0)
        assert fish.run("terraform plan; aws s3 ls") == Output("", 0)
        assert fish.run("set -g CREDHELPER_COMMANDS if -x '(touch' 'ran)' '; touch' '$x' status ''") == Output("", 0)
        assert fish.run("if true; aws s3; end; status").status == 0
        assert fish.run("set -g CREDHELPER_COMMANDS") == Output("", 0)
        assert fish.run("aws s3 ls; functions -q aws cdk") == Output("", 2)
    ensured = ["credhelper ensure --profile out"]
    assert sessions.lines == [
        "aws s3",
        *ensured,
        "my-tool.sh --profile out",
        "terraform plan",
        *ensured,
        "aws s3 ls",
        "aws s3",
        "aws s3 ls",
    ]
    assert not (sessions.home / "ran").exists()


@pytest.mark.parametrize(("text", "guarded"), [("", 7), (" aws\tx\ncdk ", 5)])
def test_the_list_of_commands_from_the_environment(sessions: World, text: str, guarded: int) -> None:
    with Fish(sessions, env={**LOGGED_OUT, "CREDHELPER_COMMANDS": text}) as fish:
        assert fish.run(f"functions -q {' '.join(TOOLS)}") == Output("", guarded)


def test_completions_of_the_commands_stay(sessions: World) -> None:
    folder = sessions.home / ".config/fish/completions"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "aws.fish").write_text("complete -c aws -f -a 'first second'\n")
    with Fish(sessions, env=LOGGED_OUT) as fish:
        assert fish.run("functions -q aws; complete -C 'aws '") == Output("first\nsecond\n", 0)
        fish.type("aws fi\t")
        fish.wait_for("aws first")
        assert fish.prompt_after_enter() == Output("", 0)
    assert sessions.lines == ["credhelper ensure --profile out", "aws first"]


def test_a_command_in_a_script_of_functions(sessions: World) -> None:
    """A function of the user's that runs a guarded command meets the guard too."""
    with Fish(sessions, after="function deploy; cdk deploy $argv; end", env=LOGGED_OUT) as fish:
        assert fish.run("deploy one") == Output("", 0)
    assert sessions.lines == ["credhelper ensure --profile out", "cdk deploy one"]


# --- signals, jobs, pipes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ends", ["echo waiting{}; exec sleep 60", "trap 'exit 130' INT; echo waiting{}; sleep 60 & wait"]
)
@pytest.mark.parametrize("line", ["aws s3 ls; echo after", "while true; aws s3 ls; end", "aws s3 ls | cat"])
def test_ctrl_c_gives_up_on_both(sessions: World, line: str, ends: str) -> None:
    """The program ends with 130, or dies of the signal."""
    sessions.credhelper(ensure=ends.format(" >&2"))
    with Fish(sessions, env=LOGGED_OUT) as fish:
        fish.type(f"{line}\r")
        fish.wait_for("waiting")
        fish.interrupt()
        given_up = fish.prompt()
        assert "after" not in given_up.text
        assert given_up.status == 130
        assert fish.run("echo still here") == Output("still here\n", 0)
    assert sessions.lines == ["credhelper ensure --profile out"]


@pytest.mark.parametrize(
    "ends", ["echo waiting{}; exec sleep 60", "trap 'exit 130' INT; echo waiting{}; sleep 60 & wait"]
)
@pytest.mark.parametrize(
    "line", ["{}; echo after", "while true; {}; end", "{} | cat; echo after", "deploy; echo after"]
)
def test_ctrl_c_during_the_command_ends_the_line(sessions: World, ends: str, line: str) -> None:
    sessions.program("aws", ends.format(""))
    with Fish(sessions, after="function deploy; aws s3 ls; echo after; end", env=LOGGED_OUT) as fish:
        fish.type(line.format("aws s3 ls") + "\r")
        fish.wait_for("waiting")
        fish.interrupt()
        assert fish.prompt() == Output("waiting\n^C", 130)
        assert fish.run("echo still here") == Output("still here\n", 0)
    assert sessions.lines == ["credhelper ensure --profile out", "aws s3 ls"]


def test_a_function_of_the_users_for_ctrl_c_is_not_called(sessions: World) -> None:
    """As it is not where Ctrl-C ends a command that no function runs."""
    sessions.program("aws", "echo waiting; exec sleep 60")
    with Fish(sessions, after="function mine --on-signal INT; echo mine; end", env=LOGGED_OUT) as fish:
        fish.type("aws s3 ls\r")
        fish.wait_for("waiting")
        fish.interrupt()
        assert fish.prompt() == Output("waiting\n^C", 130)


def test_ctrl_c_and_ctrl_z_reach_the_command(sessions: World) -> None:
    sessions.program("aws", "echo running; exec sleep 60")
    sessions.program("cdk", 'echo before; read line; echo "got $line"')
    with Fish(sessions, env={"AWS_PROFILE": "live"}) as fish:
        fish.type("aws s3 ls\r")
        fish.wait_for("running")
        fish.interrupt()
        assert fish.prompt().status == 130
        fish.type("cdk deploy\r")
        fish.wait_for("before")
        fish.type("\x1a")
        fish.prompt()
        assert "stopped" in fish.run("jobs").text
        fish.type("fg\r")
        fish.wait_for("Send job 1")
        fish.type("typed\r")
        assert fish.prompt().text.endswith("got typed\n")


WAIT = "while [ ! -e gate ]; do sleep 0.02; done"


@pytest.mark.parametrize(
    "line", ["aws s3 sync &", "aws --profile live s3 sync a b &", "true; and aws s3 sync >file 2>&1 &"]
)
def test_a_job_in_the_background(sessions: World, line: str) -> None:
    """A function would hold up the shell."""
    answer = sessions.home / "answer"
    sessions.program("aws", f"{WAIT}; echo late >answer")
    with Fish(sessions, env={"AWS_PROFILE": "live"}) as fish:
        assert fish.run(line) == Output("", 0)
        assert not answer.exists()
        (sessions.home / "gate").touch()
        wait_until(answer.exists)


def test_a_stream_into_a_block(sessions: World) -> None:
    """Of a function, a block sees nothing before its end."""
    sessions.program("cdk", f"echo early; {WAIT}; echo late")
    with Fish(sessions, env={"AWS_PROFILE": "live"}) as fish:
        fish.type("cdk deploy | while read line; echo got $line; end\r")
        fish.wait_for("got early")
        (sessions.home / "gate").touch()
        assert fish.prompt() == Output("got early\ngot late\n", 0)


def test_the_functions_come_back(sessions: World) -> None:
    with Fish(sessions, env={"AWS_PROFILE": "live"}) as fish:
        assert fish.run("aws s3 ls | cat; functions -q aws cdk").status == 2
        assert fish.run("functions -q aws cdk").status == 0
        # Where the login is needed they stay.
        sessions.session("corp", left=0, login="yes")
        fish.run("true")
        sessions.forget_calls()
        for line in ("cdk a", "cdk a && cdk b", "cdk a | cat", "cdk a | while read x; end"):
            fish.run(line)
            assert sessions.lines[0] == "credhelper ensure --profile live", line
            sessions.forget_calls()
        # The login of another profile is needed, or whose is not to be seen.
        sessions.session("corp")
        fish.run("true")
        for line in (
            "cdk a --profile out | cat",
            "set p out; cdk a --profile $p | cat",
            "cdk a --profile 'out' | cat",
        ):
            fish.run(line)
            assert sessions.lines == ["credhelper ensure --profile out", "cdk a --profile out"], line
            sessions.forget_calls()


def test_a_session_that_lives_costs_no_process(sessions: World, forks: Forks) -> None:
    with Fish(sessions, env={"AWS_PROFILE": "live"}, forks=forks) as fish:
        for line in ("aws s3 ls", "aws s3 ls --profile live", "aws s3 ls --profile static", "aws s3 ls | aws s3 cp"):
            before = forks.count()
            sessions.forget_calls()
            fish.run(line)
            assert forks.count() - before == len(sessions.calls) == line.count("aws"), line


def test_a_script_that_reads_the_users_config(sessions: World) -> None:
    write_config(sessions)
    script: Path = sessions.home / "script.fish"
    script.write_text("#!/usr/bin/env fish\naws s3 ls; and echo $status\n")
    script.chmod(0o755)
    done = subprocess.run(
        [script],
        env={**sessions.env, **LOGGED_OUT},
        capture_output=True,
        text=True,
        check=True,
        stdin=subprocess.DEVNULL,
    )
    assert (done.stdout, done.stderr) == ("0\n", "")
    assert sessions.lines == ["aws s3 ls"]
