"""What is offered at the Tab key, asked for as the shell files do: by variables, of a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import pytest

from credhelper import board, cli, completion
from credhelper.paths import Paths

ODD = [
    "my profile",
    "it's",
    'say "hi"',
    "$(touch pwned)",
    "`id`",
    "a:b:c",
    "ünï-çødé",
    "semi;colon",
    "back\\slash",
    "!x",
]
BREAKS = " \t\n\"'@><=;|&(:"


@pytest.fixture
def config(home: Path) -> Path:
    path = home / ".aws" / "config"
    path.parent.mkdir()
    headers = ["default", "profile corp-admin", "profile corp-dev", "sso-session corp", "profile -dash"]
    path.write_text("".join(f"[{header}]\nregion = eu-west-1\n\n" for header in headers))
    return path


def asked(environ: Mapping[str, str], *, module: str = "credhelper") -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    assert done.stderr == b""
    return done.stdout.decode("utf-8", "surrogateescape").splitlines()


def lines(*words: str) -> list[str]:
    """The whole answer where these words stand on the line, the last one at the cursor."""
    return asked(
        {
            "_CREDHELPER_COMPLETE": "lines_complete",
            "_CREDHELPER_WORDS": "\n".join(words[:-1]),
            "_CREDHELPER_WORD": words[-1],
        }
    )


def values(*words: str) -> list[str]:
    return [line.partition("\t")[0] for line in lines(*words)]


def readline(line: str) -> list[str]:
    return asked(
        {"_CREDHELPER_COMPLETE": "readline_complete", "_CREDHELPER_LINE": line, "_CREDHELPER_BREAKS": BREAKS}
    )


# --- verbs and options ----------------------------------------------------------------------------------------------


def test_verbs_are_offered_with_their_lines_and_hidden_ones_are_not() -> None:
    assert lines("") == [f"{verb}\t{line}" for verb, line in cli.VERBS.items()]
    assert values("log") == ["login", "logout"]
    assert readline("credhelper stat") == ["status"]
    assert not {"ensure", "credential-process", "aws-sso-login"} & set(values(""))
    assert values("ensu") == []


def test_options_are_those_of_the_command() -> None:
    assert values("login", "--d") == ["--device"]
    assert "--all" in values("logout", "-")
    assert "--ready-fd" not in values("daemon", "run", "--")  # hidden
    assert values("--ver") == ["--version"]


def test_subcommands_and_choices() -> None:
    assert values("daemon", "") == ["restart", "run", "start", "status", "stop"]
    assert values("profiles", "") == ["add", "discover", "list", "remove"]
    assert values("profiles", "--") == ["--json", "--help"]
    assert "--template" in values("profiles", "discover", "--")
    assert values("hook", "") == ["bash", "zsh", "fish", "powershell", "pwsh"]
    assert values("no-such-verb", "") == []
    assert values("no-such-verb", "--") == []


# --- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["use", "whoami", "console", "enable", "disable"])
def test_profiles(config: Path, verb: str) -> None:
    assert config.exists()
    assert values(verb, "") == ["default", "corp-admin", "corp-dev"]
    assert values(verb, "corp-a") == ["corp-admin"]


@pytest.mark.parametrize("verb", ["login", "logout"])
def test_sessions_come_before_profiles(config: Path, verb: str) -> None:
    assert config.exists()
    assert lines(verb, "") == ["corp\tsession", "default", "corp-admin", "corp-dev"]


def test_sessions_without_a_section_come_from_the_board(config: Path, paths: Paths) -> None:
    assert config.exists()
    # One whose name no file can have, and two of one name.
    far, names = "far-" + "x" * 300, ["d-93670bd35a", "corp", "mine & yours"]
    files = {board.session_file(name): name for name in [*names, far]}
    files[board.session_file("corp", "another", files)] = "corp"
    entries = {file: board.Entry(name, "logged_out", "yes") for file, name in files.items()}
    board.Board(paths).write(board.Content(entries))
    (board.folder(paths) / "session" / "not+encoded").touch()
    expected = ["corp", "d-93670bd35a", far, "mine & yours", "default", "corp-admin", "corp-dev"]
    assert values("login", "") == expected


def test_names_behind_a_command_of_a_verb(config: Path) -> None:
    assert config.exists()
    assert values("profiles", "remove", "") == ["default", "corp-admin", "corp-dev"]
    assert values("profiles", "remove", "--yes", "corp-dev", "corp") == ["corp-admin"]
    assert values("profiles", "discover", "") == ["corp", "default", "corp-admin", "corp-dev"]
    assert values("profiles", "discover", "corp", "") == []
    assert values("profiles", "add", "") == []
    assert values("profiles", "add", "x", "--session", "") == ["corp"]
    assert values("profiles", "discover", "--region", "eu-north") == ["eu-north-1"]


def test_a_second_name_only_where_a_verb_takes_it(config: Path) -> None:
    assert config.exists()
    assert values("use", "corp-dev", "") == []
    assert values("enable", "corp-dev", "") == ["default", "corp-admin"]
    assert values("enable", "--yes", "corp-dev", "corp") == ["corp-admin"]


def test_values_of_options(config: Path) -> None:
    assert config.exists()
    assert {"s3", "lambda", "ssm"} <= set(values("console", "--service", ""))
    assert values("console", "corp-dev", "--service", "lam") == ["lambda"]
    assert "eu-west-1\tEurope (Ireland)" in lines("console", "--region", "eu-")
    assert values("console", "--region", "aws-") == []
    assert readline("credhelper console --region us-gov-w") == ["us-gov-west-1"]
    assert values("console", "--service", "s3", "corp-d") == ["corp-dev"]  # a value is no name
    assert values("console", "--service", "s3", "corp-dev", "") == []
    assert "--print" in values("console", "--service", "s3", "--")
    assert values("setup", "--sso-region", "eu-west-") == ["eu-west-1", "eu-west-2", "eu-west-3"]
    assert values("setup", "--session", "co") == ["corp"]


def test_a_name_like_an_option_follows_two_dashes(config: Path) -> None:
    assert config.exists()
    assert "-dash" not in values("use", "")
    assert values("use", "--", "-d") == ["-dash"]


def test_profiles_of_the_credentials_file_can_be_used(config: Path) -> None:
    config.with_name("credentials").write_text("[corp-dev]\n[static]\naws_access_key_id = AKIAEXAMPLE\n")
    assert values("use", "") == ["default", "corp-admin", "corp-dev", "static"]
    assert "static" not in values("enable", "")


def test_the_config_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other"
    other.write_text("[profile elsewhere]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(other))
    assert values("use", "") == ["elsewhere"]


@pytest.mark.parametrize("content", [None, b"", b"\0\xff[[[\n[profile", b"[profile x"])
def test_no_config_or_garbage_is_no_error(home: Path, content: bytes | None) -> None:
    (home / ".aws").mkdir()
    if content is not None:
        (home / ".aws" / "config").write_bytes(content)
    assert values("use", "") in ([], ["x"])


def test_without_a_home_there_are_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "")
    assert values("use", "") == []
    assert values("stat") == ["status"]


def test_what_is_no_file_is_passed_by(home: Path) -> None:
    (home / ".aws").mkdir()
    os.mkfifo(home / ".aws" / "config")
    assert values("use", "") == []


# --- odd names ------------------------------------------------------------------------------------------------------


@pytest.fixture
def odd(home: Path) -> list[str]:
    path = home / ".aws" / "config"
    path.parent.mkdir()
    names = [*ODD, "bell\x07", "tab\there"]
    quoted = ("'" + name.replace("'", "'\\''") + "'" for name in names)
    path.write_text("".join(f"[profile {name}]\nregion = eu-west-1\n" for name in quoted))
    return ODD


def test_odd_names_come_whole_and_raw(odd: list[str]) -> None:
    assert lines("use", "") == odd  # and none with a control character


def test_bash_gets_them_quoted_as_the_line_goes_on(odd: list[str]) -> None:
    assert odd
    assert readline("credhelper use my") == ["my\\ profile"]
    assert readline("credhelper use 'my p") == ["my profile"]
    assert readline('credhelper use "$') == ["\\$(touch pwned)"]
    assert readline("credhelper use \\$") == ["\\$\\(touch\\ pwned\\)"]
    assert readline("credhelper use it") == ["it\\'s"]
    assert readline("credhelper use 'it") == ["it'\\''s"]
    assert readline('credhelper use "!') == []
    assert readline("credhelper use 'a:b") == ["a:b:c"]


def test_what_stands_before_a_break_stays(odd: list[str]) -> None:
    assert odd
    assert readline("credhelper use a:") == ["b:c"]
    assert readline("credhelper use a:b:") == ["c"]
    assert readline("credhelper use a\\:b") == ["a:b:c"]
    assert readline("credhelper use x'a:") == []


def test_bytes_that_are_no_text_are_given_back(home: Path) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_bytes(b"[profile caf\xe9]\n")
    assert lines("use", "c") == [os.fsdecode(b"caf\xe9")]


def test_names_are_utf_8_whatever_the_locale_says(odd: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0")):
        monkeypatch.setenv(name, value)
    assert lines("use", "") == odd
    assert lines("use", "ünï") == ["ünï-çødé"]
    assert readline("credhelper use 'ü") == ["ünï-çødé"]


# --- what it costs, and what it must never do -----------------------------------------------------------------------


def test_names_are_completed_without_click_or_any_library(config: Path) -> None:
    assert config.exists()
    code = (
        "import json, os, sys\n"
        "from credhelper import completion\n"
        "assert completion.answer(os.environ)\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)), file=sys.stderr)\n"
    )
    for verb, (_, sources) in completion.NAMES.items():
        words = {"_CREDHELPER_COMPLETE": "lines_complete", "_CREDHELPER_WORDS": verb.replace(" ", "\n")}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, **words},
            check=True,
            capture_output=True,
            timeout=30,
        )
        loaded = set(json.loads(done.stderr))
        assert not loaded & {"click", "boto3", "botocore", "watchdog", "rich", "psutil", "segno", "questionary"}
        assert (b"corp-dev\n" in done.stdout) is bool(sources)


def test_options_are_completed_without_boto3() -> None:
    code = (
        "import json, os, sys\n"
        "from credhelper import completion\n"
        "from credhelper.cli.completing import others\n"
        "assert completion.answer(os.environ, others)\n"
        "print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)), file=sys.stderr)\n"
    )
    for verb in cli.VERBS:
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={
                **os.environ,
                "_CREDHELPER_COMPLETE": "lines_complete",
                "_CREDHELPER_WORDS": verb,
                "_CREDHELPER_WORD": "--",
            },
            check=True,
            capture_output=True,
            timeout=30,
        )
        assert not set(json.loads(done.stderr)) & {"boto3", "botocore", "watchdog"}, verb
        assert b"--help\t" in done.stdout


def commands() -> Iterator[tuple[str, click.Command]]:
    """All verbs, and the commands of each, with the words that they are called by."""
    context = click.Context(cli.group)
    for verb in cli.VERBS:
        command = cli.group.get_command(context, verb)
        assert command is not None
        yield verb, command
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                below = command.get_command(context, name)
                assert below is not None
                yield f"{verb} {name}", below


def test_the_table_of_names_is_what_the_commands_take() -> None:
    """No verb that takes free names is forgotten, and no option of theirs whose value would pass for a name."""
    free, valued = {}, {}
    for verb, command in commands():
        arguments = [param for param in command.params if isinstance(param, click.Argument)]
        if [param for param in arguments if not isinstance(param.type, click.Choice)]:
            free[verb] = arguments[0].nargs == -1
            options = [o for o in command.params if isinstance(o, click.Option) and not (o.is_flag or o.count)]
            if options:
                valued[verb] = {name for option in options for name in option.opts}
            continue
        # Where there are no names to be told from values, the table need not be complete.
        known = {name for option in command.params for name in option.opts}
        assert set(completion.VALUES.get(verb, ())) <= known
    assert valued == {verb: set(options) for verb, options in completion.VALUES.items() if verb in valued}
    assert free == {verb: several for verb, (several, _) in completion.NAMES.items()}


@pytest.mark.parametrize("instruction", ["bash_source", "zsh_source", "fish_source"])
def test_the_ways_of_click_itself_are_left_as_they_are(instruction: str) -> None:
    if instruction == "bash_source":
        done = asked({"_CREDHELPER_COMPLETE": instruction})
        assert any("complete" in line for line in done)
    else:
        assert asked({"_CREDHELPER_COMPLETE": instruction})


def test_arguments_beside_a_question_run_nothing(config: Path, home: Path) -> None:
    before = config.read_bytes()
    environ = {"_CREDHELPER_COMPLETE": "lines_complete", "_CREDHELPER_WORDS": "enable\n--all\n--yes"}
    done = subprocess.run(
        [sys.executable, "-m", "credhelper", "enable", "--all", "--yes"],
        env={**os.environ, **environ},
        check=True,
        capture_output=True,
        timeout=30,
    )
    assert b"default\n" in done.stdout
    assert config.read_bytes() == before
    assert not (home / ".local").exists()
