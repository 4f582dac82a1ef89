"""`credhelper hook`: what it prints, and what it does to rc files; then new shells, which must have it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from credhelper import files, rc_files, shell_files
from credhelper.cli import hook
from credhelper.errors import CredhelperError, FileChanged, UsageError
from credhelper.paths import Paths
from tests.shells.terminal import Terminal

RC = {
    "bash": ".bashrc",
    "zsh": ".zshrc",
    "fish": ".config/fish/conf.d/credhelper.fish",
    "powershell": ".config/powershell/Microsoft.PowerShell_profile.ps1",
}
MINE = b"# mine\nalias x=y\n"
every_shell = pytest.mark.parametrize("shell", list(RC))


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "is_terminal", lambda: True)


@pytest.fixture
def bashrc(home: Path) -> Path:
    path = home / ".bashrc"
    path.write_bytes(MINE)
    return path


def run(*arguments: str, answers: str = "") -> tuple[int, str]:
    """The command's exit code and output; its CredhelperErrors are raised."""
    result = CliRunner().invoke(hook.command, list(arguments), input=answers, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    code: int = result.return_value
    return code, result.output


def tree(home: Path) -> dict[str, bytes | None]:
    """All that is in the home folder."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes() if path.is_file() else None for path in home.rglob("*")
    }


# --- printed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", [*RC, "pwsh"])
def test_it_prints_the_file_with_the_path_of_its_command(shell: str, home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "credhelper", "hook", shell], check=True, capture_output=True, timeout=30
    )
    name = "powershell" if shell == "pwsh" else shell
    assert done.stdout == shell_files.render(name, shell_files.own_command())
    assert done.stderr == b""
    assert tree(home) == {}


def test_an_unknown_shell_or_options_that_say_nothing_are_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "credhelper", "hook", "tcsh"], check=False, capture_output=True, timeout=30
    )
    assert done.returncode == 2
    assert b"'bash', 'zsh', 'fish', 'powershell'" in done.stderr
    for option in ("--yes", "--dry-run"):
        with pytest.raises(UsageError, match="--install and --uninstall"):
            run("bash", option)
    with pytest.raises(UsageError, match="contradict"):
        run("bash", "--install", "--uninstall")


def test_printing_needs_no_library_of_weight() -> None:
    code = (
        "import json, sys\nfrom credhelper.cli import main\n"
        "try: main(['hook', 'bash'])\n"
        "finally: print(json.dumps(sorted(name.split('.')[0] for name in sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30)
    loaded = set(json.loads(done.stderr))
    assert not loaded & {"boto3", "botocore", "watchdog", "rich", "psutil", "segno", "asyncio", "subprocess"}


# --- installed and uninstalled --------------------------------------------------------------------------------------


@every_shell
@pytest.mark.parametrize("before", [None, b"", MINE, MINE.rstrip(), MINE.replace(b"\n", b"\r\n")])
def test_in_and_out_leaves_the_same_bytes(shell: str, before: bytes | None, home: Path, paths: Paths) -> None:
    rc = home / RC[shell]
    if before is not None:
        rc.parent.mkdir(parents=True, exist_ok=True)
        rc.write_bytes(before)
        rc.chmod(0o640)
    code, output = run(shell, "--install", "--yes")
    assert (code, "New shells have it" in output) == (0, True)
    assert rc.read_bytes().startswith(before or b"")
    installed = shell_files.installed_file(paths, shell)
    assert f'"$HOME/{installed.relative_to(home)}"'.encode() in rc.read_bytes()
    assert installed.is_file()

    after = tree(home)
    code, output = run(shell, "--install", "--yes")
    assert (code, output) == (0, f"{rc} has the hook already.\n")
    assert tree(home) == after

    code, output = run(shell, "--uninstall", "--yes")
    assert (code, "New shells are without it" in output) == (0, True)
    assert {path: content for path, content in tree(home).items() if content is not None} == (
        {} if before is None else {RC[shell]: before}
    )
    if before is not None:
        assert rc.stat().st_mode & 0o777 == 0o640
    assert run(shell, "--uninstall", "--yes") == (0, f"The hook of {shell} is not installed.\n")


@every_shell
def test_a_dry_run_shows_and_writes_nothing(shell: str, home: Path) -> None:
    code, output = run(shell, "--install", "--dry-run", "--yes")
    assert code == 0
    assert f"--- {os.devnull}\n+++ {home / RC[shell]}" in output
    assert "+# >>> credhelper hook" in output
    assert tree(home) == {}
    run(shell, "--install", "--yes")
    before = tree(home)
    code, output = run(shell, "--uninstall", "--dry-run")
    assert (code, "-# >>> credhelper hook" in output) == (0, True)
    assert tree(home) == before


@pytest.mark.usefixtures("terminal")
def test_it_shows_and_asks(bashrc: Path) -> None:
    code, output = run("bash", "--install", answers="n\n")
    assert code == 1
    assert "+# >>> credhelper hook" in output
    assert "alias x=y" not in output  # what stands around may be a secret
    assert f"Let bash read the hook from {bashrc}? [Y/n]" in output
    assert bashrc.read_bytes() == MINE
    code, output = run("bash", "--install", answers="\n")
    assert code == 0
    assert rc_files.blocks(bashrc.read_bytes())
    code, output = run("bash", "--uninstall", answers="y\n")
    assert (code, f"Take the hook of bash out of {bashrc}? [Y/n]" in output) == (0, True)
    assert bashrc.read_bytes() == MINE


def test_without_a_terminal_nothing_is_written_unasked(bashrc: Path, home: Path) -> None:
    with pytest.raises(CredhelperError, match="no terminal to ask on"):
        run("bash", "--install")
    assert tree(home) == {".bashrc": bashrc.read_bytes()} == {".bashrc": MINE}


def test_a_link_into_dotfiles_is_kept(home: Path) -> None:
    real = home / "dotfiles" / "bashrc"
    real.parent.mkdir()
    real.write_bytes(MINE)
    link = home / ".bashrc"
    link.symlink_to("dotfiles/bashrc")
    _, output = run("bash", "--install", "--yes")
    assert link.is_symlink()
    assert rc_files.blocks(real.read_bytes())
    _, output = run("bash", "--install", "--yes")
    assert f"{link} (really {os.path.realpath(real)}) has the hook already" in output
    run("bash", "--uninstall", "--yes")
    assert (link.is_symlink(), real.read_bytes()) == (True, MINE)


def test_a_link_to_nothing_is_kept_too(home: Path) -> None:
    (home / ".bashrc").symlink_to("dotfiles/bashrc")
    run("bash", "--install", "--yes")
    assert rc_files.blocks((home / "dotfiles" / "bashrc").read_bytes())
    run("bash", "--uninstall", "--yes")
    assert (home / ".bashrc").is_symlink()
    assert list((home / "dotfiles").iterdir()) == []


def test_a_file_that_nobody_may_write_is_left_to_whoever_makes_it(bashrc: Path) -> None:
    bashrc.chmod(0o444)
    with pytest.raises(CredhelperError, match="is read-only") as caught:
        run("bash", "--install", "--yes")
    assert "credhelper.bash" in (caught.value.remedy or "")
    assert bashrc.read_bytes() == MINE
    bashrc.chmod(0o644)
    run("bash", "--install", "--yes")
    bashrc.chmod(0o444)
    before = bashrc.read_bytes()
    with pytest.raises(CredhelperError, match="is read-only"):
        run("bash", "--uninstall", "--yes")
    assert bashrc.read_bytes() == before


@pytest.mark.parametrize("option", ["--install", "--uninstall"])
def test_half_a_block_is_refused_with_its_line(bashrc: Path, option: str) -> None:
    run("bash", "--install", "--yes")
    half = b"".join(bashrc.read_bytes().splitlines(keepends=True)[:-1])
    bashrc.write_bytes(half)
    with pytest.raises(CredhelperError, match=r"\.bashrc: in line 3 a block.*does not end") as caught:
        run("bash", option, "--yes")
    assert "by hand" in (caught.value.remedy or "")
    assert bashrc.read_bytes() == half


@pytest.mark.parametrize(("comment", "remedy"), [(b"", "Say --yes"), (b"# mine\n", "Run it again in a terminal")])
def test_what_to_do_where_nobody_can_be_asked(bashrc: Path, comment: bytes, remedy: str) -> None:
    run("bash", "--install", "--yes")
    edited = bashrc.read_bytes().replace(b"\nif", b"\n" + comment + b"if")
    bashrc.write_bytes(edited)
    with pytest.raises(CredhelperError, match="no terminal") as caught:
        run("bash", "--uninstall")
    assert caught.value.remedy == remedy
    assert bashrc.read_bytes() == edited


@pytest.mark.parametrize("option", ["--install", "--uninstall"])
@pytest.mark.usefixtures("terminal")
def test_an_edited_block_goes_only_when_a_person_says_so(bashrc: Path, option: str) -> None:
    run("bash", "--install", "--yes")
    whole = bashrc.read_bytes()
    edited = whole.replace(b"\nif", b"\nexport MINE=1\nif")
    bashrc.write_bytes(edited)
    with pytest.raises(CredhelperError, match="edited by hand") as caught:
        run("bash", option, "--yes")
    assert "without --yes" in (caught.value.remedy or "")
    code, output = run("bash", option, answers="\n")
    assert (code, "-export MINE=1" in output, "edited by hand" in output) == (1, True, True)
    assert bashrc.read_bytes() == edited
    code, output = run("bash", option, answers="y\n")
    assert (code, bashrc.read_bytes()) == (0, whole if option == "--install" else MINE)


@pytest.mark.parametrize("option", ["--install", "--uninstall"])
def test_what_another_program_writes_meanwhile_is_kept(
    bashrc: Path, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if option == "--uninstall":
        run("bash", "--install", "--yes")
    newer = bashrc.read_bytes() + b"export NEWER=1\n"

    def asked(*_: object, **__: object) -> bool:
        bashrc.write_bytes(newer)
        return True

    monkeypatch.setattr(hook, "_agreed", asked)
    with pytest.raises(FileChanged):
        run("bash", option)
    assert bashrc.read_bytes() == newer


def test_a_file_of_ours_that_grew_meanwhile_is_not_removed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("fish", "--install", "--yes")
    rc = home / RC["fish"]
    newer = rc.read_bytes() + b"set -g mine 1\n"

    def asked(*_: object, **__: object) -> bool:
        rc.write_bytes(newer)
        return True

    with monkeypatch.context() as patch:
        patch.setattr(hook, "_agreed", asked)
        with pytest.raises(FileChanged):
            run("fish", "--uninstall")
    assert rc.read_bytes() == newer
    run("fish", "--uninstall", "--yes")
    assert rc.read_bytes() == b"set -g mine 1\n"


def test_a_disk_that_cannot_be_written_leaves_all_as_it_was(
    bashrc: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = files.replace

    def refuse(path: Path, data: bytes, **options: object) -> None:
        if path == bashrc:
            raise CredhelperError(f"{path} cannot be written: No space left on device; it is as it was")
        real(path, data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "replace", refuse)
    with pytest.raises(CredhelperError, match="No space left"):
        run("bash", "--install", "--yes")
    assert bashrc.read_bytes() == MINE
    monkeypatch.undo()
    assert run("bash", "--uninstall", "--yes")[0] == 0
    assert not shell_files.installed_file(paths, "bash").exists()


def test_the_block_is_found_wherever_an_earlier_installation_put_it(home: Path) -> None:
    login = home / ".bash_profile"
    login.write_bytes(rc_files.put_in(MINE, "true"))
    run("bash", "--uninstall", "--yes")
    assert login.read_bytes() == MINE


def test_a_login_file_that_reads_no_bashrc_is_named(home: Path) -> None:
    (home / ".bash_profile").write_bytes(MINE)
    if sys.platform == "darwin":
        pytest.skip("other OS: there the login file gets the block itself")
    _, output = run("bash", "--install", "--yes")
    assert f"Mind: login shells read {home}/.bash_profile, which does not read {home}/.bashrc." in output


# --- and then a new shell -------------------------------------------------------------------------------------------

ASK = {"bash": "type -t credhelper", "zsh": "whence -w credhelper", "fish": "type -t credhelper"}
START = {"bash": ["bash", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}
PROFILES = ["my profile", "it's", "$(touch pwned)", "a:b:c", 'say "hi"', "ünï-çødé"]
Shell = Callable[[str], Terminal]


def new_shell(shell: str, home: Path, path: str | None = None) -> Terminal:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    environment = {"HOME": str(home), "PATH": path or os.environ["PATH"], "TERM": "xterm", "LC_ALL": "C.UTF-8"}
    return Terminal(START[shell], {**environment, "INPUTRC": os.devnull}, home)


@pytest.mark.parametrize("shell", list(ASK))
def test_a_new_shell_has_the_function(shell: str, home: Path) -> None:
    if shell == "zsh":
        (home / ".zshrc").touch()  # else zsh asks a new user questions
    run(shell, "--install", "--yes")
    with new_shell(shell, home) as terminal:
        terminal.type(
            f"{ASK[shell]}; echo sta''tus=$status$?\r".replace("$status$?", "$status" if shell == "fish" else "$?")
        )
        screen = terminal.wait_for("status=0")
        assert "function" in screen.replace("credhelper: function", "function")
        assert "rror" not in screen


@pytest.mark.parametrize("shell", list(ASK))
def test_without_credhelper_a_new_shell_starts_as_if_nothing_were(shell: str, home: Path, paths: Paths) -> None:
    run(shell, "--install", "--yes")
    shutil.rmtree(paths.data)
    with new_shell(shell, home) as terminal:
        terminal.type("echo rea''dy\r")
        screen = terminal.wait_for("ready")
        assert not [word for word in ("No such", "not found", "nknown", "rror") if word in screen]


def test_the_block_is_silent_in_sh_too(home: Path) -> None:
    """Login files may be read by sh."""
    run("bash", "--install", "--yes")
    done = subprocess.run(
        ["sh", "-eu", "-c", '. "$HOME/.bashrc"; echo went on'], check=True, capture_output=True, text=True, timeout=20
    )
    assert (done.stdout, done.stderr) == ("went on\n", "")


def test_with_crlf_bash_reads_it_all_the_same(home: Path) -> None:
    (home / ".bashrc").write_bytes(b"# mine\r\n")
    run("bash", "--install", "--yes")
    done = subprocess.run(
        ["bash", "-eu", "-c", '. "$HOME/.bashrc"; type -t credhelper'],
        check=True,
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert (done.stdout, done.stderr) == ("function\n", "")


@pytest.mark.parametrize("shell", list(ASK))
@pytest.mark.parametrize("name", PROFILES)
def test_names_are_completed_at_tab(shell: str, name: str, home: Path) -> None:
    """The whole way: the shell's file, the real command, and the shell's own quoting of what it inserts."""
    complete(shell, {"$(touch pwned)": "\\$"}.get(name, name[:2]), name, home)


@pytest.mark.parametrize("shell", list(ASK))
@pytest.mark.parametrize(
    ("begin", "name"),
    [
        ("'my p", "my profile"),
        ('"my p', "my profile"),
        ("my\\ p", "my profile"),
        ("'$(t", "$(touch pwned)"),
        ("a:b", "a:b:c"),
        ("'a:", "a:b:c"),
        ('"it', "it's"),
        ("'say \"", 'say "hi"'),
    ],
)
def test_names_are_completed_within_quotes(shell: str, begin: str, name: str, home: Path) -> None:
    complete(shell, begin, name, home)


def complete(shell: str, begin: str, name: str, home: Path) -> None:
    """Type the begin of a name and Tab; the command must then get the whole name."""
    (home / ".aws").mkdir()
    headers = ["'" + profile.replace("'", "'\\''") + "'" for profile in PROFILES]
    (home / ".aws" / "config").write_text("".join(f"[profile {header}]\n" for header in headers))
    (home / ".zshrc").write_text("autoload -Uz compinit; compinit -D\n")
    run(shell, "--install", "--yes")
    with new_shell(shell, home) as terminal:
        terminal.type("echo rea''dy\r")
        terminal.wait_for("ready")
        terminal.type(f"credhelper use {begin}\t")
        shown = terminal.wait_until(
            lambda screen: name[-2:-1] in screen.rpartition("credhelper use ")[2][len(begin) :]
        )
        assert shown
        terminal.type("\x01printf '<%s>' \x05\r")
        terminal.wait_for(f"<credhelper><use><{name}>")
    assert not (home / "pwned").exists()


@pytest.mark.parametrize("shell", list(ASK))
def test_where_the_command_has_gone_tools_run_as_before(shell: str, home: Path, paths: Paths) -> None:
    (home / ".zshrc").touch()
    run(shell, "--install", "--yes")
    installed = shell_files.installed_file(paths, shell)
    command = shell_files.own_command().encode()
    text = installed.read_bytes()
    assert command in text
    installed.write_bytes(text.replace(command, b"/no/such/credhelper"))
    tool = home / "bin" / "aws"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "aws ran: $*"\n')
    tool.chmod(0o755)
    with new_shell(shell, home, f"{tool.parent}:/usr/bin:/bin") as terminal:
        terminal.type("aws s3 ls; echo rea''dy\r")
        screen = terminal.wait_for("ready")
        assert "aws ran: s3 ls" in screen
        assert "no/such" not in screen


@pytest.mark.parametrize("shell", list(ASK))
def test_where_the_command_has_moved_the_one_on_the_path_serves(shell: str, home: Path, paths: Paths) -> None:
    (home / ".zshrc").touch()
    run(shell, "--install", "--yes")
    installed = shell_files.installed_file(paths, shell)
    installed.write_bytes(installed.read_bytes().replace(shell_files.own_command().encode(), b"/no/such/credhelper"))
    moved = home / "bin" / "credhelper"
    moved.parent.mkdir()
    moved.write_text('#!/bin/sh\necho "moved: $*"\n')
    moved.chmod(0o755)
    with new_shell(shell, home, f"{moved.parent}:/usr/bin:/bin") as terminal:
        terminal.type(f"credhelper hook {shell} --install; echo rea''dy\r")
        screen = terminal.wait_for("ready")
        assert f"moved: hook {shell} --install" in screen
        assert "no/such" not in screen
