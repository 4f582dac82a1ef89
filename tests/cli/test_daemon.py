from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from credhelper import __version__
from credhelper.agent import Agent
from credhelper.cli import daemon as daemon_command
from credhelper.daemon import singleton
from credhelper.errors import CredhelperError, DaemonUnavailable
from credhelper.paths import Paths
from tests.support import Processes
from tests.waiting import wait_until


def credhelper(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "credhelper", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )


def test_start_status_restart_stop(paths: Paths) -> None:
    status = credhelper("daemon", "status")
    assert status.returncode == 1
    assert "does not run" in status.stderr
    assert "credhelper daemon start" in status.stderr

    for _ in range(2):
        started = credhelper("daemon", "start")
        assert (started.returncode, started.stdout, started.stderr) == (0, "The daemon is running.\n", "")
    pid = Agent(paths).status()["daemon"]["pid"]

    status = credhelper("daemon", "status")
    assert (status.returncode, status.stderr) == (0, "")
    assert f"credhelper {__version__} runs as process {pid}" in status.stdout
    assert "0 credentials handed out, 0 fetched from AWS, 0 tokens renewed" in status.stdout

    assert credhelper("daemon", "restart").returncode == 0
    assert Agent(paths).status()["daemon"]["pid"] != pid

    stopped = credhelper("daemon", "stop")
    assert (stopped.returncode, stopped.stdout) == (0, "The daemon has stopped.\n")
    assert singleton.is_free(paths)
    again = credhelper("daemon", "stop")
    assert (again.returncode, again.stdout) == (0, "The daemon was not running.\n")


def test_restart_starts_what_was_not_running(paths: Paths) -> None:
    assert credhelper("daemon", "restart").returncode == 0
    assert Agent(paths).running()


def test_status_json(paths: Paths) -> None:
    status = credhelper("daemon", "status", "--json")
    assert status.returncode == 1
    assert json.loads(status.stdout) == {"running": False, "pid": None, "version": None, "socket": None}
    Agent(paths).start()
    status = credhelper("daemon", "status", "--json")
    assert status.returncode == 0
    answer = json.loads(status.stdout)
    assert answer["running"] is True
    assert answer["socket"].startswith(os.environ["XDG_RUNTIME_DIR"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_in_the_foreground(paths: Paths, processes: Processes, number: signal.Signals) -> None:
    process = processes.python("-P", "-m", "credhelper", "daemon", "run", stdout=-1, stderr=-1, text=True)
    wait_until(Agent(paths).running, what="the daemon")
    second = credhelper("daemon", "run")
    assert second.returncode == 1
    assert "already running" in second.stderr
    process.send_signal(number)
    output, error = process.communicate(timeout=10)
    assert process.returncode == 0
    assert output == ""
    assert "listens at" in error
    assert "stopped" in error


def test_run_without_a_home_says_why(home: Path) -> None:
    done = credhelper("daemon", "run", HOME="relative")
    assert done.returncode == 1
    assert "HOME is not set to an absolute path" in done.stderr


def test_start_that_fails_says_why(paths: Paths, runtime_folder: Path) -> None:
    (runtime_folder / "credhelper").mkdir()
    (runtime_folder / "credhelper").chmod(0o777)
    done = credhelper("daemon", "start")
    assert done.returncode == 1
    assert "not this user's alone" in done.stderr


def test_start_records_the_person_s_network(paths: Paths) -> None:
    assert credhelper("daemon", "start", HTTPS_PROXY="http://proxy:1").returncode == 0
    assert json.loads((paths.state / "network.json").read_bytes())["proxies"] == {"https": "http://proxy:1"}
    assert "HTTPS_PROXY" not in psutil.Process(Agent(paths).status()["daemon"]["pid"]).environ()


def test_stop_of_what_does_not_stop(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = singleton.Singleton(paths)
    assert lock.acquire()
    monkeypatch.setattr(Agent, "call", lambda *_: b"")
    with pytest.raises(CredhelperError, match="does not stop"):
        daemon_command._stop(paths, timeout=0.1)
    lock.release()
    assert daemon_command._stop(paths)


def test_long_end_is_explained(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Agent, "call", lambda *_: b"")
    monkeypatch.setattr(daemon_command, "_TELL_AFTER", 0.0)
    looks = iter([False, False, False, True])
    monkeypatch.setattr(singleton, "is_free", lambda _: next(looks))
    assert daemon_command._stop(paths)
    assert capsys.readouterr().err == "Waiting for a renewal to finish …\n"


def test_stop_of_what_cannot_be_used(paths: Paths, runtime_folder: Path) -> None:
    (runtime_folder / "credhelper").mkdir()
    (runtime_folder / "credhelper").chmod(0o777)
    with pytest.raises(DaemonUnavailable, match="not this user's alone"):
        daemon_command._stop(paths)
