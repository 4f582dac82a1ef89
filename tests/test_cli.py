"""The group and the one error boundary; each verb has its own file under `cli/`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest

from credhelper import __version__, cli, errors, settings
from credhelper.paths import Paths


def exit_code(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        cli.main(list(arguments))
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], None]:
    """Let the next command end with this error."""

    def plan(error: BaseException) -> None:
        def run(*_: object, **__: object) -> NoReturn:
            secret_in_a_local = "hush-local"
            assert secret_in_a_local
            raise error

        monkeypatch.setattr(cli.group, "main", run)

    return plan


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CredhelperError("it broke", "Mend it"), 1),
        (errors.UsageError("no such session"), 2),
        (errors.LoginNeeded("log in"), 3),
        (click.UsageError("wrong"), 2),
        (click.BadParameter("wrong"), 2),
        (click.ClickException("failed"), 1),
        (click.exceptions.Exit(5), 5),
        (click.Abort(), 130),
        (KeyboardInterrupt(), 130),
        (ValueError("hush"), 70),
        (RecursionError(), 70),
        (MemoryError(), 70),
    ],
)
def test_exit_codes(
    fail_with: Callable[[BaseException], None], error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(error)
    assert exit_code("status") == code
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err


def test_expected_failure_is_one_line_and_its_remedy(
    fail_with: Callable[[BaseException], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(errors.CredhelperError("it broke", "Mend it"))
    exit_code("status")
    assert capsys.readouterr().err == "credhelper: it broke\n  Mend it\n"


@pytest.mark.parametrize("text", ["a\x1b[2Jb\rc", "a\u202eb", "a\udcffb", "a\x9b2Jb"])
@pytest.mark.parametrize(
    "kind", [errors.CredhelperError, errors.UsageError, errors.LoginNeeded, errors.DaemonUnavailable]
)
def test_what_a_failure_quotes_cannot_play_with_the_terminal(
    fail_with: Callable[[BaseException], None],
    capsys: pytest.CaptureFixture[str],
    kind: type[errors.CredhelperError],
    text: str,
) -> None:
    fail_with(kind(f"it broke: {text}\nas it said", f"Mend {text}\nsoon"))
    exit_code("status")
    err = capsys.readouterr().err
    assert all(char.isprintable() for char in err.replace("\n", ""))
    first, second, third, fourth = err.splitlines()
    assert first.startswith("credhelper: it broke: a\\")
    assert (second, fourth) == ("  as it said", "  soon")
    assert third.startswith("  Mend a\\")


def test_what_a_usage_error_quotes_cannot_either(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("\x1b[2J") == 2
    assert exit_code("status", "--\x1b[2J") == 2
    assert exit_code("status", "\x1b[2J") == 2
    assert "\x1b" not in capsys.readouterr().err


def reports(paths: Paths) -> list[Path]:
    return list((paths.state / "reports").glob("*"))


def test_bug_leaves_a_report_without_values(
    fail_with: Callable[[BaseException], None], paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(ValueError("hush-message"))
    assert exit_code("status") == 70
    err = capsys.readouterr().err
    (report,) = reports(paths)
    assert str(report) in err
    text = report.read_text()
    assert "builtins.ValueError" in text
    assert f"{Path(__file__).name}:" in text
    assert __version__ in text
    assert "hush" not in text + err
    assert report.stat().st_mode & 0o777 == 0o600


def test_report_of_errors_that_cause_each_other_ends(
    fail_with: Callable[[BaseException], None], paths: Paths
) -> None:
    one, other = ValueError("hush"), TypeError("hush")
    one.__cause__, other.__cause__ = other, one
    fail_with(one)
    assert exit_code("status") == 70
    assert "hush" not in reports(paths)[0].read_text()


def test_report_goes_to_stderr_where_no_file_can_be_written(
    fail_with: Callable[[BaseException], None], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".local").write_bytes(b"")
    fail_with(ValueError("hush"))
    assert exit_code("status") == 70
    err = capsys.readouterr().err
    assert "Please report this:" in err
    assert "builtins.ValueError" in err
    assert "hush" not in err


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("stauts") == 2
    assert "Did you mean 'status'?" in capsys.readouterr().err
    assert exit_code("--nonsense") == 2
    capsys.readouterr()
    assert exit_code("hook") == 2
    assert "\n    zsh,\n" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code("--version") == 0
    assert __version__ in capsys.readouterr().out


def test_help_lists_every_verb_and_imports_none(capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys; from credhelper import cli\n"
        "try:\n    cli.main(['--help'])\n"
        "except SystemExit as end:\n    assert end.code == 0\n"
        "print('LOADED', *(name for name in sys.modules if name.startswith(('credhelper.cli.', 'boto', 'rich'))))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    page, _, loaded = done.stdout.partition("LOADED")
    assert loaded.split() == []
    for verb in cli.VERBS:
        assert f"  {verb} " in page


@pytest.mark.parametrize("verb", list(cli.VERBS))
def test_every_verb_has_a_help_page(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(verb, "--help") == 0
    assert "Usage: credhelper" in capsys.readouterr().out


def test_reader_that_went_away() -> None:
    command = f"{sys.executable} -c 'from credhelper.cli import main; main([\"--help\"])' | true"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""


def _shell(line: str) -> subprocess.CompletedProcess[str]:
    """Run a line of sh in which `credhelper` is this program."""
    script = f'credhelper() {{ {sys.executable} -m credhelper "$@"; }}\n{line}'
    return subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="other OS: no /dev/full")
@pytest.mark.parametrize("arguments", ["status", "status --json", "--help", "daemon status --json"])
def test_output_that_cannot_be_written_is_an_expected_failure(arguments: str, paths: Paths) -> None:
    done = _shell(f"credhelper {arguments} > /dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "credhelper: the output cannot be written: No space left on device",
        "  Free some space, or write it elsewhere",
    ]
    assert reports(paths) == []


@pytest.mark.parametrize("line", ["| true", "2>&1 | true"])
@pytest.mark.parametrize("arguments", ["status", "status --json", "nosuch", "login"])
def test_a_closed_pipe_is_quiet(arguments: str, line: str) -> None:
    done = _shell(f"credhelper {arguments} {line}")
    assert "Errno" not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("where", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(("arguments", "code"), [("nosuch", 2), ("login", 1), ("status --exit-code", 3)])
def test_the_exit_code_is_right_where_stderr_is_gone(arguments: str, code: int, where: str) -> None:
    if "full" in where and not Path("/dev/full").exists():
        pytest.skip("other OS: no /dev/full")
    assert _shell(f"credhelper {arguments} {where}").returncode == code


# --- the README -----------------------------------------------------------------------------------------------------


def _rows() -> dict[str, str]:
    """The first cells of the README's table of commands, by verb; some have a row for each of their commands."""
    text = (Path(__file__).parents[1] / "README.md").read_text()
    table = text.partition("| command | does |")[2].partition("Exit codes")[0]
    found: dict[str, str] = {}
    for row in table.splitlines():
        if row.startswith("| `"):
            verb = row[3:].split("`")[0].split()[0]
            found[verb] = found.get(verb, "") + row.split(" | ")[0]
    return found


def test_the_readme_names_every_command() -> None:
    assert list(_rows()) == list(cli.VERBS)


@pytest.mark.parametrize("verb", cli.VERBS)
def test_the_readme_names_the_options_that_there_are(verb: str) -> None:
    context = click.Context(cli.group)
    command = cli.group.get_command(context, verb)
    assert command is not None
    commands = [command]
    if isinstance(command, click.Group):
        commands += filter(None, (command.get_command(context, name) for name in command.list_commands(context)))
    options = {
        name
        for each in commands
        for option in each.params
        if isinstance(option, click.Option) and not option.hidden
        for name in option.opts
    }
    said = set(re.findall(r"--[a-z-]+", _rows()[verb]))
    assert said == options


def test_the_settings_of_the_readme_are_valid(paths: Paths) -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text()
    paths.settings.parent.mkdir(parents=True)
    paths.settings.write_text(text.partition("```toml\n")[2].partition("```")[0])
    assert settings.load(paths).session_caps == {"corp": 28800.0}


def test_a_locale_without_the_signs(home: Path) -> None:
    config = home / ".aws" / "config"
    config.parent.mkdir()
    config.write_text("[profile uni-é.x]\nregion = x\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "credhelper", "status"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert r"uni-\xe9.x" in done.stdout
