from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests import sandbox
from tests.machine import ACCOUNT, ROLE, Machine


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    return machine


def served(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "credhelper", "credential-process", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_it_serves_without_a_daemon(machine: Machine) -> None:
    done = served("corp", ACCOUNT, ROLE)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["Version"] == 1
    assert sandbox._daemons(machine.paths.home) == []


def test_failures_go_to_stderr_with_their_exit_code(machine: Machine) -> None:
    done = served("corp", ACCOUNT, "Nope")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    machine.token_file.unlink()
    done = served("corp", ACCOUNT, ROLE)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "credhelper: session corp: not logged in. Run: credhelper login corp\n"


def test_whoever_calls_decides_nothing_about_the_network(machine: Machine) -> None:
    """A proxy and endpoints where nobody listens; the token goes where the settings say."""
    nowhere = "http://127.0.0.1:1"
    machine.standin.settings.role_lifetime = 1800
    done = served(
        "corp",
        ACCOUNT,
        ROLE,
        HTTPS_PROXY=nowhere,
        HTTP_PROXY=nowhere,
        AWS_ENDPOINT_URL_SSO=nowhere,
        AWS_CA_BUNDLE="/nonexistent",
        AWS_PROFILE="none",
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_usage() -> None:
    assert served("corp").returncode == 2
