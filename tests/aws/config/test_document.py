"""The line model: no byte is lost, and each line is what configparser takes it for."""

from __future__ import annotations

import configparser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credhelper.aws.config import Document, LineKind
from tests.aws.config.generated import configs, messy_configs


@settings(deadline=None)
@given(st.binary() | configs())
@example(b"\xef\xbb\xbf[a]\r\nx=1\ry=2\n\n\r\x00\xff")
def test_rendering_gives_the_same_bytes(data: bytes) -> None:
    document = Document.parse(data)
    assert document.render() == data
    assert all(1 <= problem.line <= len(document.lines) for problem in document.problems)


@settings(deadline=None)
@given(configs() | messy_configs())
def test_top_level_keys_are_those_of_configparser(data: bytes) -> None:
    parser = configparser.RawConfigParser(strict=False, default_section="\x00none")
    text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    document = Document.parse(data)
    found: dict[str, set[str]] = {}
    for section in document.sections:
        keys = {line.key for _, line in document.properties(section)}
        found.setdefault(section.header, set()).update(keys)
    assert found == {name: set(parser.options(name)) for name in parser.sections()}


def test_kinds_of_lines() -> None:
    document = Document.parse(
        b"; c\n[profile a]\n  Key = value\n    more\n  # c\n\n    and more\n"
        b"  next: x\nlast =\n sub = 1\njunk\n[profile\n"
    )
    assert [line.kind for line in document.lines] == [
        LineKind.COMMENT,
        LineKind.SECTION,
        LineKind.PROPERTY,
        LineKind.CONTINUATION,
        LineKind.COMMENT,
        LineKind.BLANK,
        LineKind.CONTINUATION,
        LineKind.PROPERTY,
        LineKind.PROPERTY,
        LineKind.CONTINUATION,
        LineKind.INVALID,
        LineKind.INVALID,
    ]
    line = document.lines[2]
    assert (line.key, line.value, line.indent, line.section, line.eol) == ("key", "value", "  ", 0, b"\n")
    assert document.lines[3].key == "key"


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        (b"", []),
        (b"a", [b""]),
        (b"a\n", [b"\n"]),
        (b"a\r\nb\rc\nd", [b"\r\n", b"\r", b"\n", b""]),
        (b"\n\r\n\r", [b"\n", b"\r\n", b"\r"]),
    ],
)
def test_ends_of_lines(data: bytes, ends: list[bytes]) -> None:
    assert [line.eol for line in Document.parse(data).lines] == ends


def test_undecodable_bytes_and_the_byte_order_mark() -> None:
    document = Document.parse(b"\xef\xbb\xbf[profile a]\nx = \xff\n")
    assert document.lines[0].text == "[profile a]"
    assert document.lines[1].value == "\udcff"


@pytest.mark.parametrize(
    ("line", "kind", "name"),
    [
        ("[profile a]", "profile", "a"),
        ("[ profile \t a ] # c", "profile", "a"),
        ("[profile 'a ] b'] ; c", "profile", "a ] b"),
        ("[profile a]x]", "profile", "a]x"),
        ("[sso-session s]", "sso-session", "s"),
        ("[services s]", "services", "s"),
        ("[default]", "default", "default"),
        ("[DEFAULT]", "", "DEFAULT"),
        ("[profilea]", "", "profilea"),
        ("[profile]", "", "profile"),
        ("[profile a b]", "unreadable", "profile a b"),
    ],
)
def test_headers(line: str, kind: str, name: str) -> None:
    (section,) = Document.parse(line.encode()).sections
    assert (section.kind, section.name) == (kind, name)
