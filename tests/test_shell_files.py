"""The rendered shell files: quoted for their shell, safe where they lie, kept current and left alone."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from credhelper import resources
from credhelper.errors import CredhelperError
from credhelper.paths import Paths
from credhelper.shell_files import (
    SHELLS,
    install,
    installed_file,
    keep_current,
    own_command,
    remove,
    render,
    word_for,
)

ODD = ["/opt/it's here/credhelper", "/opt/$(touch x)/`y`/\\/credhelper", '/opt/"q"/ünï \u2019\u2018/credhelper']
# What shows the value of the one variable in a shell that runs this text.
SHOWN = {"bash": 'printf %s "$__credhelper_command"', "zsh": 'printf %s "$__credhelper_command"'}
SHOWN["fish"] = "printf %s $__credhelper_command"


@pytest.fixture
def command(tmp_path: Path) -> str:
    """A command at a path of its own."""
    path = tmp_path / "bin" / "credhelper"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("shell", list(SHELLS))
def test_the_token_alone_is_replaced(shell: str) -> None:
    source = (resources.folder("shell") / f"credhelper.{SHELLS[shell][0]}").read_bytes()
    before, after = source.split(b"'@CREDHELPER@'")
    path = b"'/usr/bin my/credhelper'"
    assert render(shell, "/usr/bin my/credhelper") == before + path + after


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize("shell", list(SHOWN))
def test_a_shell_reads_the_path_as_it_is(shell: str, path: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    # It must be there: a hook whose command has gone takes the one on the PATH.
    program = Path(f"{tmp_path}/root{path}")
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    here = tmp_path / "here"
    here.mkdir()
    (here / "script").write_bytes(render(shell, str(program)))
    command = [shell, "-c", f". ./script; {SHOWN[shell]}"]
    done = subprocess.run(command, check=False, capture_output=True, timeout=30, cwd=here)
    assert (done.stdout.decode(), done.stderr.decode(), done.returncode) == (str(program), "", 0)
    assert os.listdir(here) == ["script"]  # noqa: PTH208


@pytest.mark.parametrize("shell", list(SHOWN))
def test_a_person_can_type_the_path(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    for path in ["/home/b/file", *ODD]:
        script = f"printf %s {word_for(shell, path)}"
        done = subprocess.run([shell, "-c", script], check=True, capture_output=True, timeout=30)
        assert (done.stdout.decode(), done.stderr) == (path, b"")
    assert word_for(shell, "/home/b/file") == "/home/b/file"
    assert word_for("powershell", "/home/o'b") == "'/home/o''b'"


def test_powershell_doubles_every_kind_of_quote() -> None:
    quoted = SHELLS["powershell"][1]
    assert (
        quoted("a'b\u2019c\u2018d\u201ae\u201bf\"$x`y")
        == "'a''b\u2019\u2019c\u2018\u2018d\u201a\u201ae\u201b\u201bf\"$x`y'"
    )


def test_a_path_with_a_line_break_is_refused() -> None:
    with pytest.raises(CredhelperError, match="no shell file can name"):
        render("bash", "/opt/a\nb/credhelper")


def test_an_installation_without_the_file_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(resources, "folder", lambda _: tmp_path)
    with pytest.raises(CredhelperError, match="lacks"):
        render("bash", "/x/credhelper")
    (tmp_path / "credhelper.bash").write_text("no token\n")
    with pytest.raises(CredhelperError, match="not as it should be"):
        render("bash", "/x/credhelper")


# --- which command --------------------------------------------------------------------------------------------------


def test_the_command_is_the_one_that_was_called_also_by_a_link(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = tmp_path / "credhelper"
    link.symlink_to(command)
    for called in (command, str(link)):
        monkeypatch.setattr(sys, "argv", [called])
        assert own_command() == called
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["credhelper"])
    assert own_command() == str(link)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["./credhelper"])
    assert own_command() == str(link)


def test_called_as_a_module_it_is_the_one_beside_the_interpreter(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/credhelper/__main__.py"])
    monkeypatch.setattr(sys, "executable", str(Path(command).with_name("python")))
    assert own_command() == command


def test_without_a_command_there_is_no_hook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/__main__.py"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    with pytest.raises(CredhelperError, match="has no command"):
        own_command()


# --- installed ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", list(SHELLS))
def test_installed_it_is_private_and_says_what_it_was_made_for(paths: Paths, shell: str, command: str) -> None:
    install(paths, shell, command)
    path = installed_file(paths, shell)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    *text, record = path.read_bytes().splitlines(keepends=True)
    assert b"".join(text) == render(shell, command)
    assert json.loads(record.removeprefix(b"# credhelper: "))["command"] == command
    before = path.stat()
    install(paths, shell, command)
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert remove(paths, shell)
    assert not path.parent.exists()
    assert not remove(paths, shell)


def test_a_folder_that_others_can_write_to_is_refused(paths: Paths, command: str) -> None:
    folder = paths.data / "shell"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    with pytest.raises(CredhelperError, match="others can write"):
        install(paths, "bash", command)
    assert not installed_file(paths, "bash").exists()


def test_what_is_installed_is_kept_current_and_nothing_else_made(paths: Paths, command: str) -> None:
    keep_current(paths)
    assert not paths.data.exists()
    install(paths, "zsh", command)
    path = installed_file(paths, "zsh")
    current = path.read_bytes()
    path.write_bytes(current.replace(b"#", b"# of an older version", 1))
    keep_current(paths)
    assert path.read_bytes() == current
    assert [entry.name for entry in path.parent.iterdir()] == ["credhelper.zsh"]


def test_another_installation_that_works_is_left_alone(paths: Paths, command: str) -> None:
    install(paths, "bash", command)
    path = installed_file(paths, "bash")
    theirs = path.read_bytes().replace(json.dumps(sys.executable).encode(), json.dumps("/bin/sh").encode())
    assert b'"/bin/sh"' in theirs
    path.write_bytes(theirs)
    keep_current(paths)
    assert path.read_bytes() == theirs
    gone = theirs.replace(b'"/bin/sh"', b'"/no/such/python"')
    path.write_bytes(gone)
    keep_current(paths)
    assert json.dumps(sys.executable).encode() in path.read_bytes()


@pytest.mark.parametrize("damage", [b"", b"# credhelper: {", b"# credhelper: []", b'# credhelper: {"command": 1}'])
def test_a_damaged_or_orphaned_one_is_made_anew(
    paths: Paths, command: str, damage: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [command])
    install(paths, "fish")
    path = installed_file(paths, "fish")
    whole = path.read_bytes()
    path.write_bytes(damage)
    keep_current(paths)
    assert path.read_bytes() == whole
    path.write_bytes(whole.replace(command.encode(), b"/gone" + command.encode()))
    keep_current(paths)
    assert path.read_bytes() == whole
