"""The marked block in a shell's rc file: put in, brought up to date, taken out so that the old bytes are there again.

Bytes in, bytes out. The first marker carries a checksum of the block, so that one which somebody has edited is known,
and what must be undone beside the block itself: a final newline that the file lacked, or the file.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass

from credhelper.errors import CredhelperError

_BEGIN = re.compile(rb"# >>> credhelper hook(?:, (newline|file) added)? \(([0-9a-f]{8})\) >>>")
_END = b"# <<< credhelper hook <<<"
_BEGINS = (b"# >>> credhelper hook", b"# <<< credhelper hook")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_BLANKS = b" \t\r\n"
# `splitlines` would also end a line at a form feed.
_LINE = re.compile(rb"[^\n]*\n|[^\n]+")


class BlockDamaged(CredhelperError):
    """There is half a block, or blocks within each other."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block.

    Attributes:
        start: index of its first line, from 0.
        end: index after its last line.
        added: what else was added with it: `newline` (the one before it), `file`, or "".
        edited: it is no longer as it was written.
    """

    start: int
    end: int
    added: str
    edited: bool


def blocks(data: bytes) -> list[Block]:
    """All blocks of a file. Raises BlockDamaged, whose message has the number of the line."""
    lines = _LINE.findall(data)
    found = []
    start = None
    for at, line in enumerate(lines):
        stripped = line.strip(_BLANKS)
        if stripped.startswith(_BEGINS[0]):
            if start is not None:
                raise _damaged(start, "begins and does not end")
            start = at
        elif stripped.startswith(_BEGINS[1]):
            if start is None:
                raise _damaged(at, "ends and does not begin")
            found.append(_block(lines, start, at + 1))
            start = None
    if start is not None:
        raise _damaged(start, "begins and does not end")
    return found


def put_in(data: bytes | None, line: str) -> bytes:
    """The file with one block that holds `line`, at the place of the first block, else at its end.

    Args:
        data: the file's bytes; None where there is none.
        line: what the shell shall run, in one line, behind which a `#` begins a comment.

    Raises BlockDamaged, and CredhelperError where the file is in UTF-16, as Windows PowerShell may write it.
    """
    if data and data.startswith(_UTF_16):
        raise CredhelperError("its text is in UTF-16", "Save it in UTF-8")
    lines = _LINE.findall(data or b"")
    found = blocks(data or b"")
    if found:
        first = found[0]
        lines[first.start : first.end] = _written(
            line, first.added, _end_of_line(lines[first.start : first.start + 1])
        )
        shift = len(lines) - len(_LINE.findall(data or b""))
        for block in reversed(found[1:]):
            del lines[block.start + shift : block.end + shift]
        return b"".join(lines)
    eol = _end_of_line(lines)
    if data is None:
        added = "file"
    elif lines and not lines[-1].endswith(b"\n"):
        added = "newline"
        lines[-1] += eol
    else:
        added = ""
    return b"".join([*lines, *_written(line, added, eol)])


def take_out(data: bytes) -> bytes | None:
    """The file without its blocks; None where it was made for one and holds nothing else. Raises BlockDamaged."""
    lines = _LINE.findall(data)
    made = False
    for block in reversed(blocks(data)):
        made |= block.added == "file"
        last, eol = block.end == len(lines), _end_of_line(lines[block.start : block.start + 1])
        del lines[block.start : block.end]
        if block.added == "newline" and last and lines:
            # What somebody has written behind the block since needs the newline.
            lines[-1] = lines[-1].removesuffix(eol)
    rest = b"".join(lines)
    return None if made and not rest else rest


def _block(lines: list[bytes], start: int, end: int) -> Block:
    head = _BEGIN.fullmatch(lines[start].rstrip(b"\r\n"))
    body = b"".join(line.rstrip(b"\r\n") + b"\n" for line in lines[start + 1 : end - 1])
    if head is None or lines[end - 1].rstrip(b"\r\n") != _END:
        return Block(start, end, "", edited=True)
    added = (head[1] or b"").decode()
    return Block(start, end, added, edited=_checksum(body, added) != head[2])


def _written(line: str, added: str, eol: bytes) -> list[bytes]:
    body = [b"# Written by `credhelper hook --install`, taken out by `credhelper hook --uninstall`."]
    # A carriage return at the end of a command would be part of it.
    body.append(line.encode() + (b" #" if eol != b"\n" else b""))
    checksum = _checksum(b"".join(text + b"\n" for text in body), added)
    note = f", {added} added".encode() if added else b""
    return [text + eol for text in (b"# >>> credhelper hook" + note + b" (" + checksum + b") >>>", *body, _END)]


def _checksum(body: bytes, added: str) -> bytes:
    return b"%08x" % zlib.crc32(added.encode() + b"\n" + body)


def _end_of_line(lines: list[bytes]) -> bytes:
    """As the last line that has an end ends; `\\n` where none has."""
    ended = next((line for line in reversed(lines) if line.endswith(b"\n")), b"\n")
    return b"\r\n" if ended.endswith(b"\r\n") else b"\n"


def _damaged(at: int, what: str) -> BlockDamaged:
    return BlockDamaged(
        f"in line {at + 1} a block of credhelper's {what}",
        f"Take its lines out by hand; it begins with `{_BEGINS[0].decode()}` and ends with `{_END.decode()}`",
    )
