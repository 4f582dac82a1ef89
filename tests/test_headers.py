"""Headers found without the rest of the file are those that the whole reading finds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.aws.config import Document
from credhelper.headers import headers_of, parse_header

PIECES = [
    *("[profile a]", "[default]", " [profile b]", "\t[x]", "k = v", "k =", "  sub = 1", "   [profile c]", "[", "[]"),
    *(
        "[ = x",
        "[=x]",
        "# [z]",
        "; y",
        "\n",
        "\r",
        "\r\n",
        " ",
        "\u00a0[profile nb]",
        "\x0b[v]",
        "k: [",
        "[profile d",
    ),
    *("[profile 'a b'] # c", "=x", "\ufeff", "\x85[q]", "[sso-session é]", "[profile $(x)]"),
]
FILES = st.lists(
    st.tuples(st.sampled_from(PIECES), st.sampled_from(["\n", "\r\n", "\r", ""])).map("".join), max_size=9
).map(lambda lines: "".join(lines).encode())


@given(st.one_of(FILES, st.binary(max_size=60)))
def test_they_are_those_of_the_whole_document(data: bytes) -> None:
    assert headers_of(data) == [section.header for section in Document.parse(data).sections]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("default", ("default", "default")),
        ("profile a", ("profile", "a")),
        ('profile "a b"', ("profile", "a b")),
        ("profile 'a", None),
        ("profile", ("", "profile")),
        ("sso-session corp", ("sso-session", "corp")),
        ("other", ("", "other")),
    ],
)
def test_a_header_names_its_section(header: str, found: tuple[str, str] | None) -> None:
    assert parse_header(header) == found
