"""`credhelper console`: the link that is printed, and the browser that is given it."""

from __future__ import annotations

from pathlib import Path

import pexpect
import pytest

from credhelper.standin import DEFAULT_START_URL
from tests.cli.terminal import CHAINED, COMMAND, KEYS, LOST, OTHER_SESSION, Terminal, environment
from tests.waiting import wait_until

PORTAL = DEFAULT_START_URL.rstrip("/")
LINK = f"{PORTAL}/#/console?account_id=100000000001&role_name=AWSReadOnlyAccess"
HOME = "https%3A%2F%2Feu-west-1.console.aws.amazon.com%2Fconsole%2Fhome%3Fregion%3Deu-west-1"


@pytest.fixture
def seen(terminal: Terminal) -> Path:
    """A browser that only writes down what it was given; and the Identity Center is AWS's, as far as one can see."""
    for name in terminal.standin.environment:
        terminal.patch.delenv(name)
    path = terminal.paths.home / "seen"
    terminal.patch.setenv("BROWSER", str(recorder(terminal.paths.home / "recorder", path)))
    return path


def recorder(program: Path, file: Path) -> Path:
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >"{file}"\n')
    program.chmod(0o755)
    return program


def text_of(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def printed(terminal: Terminal, *arguments: str) -> str:
    result = terminal.run("console", "--print", *arguments)
    assert (result.code, result.err) == (0, "")
    return result.out.strip()


def test_the_link_of_a_profile(terminal: Terminal) -> None:
    """Without any login."""
    assert printed(terminal, "dev") == f"{LINK}&destination={HOME}"
    assert not terminal.standin.calls()


def test_a_service_and_a_region(terminal: Terminal) -> None:
    assert printed(terminal, "dev", "--service", "s3", "--region", "us-east-2") == (
        f"{LINK}&destination=https%3A%2F%2Fus-east-2.console.aws.amazon.com%2Fs3%2Fhome%3Fregion%3Dus-east-2"
    )


def test_without_a_region_the_console_decides(terminal: Terminal) -> None:
    head, mark, dev = terminal.config.read_text().partition("[profile dev]")
    terminal.config.write_text(head + mark + dev.replace("region = eu-west-1\n", ""))
    assert printed(terminal, "dev") == LINK
    assert printed(terminal, "dev", "--service", "iam").endswith(
        "&destination=https%3A%2F%2Fconsole.aws.amazon.com%2Fiam%2Fhome"
    )


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "us-east-2"}, "us-east-2"),
        ({"AWS_DEFAULT_REGION": "us-east-2"}, "us-east-2"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "us-east-2"}, "eu-north-1"),
        ({"AWS_REGION": "cn-north-1"}, "eu-west-1"),  # of another partition, so it is meant for something else
        ({"AWS_REGION": "nonsense&x"}, "eu-west-1"),
    ],
)
def test_the_environments_region(terminal: Terminal, variables: dict[str, str], region: str) -> None:
    for name, value in variables.items():
        terminal.patch.setenv(name, value)
    assert printed(terminal, "dev").endswith(f"home%3Fregion%3D{region}")


def test_china(terminal: Terminal) -> None:
    terminal.config.write_text(
        "[sso-session cn]\nsso_start_url = https://start.home.awsapps.cn/directory/d-1#/\nsso_region = cn-north-1\n"
        "[profile beijing]\nsso_session = cn\nsso_account_id = 100000000001\nsso_role_name = Admin\n"
    )
    assert printed(terminal, "beijing", "--service", "s3") == (
        "https://start.home.awsapps.cn/directory/d-1/#/console?account_id=100000000001&role_name=Admin"
        "&destination=https%3A%2F%2Fconsole.amazonaws.cn%2Fs3%2Fhome"
    )


def test_a_role_that_no_link_can_hold(terminal: Terminal) -> None:
    terminal.config.write_bytes(terminal.config.read_bytes().replace(b"AWSReadOnlyAccess", b"Ad\xffmin"))
    result = terminal.run("console", "--print", "dev")
    assert (result.code, result.out) == (1, "")
    assert "'Ad\\udcffmin' is no role's name\n  Correct sso_role_name\n" in result.err


def test_a_managed_and_a_legacy_profile(terminal: Terminal) -> None:
    terminal.add(
        "\n[profile old]\nsso_start_url = https://old.awsapps.com/start\nsso_region = us-east-1\n"
        "sso_account_id = 100000000002\nsso_role_name = Admin\n"
    )
    before = {name: printed(terminal, name) for name in ("dev", "old")}
    assert before["old"] == "https://old.awsapps.com/start/#/console?account_id=100000000002&role_name=Admin"
    assert terminal.run("enable", "--all", "--yes").code == 0
    assert {name: printed(terminal, name) for name in before} == before


@pytest.mark.parametrize("named", ["argument", "environment", "default"])
def test_which_profile(terminal: Terminal, named: str) -> None:
    if named == "environment":
        terminal.patch.setenv("AWS_PROFILE", "dev")
    if named == "default":
        terminal.config.write_text(terminal.config.read_text().replace("[profile dev]", "[default]"))
    assert printed(terminal, *(["dev"] if named == "argument" else [])).startswith(LINK)


def test_the_browser_gets_the_link_as_one_argument(terminal: Terminal, seen: Path) -> None:
    result = terminal.run("console", "dev", "--service", "s3")
    assert (result.code, result.err) == (0, "")
    assert result.out == "Opening the console in the browser: account 100000000001, role AWSReadOnlyAccess.\n"
    given = wait_until(lambda: text_of(seen), what="the browser")
    assert given == f"{printed(terminal, 'dev', '--service', 's3')}\n"


