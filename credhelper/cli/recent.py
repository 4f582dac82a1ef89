"""The profiles that were used last, so that the picker shows them first: `~/.local/state/credhelper/recent`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from credhelper import files
from credhelper.errors import CredhelperError
from credhelper.names import decode_name, encode_name
from credhelper.paths import Paths

_MOST = 50


def recent(paths: Paths) -> list[str]:
    """Their names, the latest first; none where the file is missing or damaged."""
    try:
        lines = files.read_bytes(_file(paths)).decode("ascii").splitlines()
        return list(dict.fromkeys(map(decode_name, lines)))[:_MOST]
    except (FileNotFoundError, CredhelperError, ValueError):
        return []


def note(paths: Paths, profile: str) -> None:
    """Remember that this one was used. Where that cannot be written down, nothing is lost but the order."""
    before = recent(paths)
    if before[:1] == [profile]:
        return
    names = [profile, *(name for name in before if name != profile)][:_MOST]
    with contextlib.suppress(CredhelperError):
        files.replace(_file(paths), "".join(f"{encode_name(name)}\n" for name in names).encode("ascii"))


def _file(paths: Paths) -> Path:
    return paths.state / "recent"
