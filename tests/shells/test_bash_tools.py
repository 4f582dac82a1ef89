"""shell/credhelper.bash before the programs of AWS: whom it asks, what it runs, when it keeps out of the way."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.shells.bash import MODES, Bash
from tests.shells.terminal import Output
from tests.shells.world import TOOLS, Call, World

QUIET = Output("", 0)
modes = pytest.mark.parametrize("mode", MODES)


@pytest.fixture
def over(world: World) -> World:
    """A session that needs a login; `dev`, `other` and `default` use it, `plain` uses none; `live` needs none."""
    world.credhelper()
    world.session(login="yes", left=-5, state="expired")
    world.session("alive")
    for name in ("dev", "other", "default"):
        world.profile(name)
    world.profile("plain", None)
    world.profile("live", "alive")
    return world


# What is typed; for which profile a login is asked (None: for none).
LINES = [
    ("aws s3 ls", "default"),
    ("AWS_PROFILE=dev aws s3 ls", "dev"),
    ("AWS_PROFILE= AWS_DEFAULT_PROFILE=dev aws s3 ls", "dev"),
    ("AWS_PROFILE=live AWS_DEFAULT_PROFILE=dev aws s3 ls", None),
    ("AWS_PROFILE=plain aws s3 ls", None),
    ("AWS_PROFILE=gone aws s3 ls", None),
    ("aws --profile dev s3 ls", "dev"),
    ("aws s3 ls --profile dev", "dev"),
    ("aws s3 ls --profile=dev", "dev"),
    ("aws --profile=live s3 ls --profile other", "other"),
    ("aws s3 ls --profile live", None),
    ("AWS_PROFILE=dev aws s3 ls --profile plain", None),
    ("AWS_ACCESS_KEY_ID=x aws s3 ls", None),
    ("AWS_ACCESS_KEY_ID=x aws s3 ls --profile dev", "dev"),
    ("AWS_ACCESS_KEY_ID= aws s3 ls", "default"),
    ("aws s3 cp a --dryrun --profile dev", "dev"),
    ("aws", None),
    ("aws --version", None),
    ("aws help", None),
    ("aws s3 help", None),
    ("aws s3 ls help", None),
    ("aws s3 ls --help", None),
    ("aws configure list --profile dev", None),
    ("aws --region eu-west-1 configure sso", None),
    ("aws --query configure s3 ls", "default"),
    ("aws sso logout", None),
    ("aws sso-admin list-instances", "default"),
    ("terraform plan", "default"),
    ("terraform plan --profile plain", "default"),
    ("AWS_PROFILE=live terraform plan --profile dev", None),
    ("terraform -version", None),
    ("terraform version", None),
    ("terraform -help", None),
    ("eksctl create cluster --version 1.33", "default"),
    ("aws s3 ls -- --profile dev --help", "default"),
    ("aws s3 ls --query --help", "default"),
    ("AWS_PROFILE=dev aws --cli-binary-format raw-in-base64-out configure list", None),
    ("AWS_PROFILE=dev aws --cli-read-timeout=60 configure list", None),
    ("tofu apply", "default"),
    ("pulumi up", "default"),
    ("pulumi help", None),
    ("cdk deploy --profile dev", "dev"),
    ("cdk deploy", "default"),
    ("cdk --version", None),
    ("sam deploy --profile=dev", "dev"),
    ("eksctl get cluster -h", None),
    ("eksctl get cluster --profile dev", "dev"),
    ("command aws s3 ls", None),
    ("aws s3 ls </dev/null", None),
    ("aws s3 ls 2>/dev/null", None),
    ("aws s3 ls 2>&1 | cat", None),
    ("echo x | aws s3 cp -", None),
    ("aws s3 ls >/dev/null", "default"),
    ("aws s3 ls | cat", "default"),
    ("x=$(aws s3 ls)", "default"),
    ("(aws s3 ls)", "default"),
    ("AWS_CONFIG_FILE=/none aws s3 ls", "default"),
    ("AWS_CONFIG_FILE=relative aws s3 ls --profile dev", "dev"),
]


@modes
def test_for_whom_a_login_is_asked(over: World, mode: str) -> None:
    with Bash(over, mode) as terminal:
        for line, profile in LINES:
            over.forget_calls()
            assert terminal.run(line) == QUIET, line
            asked = [call for call in over.calls if call.program == "credhelper"]
            wanted = [] if profile is None else [("ensure", "--profile", profile)]
            assert [call.arguments for call in asked] == wanted, line
            assert over.calls[-1].program in TOOLS, line
            assert len(over.calls) == len(wanted) + 1, line


@modes
def test_a_variable_that_is_not_exported_names_no_profile(over: World, mode: str) -> None:
    """No program hears of it, and a prompt that showed it would speak of another account than the next command's."""
    with Bash(over, mode) as terminal:
        for line, shown in (
            ("AWS_PROFILE=live", "default expired"),
            ("AWS_DEFAULT_PROFILE=live", "default expired"),
            ("export AWS_DEFAULT_PROFILE", "live"),
            ("export AWS_PROFILE=dev", "dev expired"),
        ):
            assert terminal.run(line) == QUIET
            assert terminal.run('echo "$CREDHELPER_TEXT"') == Output(f"{shown}\n", 0)
        terminal.run("export -n AWS_PROFILE AWS_DEFAULT_PROFILE")
        assert terminal.run("aws s3 ls") == QUIET
    assert over.lines == ["credhelper ensure --profile default", "aws s3 ls"]


