"""What `doctor` shows, asks and returns; what it finds is tried in tests/doctor."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from credhelper import shell_files
from credhelper.cli import doctor_view
from credhelper.doctor import examination
from credhelper.doctor.examination import THEMES, Theme
from credhelper.doctor.remarks import Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from docs.pictures.terminal import Terminal as Screen
from tests.cli.terminal import COMMAND, Terminal, environment

LOGIN = "credhelper login corp"
_LONG = "credhelper enable a-profile-with-a-long-name another-profile-with-a-long-name"
THEME = Theme(
    "Profiles",
    [Well("two profiles through credhelper")],
    [
        Finding(
            "shadowed-sso",
            "a-profile-with-a-long-name is shadowed: sso_session came back beside the helper line",
            "Another program wrote it again, so most programs pass the helper by",
            Mend(_LONG, verb=("enable",)),
        ),
        Finding("evil", "a name \x1b[2J of\u202esomebody", "It is \x07 hostile", Mend(words="Do not"), "hint"),
    ],
)


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, terminal: Terminal) -> None:
    """No shell or other installation of the person to be told of; settings that lead every token to the stand-in."""
    monkeypatch.setenv("SHELL", "/bin/sh")
    monkeypatch.setenv("PATH", f"{Path(shell_files.own_command()).parent}{os.pathsep}{os.environ['PATH']}")
    url = terminal.standin.url
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(f'[sessions.corp]\noidc = "{url}"\nportal = "{url}"\n')


def test_everything_has_its_place(terminal: Terminal) -> None:
    result = terminal.run("doctor")
    assert result.code == 1
    assert result.err == ""
    lines = result.out.splitlines()
    assert [line.split(" ", 1)[1].split(":")[0] for line in lines if line[0] in "✓✗!"] == list(THEMES)
    at = lines.index("  ✗ session corp: not logged in.")
    assert lines[at + 1 : at + 3] == ["    Only a person can go on from there.", f"    Run: {LOGIN}"]
    assert lines[-1].startswith("2 problems, 2 hints. `credhelper doctor --fix` mends ")


def test_a_session_is_enough_to_be_well(terminal: Terminal) -> None:
    assert terminal.run("enable", "dev", "--yes").code == 0
    assert terminal.run("login").code == 0
    result = terminal.run("doctor")
    assert result.code == 0  # hints alone are no problem
    assert result.out.splitlines()[-1] == "No problem, 1 hint."
    assert "endpoints are overridden" in result.out


def test_for_programs(terminal: Terminal) -> None:
    result = terminal.run("doctor", "--json")
    document = json.loads(result.out)
    assert result.code == 1
    assert (document["schema"], document["well"], document["mended"]) == (1, False, [])
    assert [theme["title"] for theme in document["themes"]] == list(THEMES)
    findings = {found["check"]: found for theme in document["themes"] for found in theme["findings"]}
    assert findings["login-needed"] == {
        "check": "login-needed",
        "kind": "problem",
        "text": "session corp: not logged in",
        "cause": "Only a person can go on from there",
        "command": LOGIN,
        "words": None,
        "fixable": False,
    }
    result = terminal.run("doctor", "--json", "--fix", "--yes")
    document = json.loads(result.out)
    assert [entry["check"] for entry in document["mended"]] == ["daemon-absent"]
    assert "daemon-absent" not in {found["check"] for theme in document["themes"] for found in theme["findings"]}
    assert "the daemon is running." in result.err


@pytest.mark.parametrize("arguments", [["--yes"], ["--fix"], ["--fix", "--json"]])
def test_usage(terminal: Terminal, arguments: list[str]) -> None:
    result = terminal.run("doctor", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "Say --" in result.err


def test_to_look_changes_nothing(terminal: Terminal) -> None:
    terminal.seed()
    (terminal.paths.aws / "credentials").write_text("[dev]\naws_access_key_id = AKIAEXAMPLE\n")

    def everything() -> dict[str, tuple[int, int, bytes]]:
        found = {}
        for folder, names, files in os.walk(terminal.paths.home):
            for path in (Path(folder, name) for name in [*names, *files]):
                status = path.lstat()
                content = path.read_bytes() if path.is_file() else b""
                found[str(path)] = status.st_mode, 0 if path.is_dir() else status.st_mtime_ns, content
        return found

    before = everything()
    terminal.run("doctor")
    terminal.run("doctor", "--verbose")
    assert everything() == before


def test_what_cannot_be_mended_is_said_and_the_rest_goes_on(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise PermissionError(1, "Operation not permitted")

    def check(_: Scene) -> Iterator[Remark]:
        yield Finding("one", "the one", "So it is", Mend("chmod 600 x", action=fail))
        yield Finding("two", "the two", "So it is", Mend("chmod 600 y", action=lambda: "y: private now"))
        yield Finding("two", "the same", "So it is", Mend("chmod 600 y", action=lambda: "not twice"))
        yield Finding("three", "the three", "So it is", Mend("chmod 600 y", action=lambda: "x: this as well"))

    monkeypatch.setattr(examination, "THEMES", {"Network": (check,)})
    result = terminal.run("doctor", "--fix", "--yes")
    assert result.code == 1
    assert "it cannot be mended: Operation not permitted" in result.err
    assert "Done: y: private now." in result.out
    assert "not twice" not in result.out
    assert "Done: x: this as well." in result.out
    assert result.out.splitlines()[-1] == "2 findings mended. 4 problems left."


def test_a_check_that_fails_hides_no_other(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Scene) -> Iterator[Remark]:
        yield Well("so far")
        raise KeyError("a value that may be secret")

    monkeypatch.setattr(examination, "THEMES", {"First": (broken,), "Second": (lambda _: [Well("all")],)})
    result = terminal.run("doctor")
    assert result.code == 1
    assert "the check 'broken' itself failed: KeyError" in result.out
    assert "a value" not in result.out
    assert "Second: all" in result.out


# --- how it looks ---------------------------------------------------------------------------------------------------


def test_in_a_pipe_each_thing_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    doctor_view.show([THEME], verbose=True)
    assert capsys.readouterr().out.splitlines() == [
        "✗ Profiles",
        "  ✓ two profiles through credhelper",
        "  ✗ a-profile-with-a-long-name is shadowed: sso_session came back beside the helper line.",
        "    Another program wrote it again, so most programs pass the helper by.",
        f"    Run: {_LONG}",
        "  ! a name \\x1b[2J of\\u202esomebody.",
        "    It is \\x07 hostile.",
        "    Do not.",
    ]


@pytest.mark.parametrize("columns", [40, 80])
def test_on_a_screen_lines_break_between_words_and_commands_never(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setattr(doctor_view, "width", lambda: columns)
    doctor_view.show([THEME], verbose=False)
    lines = capsys.readouterr().out.splitlines()
    assert f"    Run: {_LONG}" in lines
    assert all(len(line) <= columns for line in lines if _LONG not in line)
    whole = " ".join(" ".join(lines).split())
    assert "came back beside the helper line. Another program wrote it again" in whole
    assert all(line.startswith("  ") for line in lines[1:])


def test_where_the_signs_cannot_be_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    assert doctor_view._can_show("utf-8")
    assert not doctor_view._can_show("ascii")
    assert not doctor_view._can_show("latin-1")
    done = pexpect.run(
        f"{sys.executable} -m credhelper doctor",
        env={**environment(), "PYTHONIOENCODING": "ascii", "TERM": "dumb"},
        encoding="ascii",
        timeout=60,
    )
    assert "+ AWS config" in done
    assert "\x1b" not in done


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ([], "All is well."),
        (THEME.findings, "1 problem, 1 hint. `credhelper doctor --fix` mends 1 of them."),
        (THEME.findings[:1], "1 problem. `credhelper doctor --fix` mends it."),
        (THEME.findings[1:], "No problem, 1 hint."),
    ],
)
def test_the_last_line(findings: list[Finding], words: str) -> None:
    assert doctor_view.summary([Theme("Any", [], findings)]) == words


def test_in_a_terminal(terminal: Terminal) -> None:
    """At 40 columns, with colour: it says what it waits for, asks before it mends, and looks again."""
    terminal.seed()
    token = terminal.cache.path("corp")
    token.chmod(0o644)
    environ = {**environment(), "TERM": "xterm-256color"}
    environ.pop("COLUMNS", None)
    with Screen([*COMMAND, "doctor", "--fix"], environ, columns=40, lines=200) as screen:
        screen.wait(lambda text: "Looking at everything" in text, 30, "the word that it looks")
        shown = screen.wait(lambda text: "Mend it? [Y/n]" in text, 30, "the question")
        assert "Looking at everything" not in shown
        assert "    Run: chmod 600 ~/.aws/sso/cache/*.js" in shown  # whole; the terminal itself breaks it
        screen.type("n")
        screen.wait(lambda text: text.count("Mend it? [Y/n]") == 2, 30, "the next question")
        assert token.stat().st_mode & 0o777 == 0o644
        screen.type("")
        screen.wait(lambda text: text.endswith("left."), 30, "the last line")
        assert screen.end(30) == 1
        shown = screen.text()
    assert shown.count("✗ File modes") == 1  # what was told once is not told again
    assert "the daemon is running.\n\n1 finding mended. 1 problem" in shown
    assert token.stat().st_mode & 0o777 == 0o644


def test_in_a_terminal_a_config_is_changed_only_once_its_diff_was_seen(terminal: Terminal) -> None:
    assert terminal.run("enable", "dev", "--yes").code == 0
    terminal.seed()
    terminal.cache.path("corp").chmod(0o600)
    terminal.config.write_text(terminal.config.read_text() + "sso_session = corp\n")
    environ = {**environment(), "TERM": "xterm-256color"}
    environ.pop("COLUMNS", None)
    with Screen([*COMMAND, "doctor", "--fix"], environ, columns=100, lines=200) as screen:
        shown = screen.wait(lambda text: text.endswith("[Y/n]:"), 30, "the question")
        assert "\n-sso_session = corp\n" in shown
        assert "Mend it?" not in shown  # `enable` asks for itself
        screen.type("n")
        screen.wait(lambda text: "Mend it?" in text, 30, "the next one")
        assert "Nothing was written." in screen.text()
        screen.type("n")
        screen.wait(lambda text: text.endswith("left."), 30, "the last line")
    assert terminal.config.read_text().endswith("sso_session = corp\n")