def test_the_sessions_own_browser(terminal: Terminal, seen: Path) -> None:
    own = terminal.paths.home / "own"
    terminal.paths.settings.parent.mkdir(parents=True)
    program = recorder(terminal.paths.home / "firefox", own)
    terminal.paths.settings.write_text(f'[sessions.corp]\nbrowser = "{program} -P work"\n')
    assert terminal.run("console", "dev").code == 0
    given = wait_until(lambda: text_of(own), what="the session's browser")
    assert given.splitlines() == ["-P", "work", f"{LINK}&destination={HOME}"]
    assert not seen.exists()


def test_the_sessions_own_browser_is_missing(terminal: Terminal, seen: Path) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text('[sessions.corp]\nbrowser = "no-such-browser"\n')
    result = terminal.run("console", "dev")
    assert (result.code, result.out) == (1, f"{LINK}&destination={HOME}\n")
    assert "the settings name for corp cannot be started: no-such-browser" in result.err
    assert not seen.exists()


@pytest.mark.parametrize("known_by", ["environment", "login", "settings"])
def test_a_stand_ins_console_is_not_opened(terminal: Terminal, seen: Path, known_by: str) -> None:
    """Somebody else's portal may have the name that a demo made up."""
    if known_by == "login":  # in another shell
        _log_in_at_the_standin(terminal)
    elif known_by == "settings":  # and a token that cannot be read
        terminal.seed()
        terminal.cache.path("corp").write_text("{")
        terminal.paths.settings.parent.mkdir(parents=True)
        terminal.paths.settings.write_text(f'[sessions.corp]\nportal = "{terminal.standin.url}"\n')
    else:
        for name, value in terminal.standin.environment.items():
            terminal.patch.setenv(name, value)
    result = terminal.run("console", "dev")
    assert (result.code, result.out) == (0, f"{LINK}&destination={HOME}\n")
    assert "The Identity Center of corp is on this machine" in result.err
    assert not seen.exists()


def _log_in_at_the_standin(terminal: Terminal) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**terminal.standin.environment, "BROWSER": str(terminal.browser.path)}.items():
            patch.setenv(name, value)
        assert terminal.run("login", "dev").code == 0


def test_another_clients_login_is_at_aws(terminal: Terminal, seen: Path) -> None:
    _log_in_at_the_standin(terminal)
    terminal.seed()
    assert terminal.run("console", "dev").out.startswith("Opening the console")
    assert wait_until(lambda: text_of(seen), what="the browser").startswith(LINK)


@pytest.mark.usefixtures("seen")
def test_where_there_is_no_browser_the_link_is_shown(terminal: Terminal) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        terminal.patch.delenv(name, raising=False)
    terminal.patch.setenv("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
    terminal.patch.setenv("DISPLAY", ":9")  # forwarded; no browser is drawn through that
    result = terminal.run("console", "dev")
    assert (result.code, result.out) == (0, f"{LINK}&destination={HOME}\n")
    assert "No browser can be opened in an SSH session. The link" in result.err


def test_an_unknown_service_is_opened_and_a_near_one_named(terminal: Terminal) -> None:
    result = terminal.run("console", "--print", "dev", "--service", "lamda")
    assert result.code == 0
    assert "%2Flamda%2Fhome" in result.out
    assert "did you mean 'lambda'?" in result.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["dv"], 2, "Did you mean 'dev'?"),
        (["dev", "--service", "s3?x"], 2, "no service of the console"),
        (["dev", "--region", "nowhere"], 2, "'nowhere' is no region"),
        (["dev", "--region", "us-gov-west-1"], 2, "another partition than eu-west-1"),
        (["keys"], 1, "'keys' uses no Identity Center session"),
        (["chained"], 1, "Run `credhelper console dev`, then switch the role"),
        (["lost"], 1, "names the session 'gone', which the AWS config does not have"),
        (["bare"], 1, "does not say which sso_account_id it means"),
        (["odd"], 1, "is no account id of 12 digits"),
        (["elsewhere"], 1, "no https address of AWS's"),
        ([], 2, "no profile is named"),
    ],
)
def test_what_has_no_link(terminal: Terminal, seen: Path, arguments: list[str], code: int, words: str) -> None:
    terminal.add(KEYS).add(CHAINED).add(LOST).add(OTHER_SESSION)
    terminal.add("\n[profile bare]\nsso_session = other\n")
    terminal.add("\n[profile odd]\nsso_session = other\nsso_account_id = 12\nsso_role_name = Admin\n")
    terminal.add("\n[sso-session evil]\nsso_start_url = https://evil.example/start\nsso_region = eu-west-1\n")
    terminal.add("\n[profile elsewhere]\nsso_session = evil\nsso_account_id = 100000000001\nsso_role_name = Admin\n")
    result = terminal.run("console", *arguments)
    assert (result.code, result.out) == (code, "")
    assert words in result.err
    assert not seen.exists()


def test_at_a_terminal_a_profile_is_picked(terminal: Terminal, seen: Path, tmp_path: Path) -> None:
    environ = {**environment(), "TERM": "xterm-256color", "PATH": str(tmp_path)}  # without fzf
    child = pexpect.spawn(
        COMMAND[0],
        [*COMMAND[1:], "console"],
        env=environ,
        encoding="utf-8",
        dimensions=(40, 120),
        timeout=20,
    )
    try:
        child.expect("dev")
        child.send("\r")
        child.expect("Opening the console in the browser")
        child.expect(pexpect.EOF)
    finally:
        child.close(force=True)
    assert child.exitstatus == 0
    wait_until(lambda: text_of(seen) == f"{LINK}&destination={HOME}\n", what="the browser")