@modes
def test_arguments_arrive_as_they_were_typed(over: World, mode: str) -> None:
    with Bash(over, mode) as terminal:
        terminal.run("AWS_PROFILE=plain aws s3 '' 'a b' \"it's\" '*' '$(id)' --x=$'\\n' -- -- --profile 'p q'")
    words = ("s3", "", "a b", "it's", "*", "$(id)", "--x=\n", "--", "--", "--profile", "p q")
    assert over.calls == [Call("aws", "plain", words)]


@modes
def test_a_variable_for_one_call_is_for_one_call(over: World, mode: str) -> None:
    over.program("aws", 'echo "$AWS_PROFILE $AWS_REGION"')
    with Bash(over, mode) as terminal:
        assert terminal.run("AWS_PROFILE='a b' AWS_REGION=mars aws s3 ls") == Output("a b mars\n", 0)
        assert terminal.run('echo "${AWS_PROFILE-unset} ${AWS_REGION-unset}"') == Output("unset unset\n", 0)


@modes
def test_aws_sso_login_is_ours(over: World, mode: str) -> None:
    with Bash(over, mode) as terminal:
        for line in (
            "aws sso login",
            "aws sso login --profile 'a b' --no-browser",
            "aws --profile sso sso login",
            "AWS_PROFILE=dev aws --region x sso --debug login --sso-session=corp",
            "aws --cli-binary-format sso sso login",
        ):
            assert terminal.run(line) == QUIET
        asked = [call.arguments for call in over.calls]
        assert asked == [
            ("aws-sso-login",),
            ("aws-sso-login", "--profile", "a b", "--no-browser"),
            ("aws-sso-login", "--profile", "sso"),
            ("aws-sso-login", "--region", "x", "--debug", "--sso-session=corp"),
            ("aws-sso-login", "--cli-binary-format", "sso"),
        ]
        assert over.calls[-2].profile == "dev"
        over.forget_calls()
        assert terminal.run("aws sso login </dev/null; aws sso login --help; aws sso login help") == QUIET
        assert over.lines == ["aws sso login", "aws sso login --help", "aws sso login help"]
        over.program("credhelper", "echo why >&2; exit 4")
        assert terminal.run("aws sso login || echo $?") == Output("why\n4\n", 0)


@modes
def test_what_follows_from_the_answer(over: World, mode: str) -> None:
    with Bash(over, mode) as terminal:
        over.program("aws", "echo out; exit 9")
        over.credhelper(ensure="echo asked; echo why >&2; exit 0")
        assert terminal.run("aws s3 ls || echo $?") == Output("asked\nwhy\nout\n9\n", 0)
        assert terminal.run("x=$(aws s3 ls) || echo $? [$x]") == Output("asked\nwhy\n9 [out]\n", 0)
        for status in (1, 3, 70, 130):
            over.credhelper(ensure=status)
            over.forget_calls()
            assert terminal.run("aws s3 ls || echo $?") == Output(f"{status}\n", 0)
            assert over.lines == ["credhelper ensure --profile default"]


@pytest.mark.parametrize("mode", ["plain", "posix"])
@pytest.mark.parametrize("how", ["", "trap 'exit 130' INT;"])
def test_ctrl_c_gives_up_on_both(over: World, mode: str, how: str) -> None:
    over.credhelper(ensure=f"{how} echo waiting >&2; while :; do sleep 0.1; done")
    with Bash(over, mode) as terminal:
        terminal.start("aws s3 ls")
        terminal.wait_for("waiting")
        terminal.interrupt()
        output = terminal.prompt()
        assert output.status == 130
        assert output.text.replace("^C", "").strip() == "waiting"
        assert over.lines == ["credhelper ensure --profile default"]
        assert terminal.run("echo alive") == Output("alive\n", 0)


@pytest.mark.parametrize("mode", ["plain", "posix"])
def test_ctrl_c_reaches_the_program(over: World, mode: str) -> None:
    over.program("aws", "echo running; exec sleep 60")
    with Bash(over, mode) as terminal:
        terminal.start("aws s3 ls")
        terminal.wait_for("running")
        terminal.interrupt()
        assert terminal.prompt().status == 130


