from __future__ import annotations

import time

import pytest

from credhelper.core.clock import Clock


def test_without_an_answer_both_clocks_agree() -> None:
    clock = Clock(lambda: 1000.0)
    assert clock.now() == clock.server_now() == 1000.0


@pytest.mark.parametrize("difference", [-86400.0, -6.0, 6.0, 3600.0])
def test_server_s_date_corrects_the_one_and_not_the_other(difference: float) -> None:
    clock = Clock(lambda: 1000.0)
    clock.observe(1000.0 + difference)
    assert clock.now() == 1000.0
    assert clock.server_now() == 1000.0 + difference


@pytest.mark.parametrize("difference", [-5.0, -0.5, 0.0, 5.0])
def test_small_difference_is_none(difference: float) -> None:
    clock = Clock(lambda: 1000.0)
    clock.observe(1000.0 + difference)
    assert clock.server_now() == 1000.0


def test_newest_date_counts() -> None:
    clock = Clock(lambda: 1000.0)
    clock.observe(5000.0)
    clock.observe(1000.0)
    assert clock.skew == 0.0


def test_wall_clock_is_the_default() -> None:
    assert Clock().now() <= time.time()
