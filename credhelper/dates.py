"""The one form of dates that is written: in token files, in the log, in what programs are given."""

from __future__ import annotations

import calendar
import time

# Later ones have five digits in their year, or will with a lifetime added.
_YEAR_9999 = 253_370_764_800.0
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def format_date(moment: float) -> str:
    """`YYYY-MM-DDTHH:MM:SSZ`, the only form that all clients read, of seconds since the epoch."""
    year, *rest = time.gmtime(moment)[:6]
    return "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z".format(year, *rest)  # strftime writes the year 1 as `1`


def moment_of(date: str) -> float:
    """Seconds since the epoch for a date that `format_date` wrote. Raises ValueError."""
    return float(calendar.timegm(time.strptime(date, DATE_FORMAT)))


def has_date(moment: float) -> bool:
    """Whether `moment`, seconds since the epoch, has a date that can be written; what is not a number has none."""
    return 0 <= moment < _YEAR_9999
