from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from credhelper.cli import credential_process
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn
from tests import sandbox
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import Processes
from tests.waiting import wait_until


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


def test_warnings_stay_out_of_stderr(machine: Machine) -> None:
    """AWS clients take what is there for part of the answer, or show it as an error."""
    machine.paths.state.mkdir(parents=True, exist_ok=True)
    (machine.paths.state / "configs").write_text(f"{machine.paths.home}\n")
    done = served("corp", ACCOUNT, ROLE)
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_without_a_log_are_silent_about_warnings() -> None:
    script = "import logging, credhelper.aws.world\nlogging.getLogger('credhelper.aws.world').warning('x')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_silence_ends_at_the_deadline(machine: Machine) -> None:
    machine.standin.fault("GetRoleCredentials", Fault.silence())
    done = served("--until", str(time.monotonic()), "--", "corp", ACCOUNT, ROLE)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "credhelper: AWS did not answer in time. Try again\n"


def test_renewal_that_takes_longer_than_the_caller_waits_is_not_lost(machine: Machine) -> None:
    """The old token is spent at AWS; the new one must be written down, whatever the caller was told."""
    before = machine.log_in(expiresAt="2020-01-01T00:00:00Z")
    machine.standin.fault("CreateToken", Fault.slow(1.5))
    done = served("--until", str(time.monotonic() + 1), "--", "corp", ACCOUNT, ROLE)
    assert "did not answer in time" in done.stderr
    wait_until(lambda: "expiresAt" in machine.token() and machine.token()["accessToken"] != before["accessToken"])


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: reads /proc")
def test_secrets_are_in_no_core_dump(machine: Machine, processes: Processes) -> None:
    machine.standin.fault("GetRoleCredentials", Fault.silence())
    process = processes.python(
        "-P", "-m", "credhelper", "credential-process", "corp", ACCOUNT, ROLE, stdout=-1, stderr=-1, text=True
    )
    machine.standin.wait_for("GetRoleCredentials", done=None)
    (child,) = psutil.Process(process.pid).children()
    limits = Path(f"/proc/{child.pid}/limits").read_text()
    assert "Max core file size        0                    0" in limits
    child.kill()
    _, error = process.communicate(timeout=10)
    assert process.returncode == 70
    assert error == "credhelper: the process that asks AWS ended without an answer. Please report it\n"


def test_bug_is_told_in_one_line(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    def fail(tell: object) -> None:
        raise ZeroDivisionError

    status, payload = credential_process._answer_in_time(fail, time.monotonic() + 20)
    assert status == 70
    assert payload.startswith(b"credhelper: this is a bug in credhelper: ZeroDivisionError. Please report it with /")
    assert payload.count(b"\n") == 1


def test_usage() -> None:
    assert served("corp").returncode == 2
