"""The marked lines: how what `enable` did stands in the file, so that `disable` needs nothing but the file.

Every marked line is a comment that begins in the first column with `#credhelper: `. What follows is

- `added`: the next helper line of the section was added;
- `added section DIGEST[, own name][, blank line][, final newline]`, right below the header of a section
  (a session or a profile) that was added, with what was added before that header; the digest is of the section, so
  that a later change by the user is noticed; `own name` is said of a profile whose name no template made;
- an `sso_*` or `credential_process` line of the user's, word for word, that was taken out of force, or a line that
  goes on with the value of such a one above it, indented deeper. All else is a comment of the user's own.

No marked line stands before the header that it is about: `aws configure set` takes every line with a `:` for a
property and adds new keys behind the last one of a section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from credhelper.aws.config.document import Document, Line, LineKind, Section, strip_inline_comment

PREFIX = "#credhelper: "
ADDED = PREFIX + "added"
ADDED_SECTION = re.compile(
    re.escape(PREFIX)
    + r"added section (?P<digest>[0-9a-f]{8})"
    + r"(?P<own>, own name)?(?P<blank>, blank line)?(?P<newline>, final newline)?\s*"
)
_RAW_PREFIX = PREFIX.encode()


@dataclass(frozen=True, slots=True)
class OldLine:
    """A line of the user's that is out of force.

    Attributes:
        at: index of the marked line.
        text: what it said, without end of line.
        key: of the property, in lower case; of a continuation that of its property.
        continuation: whether it goes on with the property of an earlier line.
        value: of a property, inline comment cut; of a continuation the stripped text.
    """

    at: int
    text: str
    key: str
    continuation: bool
    value: str


def is_marked(line: Line) -> bool:
    """Whether the line is one of ours."""
    return line.kind is LineKind.COMMENT and line.text.startswith(PREFIX)


def is_added(line: Line) -> bool:
    """Whether the line says that the next helper line was added."""
    return line.kind is LineKind.COMMENT and line.text.rstrip() == ADDED


def out_of_force(raw: bytes) -> bytes:
    """The user's line as a marked one."""
    return _RAW_PREFIX + raw


def in_force(raw: bytes) -> bytes:
    """The reverse."""
    return raw.removeprefix(_RAW_PREFIX)


def old_lines(document: Document, section: Section) -> list[OldLine]:
    """The user's lines of one section that are out of force.

    Which of them are continuations follows from the indentation: within one section no property is indented deeper
    than the property before it.
    """
    found: list[OldLine] = []
    key, level = "", -1
    for at in range(section.start + 1, section.end):
        line = document.lines[at]
        if not is_marked(line) or is_added(line) or ADDED_SECTION.fullmatch(line.text):
            continue
        text = line.text.removeprefix(PREFIX)
        stripped = text.strip()
        indent = len(text) - len(text.lstrip())
        name, delimiter, value = _split(stripped)
        if key and indent > level:
            found.append(OldLine(at, text, key, continuation=True, value=stripped))
            continue
        if not delimiter or not _is_taken_out(name.lower()):
            continue
        key, level = name.lower(), indent
        found.append(OldLine(at, text, key, continuation=False, value=strip_inline_comment(value).strip()))
    return found


def _is_taken_out(key: str) -> bool:
    """Whether `enable` takes lines of this key out of force."""
    return key.startswith("sso_") or key == "credential_process"


def old_values(lines: list[OldLine]) -> dict[str, str]:
    """Keys and values as the lines would give them, the last of two equal keys counting."""
    values: dict[str, str] = {}
    for line in lines:
        values[line.key] = f"{values.get(line.key, '')}\n{line.value}" if line.continuation else line.value
    return values


def with_value(text: str, value: str) -> str:
    """The property line `text` with another value, everything before the value and behind it as it was."""
    name, delimiter, old = _split(text.strip())
    indent = text[: len(text) - len(text.lstrip())]
    said = strip_inline_comment(old)
    return f"{indent}{name}{delimiter}{value}{old[len(said.rstrip()) :]}"


def _split(stripped: str) -> tuple[str, str, str]:
    """Key, delimiter with the white space around it, value."""
    found = re.search(r"\s*[=:]\s*", stripped)
    return (stripped[: found.start()], found[0], stripped[found.end() :]) if found else (stripped, "", "")
