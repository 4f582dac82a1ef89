"""The fuzzer over every target, 100,000 inputs each (a quarter where each costs most), from the same seed each time.

`python -m fuzz` takes another seed each time. The targets share the machine's processors from the first test on; each
test waits for its own.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from fuzz import targets
from fuzz.__main__ import INPUTS, Outcome, run

SEED = 20261123
# Each of these also goes through botocore, configparser or a socket, which takes minutes; `python -m fuzz` tries all
# 100,000.
FEWER = {"answers": 25_000, "editor": 25_000, "listener": 25_000, "reader": 25_000}
# Seconds for a test, the first of which may wait for all targets, and for a target, which ends before.
LIMIT = 1200
LONGEST = 500


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Outcome]]]:
    """The runs of all targets, under way."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        pytest.skip("other OS: there is atheris for Linux on x86-64 alone")
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("no atheris: run `pip install --group fuzz`")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            yield {
                name: pool.submit(run, name, FEWER.get(name, INPUTS), SEED, tmp_path_factory.mktemp(name), LONGEST)
                for name in targets.NAMES
            }
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("name", targets.NAMES)
def test_no_input_does_harm(outcomes: dict[str, Future[Outcome]], name: str) -> None:
    outcome = outcomes[name].result()
    inputs = [path.read_bytes() for path in outcome.findings]
    assert not inputs, f"{outcome.output}\nTo be kept in fuzz/cases/{name}: {inputs!r}"
    assert not outcome.output
    assert outcome.executed >= FEWER.get(name, INPUTS)
    assert outcome.coverage > 0
