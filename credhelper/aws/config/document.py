"""The lines of an AWS config file, without loss, and what each of them is.

What is a header, a property or a continuation follows Python's `configparser`, because the AWS CLI and boto3 read
with it: lines also end at a lone carriage return, a property's value goes on in lines that are indented deeper than
the property itself, and a full-line comment never ends a value. Headers are also taken with blanks and comments
around them, as the public vectors have it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import Enum

from credhelper.headers import BOM, bracket, parse_header

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
_DELIMITER = re.compile(r"[=:]")
_INLINE_COMMENT = re.compile(r"\s[#;]")
_PROPERTY_NAME = re.compile(r"[A-Za-z0-9_/.%@:+-]+")


class LineKind(Enum):
    """What a line is."""

    BLANK = "blank"
    COMMENT = "comment"
    SECTION = "section"
    PROPERTY = "property"
    CONTINUATION = "continuation"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a client may stumble over. `line` counts from 1; `message` is for a person."""

    line: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.message}"


@dataclass(slots=True)
class Line:
    """One line.

    Attributes:
        raw: its bytes, with the end of line.
        text: decoded (undecodable bytes as surrogates), without end of line and byte order mark.
        eol: `\\n`, `\\r\\n`, `\\r`, or nothing at the end of a file.
        section: index into `Document.sections`, or None before the first header and after a broken one.
        key: of a property, in lower case; of a continuation that of its property; else "".
        value: of a property as the AWS CLI reads it; of a continuation the stripped text.
        indent: the white space before the first other character.
    """

    raw: bytes
    text: str
    eol: bytes
    kind: LineKind = LineKind.BLANK
    section: int | None = None
    key: str = ""
    value: str = ""
    indent: str = ""


@dataclass(slots=True)
class Section:
    """One header and what stands below it.

    Attributes:
        header: what stands between the brackets, as it is; configparser tells sections apart by it.
        kind: `profile`, `sso-session`, `services`, `default` (no prefix), `unreadable`, or "" for all others.
        name: without the prefix and quotes; for other kinds the trimmed header.
        start: index of the header's line.
        end: index after the section's last line.
    """

    header: str
    kind: str
    name: str
    start: int
    end: int

    @property
    def profile(self) -> str | None:
        """The profile that this section of a config file describes, or None."""
        if self.kind == "default":
            return "default"
        return self.name if self.kind == "profile" else None


@dataclass(slots=True)
class Document:
    """A whole file. `render` gives back exactly the bytes that `parse` was given."""

    lines: list[Line] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def parse(cls, data: bytes) -> Document:
        """Read any bytes at all; what is wrong with them ends in `problems`. Never raises."""
        document = cls()
        _Parser(document).read(data)
        return document

    def render(self) -> bytes:
        """The bytes of all lines."""
        return b"".join(line.raw for line in self.lines)

    def properties(self, section: Section) -> list[tuple[int, Line]]:
        """The property lines of one section with their indexes."""
        return [
            (at, self.lines[at])
            for at in range(section.start, section.end)
            if self.lines[at].kind is LineKind.PROPERTY
        ]


def strip_inline_comment(value: str) -> str:
    """Cut `# …` and `; …` that follow white space, as all clients but the AWS CLI and boto3 do."""
    found = _INLINE_COMMENT.search(value)
    return value[: found.start()] if found else value


def is_property_name(key: str) -> bool:
    """Whether every client takes `key` for a property's name."""
    return _PROPERTY_NAME.fullmatch(key) is not None


def split_lines(data: bytes) -> list[bytes]:
    """Lines as Python's text mode sees them (`\\n`, `\\r\\n` and a lone `\\r` end one), ends included."""
    return _LINE.findall(data)


class _Parser:
    """The state of configparser's loop: the open section, the open property, and the indentation that binds it."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.section: int | None = None
        self.broken = False  # below a header that nobody can read; its lines belong to nothing
        self.key: str | None = None
        self.nested = False
        self.level = 0

    def read(self, data: bytes) -> None:
        lines = self.document.lines
        for at, raw in enumerate(split_lines(data)):
            body = raw.rstrip(b"\r\n") if raw.endswith((b"\r", b"\n")) else raw
            line = Line(raw, body.decode("utf-8", "surrogateescape"), raw[len(body) :])
            if at == 0 and line.text.startswith(BOM):
                line.text = line.text.removeprefix(BOM)
                self.problem(at, "The file begins with a byte order mark, with which the AWS CLI cannot read it")
            lines.append(line)
            self.classify(at, line)
        if self.section is not None:
            self.document.sections[self.section].end = len(lines)

    def problem(self, at: int, message: str) -> None:
        self.document.problems.append(Problem(at + 1, message))

    def classify(self, at: int, line: Line) -> None:
        stripped = line.text.strip()
        line.section = self.section
        if not stripped:
            return
        if stripped[0] in "#;":
            line.kind = LineKind.COMMENT
            return
        line.indent = line.text[: len(line.text) - len(line.text.lstrip())]
        if self.key is not None and len(line.indent) > self.level:
            self.continuation(at, line, stripped)
            return
        self.level = len(line.indent)
        if stripped[0] == "[":
            self.header(at, line, stripped)
        else:
            self.property(at, line, stripped)

    def continuation(self, at: int, line: Line, stripped: str) -> None:
        line.kind = LineKind.CONTINUATION
        line.key = self.key or ""
        line.value = stripped
        if not self.nested:
            return
        key, equals, _ = stripped.partition("=")
        if not equals:
            self.problem(at, "Expected an '=' sign defining a sub-property")
        elif not key.strip():
            self.problem(at, "Sub-property did not have a name")

    def header(self, at: int, line: Line, stripped: str) -> None:
        if stripped.rfind("]") <= 1 and self.section is not None and _DELIMITER.search(stripped):
            self.property(at, line, stripped)  # `[ = x`: with no name between brackets, configparser sees no header
            return
        self.key = None
        if self.section is not None:
            self.document.sections[self.section].end = at
        self.section, self.broken = None, True
        line.section = None
        line.kind = LineKind.INVALID
        close, ends_well = bracket(stripped)
        if not ends_well:
            self.problem(at, "Profile definition must end with ']'")
        if close <= 1:
            if close == 1:
                self.problem(at, "The brackets hold no name")
            return
        header = stripped[1:close]
        found = parse_header(header)
        if found is None:
            self.problem(at, f"[{header}] is not a name that can be read; it is ignored with all below it")
            found = ("unreadable", header.strip())
        line.kind = LineKind.SECTION
        self.section, self.broken = len(self.document.sections), False
        line.section = self.section
        self.document.sections.append(Section(header, *found, start=at, end=at + 1))

    def property(self, at: int, line: Line, stripped: str) -> None:
        line.kind = LineKind.INVALID
        delimiter = _DELIMITER.search(stripped)
        if self.section is None:
            if not self.broken:
                self.problem(at, "Expected a profile definition")
            return
        if delimiter is None:
            self.problem(
                at,
                "Expected a property definition, found continuation"
                if line.indent
                else "Expected an '=' sign defining a property",
            )
            return
        key = stripped[: delimiter.start()].rstrip().lower()
        if not key:
            self.problem(at, "Property did not have a name")
            return
        if delimiter[0] == ":":
            self.problem(at, "Expected an '=' sign defining a property; only the AWS CLI and boto3 take ':' for it")
        line.kind = LineKind.PROPERTY
        line.key = self.key = key
        line.value = stripped[delimiter.end() :].strip()
        self.nested = not line.value
