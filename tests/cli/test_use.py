"""`credhelper use`, as the shell hooks call it and as a person without a hook meets it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from credhelper import board
from credhelper.agent import Agent
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, write_browser_script
from tests.cli.terminal import CHAINED, COMMAND, KEYS, LOST, Terminal, environment, spawn_for_hook
from tests.waiting import wait_until

ODD = 'two words "quoted" $(touch x) `y` 名前'
MORE = f"""{KEYS}{CHAINED}{LOST}
[profile '{ODD}']
region = eu-west-1
"""


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    return terminal.add(MORE)


def finish(child: pexpect.spawn[str]) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


class TestWithoutHook:
    @pytest.mark.parametrize(
        ("shell", "named"),
        [
            ("/bin/bash", "bash"),
            ("/usr/local/bin/zsh", "zsh"),
            ("/usr/bin/fish", "fish"),
            ("/opt/pwsh", "powershell"),
            ("/bin/tcsh", "SHELL"),
            ("", "SHELL"),
        ],
    )
    @pytest.mark.parametrize("arguments", [["dev"], [], ["-"], ["--unset"]])
    def test_it_says_how_to_get_one(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, shell: str, named: str, arguments: list[str]
    ) -> None:
        monkeypatch.setenv("SHELL", shell)
        result = terminal.run("use", *arguments)
        assert (result.code, result.out) == (1, "")
        assert result.err == (
            "credhelper: `use` works through the shell hook, which is not in this shell. "
            f"Run `credhelper hook {named} --install`, then open a new shell\n"
        )

    def test_the_profile_of_new_shells(self, terminal: Terminal) -> None:
        result = terminal.run("use", "--default", ODD)
        assert (result.code, result.out) == (0, "")
        assert result.err == f"New shells with the hook start with {ODD}.\n"
        assert board.default_profile(terminal.paths) == ODD
        assert terminal.run("use", "--unset", "--default").err == "New shells start without a profile.\n"
        assert board.default_profile(terminal.paths) is None
        assert terminal.run("use", "--unset", "--default").code == 0


class TestPrinted:
    @pytest.mark.parametrize("name", ["keys", ODD])
    def test_the_plain_name_and_nothing_else(self, terminal: Terminal, name: str) -> None:
        result = terminal.run("use", name, "--print")
        assert (result.code, result.out, result.err) == (0, f"{name}\n", "")

    def test_the_very_bytes_of_a_name_that_is_no_text(self, terminal: Terminal) -> None:
        name = b"caf\xe9"
        with terminal.config.open("ab") as file:
            file.write(b"\n[profile " + name + b"]\nregion = eu-west-1\n")
        done = subprocess.run(
            [*COMMAND, "use", name, "--print"], env=environment(), capture_output=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, name + b"\n", b"")

    def test_unset_prints_nothing(self, terminal: Terminal) -> None:
        result = terminal.run("use", "--unset", "--print")
        assert (result.code, result.out, result.err) == (0, "", "")

    def test_a_profile_of_the_credentials_file_alone(self, terminal: Terminal) -> None:
        (terminal.paths.aws / "credentials").write_text("[old]\naws_access_key_id = A\naws_secret_access_key = B\n")
        assert terminal.run("use", "old", "--print").out == "old\n"

    def test_and_the_default_of_new_shells(self, terminal: Terminal) -> None:
        result = terminal.run("use", "keys", "--default", "--print")
        assert (result.code, result.out, result.err) == (0, "keys\n", "New shells start with keys.\n")
        assert board.default_profile(terminal.paths) == "keys"
        result = terminal.run("use", "--unset", "--default", "--print")
        assert (result.code, result.out) == (0, "")
        assert board.default_profile(terminal.paths) is None

    def test_only_this_environments_config_counts(
        self, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = tmp_path / "other"
        other.write_text("[profile elsewhere]\nregion = eu-west-1\n")
        assert terminal.run("use", "elsewhere", "--print").code == 2
        monkeypatch.setenv("AWS_CONFIG_FILE", str(other))
        assert terminal.run("use", "elsewhere", "--print").out == "elsewhere\n"
        assert terminal.run("use", "keys", "--print").code == 2

    def test_keys_in_the_environment_are_named(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        result = terminal.run("use", "keys", "--print")
        assert (result.code, result.out) == (0, "keys\n")
        assert "AWS_ACCESS_KEY_ID is set" in result.err

    def test_a_session_without_a_section_is_named(self, terminal: Terminal) -> None:
        result = terminal.run("use", "lost", "--print")
        assert (result.code, result.out) == (0, "lost\n")
        assert "the profile lost names the session gone, which the AWS config does not describe" in result.err


class TestRefused:
    @pytest.mark.parametrize(("no_colour", "red"), [("", True), ("1", False)])
    @pytest.mark.usefixtures("terminal")
    def test_in_colour_unless_that_is_not_wanted(self, tmp_path: Path, no_colour: str, *, red: bool) -> None:
        child = spawn_for_hook(tmp_path / "out", "use", "kyes", "--print", NO_COLOR=no_colour)
        assert finish(child) == 2
        assert "Did you mean 'keys'?" in str(child.before)
        assert ("\x1b[31m" in str(child.before), "\x1b" in str(child.before)) == (red, red)

    def test_an_unknown_name(self, terminal: Terminal) -> None:
        result = terminal.run("use", "kyes", "--print")
        assert (result.code, result.out) == (2, "")
        assert result.err == "credhelper: there is no profile 'kyes'\n  Did you mean 'keys'?\n"

    def test_a_name_like_no_other(self, terminal: Terminal) -> None:
        result = terminal.run("use", "0000", "--print")
        assert (result.code, result.out) == (2, "")
        assert f"there is no profile '0000' in {terminal.config}" in result.err

    def test_no_config_at_all(self, terminal: Terminal) -> None:
        terminal.config.unlink()
        result = terminal.run("use", "dev", "--print")
        assert (result.code, result.out) == (2, "")
        assert "Run `credhelper setup`" in result.err

    def test_a_newline(self, terminal: Terminal) -> None:
        result = terminal.run("use", "two\nlines", "--print")
        assert (result.code, result.out) == (2, "")
        assert "has a newline in its name" in result.err

    def test_no_profile_before(self, terminal: Terminal) -> None:
        result = terminal.run("use", "-", "--print")
        assert (result.code, result.out) == (1, "")
        assert "there is no profile to go back to" in result.err

    def test_nobody_to_pick_one(self, terminal: Terminal) -> None:
        result = terminal.run("use", "--print")
        assert (result.code, result.out) == (2, "")
        assert "there is no terminal to pick one at" in result.err

    def test_a_config_that_cannot_be_read(self, terminal: Terminal) -> None:
        terminal.config.unlink()
        terminal.config.mkdir()
        result = terminal.run("use", "dev", "--print")
        assert (result.code, result.out) == (1, "")
        assert str(terminal.config) in result.err

    def test_a_name_beside_unset(self, terminal: Terminal) -> None:
        assert terminal.run("use", "dev", "--unset", "--print").code == 2


@pytest.mark.usefixtures("daemon")
class TestLogin:
    def test_a_profile_that_the_aws_cli_finds_no_login_for_is_named(self, terminal: Terminal, tmp_path: Path) -> None:
        with terminal.config.open("a") as file:
            file.write(
                f"\n[profile old]\nsso_start_url = {DEFAULT_START_URL}\nsso_region = {DEFAULT_REGION}\n"
                "sso_account_id = 100000000001\nsso_role_name = AWSReadOnlyAccess\n"
            )
        child = spawn_for_hook(tmp_path / "out", "use", "old", "--print")
        child.expect("The AWS CLI does not find this login for the profile old")
        child.expect("credhelper enable old")
        assert finish(child) == 0
        assert (tmp_path / "out").read_text() == "old\n"

    @pytest.mark.parametrize("name", ["dev", "chained"])
    def test_a_script_is_told_what_to_run(self, terminal: Terminal, name: str) -> None:
        result = terminal.call("use", name, "--print")
        assert (result.code, result.out) == (0, f"{name}\n")
        assert result.err == "credhelper: session corp: not logged in. Run: credhelper login corp\n"
        assert terminal.browser.opened() == []

    @pytest.mark.parametrize("name", ["dev", "chained"])
    def test_a_person_is_logged_in_first(self, terminal: Terminal, tmp_path: Path, name: str) -> None:
        child = spawn_for_hook(tmp_path / "out", "use", name, "--print")
        child.expect("Logged in to corp until")
        assert finish(child) == 0
        assert (tmp_path / "out").read_text() == f"{name}\n"
        assert len(terminal.browser.opened()) == 1
        again = terminal.call("use", name, "--print")
        assert (again.code, again.out, again.err) == (0, f"{name}\n", "")

    def test_the_daemon_hears_of_another_config(
        self, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """So that its profiles are on the board, and the hooks need not ask before each command."""
        other = tmp_path / "config"
        other.write_text(terminal.config.read_text().replace("[profile dev]", "[profile elsewhere]"))
        terminal.seed()
        monkeypatch.setenv("AWS_CONFIG_FILE", str(other))
        assert terminal.call("use", "elsewhere", "--print").out == "elsewhere\n"
        environ = {"AWS_CONFIG_FILE": str(other)}
        wait_until(lambda: (entry := board.entry_of_profile(terminal.paths, "elsewhere", environ)) and entry.ends)

    @pytest.mark.usefixtures("terminal")
    def test_for_new_shells_too(self, tmp_path: Path) -> None:
        child = spawn_for_hook(tmp_path / "out", "use", "dev", "--default")
        child.expect("Logged in to corp until")
        child.expect(r"New shells with the hook start with dev\.")
        assert finish(child) == 0
        assert (tmp_path / "out").read_text() == ""

    def test_ctrl_c_changes_nothing(self, terminal: Terminal, tmp_path: Path) -> None:
        quiet = tmp_path / "quiet-browser"
        quiet.write_text("#!/bin/sh\n")
        quiet.chmod(0o700)
        child = spawn_for_hook(tmp_path / "out", "use", "dev", "--default", "--print", BROWSER=str(quiet))
        child.expect(r"\d+:\d\d left")
        child.sendintr()
        assert finish(child) == 130
        assert (tmp_path / "out").read_text() == ""
        assert board.default_profile(terminal.paths) is None

    @pytest.mark.usefixtures("terminal")
    def test_nor_does_a_login_that_fails(self, tmp_path: Path) -> None:
        browser = write_browser_script(tmp_path / "deny", deny=True)
        child = spawn_for_hook(tmp_path / "out", "use", "dev", "--print", BROWSER=str(browser.path))
        assert finish(child) == 1
        assert (tmp_path / "out").read_text() == ""

    def test_what_has_run_out_is_renewed_without_a_person(self, terminal: Terminal) -> None:
        assert terminal.call("login", "corp").code == 0
        agent = Agent(terminal.paths)
        agent.call("stop")
        wait_until(lambda: not agent.running())
        shutil.rmtree(board.folder(terminal.paths))
        path = terminal.cache.path("corp")
        token = terminal.cache.read("corp")
        assert token is not None
        text = path.read_text()
        start = text.index('"expiresAt": "') + len('"expiresAt": "')
        path.write_text(text[:start] + "2020-01-01T00:00:00Z" + text[start + 20 :])
        result = terminal.call("use", "dev", "--print")
        assert (result.code, result.out, result.err) == (0, "dev\n", "")
        renewed = terminal.cache.read("corp")
        assert renewed is not None
        assert renewed.access_token != token.access_token


def test_what_aws_has_ended_is_logged_in_to_though_its_date_lies_ahead(
    terminal: Terminal, daemon: Agent, tmp_path: Path
) -> None:
    """Of a login that cannot be renewed only the daemon knows that, once a call has been refused."""
    url = terminal.standin.url
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')
    assert terminal.call("enable", "dev", "--yes").code == 0
    terminal.seed(refreshToken="")
    daemon.call("reload")
    terminal.standin.end_sessions()
    helper = [str(terminal.paths.helper), "corp", "100000000001", "AWSReadOnlyAccess"]
    assert subprocess.run(helper, check=False, capture_output=True, timeout=60).returncode == 3
    wait_until(lambda: (entry := board.entry_of_profile(terminal.paths, "dev", {})) and entry.login == "yes")
    child = spawn_for_hook(tmp_path / "out", "use", "dev", "--print")
    child.expect("Logged in to corp until")
    assert finish(child) == 0
    assert (tmp_path / "out").read_text() == "dev\n"


def test_a_session_that_lives_costs_neither_botocore_nor_the_config(terminal: Terminal, daemon: Agent) -> None:
    terminal.seed()
    daemon.call("reload")
    wait_until(lambda: board.entry_of_profile(terminal.paths, "dev", {}))
    code = (
        "import sys; from credhelper import cli\n"
        "try:\n    cli.main(['use', 'dev', '--print'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print(*(name for name in sys.modules if name.partition('.')[0] in {'boto3', 'botocore', 'rich', "
        "'questionary', 'prompt_toolkit', 'asyncio', 'psutil', 'watchdog', 'socket'} or name == 'credhelper.aws'))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "dev\n\n"
    assert done.stderr == ""


def test_a_profile_that_only_the_board_still_has_is_not_there(terminal: Terminal, daemon: Agent) -> None:
    terminal.seed()
    daemon.call("reload")
    wait_until(lambda: board.entry_of_profile(terminal.paths, "dev", {}))
    daemon.call("stop")
    wait_until(lambda: not daemon.running())
    terminal.config.write_text(terminal.config.read_text().replace("[profile dev]", "[profile devel]"))
    assert board.entry_of_profile(terminal.paths, "dev", {}) is not None
    result = terminal.run("use", "dev", "--print")
    assert (result.code, result.out) == (2, "")
    assert "Did you mean 'devel'?" in result.err
