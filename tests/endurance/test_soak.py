"""Eight days in accelerated time: no call fails that could have been served, and nothing grows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests import sandbox
from tests.support import Processes

# The same trouble each time; `python -m benchmarks.soak` makes other trouble at each run.
SEED = "1"
DAYS = 8

Figures = list[dict[str, Any]]


@pytest.mark.timeout(400)
def test_eight_days(processes: Processes) -> None:
    process = processes.python(
        *("-m", "benchmarks.soak", "--days", str(DAYS), "--seed", SEED, "--json"),
        cwd=sandbox.PROJECT,
        env={**os.environ, "PYTHONPATH": str(sandbox.PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    output, error = process.communicate(timeout=380)
    print(error, file=sys.stderr)
    assert process.returncode == 0, error
    days: Figures = json.loads(output)
    assert [one["number"] for one in days] == list(range(1, DAYS + 1))
    served_or_excused(days)
    level(days)


def served_or_excused(days: Figures) -> None:
    """Every call is accounted for, and none is there that failed or was wrong without an excuse."""
    for one in days:
        day = one["day"]
        assert day["wrong"] == []
        assert one["complaints"] == []
        assert day["served"] + sum(day["excused"].values()) == day["calls"]
        assert day["slowest"] <= 5.0
        assert day["calls"] > 100
        assert one["fetches"] > 50
    total = {name: sum(one[name] for one in days) for name in ("renewals", "logins", "troubles")}
    assert total["renewals"] > 200
    assert total["logins"] > 10
    assert total["troubles"] > 100
    served, calls = (sum(one["day"][name] for one in days) for name in ("served", "calls"))
    assert served / calls > 0.85, "with so few served calls there is little that this run shows"


def level(days: Figures) -> None:
    """The second day and the last: by then all that is loaded when first needed has been."""
    early, late = days[1], days[-1]
    assert late["memory"] - early["memory"] < 10e6
    assert late["blocks"] < early["blocks"] * 1.02
    # How many connections to AWS are kept open is chance, and here both their ends and the stand-in's threads are
    # counted. A leak would be one for each of thousands of calls.
    assert late["descriptors"] <= early["descriptors"] + 40
    assert late["threads"] <= early["threads"] + 20
    assert all(one["log"] < 100_000 for one in days)


@pytest.mark.parametrize(
    ("name", "factor"), [("memory", 1.5), ("blocks", 1.1), ("descriptors", 2.5), ("threads", 2.5), ("log", 100.0)]
)
def test_growth_is_noticed(name: str, factor: float) -> None:
    day = {"memory": 60_000_000, "blocks": 400_000, "descriptors": 40, "threads": 20, "log": 10_000}
    days = [dict(day) for _ in range(DAYS)]
    level(days)
    days[-1][name] = int(days[-1][name] * factor)
    with pytest.raises(AssertionError):
        level(days)
