"""Waiting for something that another process or thread does, with a deadline instead of hope."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_Value = TypeVar("_Value")


def wait_until(
    predicate: Callable[[], _Value], timeout: float = 10.0, what: str | None = None, *, pause: float = 0.01
) -> _Value:
    """Return the first true value that `predicate` gives.

    Args:
        timeout: seconds until the test fails; generous ones cost nothing where the thing happens.
        what: completes "waited 10 s for …"; the predicate's name by default.
        pause: seconds between two looks.

    Raises AssertionError with the predicate's last value.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            name = what or getattr(predicate, "__name__", "the condition")
            raise AssertionError(f"waited {timeout:g} s for {name}; the last look gave {value!r}")
        time.sleep(pause)
