"""Files that cannot be read as files, and files that too many can read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from credhelper.aws.readable import check_config, check_readable, exposed
from credhelper.errors import ConfigError
from credhelper.paths import Paths

OBSTACLES: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "fifo": os.mkfifo,
    "loop": lambda path: path.symlink_to(path),
}


def test_what_can_be_read_or_is_not_there(home: Path) -> None:
    (home / "f").write_bytes(b"\xff\0")
    check_readable(home / "f")
    check_readable(home / "none")
    check_readable(home / "none" / "below")


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot(home: Path, obstacle: str) -> None:
    OBSTACLES[obstacle](home / "f")
    with pytest.raises(ConfigError) as caught:
        check_readable(home / "f")
    assert str(home / "f") in caught.value.message
    assert caught.value.remedy


def test_the_environment_names_the_config(paths: Paths, home: Path) -> None:
    (home / "work").mkdir()
    check_config(paths, {})
    with pytest.raises(ConfigError) as caught:
        check_config(paths, {"AWS_CONFIG_FILE": str(home / "work")})
    assert "AWS_CONFIG_FILE" in str(caught.value.remedy)
    check_config(paths, {"AWS_CONFIG_FILE": "/dev/null"})


def test_exposed(home: Path) -> None:
    assert exposed(home / "none") == []
    for name, mode in {"a": 0o600, "b": 0o640, "c": 0o644, "d": 0o700, "e": 0o602}.items():
        path = home / f"{name}.json"
        path.write_bytes(b"")
        path.chmod(mode)
    (home / "f.json").mkdir(mode=0o755)
    (home / "g").touch(0o644)
    (home / "h.json").symlink_to("g")
    (home / "i.json").symlink_to("none")
    assert [path.name for path in exposed(home)] == ["b.json", "c.json", "e.json", "h.json"]
