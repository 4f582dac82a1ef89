"""What a terminal is shown."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
import time
from collections.abc import Iterator
from typing import TextIO

import pytest

from credhelper.terminal import duration, flowed, local_time, printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 ✓", "plain é 日本 ✓"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\tc\x00\x7f\x9b", "a\\r\\nb\\tc\\x00\\x7f\\x9b"),
        ("\u202eevil", "\\u202eevil"),
        ("\u200b\u2028\ue000", "\\u200b\\u2028\\ue000"),
        ("\udcff", "\\udcff"),
    ],
)
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    assert printable(text).isprintable()
    printable(text).encode()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 seconds"),
        (0.2, "1 second"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (7199, "119 minutes"),
        (7200, "2 hours"),
        (86400 * 2, "2 days"),
    ],
)
def test_duration(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_local_time() -> None:
    noon = time.mktime((2026, 5, 4, 12, 0, 0, 0, 0, -1))
    assert local_time(noon, noon) == "12:00"
    assert local_time(noon + 86400, noon) == time.strftime("%a %d %b %H:%M", time.localtime(noon + 86400))


@pytest.fixture
def narrow() -> Iterator[TextIO]:
    """A terminal of 30 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 30, 0, 0))
    with os.fdopen(ours, "rb", buffering=0), os.fdopen(theirs, "w") as stream:
        yield stream


def test_text_is_broken_between_words_and_what_is_to_be_copied_is_not(
    narrow: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setenv("COLUMNS", "200")  # another window's
    address = "https://d-1234567890.awsapps.com/start"
    command = "credhelper enable 'a long name of a profile'"
    lines = flowed(f"Logging in at {address} for one, so: {command}", command).split("\n")
    assert lines == ["Logging in at", address, "for one, so:", command]
    assert flowed("") == ""


def test_text_for_a_file_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "words " * 100
    assert flowed(text) == text
    monkeypatch.setattr(sys, "stdout", None)  # closed by the caller
    assert flowed(text) == text
