from __future__ import annotations

import pytest

from credhelper.dates import format_date, has_date, moment_of


@pytest.mark.parametrize(
    ("moment", "date"),
    [
        (0.0, "1970-01-01T00:00:00Z"),
        (1_800_000_000.9, "2027-01-15T08:00:00Z"),
        (-62_135_596_800.0, "0001-01-01T00:00:00Z"),  # Go's date that is none
        (253_402_300_799.0, "9999-12-31T23:59:59Z"),
    ],
)
def test_there_and_back(moment: float, date: str) -> None:
    assert format_date(moment) == date
    assert moment_of(date) == int(moment)


@pytest.mark.parametrize("text", ["", "2027-01-15", "2027-01-15T08:00:00", "2027-01-15T08:00:00UTC"])
def test_no_date(text: str) -> None:
    with pytest.raises(ValueError, match="does not match"):
        moment_of(text)


def test_moments_that_have_no_date() -> None:
    assert [has_date(moment) for moment in (0.0, 1_800_000_000.5, 253_370_764_799.0)] == [True] * 3
    assert not [m for m in (-1.0, 253_370_764_800.0, float("inf"), float("-inf"), float("nan")) if has_date(m)]
