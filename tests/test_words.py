"""The words of a half-typed line, held against what a shell makes of them."""

from __future__ import annotations

import shlex
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper.words import Line, divide, quoted, replaced_from

BREAKS = " \t\n\"'@><=;|&(:"
# Nothing that a line cannot carry.
NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", Line((), "", "")),
        ("credhelper ", Line(("credhelper",), "", "")),
        ("credhelper  use\tcorp", Line(("credhelper", "use"), "corp", "corp")),
        ("c use 'my pro", Line(("c", "use"), "my pro", "'my pro", "'", 0)),
        ('c use "my pro', Line(("c", "use"), "my pro", '"my pro', '"', 0)),
        ("c use my\\ pro", Line(("c", "use"), "my pro", "my\\ pro")),
        ("c use my\\", Line(("c", "use"), "my", "my\\")),
        ("c use 'a'\"b\"c", Line(("c", "use"), "abc", "'a'\"b\"c")),
        ("c use a'b c", Line(("c", "use"), "ab c", "a'b c", "'", 1)),
        ('c use "a\\"b\\c', Line(("c", "use"), 'a"b\\c', '"a\\"b\\c', '"', 0)),
        ("c '' x", Line(("c", ""), "x", "x")),
        ("c ''", Line(("c",), "", "''")),
    ],
)
def test_a_line_is_divided_as_a_shell_does(text: str, line: Line) -> None:
    assert divide(text) == line


# Without the dollar sign: shlex leaves a backslash before it where bash takes it away.
@given(st.text("ab '\"\\\t:", max_size=20))
def test_a_complete_line_has_the_words_of_shlex(text: str) -> None:
    line = divide(text + " ")
    try:
        expected = shlex.split(text)
    except ValueError:  # a quote is open, or a backslash is the last sign
        return
    if not text.endswith("\\"):
        assert list(line.words) == expected


@given(NAMES, st.sampled_from(["", "'", '"']))
def test_what_is_quoted_is_divided_into_the_same(name: str, quote: str) -> None:
    shown = quoted(name, quote)
    if shown is None:
        assert (quote, "!" in name) == ('"', True)
    else:
        assert divide(f"c use {quote}{shown}{quote}").word == name


@settings(max_examples=40)
@given(st.lists(NAMES, min_size=1, max_size=20))
def test_bash_reads_what_is_quoted_as_the_name(names: list[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    words = [f"{quote}{shown}{quote}" for n in names for quote in ("", "'", '"') if (shown := quoted(n, quote))]
    meant = [n for n in names for quote in ("", "'", '"') if quoted(n, quote)]
    script = "printf '%s\\0' " + " ".join(words)
    done = subprocess.run([bash, "--norc", "-c", script], check=True, capture_output=True, timeout=20)
    assert done.stdout.decode().split("\0")[:-1] == meant


@pytest.mark.parametrize(
    ("typed", "replaced"),
    [
        ("corp", "corp"),
        ("a:b", "b"),
        ("a:b@c", "c"),
        ("a\\:b", "a\\:b"),
        ("'a:b'c", "'a:b'c"),
        ("'a:b", "a:b"),
        ("x'a:b", "a:b"),
        ("a:", ""),
        ("", ""),
    ],
)
def test_readline_replaces_what_follows_the_last_break(typed: str, replaced: str) -> None:
    line = divide(f"c use {typed}")
    assert line.raw[replaced_from(line, BREAKS) :] == replaced
