"""Every input that once did harm, and those that the fuzzer begins with. No fuzzer is needed for them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuzz import targets
from tests.sandbox import PROJECT


@pytest.mark.parametrize("name", targets.NAMES)
def test_inputs_that_once_did_harm(name: str, tmp_path: Path) -> None:
    for number, seed in enumerate(targets.load(name).seeds()):
        (tmp_path / f"seed-{number}").write_bytes(seed)
    inputs = [*targets.cases(name), *sorted(tmp_path.iterdir())]
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    # In a process of its own: a target has its own event loop, home folder and log.
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", name, "--replay", *map(str, inputs)],
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.count("nothing wrong") == len(inputs), done.stdout[-300:] + done.stderr
    assert done.returncode == 0


def test_there_are_cases_of_what_was_found() -> None:
    assert {name for name in targets.NAMES if targets.cases(name)} >= {"editor", "listener", "reader", "tokens"}


def test_an_input_that_does_harm_is_told_of(tmp_path: Path) -> None:
    """The replay itself, with a target whose fault is the test's own."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"x")
    code = (
        "import sys; from unittest import mock; from fuzz import __main__, targets\n"
        "def fail(data): raise AssertionError('found it')\n"
        f"sys.argv = ['fuzz', 'tokens', '--replay', {str(bad)!r}]\n"
        "with mock.patch.object(targets.load('tokens'), 'one', fail): sys.exit(__main__.main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert "found it" in done.stderr
