"""`credhelper enable` and `credhelper disable` on a file: what is shown, asked, written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from credhelper import cli, files
from credhelper.aws.config import parse_config
from credhelper.cli import disable, enable, planned
from credhelper.errors import ConfigError, CredhelperError, FileChanged, UsageError
from credhelper.paths import Paths
from credhelper.resources import known_configs
from tests.aws.test_readable import OBSTACLES

CONFIG = b"""\
[default]
region = eu-west-1

[profile a]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin

[profile b]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Other

[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""


@pytest.fixture
def config_file(home: Path) -> Path:
    path = home / ".aws" / "config"
    path.parent.mkdir()
    path.write_bytes(CONFIG)
    return path


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "is_terminal", lambda: True)


def run(command: click.Command, *arguments: str, answers: str = "") -> tuple[int, str]:
    """The command's exit code and output; its CredhelperErrors are raised."""
    result = CliRunner().invoke(command, list(arguments), input=answers, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    code: int = result.return_value
    return code, result.output


def test_enable_and_disable(config_file: Path, paths: Paths) -> None:
    code, output = run(enable.command, "a", "--yes")
    assert code == 0
    assert "1 profile enabled: a." in output
    assert "use `credhelper login NAME`, or `aws sso login --sso-session SESSION`" in output
    profiles = parse_config(config_file.read_bytes()).profiles
    assert profiles["a"] == {"credential_process": f"{paths.helper} corp 123456789012 Admin"}
    assert "sso_session" in profiles["b"]
    assert os.access(paths.helper, os.X_OK)

    code, output = run(disable.command, "--all", "--yes")
    assert (code, "1 profile disabled: a." in output) == (0, True)
    assert config_file.read_bytes() == CONFIG


def test_all_tells_what_was_left_out(config_file: Path) -> None:
    code, output = run(enable.command, "--all", "--yes")
    assert code == 0
    assert "2 profiles enabled: a, b." in output
    assert "default: it does not use IAM Identity Center" in output
    again = run(enable.command, "--all", "--yes")
    assert (again[0], "2 profiles: they are enabled already" in again[1]) == (0, True)
    assert "Nothing to change." in again[1]


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize("part", ["credential-process", "lib/credhelper_client.py"])
def test_a_helper_that_went_missing(paths: Paths, part: str) -> None:
    assert "missing" not in run(enable.command, "a", "--yes")[1]
    (paths.data / part).unlink()
    code, output = run(enable.command, "a", "--yes")
    assert code == 0
    assert f"The helper was missing and is in place again: {paths.helper}\n" in output
    assert "Nothing to change." not in output
    assert "missing" not in run(enable.command, "a", "--yes")[1]


def test_reasons_of_several(config_file: Path) -> None:
    config_file.write_bytes(b"[profile c]\ncredential_process = x\n[profile d]\ncredential_process = y\n")
    config_file.write_bytes(config_file.read_bytes() + b"[profile e]\nregion = x\n[profile f]\nregion = x\n")
    output = run(enable.command, "--all", "--yes")[1]
    assert "2 profiles: they have a credential_process of their own\n" in output
    assert "2 profiles: they do not use IAM Identity Center" in output


def test_a_profile_refused_by_name_is_a_failure(config_file: Path) -> None:
    code, output = run(enable.command, "default", "a", "--yes")
    assert code == 1
    assert "Refused: default" in output
    assert "1 profile enabled: a." in output


def test_dry_run_shows_a_diff_and_writes_nothing(config_file: Path, paths: Paths) -> None:
    config_file.write_bytes(CONFIG.replace(b"[profile a]\n", b"[profile a]\naws_secret_access_key = hidden\n"))
    before = config_file.read_bytes()
    code, output = run(enable.command, "a", "--dry-run")
    assert code == 0
    assert "-sso_session = corp\n" in output
    assert "+#credhelper: sso_session = corp\n" in output
    assert "hidden" not in output
    assert "would be enabled" in output
    assert "\x1b" not in output
    assert config_file.read_bytes() == before
    assert not paths.helper.exists()


def test_colours_only_where_they_are_wanted(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "use_colour", lambda: True)
    result = CliRunner().invoke(enable.command, ["a", "--dry-run"], standalone_mode=False, color=True)
    assert "\x1b[32m+#credhelper: added" in result.output


def test_without_a_terminal_nobody_is_asked(config_file: Path) -> None:
    with pytest.raises(CredhelperError) as caught:
        run(enable.command, "a")
    assert "--yes" in (caught.value.remedy or "")
    assert config_file.read_bytes() == CONFIG


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
def test_the_answer_counts(config_file: Path, answer: str, code: int) -> None:
    assert run(enable.command, "a", answers=answer)[0] == code
    assert (config_file.read_bytes() == CONFIG) is (code == 1)


def test_the_profile_of_the_environment(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "b")
    assert "enabled: b." in run(enable.command, "--yes")[1]


@pytest.mark.parametrize("arguments", [[], ["--all", "a"], ["nosuch"]])
@pytest.mark.parametrize("command", [enable.command, disable.command])
def test_wrong_usage(config_file: Path, command: click.Command, arguments: list[str]) -> None:
    with pytest.raises(UsageError):
        run(command, *arguments, "--yes")


@pytest.mark.usefixtures("config_file")
@pytest.mark.parametrize("arguments", [["--yes"], ["--all", "a"], ["a"]], ids=["no name", "both", "no terminal"])
def test_failures_read_on_after_the_programs_name(arguments: list[str]) -> None:
    with pytest.raises(CredhelperError) as caught:
        run(enable.command, *arguments)
    message = caught.value.message
    assert not message[0].isupper()
    assert not message.endswith(".")


def test_another_file_is_remembered(
    home: Path, tmp_path: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "work" / "aws-config"
    path.parent.mkdir()
    path.write_bytes(CONFIG)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(path))
    run(enable.command, "a", "--yes")
    assert path in known_configs(paths)


@pytest.mark.parametrize("name", [None, "/nonexistent/config", "/dev/null"])
def test_no_config(name: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if name:
        monkeypatch.setenv("AWS_CONFIG_FILE", name)
    with pytest.raises(ConfigError, match="there is no AWS config at") as caught:
        run(enable.command, "--all", "--yes")
    assert caught.value.remedy


@pytest.mark.parametrize("command", [enable.command, disable.command])
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_config_that_is_no_file(config_file: Path, command: click.Command, obstacle: str) -> None:
    config_file.unlink()
    OBSTACLES[obstacle](config_file)
    with pytest.raises(ConfigError) as caught:
        run(command, "--all", "--yes")
    assert str(config_file) in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize("command", [enable.command, disable.command])
@pytest.mark.parametrize("names", [["--all"], ["a"]])
def test_a_config_that_is_no_text(config_file: Path, command: click.Command, names: list[str]) -> None:
    config_file.write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe" * 20)
    with pytest.raises(ConfigError, match="cannot be read as an AWS config: line 1 is not UTF-8") as caught:
        run(command, *names, "--yes")
    assert caught.value.remedy


def test_disable_warns_of_what_no_client_can_read(config_file: Path) -> None:
    run(enable.command, "a", "--yes")
    config_file.write_bytes(config_file.read_bytes() + b"# caf\xe9\n")
    code, output = run(disable.command, "a", "--yes")
    assert code == 0
    assert "Mind: the AWS CLI and boto3 cannot read this config" in output
    assert "1 profile disabled: a." in output


def test_what_no_client_can_read_is_warned_of(config_file: Path) -> None:
    config_file.write_bytes(CONFIG + b'[profile "odd]\nsso_session = corp\n[profile a]\n[profile a]\n')
    code, output = run(enable.command, "b", "--yes")
    assert code == 0
    assert 'Mind: line 18: [profile "odd] was passed over' in output
    assert "Mind: the AWS CLI and boto3 cannot read this config" in output
    assert "line 20: [profile a] is there already" in output


def test_a_credentials_file_that_cannot_be_read_is_only_warned_of(config_file: Path) -> None:
    (config_file.parent / "credentials").mkdir()
    code, output = run(enable.command, "a", "--yes")
    assert (code, "Mind: " in output) == (0, True)


@pytest.mark.usefixtures("terminal")
class TestASharedFile:
    """A config that really lies elsewhere, as WSL homes and mounted volumes have it."""

    @pytest.fixture
    def target(self, config_file: Path, tmp_path: Path) -> Path:
        path = tmp_path / "shared-config"
        config_file.rename(path)
        config_file.symlink_to(path)
        return path

    def test_is_asked_about_first(self, target: Path) -> None:
        code, output = run(enable.command, "a", answers="n\n")
        assert (code, "another system may share it" in output) == (1, True)
        assert target.read_bytes() == CONFIG

    def test_yes_answers_that_too(self, config_file: Path, target: Path) -> None:
        assert run(enable.command, "a", "--yes")[0] == 0
        assert config_file.is_symlink()
        assert b"credential_process" in target.read_bytes()


@pytest.mark.usefixtures("terminal")
def test_an_edit_in_the_meantime_is_never_overwritten(config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace: Callable[..., None] = files.replace

    def late(path: Path, data: bytes, **options: bytes) -> None:
        if path == config_file:
            path.write_bytes(CONFIG + b"# meanwhile\n")
        replace(path, data, **options)

    monkeypatch.setattr(files, "replace", late)
    with pytest.raises(FileChanged):
        run(enable.command, "a", "--yes")
    assert config_file.read_bytes() == CONFIG + b"# meanwhile\n"