@modes
def test_a_command_that_is_not_there(over: World, mode: str) -> None:
    (over.bin / "aws").unlink()
    with Bash(over, mode) as terminal:
        assert terminal.run("aws s3 ls || echo $?") == Output("bash: aws: command not found\n127\n", 0)
    assert over.calls == []


@modes
def test_credhelper_itself_is_not_there(over: World, mode: str) -> None:
    (over.bin / "credhelper").unlink()
    with Bash(over, mode) as terminal:
        assert terminal.first == QUIET
        assert terminal.run("aws s3 ls") == QUIET
        assert terminal.run("aws sso login") == QUIET
        assert terminal.run("credhelper status || echo $?") == Output("bash: credhelper: command not found\n127\n", 0)
    assert over.lines == ["aws s3 ls", "aws sso login"]


@modes
def test_the_command_is_where_the_file_says(over: World, mode: str) -> None:
    folder = over.home / "it's $(touch pwned) @"
    folder.mkdir()
    (over.bin / "credhelper").rename(folder / "cred helper")
    with Bash(over, mode, source=over.rendered("bash", folder / "cred helper")) as terminal:
        assert terminal.run("credhelper use dev; aws s3 ls; credhelper x") == QUIET
    assert over.lines == [
        "credhelper use --print dev",
        "credhelper ensure --profile dev",
        "aws s3 ls",
        "credhelper x",
    ]
    assert not (over.home / "pwned").exists()


COMMANDS = [
    ("CREDHELPER_COMMANDS=", []),
    ("CREDHELPER_COMMANDS=' aws\n\tmy_tool  '", ["aws", "my_tool"]),
    ("CREDHELPER_COMMANDS='$(touch pwned) a;touch>pwned `touch_pwned` ../x * -n ä x() {'", []),
    ("IFS=; set -f; CREDHELPER_COMMANDS='aws my_tool'", ["aws", "my_tool"]),
    ("CREDHELPER_COMMANDS='. : exec return command cd if [ aws my_tool'", ["aws", "my_tool"]),
]


@modes
@pytest.mark.parametrize(("setting", "names"), COMMANDS)
def test_the_list_of_commands(over: World, mode: str, setting: str, names: list[str]) -> None:
    over.program("my_tool")
    with Bash(over, mode, before=setting) as terminal:
        assert terminal.first == QUIET
        found = terminal.run("compgen -A function").text.split()
        ours = {"credhelper", "credhelper_prompt"}
        assert [name for name in found if name not in ours and not name.startswith("__credhelper_")] == names
        if names:
            assert terminal.run("my_tool x --profile dev") == QUIET
            assert over.lines == ["credhelper ensure --profile dev", "my_tool x --profile dev"]
    assert not (over.home / "pwned").exists()


def test_a_name_with_a_hyphen(over: World) -> None:
    """In POSIX mode bash has no such functions; there the program stays as it is, without a word."""
    over.program("my-tool")
    for mode, lines in (("plain", ["credhelper ensure --profile default", "my-tool x"]), ("posix", ["my-tool x"])):
        over.forget_calls()
        with Bash(over, mode, before="CREDHELPER_COMMANDS=my-tool") as terminal:
            assert terminal.first == QUIET
            assert terminal.run("my-tool x") == QUIET
        assert over.lines == lines


# --- scripts --------------------------------------------------------------------------------------------------------

SCRIPT = """\
{options}
source '{hook}'
compgen -A function | grep -v '^__credhelper_'
echo "[${{PROMPT_COMMAND-}}${{CREDHELPER_TEXT-}}${{AWS_PROFILE-}}]"
complete -p credhelper 2>/dev/null || echo 'no completion'
aws s3 ls
credhelper use 'a b'
echo "$AWS_PROFILE"
credhelper other || echo $?
"""


@pytest.mark.parametrize("options", ["", "set -eu -o pipefail", "set -o posix"])
def test_a_script_gets_credhelper_alone(over: World, options: str, tmp_path: Path) -> None:
    over.default_profile("dev")
    script = tmp_path / "script"
    script.write_text(SCRIPT.format(options=options, hook=over.hook("bash")))
    done = subprocess.run(
        ["bash", str(script)], env=over.env, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.stdout, done.stderr, done.returncode) == ("credhelper\n[]\nno completion\na b\n", "", 0)
    assert over.lines == ["aws s3 ls", "credhelper use --print a b", "credhelper other"]


def test_a_script_started_from_the_prompt_is_left_alone(over: World, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("aws s3 ls\n")
    with Bash(over, before="set -a", after="set +a; export -f aws __credhelper_run") as terminal:
        assert terminal.run(f"bash {script}") == QUIET
    assert over.lines == ["aws s3 ls"]
