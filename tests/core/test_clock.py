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
    clock.observe(1000.0 + difference, 1000.0)
    assert clock.now() == 1000.0
    assert clock.server_now() == 1000.0 + difference


@pytest.mark.parametrize("difference", [-5.0, -0.5, 0.0, 5.0])
def test_small_difference_is_none(difference: float) -> None:
    clock = Clock(lambda: 1000.0)
    clock.observe(1000.0 + difference, 1000.0)
    assert clock.server_now() == 1000.0


@pytest.mark.parametrize("date", [1000.0, 1010.0, 8200.0])
def test_sleep_before_the_answer_was_read_is_no_disagreement(date: float) -> None:
    wall = 1000.0
    clock = Clock(lambda: wall)
    wall = 8200.0
    clock.observe(date, 1000.0)
    assert clock.skew == 0.0


@pytest.mark.parametrize(("date", "skew"), [(400.0, -600.0), (8800.0, 600.0)])
def test_date_before_the_question_or_ahead_of_now_is_one(date: float, skew: float) -> None:
    clock = Clock(lambda: 8200.0)
    clock.observe(date, 1000.0)
    assert clock.skew == skew


def test_newest_date_counts() -> None:
    clock = Clock(lambda: 1000.0)
    clock.observe(5000.0, 1000.0)
    clock.observe(1000.0, 1000.0)
    assert clock.skew == 0.0


def test_wall_clock_is_the_default() -> None:
    assert Clock().now() <= time.time()


def test_what_was_said_of_a_clock_that_was_set_since_holds_no_more() -> None:
    wall, steady = 10_000.0, 500.0
    clock = Clock(lambda: wall, lambda: steady)
    clock.observe(6_000.0, wall)
    wall, steady = wall + 3_600.0, steady + 3_600.0
    assert clock.server_now() == 9_600.0
    wall -= 4_000.0
    assert clock.server_now() == clock.now() == 9_600.0
    wall += 4_000.0
    assert clock.skew == 0.0
    clock.observe(9_600.0, wall)
    wall, steady = wall + 3.0, steady + 1.0  # less than can be told from the noise of both
    assert clock.skew == -4_000.0


def test_the_machine_s_own_steady_clock_keeps_what_was_observed() -> None:
    clock = Clock()
    clock.observe(time.time() + 7_200.0, time.time())
    assert 7_190 < clock.skew < 7_210
