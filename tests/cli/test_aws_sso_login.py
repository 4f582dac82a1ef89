"""`credhelper aws-sso-login`, which the hooks run for `aws sso login`."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from credhelper.cli.aws_sso_login import read
from tests.cli.terminal import CHAINED, COMMAND, OTHER_SESSION, Result, Terminal, environment

MORE = f"""{CHAINED}
[profile native]
sso_session = corp
sso_account_id = 100000000002
sso_role_name = AWSReadOnlyAccess
"""
# Stands for the real one: says what it was called with, and by which environment.
AWS = """\
#!/bin/sh
printf '%s\\n' "$AWS_PROFILE" "$@"
exit 7
"""


@pytest.fixture
def terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Terminal:
    """The profile dev is managed, native is not; `aws` is a script."""
    terminal.add(MORE + OTHER_SESSION)
    assert terminal.run("enable", "dev", "--yes").code == 0
    program = tmp_path / "bin" / "aws"
    program.parent.mkdir()
    program.write_text(AWS)
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return terminal


def aws_got(result: Result) -> list[str] | None:
    """The arguments that the script was called with; None where it was not."""
    lines = result.out.splitlines()
    return lines[1:] if result.code == 7 else None


@pytest.mark.usefixtures("daemon")
class TestManaged:
    @pytest.mark.parametrize(
        "arguments",
        [["--profile", "dev"], ["--profile=dev"], ["--sso-session", "corp"], ["--profile", "chained"]],
    )
    def test_it_is_our_own_login(self, terminal: Terminal, arguments: list[str]) -> None:
        result = terminal.call("aws-sso-login", *arguments)
        assert result.code == 0
        assert "Logged in to corp until" in result.out
        assert result.err == ""
        assert len(terminal.browser.opened()) == 1
        assert terminal.cache.read("corp") is not None

    @pytest.mark.parametrize("variable", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
    def test_by_the_environment(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
        monkeypatch.setenv(variable, "dev")
        assert "Logged in to corp until" in terminal.call("aws-sso-login").out

    def test_what_is_named_wins_over_the_environment(
        self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_PROFILE", "dev")
        assert aws_got(terminal.call("aws-sso-login", "--profile", "native")) == [
            "sso",
            "login",
            "--profile",
            "native",
        ]

    def test_with_a_device_code(self, terminal: Terminal) -> None:
        code = subprocess.Popen(
            [*COMMAND, "aws-sso-login", "--profile", "dev", "--use-device-code", "--no-browser"],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert code.stdout is not None
            assert any("Your code: " in line for line in code.stdout)
        finally:
            code.terminate()
            code.communicate()
        assert terminal.browser.opened() == []


class TestTheRealOne:
    @pytest.mark.parametrize(
        "arguments",
        [
            [],
            ["--profile", "native"],
            ["--profile", "nowhere"],
            ["--sso-session", "other"],
            ["--sso-session", "nowhere"],
            ["--profile", "dev", "--debug"],
            ["--profile", "dev", "--region", "eu-west-1"],
            ["--profile", "dev", "two words"],
            ["--profile"],
            ["--profile="],
            ["--help"],
            ["help"],
        ],
    )
    def test_gets_all_else_as_it_was_typed(self, terminal: Terminal, arguments: list[str]) -> None:
        assert aws_got(terminal.call("aws-sso-login", *arguments)) == ["sso", "login", *arguments]
        assert terminal.browser.opened() == []

    def test_also_where_the_config_cannot_be_read(self, terminal: Terminal) -> None:
        terminal.config.unlink()
        terminal.config.mkdir()
        assert aws_got(terminal.call("aws-sso-login", "--profile", "dev")) is not None

    @pytest.mark.usefixtures("terminal")
    def test_dies_of_a_closed_pipe_as_ever(self, tmp_path: Path) -> None:
        (tmp_path / "bin" / "aws").write_text("#!/bin/sh\nwhile echo y; do :; done; echo went on >&2\n")
        line = f"{' '.join(COMMAND)} aws-sso-login | head -n 1"
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=environment(), check=False, capture_output=True, text=True, timeout=60
        )
        assert (done.stdout, done.stderr) == ("y\n", "")

    def test_is_not_there(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "bin" / "aws").unlink()
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        result = terminal.call("aws-sso-login")
        assert (result.code, result.out, result.err) == (127, "", "credhelper: aws: command not found\n")

    def test_cannot_be_run(self, terminal: Terminal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "bin" / "aws").write_text("no program")
        monkeypatch.setenv("PATH", str(tmp_path / "bin"))
        result = terminal.call("aws-sso-login")
        assert (result.code, result.err) == (126, "credhelper: aws cannot be run: Exec format error\n")


def test_the_last_of_two_profiles_counts_as_for_the_aws_cli() -> None:
    wish = read(["--profile", "one", "--profile=two"])
    assert wish is not None
    assert wish.profile == "two"
