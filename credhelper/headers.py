"""The section headers of an AWS config or credentials file: what stands between the brackets, and which name that is.

A file of its own that imports little, because completion reads nothing else of a config.
"""

from __future__ import annotations

import re

BOM = "\ufeff"
_DELIMITER = re.compile(r"[=:]")
_HEADER_END = re.compile(r"\]\s*(?=[#;]|$)")
# The usual header, spared the slow shlex; everything else takes the long way.
_PLAIN_HEADER = re.compile(r"[ \t]*(profile|sso-session|services)[ \t]+([^\s'\"\\]+)[ \t]*")
# White space of any alphabet before a bracket, and then some: who meets it looks more closely.
_INDENTED_HEADER = re.compile(rb"\n[\t\x0b\x0c\x1c-\x1f \x80-\xff]+\[")


def parse_header(header: str) -> tuple[str, str] | None:
    """Kind and name for the text between the brackets; None for a name that no client can make out.

    Kinds: `profile`, `sso-session`, `services`, `default` (no prefix), or "" for all others, whose name is the
    trimmed text.
    """
    plain = _PLAIN_HEADER.fullmatch(header)
    if plain:
        return plain[1], plain[2]
    name = header.strip()
    if name == "default":
        return "default", name
    kind = name.split(None, 1)[0] if name else ""
    if kind not in ("profile", "sso-session", "services"):
        return "", name
    import shlex  # noqa: PLC0415 - for few names

    try:
        words = shlex.split(name)
    except ValueError:
        return None
    if len(words) == 1:  # `[profile]`: a section of no interest
        return "", name
    return (kind, words[1]) if len(words) == 2 and words[1] else None


def bracket(stripped: str) -> tuple[int, bool]:
    """Where in a line that begins with `[` the header ends (-1: nowhere), and whether as every client wants it."""
    end = _HEADER_END.search(stripped)
    return (end.start(), True) if end else (stripped.rfind("]"), False)


def headers_of(data: bytes) -> list[str]:
    """What stands between the brackets of all headers of a file, readable or not. Never raises."""
    data = b"\n" + data.removeprefix(BOM.encode()) + b"\n"
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if _INDENTED_HEADER.search(data):
        return _headers_among(data.decode("utf-8", "surrogateescape").split("\n"))
    found = []
    at = data.find(b"\n[")
    while at >= 0:
        end = data.index(b"\n", at + 1)
        stripped = data[at + 1 : end].decode("utf-8", "surrogateescape").strip()
        close = bracket(stripped)[0]
        if close > 1:
            found.append(stripped[1:close])
        at = data.find(b"\n[", end)
    return found


def _headers_among(lines: list[str]) -> list[str]:
    """The same where a bracket may be part of the value above it: what is indented deeper than its property."""
    found = []
    section = value = False
    level = 0
    for line in lines:
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        indent = len(line) - len(line.lstrip())
        if value and indent > level:
            continue
        level = indent
        close = bracket(stripped)[0] if stripped[0] == "[" else 0
        delimiter = _DELIMITER.search(stripped)
        if stripped[0] == "[" and not (stripped.rfind("]") <= 1 and section and delimiter):
            section, value = close > 1, False
            if section:
                found.append(stripped[1:close])
        elif section and delimiter and delimiter.start():
            value = True
    return found
