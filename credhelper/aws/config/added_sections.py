"""Sections that were added whole: `[sso-session]`s of `enable`, and profiles that were written from what AWS lists.

A section's mark stands right below its header and says what was added with it, so that nothing else is removed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from credhelper.aws.config.document import Document, LineKind, Section, split_lines
from credhelper.aws.config.markers import ADDED, ADDED_SECTION
from credhelper.aws.config.reader import parse_config
from credhelper.model import DEFAULT_SCOPE, Session


@dataclass(frozen=True, slots=True)
class NewSection:
    """A section to be added.

    Attributes:
        header: what stands between its brackets.
        body: its lines.
        digest: of what it says.
        own_name: whether that is a profile's own name, which no template made.
    """

    header: str
    body: Sequence[str]
    digest: str
    own_name: bool = False


@dataclass(frozen=True, slots=True)
class SectionMark:
    """The mark of an added section: a digest of what we wrote, and what was added before the header."""

    at: int
    digest: str
    own_name: bool
    blank: bool
    newline: bool

    @property
    def text(self) -> str:
        """As it stands in the file."""
        said = {", own name": self.own_name, ", blank line": self.blank, ", final newline": self.newline}
        return f"{ADDED} section {self.digest}{''.join(text for text, holds in said.items() if holds)}"


class Removal:
    """Added sections on their way out of a document, each with what was added before it."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._out = [line.raw for line in document.lines]
        self._marks = {section.start: mark for section in document.sections if (mark := mark_of(document, section))}
        self._newlines: list[int] = []

    def forget(self, section: Section) -> None:
        """Take the section's mark away: it is the user's from now on."""
        mark = self._marks.pop(section.start)
        self._out[mark.at] = b""

    def drop(self, section: Section, lines: Iterable[int]) -> None:
        """Take the section out: these lines of it, its mark, and what was added before its header."""
        for at in lines:
            self._out[at] = b""
        mark = self._marks.pop(section.start, None)
        if mark is None:
            return
        self._out[mark.at] = b""
        if mark.blank:
            self._drop_blank_before(section.start)
        if mark.newline:
            self._newlines.append(section.start)

    def render(self) -> bytes:
        for start in self._newlines:
            self._settle_newline(start)
        return b"".join(self._out)

    def _drop_blank_before(self, start: int) -> None:
        """Remove the blank line that was added before the header.

        `aws configure set` puts a key of a nested block between the two, so lines that say something are stepped
        over.
        """
        for at in range(start - 1, -1, -1):
            kind = self._document.lines[at].kind
            if kind is LineKind.BLANK and self._out[at]:
                self._out[at] = b""
                return
            if kind not in (LineKind.PROPERTY, LineKind.CONTINUATION) and self._out[at]:
                return

    def _settle_newline(self, start: int) -> None:
        """Take the added final newline away; or, where another added section is now the first, note it there."""
        out, lines = self._out, self._document.lines
        following = [at for at in range(start + 1, len(out)) if out[at]]
        if following:
            header = next((at for at in following if lines[at].kind is not LineKind.BLANK), None)
            if header in self._marks:
                mark = replace(self._marks[header], newline=True)
                out[mark.at] = mark.text.encode() + lines[mark.at].eol
            return
        for at in range(start - 1, -1, -1):
            if out[at]:
                out[at] = out[at].rstrip(b"\r\n")
                return


def with_sections(data: bytes, sections: Sequence[NewSection]) -> bytes:
    """The file with these sections at its end, each behind a blank line."""
    if not sections:
        return data
    lines = split_lines(data)
    ends = [line[len(line.rstrip(b"\r\n")) :] for line in lines[-2:]]
    newline = bool(lines) and not ends[-1]
    eol = next((end for end in reversed(ends) if end), b"\n")
    parts = [data, eol if newline else b""]
    for number, section in enumerate(sections):
        blank = bool(lines) or number > 0
        mark = SectionMark(0, section.digest, section.own_name, blank, newline=newline and number == 0)
        texts = [f"[{section.header}]", mark.text, *section.body]
        parts += [eol if blank else b"", *(text.encode("utf-8", "surrogateescape") + eol for text in texts)]
    return b"".join(parts)


def session_section(session: Session) -> NewSection:
    """An added `[sso-session]`."""
    header = f"sso-session {session.name}"
    body = [
        f"sso_start_url = {session.start_url}",
        f"sso_region = {session.region}",
        f"sso_registration_scopes = {DEFAULT_SCOPE}",
    ]
    return NewSection(header, body, digest(header, body))


def without_unused_sections(data: bytes) -> tuple[bytes, list[str], list[str]]:
    """Remove added `[sso-session]`s that no profile names any more.

    Returns the new bytes, the names of the sections removed, and of those that stay, now as the user's, because
    they were changed.
    """
    removed: list[str] = []
    kept: list[str] = []
    if ADDED.encode() + b" section " not in data:
        return data, removed, kept
    config = parse_config(data)
    document, used = config.document, config.referenced
    removal = Removal(document)
    for section in document.sections:
        mark = mark_of(document, section)
        if mark is None or section.kind != "sso-session" or section.name in used:
            continue
        own = _own_lines(document, section)
        body = [document.lines[at].text.strip() for at in own[1:]]
        if mark.digest == digest(section.header.strip(), body):
            removal.drop(section, own)
            removed.append(section.name)
        else:
            removal.forget(section)
            kept.append(section.name)
    return removal.render(), removed, kept


def mark_of(document: Document, section: Section) -> SectionMark | None:
    """The mark of an added section, or None where the section is the user's."""
    if section.kind not in ("sso-session", "profile", "default"):
        return None
    for at in range(section.start + 1, section.end):
        found = ADDED_SECTION.fullmatch(document.lines[at].text)
        if found:
            return SectionMark(at, found["digest"], *(bool(found[what]) for what in ("own", "blank", "newline")))
    return None


def digest(header: str, body: Iterable[str]) -> str:
    """What tells whether an added section still says what was written."""
    text = "\n".join([header, *body])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _own_lines(document: Document, section: Section) -> list[int]:
    """Indexes of the header and of all lines below it that say something."""
    return [
        at
        for at in range(section.start, section.end)
        if document.lines[at].kind not in (LineKind.BLANK, LineKind.COMMENT)
    ]
