"""The person's own home folder, which the demo must leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.demo.around import READ


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def before(home: Path) -> Iterator[None]:
    """A home with files that are useless to everybody; it must be the same at the end."""
    for name in (".aws/config", ".aws/credentials", ".config/credhelper/config.toml"):
        _write(home / name, "[not a config\n")
    for name in (".bashrc", ".profile", ".bash_profile", ".zshrc", ".zshenv", ".shrc", ".config/fish/config.fish"):
        _write(home / name, f"echo {READ}\n")

    def snapshot() -> list[tuple[str, int, int]]:
        return sorted((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in home.rglob("*"))

    then = snapshot()
    yield
    assert snapshot() == then
