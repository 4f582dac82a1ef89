"""The targets, one file each. Nothing here knows of the fuzzer: tests run them too."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, cast

NAMES = ("reader", "editor", "tokens", "requests", "replies", "listener", "answers")
CASES = Path(__file__).parents[1] / "cases"


class Target(Protocol):
    """What a file of this folder has.

    Attributes:
        MAX_LEN: bytes of the longest input that is worth a try.
        WORDS: what inputs of this kind are made of; mutations put them in.
        LINES: whether an input is a text of lines, to be mutated as such too.
    """

    MAX_LEN: int
    WORDS: Sequence[bytes]
    LINES: bool
    one: Callable[[bytes], None]
    seeds: Callable[[], list[bytes]]


def load(name: str) -> Target:
    """The target of this name. Raises KeyError."""
    if name not in NAMES:
        raise KeyError(name)
    return cast("Target", importlib.import_module(f"{__name__}.{name}"))


def cases(name: str) -> list[Path]:
    """The files of inputs that once showed a fault."""
    return sorted(path for path in (CASES / name).glob("*") if path.is_file())
