"""Mutations of texts by whole lines, which bytes alone would take long to find."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

_ENDS = (b"\n", b"\n", b"\n", b"\r\n", b"\r", b"")
_INDENTS = (b" ", b"  ", b"\t", b"    ")


def of_lines(
    words: Sequence[bytes], mutate: Callable[[bytes, int], bytes], data: bytes, max_size: int, seed: int
) -> bytes:
    """Change `data` by a few lines, or have `mutate` change its bytes; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - guards nothing
    if not chance.randrange(3):
        return mutate(data, max_size)
    lines = data.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 2, 4))):
        _change(lines, words, chance)
    return b"".join(lines)[:max_size]


def _change(lines: list[bytes], words: Sequence[bytes], chance: random.Random) -> None:
    at = chance.randrange(len(lines) + 1)
    what = chance.randrange(8)
    if what <= 1 or not lines or at == len(lines):
        lines.insert(at, chance.choice(words) + chance.choice(_ENDS))
    elif what == 2:
        del lines[at]
    elif what == 3:
        lines.insert(at, lines[chance.randrange(len(lines))])
    elif what == 4:
        other = chance.randrange(len(lines))
        lines[at], lines[other] = lines[other], lines[at]
    elif what == 5:
        lines[at] = chance.choice(_INDENTS) + lines[at]
    elif what == 6:
        lines[at] = lines[at].lstrip(b" \t")
    else:
        lines[at] = lines[at].rstrip(b"\r\n") + chance.choice(_ENDS)
