"""The helper line is the same words for shlex and for a shell, and is recognised again."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper.aws.config import HelperLine, format_helper_line, parse_config, parse_helper_line
from credhelper.errors import ConfigError

PATHS = [
    "/home/b/.local/share/credhelper/credential-process",
    "/home/b c/.local/share/credhelper/credential-process",
    '/home/o\'brien "x" #1 ;2/$HOME `id` \\ & | <>*?[]{}()!~%=/credhelper/credential-process',
    "/home/ümläut/credhelper/credential-process",
]


@pytest.mark.parametrize("path", PATHS)
def test_shlex_and_sh_see_the_same_words(path: str) -> None:
    value = format_helper_line(HelperLine(path, "my session", "123456789012", "Röle"))
    words = [path, "my+20session", "123456789012", "R+C3+B6le"]
    assert shlex.split(value) == words
    shown = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {value}"], capture_output=True, check=True, timeout=10
    ).stdout.decode()
    assert shown.splitlines() == words


@pytest.mark.parametrize("path", PATHS)
def test_no_client_cuts_it_as_a_comment(path: str) -> None:
    value = format_helper_line(HelperLine(path, "s", "1", "r"))
    config = parse_config(f"[profile a]\ncredential_process = {value}\n".encode())
    assert config.profiles["a"]["credential_process"] == value


names = st.text(min_size=1).filter(lambda text: text.isprintable())


@settings(deadline=None)
@given(names, names, names)
def test_it_can_be_read_back(session: str, account: str, role: str) -> None:
    line = HelperLine(PATHS[2], session, account, role)
    assert parse_helper_line(format_helper_line(line)) == line


@pytest.mark.parametrize("path", ["/home/a\nb/credhelper/credential-process", "/a\0", "/a\rb"])
def test_a_path_that_breaks_lines_is_refused(path: str) -> None:
    with pytest.raises(ConfigError):
        format_helper_line(HelperLine(path, "s", "1", "r"))


@pytest.mark.parametrize(
    "value",
    [
        "",
        "credential-process a b c",
        "/x/credential-process a b c",
        "/x/credhelper/credential-process a b",
        "/x/credhelper/credential-process a b c d",
        "/x/credhelper/credential-process a b +zz",
        "/x/credhelper/credential-process 'a b",
    ],
)
def test_other_commands_are_not_ours(value: str) -> None:
    assert parse_helper_line(value) is None
