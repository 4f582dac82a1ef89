"""Which rc files a shell reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from credhelper.paths import Paths
from credhelper.rc_places import places
from credhelper.shell_files import SHELLS

MAC, LINUX = "darwin", "linux"


@pytest.mark.parametrize(
    ("shell", "environ", "expected"),
    [
        ("bash", {}, ".bashrc"),
        ("zsh", {}, ".zshrc"),
        ("zsh", {"ZDOTDIR": "/dots"}, "/dots/.zshrc"),
        ("zsh", {"ZDOTDIR": "relative"}, ".zshrc"),
        ("fish", {}, ".config/fish/conf.d/credhelper.fish"),
        ("fish", {"XDG_CONFIG_HOME": "/cfg"}, "/cfg/fish/conf.d/credhelper.fish"),
        ("fish", {"XDG_CONFIG_HOME": "relative"}, ".config/fish/conf.d/credhelper.fish"),
        ("powershell", {}, ".config/powershell/Microsoft.PowerShell_profile.ps1"),
        ("powershell", {"XDG_CONFIG_HOME": "/cfg"}, "/cfg/powershell/Microsoft.PowerShell_profile.ps1"),
    ],
)
def test_where_the_block_belongs(paths: Paths, shell: str, environ: dict[str, str], expected: str) -> None:
    found = places(shell, paths, environ, LINUX)
    assert found.install == [paths.home / expected]
    assert not set(found.install) & set(found.others)
    assert found.remarks == []


def test_every_shell_has_places(paths: Paths) -> None:
    assert all(places(shell, paths, {}).install for shell in SHELLS)


def test_zsh_itself_says_where_zshenv_puts_its_files(paths: Paths) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("no zsh")
    folder = paths.home / "my dots"
    folder.mkdir()
    (paths.home / ".zshenv").write_text("ZDOTDIR=~/my\\ dots\necho hello\n")
    found = places("zsh", paths, {"PATH": "/usr/bin:/bin"}, LINUX)
    assert (found.install, found.others) == ([folder / ".zshrc"], [paths.home / ".zshrc"])


def test_without_zsh_its_files_are_in_the_home_folder(paths: Paths, tmp_path: Path) -> None:
    (paths.home / ".zshenv").write_text("ZDOTDIR=~/dots\n")
    assert places("zsh", paths, {"PATH": str(tmp_path)}, LINUX).install == [paths.home / ".zshrc"]


# --- bash and its login shells, which macOS opens in every terminal -------------------------------------------------


def test_on_macos_a_login_file_that_reads_bashrc_is_left_alone(paths: Paths) -> None:
    (paths.home / ".bash_profile").write_text("[ -r ~/.bashrc ] && . ~/.bashrc\n")
    assert places("bash", paths, {}, MAC).install == [paths.home / ".bashrc"]


@pytest.mark.parametrize("name", [".bash_profile", ".bash_login", ".profile"])
def test_on_macos_another_login_file_gets_the_block_too(paths: Paths, name: str) -> None:
    (paths.home / name).write_text("export A=b\n")
    found = places("bash", paths, {}, MAC)
    assert found.install == [paths.home / ".bashrc", paths.home / name]
    assert len(found.others) == 2


def test_on_macos_one_is_made_where_there_is_none(paths: Paths) -> None:
    assert places("bash", paths, {}, MAC).install == [paths.home / ".bashrc", paths.home / ".bash_profile"]


def test_elsewhere_a_person_is_told_of_a_login_file_that_does_not_read_bashrc(paths: Paths) -> None:
    (paths.home / ".profile").write_text("export A=b\n")
    found = places("bash", paths, {}, LINUX)
    assert found.install == [paths.home / ".bashrc"]
    assert found.remarks == [f"login shells read {paths.home}/.profile, which does not read {paths.home}/.bashrc"]
