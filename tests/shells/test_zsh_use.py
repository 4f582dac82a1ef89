"""What shell/credhelper.zsh does: `use`, and a login just in time."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest

from credhelper.names import encode_name
from tests.shells.terminal import Output
from tests.shells.world import HOUR, Call, World
from tests.shells.zsh import Zsh

pytestmark = pytest.mark.skipif(shutil.which("zsh") is None, reason="no zsh on this machine")
_ENSURE = "credhelper ensure --profile"


# --- use ------------------------------------------------------------------------------------------------------------


def test_use_exports_and_goes_back(zsh: Zsh, world: World) -> None:
    with zsh.start() as terminal:
        terminal.prompt()
        nothing = "credhelper: no other profile was in use in this shell. Run: credhelper use NAME\n"
        assert terminal.run("credhelper use -") == Output(nothing, 1)
        assert terminal.run("credhelper use corp-admin; env | grep AWS_PROFILE") == Output(
            "AWS_PROFILE=corp-admin\n", 0
        )
        assert terminal.run("credhelper use corp-admin; credhelper use -") == Output(nothing, 1)
        assert (
            terminal.run("credhelper use corp-dev; credhelper use --default -; print $AWS_PROFILE").text
            == "corp-admin\n"
        )
        world.credhelper(use="")
        assert terminal.run("credhelper use --unset; print ${+AWS_PROFILE}") == Output("0\n", 0)
        world.credhelper()
        assert terminal.run("credhelper use -; print $AWS_PROFILE") == Output("corp-admin\n", 0)
    assert world.lines == [
        "credhelper use --print corp-admin",
        "credhelper use --print corp-admin",
        "credhelper use --print corp-dev",
        "credhelper use --print --default -- corp-admin",
        "credhelper use --print --unset",
        "credhelper use --print -- corp-admin",
    ]


def test_a_login_that_fails_leaves_the_profile(zsh: Zsh, world: World) -> None:
    with zsh.start(AWS_PROFILE="corp-dev") as terminal:
        terminal.prompt()
        world.program("credhelper", "echo why >&2; exit 3")
        assert terminal.run("credhelper use corp-admin") == Output("why\n", 3)
        world.program("credhelper", "trap 'exit 130' INT; echo waiting >&2; sleep 600 >&2 & wait")
        terminal.start("credhelper use corp-admin; aws s3 ls")
        terminal.wait_for("waiting")
        terminal.interrupt()
        assert terminal.prompt().status == 2  # zsh's own for an interrupted $(…)
        assert terminal.run("print $AWS_PROFILE") == Output("corp-dev\n", 0)
    assert world.lines == ["credhelper use --print corp-admin"] * 2


@pytest.mark.parametrize(
    "line", ["credhelper", "credhelper status --json", "credhelper use --help", "credhelper use -h x"]
)
def test_all_else_passes_through(zsh: Zsh, world: World, line: str) -> None:
    world.program("credhelper", "echo out; echo err >&2; exit 3")
    with zsh.start() as terminal:
        terminal.prompt()
        assert terminal.run(line) == Output("out\nerr\n", 3)
        assert terminal.run("print ${+AWS_PROFILE}").text == "0\n"
    assert world.lines == [line]


def test_the_doctor_hears_that_the_hook_is_loaded(zsh: Zsh, world: World) -> None:
    world.program("credhelper", 'echo "${_CREDHELPER_IN-none}" "$2"; exit 1')
    with zsh.start() as terminal:
        terminal.prompt()
        assert terminal.run("credhelper doctor --fix") == Output("zsh --fix\n", 1)
        assert terminal.run("credhelper login 'a b'; printenv _CREDHELPER_IN") == Output("none a b\n", 1)


def test_a_rendered_hook_runs_the_command_that_is_in_it(zsh: Zsh, world: World) -> None:
    place = world.home / 'it\'s $(x) `y` "z" é'
    place.mkdir()
    shutil.copy(world.program("credhelper", "echo from there"), place / "cred helper")
    (world.bin / "credhelper").unlink()
    hook = world.rendered("zsh", place / "cred helper")
    for how in ("source {}", 'eval "$(<{})"'):
        zsh.write()
        zsh.rc.write_text(
            zsh.rc.read_text().replace(f"source {world.hook('zsh')}", how.format(shlex.quote(str(hook))))
        )
        with zsh.start() as terminal:
            assert terminal.prompt() == Output("", 0)
            assert terminal.run("credhelper status") == Output("from there\n", 0)


@pytest.mark.parametrize(
    ("variables", "profile"),
    [
        ({}, "a b"),
        ({"AWS_PROFILE": "mine"}, "mine"),
        ({"AWS_PROFILE": ""}, ""),
        ({"AWS_DEFAULT_PROFILE": "mine"}, None),
        ({"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}, None),
    ],
)
def test_the_profile_of_new_shells(zsh: Zsh, world: World, variables: dict[str, str], profile: str | None) -> None:
    world.default_profile("a b")
    with zsh.start(**variables) as terminal:
        assert terminal.prompt() == Output("", 0)
        terminal.run("aws")
    assert world.calls[-1] == Call("aws", profile, ())


def test_a_script_gets_credhelper_alone(zsh: Zsh, world: World) -> None:
    world.default_profile("corp-admin")
    script = (
        f"setopt err_exit no_unset pipe_fail; source {world.hook('zsh')}; aws s3; print ${{+functions[aws]}}; "
        "print ${+precmd_functions}; credhelper use 'a b'; print $AWS_PROFILE"
    )
    done = subprocess.run(["zsh", "-f", "-c", script], env=zsh.env, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("0\n0\na b\n", "")
    assert world.calls == [Call("aws", None, ("s3",)), Call("credhelper", None, ("use", "--print", "a b"))]


# --- a login just in time -------------------------------------------------------------------------------------------

RUNS_AT_ONCE = [
    "aws s3 ls",
    "aws s3 ls --profile keys",
    "aws --profile=keys s3 ls",
    "AWS_PROFILE=over AWS_ACCESS_KEY_ID=x aws s3 ls",
    "AWS_PROFILE=over aws --version",
    "AWS_PROFILE=over aws help",
    "AWS_PROFILE=over aws s3 ls help",
    "AWS_PROFILE=over aws s3 ls --help",
    "AWS_PROFILE=over aws --region eu-west-1 configure list",
    "AWS_PROFILE=over aws sso logout",
    "AWS_PROFILE=over terraform -help",
    "AWS_PROFILE=over terraform version",
    "AWS_PROFILE=over aws --cli-read-timeout=60 configure list",
    "AWS_PROFILE=over aws --cli-binary-format raw-in-base64-out configure list",
    "AWS_PROFILE=over my-tool --profile keys",
    "AWS_PROFILE=over aws s3 ls </dev/null",
    "AWS_PROFILE=over aws s3 ls 2>/dev/null",
    "AWS_PROFILE=over command aws s3 ls",
]
ASKS_FIRST = {
    "AWS_PROFILE=over aws s3 ls": "over",
    "AWS_PROFILE=over terraform plan --profile corp-dev": "over",
    "AWS_PROFILE= AWS_DEFAULT_PROFILE=over aws s3 ls": "over",
    "AWS_PROFILE=keys AWS_DEFAULT_PROFILE=x aws s3 ls --profile over": "over",
    "AWS_ACCESS_KEY_ID=x aws --profile=over s3 ls": "over",
    "AWS_PROFILE=over aws ec2 x --version 3": "over",
    "cdk deploy --profile 'over' x": "over",
    "sam deploy --profile=over": "over",
    "my-tool --profile over": "over",
    "AWS_PROFILE=over aws s3 ls --profile ''": "over",
    "AWS_PROFILE=over aws s3 ls -- --profile keys --help": "over",
    "AWS_PROFILE=over eksctl create cluster --version 1.33": "over",
    "eksctl --profile over get cluster": "over",
    "AWS_PROFILE=over pulumi up | cat": "over",
    "AWS_CONFIG_FILE=$HOME/.aws/config AWS_PROFILE=over aws s3 ls": "over",
    "AWS_CONFIG_FILE='~/.aws/config' AWS_PROFILE=over aws s3 ls": "over",
    "AWS_CONFIG_FILE=/unknown/config aws s3 ls": "corp-admin",
    "AWS_CONFIG_FILE=relative aws s3 ls": "corp-admin",
    f"AWS_CONFIG_FILE=/{'x' * 250} aws s3 ls": "corp-admin",
    f"aws s3 ls --profile {'x' * 251}": "x" * 251,
    "aws s3 ls --profile ..": "..",
    "aws s3 ls --profile gone": "gone",
}


def test_what_runs_at_once_and_what_asks_first(zsh: Zsh, world: World) -> None:
    world.profile("over", "ended")
    world.profile("gone", "no-such-file")
    world.session("ended", left=-HOUR, login="yes", state="expired")
    world.program("my-tool")
    commands = "aws cdk terraform sam pulumi eksctl my-tool"
    with zsh.start(AWS_PROFILE="corp-admin", CREDHELPER_COMMANDS=commands) as terminal:
        terminal.prompt()
        for line in RUNS_AT_ONCE:
            world.forget_calls()
            assert terminal.run(line) == Output("", 0), line
            assert [call.program for call in world.calls] in (["aws"], ["terraform"], ["my-tool"]), line
        for line, profile in ASKS_FIRST.items():
            world.forget_calls()
            assert terminal.run(line) == Output("", 0), line
            assert world.lines[0] == f"{_ENSURE} {profile}", line
            assert len(world.calls) == 2, line


def test_a_variable_that_is_not_exported_names_no_profile(zsh: Zsh, world: World) -> None:
    world.profile("default")
    with zsh.start() as terminal:
        terminal.prompt()
        for line, shown in (
            ("AWS_PROFILE=corp-admin AWS_DEFAULT_PROFILE=corp-dev", "default"),
            ("export AWS_DEFAULT_PROFILE", "corp-dev"),
            ("export AWS_PROFILE", "corp-admin"),
        ):
            assert terminal.run(line) == Output("", 0)
            assert terminal.run("print $CREDHELPER_TEXT") == Output(f"{shown}\n", 0)
        world.session(left=-1, login="yes")
        terminal.run("typeset +x AWS_PROFILE")
        assert terminal.run("aws s3 ls") == Output("", 0)
    assert world.lines == [f"{_ENSURE} corp-dev", "aws s3 ls"]


def test_another_config_file_and_profiles_of_odd_names(zsh: Zsh, world: World) -> None:
    config = world.home / "my é" / "config"
    world.profile("a b", config=encode_name(str(config)))
    with zsh.start(AWS_CONFIG_FILE=str(config)) as terminal:
        assert terminal.prompt() == Output("", 0)
        assert terminal.run("aws --profile 'a b' s3; aws --profile corp-admin s3") == Output("", 0)
        assert (
            terminal.run("AWS_CONFIG_FILE='~/my é/config' aws --profile 'a b' s3; export AWS_PROFILE='a b'").text
            == ""
        )
        assert terminal.run("print $CREDHELPER_TEXT") == Output("a b\n", 0)
    assert [call.program for call in world.calls] == ["aws"] * 3


@pytest.mark.parametrize("code", [1, 3, 70, 130])
def test_a_login_that_came_to_nothing_keeps_the_command_from_running(zsh: Zsh, world: World, code: int) -> None:
    world.session(left=-1, login="yes")
    world.credhelper(ensure=f"echo why; exit {code}")
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        terminal.prompt()
        assert terminal.run("aws s3 ls | cat >/dev/null; (exit $pipestatus[1])") == Output("why\n", code)
    assert world.lines == [f"{_ENSURE} corp-admin"]


@pytest.mark.parametrize("how", ["exit 130", "trap - INT; kill -INT $$"])
def test_ctrl_c_gives_up_on_both(zsh: Zsh, world: World, how: str) -> None:
    world.session(left=-1, login="yes")
    world.credhelper(ensure=f"trap '{how}' INT; echo waiting; sleep 600 & wait")
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        terminal.prompt()
        terminal.start("aws s3 ls")
        terminal.wait_for("waiting")
        terminal.interrupt()
        assert terminal.prompt().status == 130
        assert terminal.run("print on") == Output("on\n", 0)
    assert world.lines == [f"{_ENSURE} corp-admin"]


def test_missing_programs(zsh: Zsh, world: World) -> None:
    world.session(left=-1, login="yes")
    (world.bin / "aws").unlink()
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        terminal.prompt()
        missing = terminal.run("aws s3 ls")
        assert missing.status == 127
        assert missing.text.endswith("command not found: aws\n")
        (world.bin / "credhelper").unlink()
        assert terminal.run("rehash; cdk deploy") == Output("", 0)
    assert world.lines == ["cdk deploy"]


def test_the_command_gets_everything_as_it_would_without_us(zsh: Zsh, world: World) -> None:
    world.program("aws", 'env >env; cat; echo "err $tool" >&2; exit 5')
    zsh.write(after="export tool=a reply=b plain=c REPLY=d line=e entry=f config=g rest=h given=i clock=j")
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        terminal.prompt()
        assert terminal.run("print in | aws '' 'a b' $'\\n' '*' --profile") == Output("in\nerr a\n", 5)
        assert terminal.run("aws '' 'a b' $'\\n' '*' -- help </dev/null") == Output("err a\n", 5)
    env = dict(line.split("=", 1) for line in (zsh.folder / "env").read_text().splitlines())
    assert "".join(env[name] for name in ("tool", "reply", "plain", "REPLY", "line", "entry", "config")) == "abcdefg"
    assert "".join(env[name] for name in ("rest", "given", "clock")) == "hij"
    assert [call.arguments for call in world.calls] == [
        ("", "a b", "\n", "*", "--profile"),
        ("", "a b", "\n", "*", "--", "help"),
    ]


def test_aws_sso_login(zsh: Zsh, world: World) -> None:
    with zsh.start() as terminal:
        terminal.prompt()
        for line in (
            "aws sso login",
            "aws sso login --profile 'a b' --no-browser",
            "aws --profile sso --region login sso login --use-device-code",
            "aws sso login --sso-session login",
            "aws sso login </dev/null",
        ):
            assert terminal.run(line) == Output("", 0)
    assert [call.arguments for call in world.calls] == [
        ("aws-sso-login",),
        ("aws-sso-login", "--profile", "a b", "--no-browser"),
        ("aws-sso-login", "--profile", "sso", "--region", "login", "--use-device-code"),
        ("aws-sso-login", "--sso-session", "login"),
        ("sso", "login"),
    ]
