"""What a terminal is shown."""

from __future__ import annotations

import time

import pytest

from credhelper.terminal import duration, local_time, printable


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
