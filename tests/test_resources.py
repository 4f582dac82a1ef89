from __future__ import annotations

import grp
import os
import pwd
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from credhelper import __version__, resources
from credhelper.errors import CredhelperError
from credhelper.paths import Paths
from tests.sandbox import PROJECT

USAGE = "credhelper: usage: credential-process"


def run(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([path], check=False, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("name", ["shell", "systemd"])
def test_folders_of_a_checkout(name: str) -> None:
    assert resources.folder(name) == PROJECT / name


def test_folder_that_is_missing() -> None:
    with pytest.raises(CredhelperError, match="lacks its folder 'nonsense'"):
        resources.folder("nonsense")


def test_helper_runs(paths: Paths) -> None:
    resources.install_helper(paths)
    done = run(paths.helper)
    assert done.returncode == 2
    assert done.stderr.startswith(USAGE)
    assert __version__ in paths.helper.read_text()
    assert paths.helper.read_text().startswith("#!")


def test_helper_is_private_and_compiled(paths: Paths) -> None:
    resources.install_helper(paths)
    library = paths.data / "lib"
    assert stat.S_IMODE(paths.helper.stat().st_mode) == 0o700
    assert stat.S_IMODE(paths.data.stat().st_mode) == 0o700
    assert (library / "credhelper_client.py").read_bytes() == (PROJECT / "credhelper" / "client.py").read_bytes()
    assert list(library.glob("__pycache__/credhelper_client.*.pyc"))


def test_second_installation_changes_nothing(paths: Paths) -> None:
    resources.install_helper(paths)
    before = paths.helper.stat()
    resources.install_helper(paths)
    assert paths.helper.stat().st_ino == before.st_ino


@pytest.mark.parametrize("damage", ["text", "mode", "module"])
def test_damage_is_mended(paths: Paths, damage: str) -> None:
    resources.install_helper(paths)
    module = paths.data / "lib" / "credhelper_client.py"
    if damage == "text":
        paths.helper.write_text("#!/bin/false\n")
    elif damage == "mode":
        paths.helper.chmod(0o600)
    else:
        module.write_text("an older one")
    resources.install_helper(paths)
    assert run(paths.helper).stderr.startswith(USAGE)


@pytest.mark.parametrize("name", ["with space", 'it\'s "quoted"', "$HOME", "é漢", "\udcff", "l" * 200])
def test_helper_runs_from_any_home(home: Path, name: str) -> None:
    strange = home / name
    strange.mkdir()
    paths = Paths(strange)
    resources.install_helper(paths)
    assert run(paths.helper).stderr.startswith(USAGE)


@pytest.mark.parametrize("folder", ["with space", "tab\there", "it's", "$x`y`", "l" * 250])
def test_helper_runs_by_any_interpreter(
    paths: Paths, home: Path, folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `#!` line is short and split at blanks; there sh starts Python instead."""
    (home / folder).mkdir()
    interpreter = home / folder / "python"
    interpreter.symlink_to(sys.executable)
    monkeypatch.setattr(resources, "_interpreter", lambda: str(interpreter))
    resources.install_helper(paths)
    done = run(paths.helper)
    assert done.returncode == 2
    assert done.stderr.startswith(USAGE)


def test_interpreter_is_the_base_one() -> None:
    interpreter = resources._interpreter()
    assert os.access(interpreter, os.X_OK)
    if sys.prefix != sys.base_prefix:
        assert not Path(interpreter).is_relative_to(sys.prefix)


def test_home_of_another_user_gets_no_helper(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(CredhelperError, match="another user"):
        resources.install_helper(paths)
    assert list(paths.home.iterdir()) == []


def test_a_group_of_the_user_alone_may_write_to_what_programs_share(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the umask 002 makes it where everybody has a group of their own."""
    share = paths.data.parent
    share.mkdir(parents=True)
    share.chmod(0o775)
    user, gid = pwd.getpwuid(os.geteuid()).pw_name, pwd.getpwuid(os.geteuid()).pw_gid
    os.chown(share, -1, gid)

    def group(name: str, *members: str) -> None:
        monkeypatch.setattr(grp, "getgrgid", lambda _: grp.struct_group((name, "x", gid, list(members))))

    for name, *members in (("staff", user), ("staff",), (user, user, "another")):
        group(name, *members)
        with pytest.raises(CredhelperError, match=f"others can write to {share}"):
            resources.install_helper(paths)
    group(user, user)
    resources.install_helper(paths)
    share.chmod(0o777)
    with pytest.raises(CredhelperError, match=f"others can write to {share}"):
        resources.install_helper(paths)


def test_noexec_is_told(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != paths.helper and access(path, mode))
    with pytest.raises(CredhelperError, match="mounted noexec"):
        resources.install_helper(paths)


def test_known_configs(paths: Paths, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    default = home / ".aws" / "config"
    assert resources.known_configs(paths) == [default]
    resources.remember_config(paths, default)
    assert resources.known_configs(paths) == [default]
    monkeypatch.chdir(home)
    resources.remember_config(paths, Path("work config"))
    resources.remember_config(paths, Path("/other"))
    resources.remember_config(paths, home / "work config")
    assert resources.known_configs(paths) == [default, home / "work config", Path("/other")]


def test_damaged_record_of_configs(paths: Paths) -> None:
    resources.remember_config(paths, Path("/a"))
    (paths.state / "configs").write_bytes(b"\0\xff\n\nrelative\n/b\xff\n")
    assert resources.known_configs(paths)[1:] == [Path("/b\udcff")]


def test_a_umask_that_lets_a_group_write(paths: Paths) -> None:
    before = os.umask(0o002)
    try:
        resources.install_helper(paths)
        resources.install_helper(paths)  # which refuses what others can write to
    finally:
        os.umask(before)
    for folder in (paths.data, paths.data / "lib", paths.data / "lib" / "__pycache__"):
        assert folder.stat().st_mode & 0o777 == 0o700
