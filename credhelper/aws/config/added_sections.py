"""The `[sso-session]` sections that `enable` adds for legacy profiles, and that `disable` takes away again.

A section's mark stands right below its header and says what was added with it, so that nothing else is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from credhelper.aws.config.document import Document, LineKind, Section, split_lines
from credhelper.aws.config.markers import ADDED, ADDED_SECTION
from credhelper.aws.config.reader import parse_config
from credhelper.model import DEFAULT_SCOPE, Session


@dataclass(frozen=True, slots=True)
class SectionMark:
    """The mark of an added section: whether the section is as we wrote it, and what was added before its header."""

    at: int
    untouched: bool
    blank: bool
    newline: bool


def with_sections(data: bytes, sessions: Sequence[Session]) -> bytes:
    """The file with these sessions' sections at its end, each behind a blank line."""
    if not sessions:
        return data
    lines = split_lines(data)
    ends = [line[len(line.rstrip(b"\r\n")) :] for line in lines[-2:]]
    newline = bool(lines) and not ends[-1]
    eol = next((end for end in reversed(ends) if end), b"\n")
    parts = [data, eol if newline else b""]
    for number, session in enumerate(sessions):
        texts = _section_lines(session, blank=True, newline=newline and number == 0)
        parts += [eol, *(text.encode("utf-8", "surrogateescape") + eol for text in texts)]
    return b"".join(parts)


def without_unused_sections(data: bytes) -> tuple[bytes, list[str], list[str]]:
    """Remove added sections that no profile names any more.

    Returns the new bytes, the names of the sections removed, and of those that stay, now as the user's, because
    they were changed.
    """
    removed: list[str] = []
    kept: list[str] = []
    if ADDED.encode() + b" section " not in data:
        return data, removed, kept
    config = parse_config(data)
    document, used = config.document, config.referenced
    out = [line.raw for line in document.lines]
    marks: dict[int, SectionMark] = {}
    newlines: list[int] = []
    for section in document.sections:
        mark = _mark_of(document, section)
        if mark is None:
            continue
        if section.name in used:
            marks[section.start] = mark
            continue
        out[mark.at] = b""
        if not mark.untouched:
            kept.append(section.name)
            continue
        for at in _own_lines(document, section):
            out[at] = b""
        if mark.blank:
            _drop_blank_before(document, out, section.start)
        if mark.newline:
            newlines.append(section.start)
        removed.append(section.name)
    for start in newlines:
        _settle_newline(document, out, marks, start)
    return b"".join(out), removed, kept


def _drop_blank_before(document: Document, out: list[bytes], start: int) -> None:
    """Remove the blank line that was added before the header.

    `aws configure set` puts a key of a nested block between the two, so lines that say something are stepped over.
    """
    for at in range(start - 1, -1, -1):
        kind = document.lines[at].kind
        if kind is LineKind.BLANK and out[at]:
            out[at] = b""
            return
        if kind not in (LineKind.PROPERTY, LineKind.CONTINUATION) and out[at]:
            return


def _settle_newline(document: Document, out: list[bytes], marks: dict[int, SectionMark], start: int) -> None:
    """Take the added final newline away again; or, where another added section is now the first, note it there."""
    following = [at for at in range(start + 1, len(out)) if out[at]]
    if following:
        header = next((at for at in following if document.lines[at].kind is not LineKind.BLANK), None)
        if header in marks:
            mark = marks[header].at
            line = document.lines[mark]
            out[mark] = _with_newline(line.text).encode("utf-8", "surrogateescape") + line.eol
        return
    for at in range(start - 1, -1, -1):
        if out[at]:
            out[at] = out[at].rstrip(b"\r\n")
            return


def _section_lines(session: Session, *, blank: bool, newline: bool) -> list[str]:
    """An added section, header first, mark second."""
    header = f"sso-session {session.name}"
    body = [
        f"sso_start_url = {session.start_url}",
        f"sso_region = {session.region}",
        f"sso_registration_scopes = {DEFAULT_SCOPE}",
    ]
    return [f"[{header}]", _section_mark(_digest(header, body), blank=blank, newline=newline), *body]


def _section_mark(digest: str, *, blank: bool, newline: bool) -> str:
    """The text of an added section's mark."""
    return f"{ADDED} section {digest}{', blank line' if blank else ''}{', final newline' if newline else ''}"


def _with_newline(text: str) -> str:
    """An added section's mark that also says that the newline before the section was added."""
    found = ADDED_SECTION.fullmatch(text)
    return _section_mark(found["digest"], blank=bool(found["blank"]), newline=True) if found else text


def _mark_of(document: Document, section: Section) -> SectionMark | None:
    """The mark of an added section, or None where the section is the user's."""
    if section.kind != "sso-session":
        return None
    for at in range(section.start + 1, section.end):
        found = ADDED_SECTION.fullmatch(document.lines[at].text)
        if found:
            body = [document.lines[number].text.strip() for number in _own_lines(document, section)[1:]]
            untouched = found["digest"] == _digest(section.header.strip(), body)
            return SectionMark(at, untouched, blank=bool(found["blank"]), newline=bool(found["newline"]))
    return None


def _own_lines(document: Document, section: Section) -> list[int]:
    """Indexes of the header and of all lines below it that say something."""
    return [
        at
        for at in range(section.start, section.end)
        if document.lines[at].kind not in (LineKind.BLANK, LineKind.COMMENT)
    ]


def _digest(header: str, body: list[str]) -> str:
    text = "\n".join([header, *body])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
