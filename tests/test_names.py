from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.names import command_for, decode_name, encode_name, login_command

# What can come from a config file: any text, and bytes that are not UTF-8 as surrogates.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.binary(min_size=1).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
NASTY = [
    "$(touch x)",
    "`id`",
    "a b",
    "~",
    "~root",
    "*",
    "a;b",
    "a&b",
    "a|b",
    "<>",
    "'",
    '"',
    "\\",
    "%PATH%",
    "!x",
    "#x",
    "a\nb",
    "é漢😀",
    "\udcff",
    "+2B",
    "{a,b}",
    "^",
    "=",
    "[a]",
]


@given(NAMES)
def test_round_trip(name: str) -> None:
    assert decode_name(encode_name(name)) == name


@given(NAMES)
def test_only_characters_that_no_parser_touches(name: str) -> None:
    encoded = encode_name(name)
    assert encoded.isascii()
    assert all(char.isalnum() or char in "._+-" for char in encoded)
    assert shlex.split(encoded) == [encoded]


@given(NAMES, NAMES)
def test_different_names_stay_different(one: str, other: str) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)


def test_plain_names_stand_as_they_are() -> None:
    assert encode_name("d-93670bd35a_A.z") == "d-93670bd35a_A.z"


def test_others_are_bytes_in_hex() -> None:
    assert encode_name("a b+é") == "a+20b+2B+C3+A9"


def test_a_real_shell_leaves_them_alone() -> None:
    encoded = [encode_name(name) for name in NASTY]
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {' '.join(encoded)}"], check=True, capture_output=True, text=True, timeout=10
    )
    assert done.stdout.splitlines() == encoded
    assert done.stderr == ""


@pytest.mark.parametrize("text", ["", "a b", "+", "+2", "+2b", "+GG", "é", "a\n", "$x", "+2B+"])
def test_what_we_never_write_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an encoded name"):
        decode_name(text)


def test_empty_name_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        encode_name("")


def test_commands_are_quoted_for_the_shell() -> None:
    assert login_command("corp") == "credhelper login corp"
    assert login_command("my corp; true") == "credhelper login 'my corp; true'"
    assert login_command("--all") == "credhelper login -- --all"
    assert command_for("enable", "a", "-b c") == "credhelper enable -- a '-b c'"
