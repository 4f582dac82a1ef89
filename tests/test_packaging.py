"""What a wheel and a checkout carry. Nothing here needs a network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from credhelper import __version__
from tests.sandbox import PROJECT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, check=False, cwd=PROJECT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


def carried(folder: str) -> set[str]:
    """The files of the checkout, by their paths in it."""
    files = (path for path in (PROJECT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PROJECT).as_posix() for path in files}


@pytest.mark.parametrize("folder", ["shell", "systemd"])
def test_wheel_carries_the_folder(wheel: Path, folder: str) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith(f"credhelper/{folder}/")}
    assert inside
    assert inside >= {f"credhelper/{name}" for name in carried(folder)}


def test_wheel_carries_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {name.split("/")[0] for name in names} == {"credhelper", f"credhelper-{__version__}.dist-info"}
    assert names >= carried("credhelper")
    assert f"credhelper-{__version__}.dist-info/licenses/LICENSE" in names


def test_installed_wheel_finds_its_folders(wheel: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path),
    ]
    subprocess.run([*command, str(wheel)], check=True, timeout=100)
    code = (
        "import credhelper, os; from credhelper import resources\n"
        "print(credhelper.__version__, *(os.path.relpath(resources.folder(n), os.environ['PYTHONPATH'])"
        " for n in ('shell', 'systemd')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        check=True,
        cwd=tmp_path.parent,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.split() == [__version__, "credhelper/shell", "credhelper/systemd"]
    program = tmp_path / "bin" / "credhelper"
    assert program.is_file()
    for shell, extension in (("bash", "bash"), ("zsh", "zsh"), ("fish", "fish"), ("powershell", "ps1")):
        done = subprocess.run(
            [sys.executable, "-P", str(program), "hook", shell],
            check=True,
            cwd=tmp_path.parent,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        before, after = (PROJECT / "shell" / f"credhelper.{extension}").read_text().split("'@CREDHELPER@'")
        assert done.stdout.startswith(before)
        assert done.stdout.endswith(after)
        assert done.stdout.removeprefix(before).removesuffix(after).strip("'") == str(program)
