"""The fuzzer over every target, 100,000 inputs each (a quarter where each costs most), from the same seed each time.

`python -m fuzz` takes another seed each time.
"""

from __future__ import annotations

import importlib.util
import platform
import sys
from pathlib import Path

import pytest

from fuzz import targets
from fuzz.__main__ import INPUTS, run

SEED = 20261123
# Each of these also goes through botocore, configparser or a socket, which takes minutes; `python -m fuzz` tries all
# 100,000.
FEWER = {"answers": 25_000, "editor": 25_000, "listener": 25_000, "reader": 25_000}
# Seconds for a test, and for its target, which ends before.
LIMIT = 1000
LONGEST = 900


@pytest.fixture
def fuzzer() -> None:
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("other OS: there is atheris for Linux on x86-64 alone")
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("no atheris: run `pip install --group fuzz`")


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("name", targets.NAMES)
@pytest.mark.usefixtures("fuzzer")
def test_no_input_does_harm(tmp_path: Path, name: str) -> None:
    outcome = run(name, FEWER.get(name, INPUTS), SEED, tmp_path, LONGEST)
    inputs = [path.read_bytes() for path in outcome.findings]
    assert not inputs, f"{outcome.output}\nTo be kept in fuzz/cases/{name}: {inputs!r}"
    assert not outcome.output
    assert outcome.executed >= FEWER.get(name, INPUTS)
    assert outcome.coverage > 0
