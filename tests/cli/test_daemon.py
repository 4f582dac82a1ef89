from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
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


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_proxy_that_cannot_be_one(paths: Paths, daemon: Agent, verb: str) -> None:
    pid = daemon.status()["daemon"]["pid"]
    done = credhelper("daemon", verb, HTTPS_PROXY="http://u:secretpw@:x")
    assert done.returncode == 1
    assert "HTTPS_PROXY is no address of an HTTP proxy" in done.stderr
    assert "secretpw" not in done.stderr
    assert daemon.status()["daemon"]["pid"] == pid
    assert not (paths.state / "network.json").exists()


def test_proxy_that_nobody_needs_stops_nothing(paths: Paths) -> None:
    done = credhelper("daemon", "start", HTTPS_PROXY="http://proxy:1", http_proxy="socks5://u:secretpw@p:1080")
    assert (done.returncode, done.stdout) == (0, "The daemon is running.\n")
    assert done.stderr == "credhelper: http_proxy is no address of an HTTP proxy; it is left out\n"
    assert json.loads((paths.state / "network.json").read_bytes())["proxies"] == {"https": "http://proxy:1"}


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_missing_helper_is_brought_back(paths: Paths, daemon: Agent, verb: str) -> None:
    assert credhelper("daemon", verb).stderr == ""
    assert not paths.helper.exists()  # no profile is enabled
    (paths.aws).mkdir()
    (paths.aws / "config").write_text(f"[profile dev]\ncredential_process = {paths.helper} corp 1 role\n")
    done = credhelper("daemon", verb)
    assert (done.returncode, done.stdout) == (0, "The daemon is running.\n")
    assert done.stderr == f"The helper was missing and is in place again: {paths.helper}\n"
    assert os.access(paths.helper, os.X_OK)
    assert credhelper("daemon", verb).stderr == ""


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


def test_successor_that_takes_the_lock_at_once(paths: Paths, daemon: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    process = psutil.Process(daemon.status()["daemon"]["pid"])
    monkeypatch.setattr(singleton, "is_free", lambda _: False)
    monkeypatch.setattr(daemon_command, "_kill", lambda *_: pytest.fail("it has ended by itself"))
    assert daemon_command._stop(paths)
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_stop_of_what_cannot_be_used(paths: Paths, runtime_folder: Path) -> None:
    (runtime_folder / "credhelper").mkdir()
    (runtime_folder / "credhelper").chmod(0o777)
    with pytest.raises(DaemonUnavailable, match="not this user's alone"):
        daemon_command._stop(paths)


# --- one that does not answer ---------------------------------------------------------------------------------------


@pytest.fixture
def stopped(paths: Paths) -> Iterator[psutil.Process]:
    """A daemon that a signal has stopped."""
    Agent(paths).start()
    process = psutil.Process(Agent(paths).status()["daemon"]["pid"])
    process.suspend()
    yield process
    with contextlib.suppress(psutil.Error):
        process.resume()


def test_status_names_the_process_that_hangs(stopped: psutil.Process) -> None:
    status = credhelper("daemon", "status")
    assert status.returncode == 1
    assert f"did not answer in time (process {stopped.pid})" in status.stderr


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_daemon_that_hangs_is_ended(paths: Paths, stopped: psutil.Process, verb: str) -> None:
    done = credhelper("daemon", verb)
    assert done.returncode == 0
    assert done.stderr == (
        f"The daemon (process {stopped.pid}) does not answer; it is told to end by a signal …\nIt has ended.\n"
    )
    wait_until(lambda: not stopped.is_running() or stopped.status() == psutil.STATUS_ZOMBIE)
    assert Agent(paths).running() == (verb == "restart")
    assert "stopped" in paths.log.read_text()  # by itself, once it could


def test_daemon_that_heeds_no_signal_is_killed(
    paths: Paths, processes: Processes, runtime_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One in an endless loop, say."""
    deaf = """
import fcntl, os, signal, socket, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.makedirs(os.path.dirname(sys.argv[4]), exist_ok=True)
lock = os.open(sys.argv[4], os.O_RDWR | os.O_CREAT, 0o600)
fcntl.flock(lock, fcntl.LOCK_EX)
sock = socket.socket(socket.AF_UNIX)
sock.bind(sys.argv[5])
sock.listen()
print("ready", flush=True)
time.sleep(60)
"""
    address = runtime_folder / "credhelper" / "agent.sock"
    address.parent.mkdir(mode=0o700)
    words = ["credhelper", "daemon", "run", str(paths.daemon_lock), str(address)]
    process = processes.python("-c", deaf, *words, stdout=-1)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    assert daemon_command._stop(paths, timeout=0.2)
    assert process.wait(10) == -signal.SIGKILL
    assert f"The daemon (process {process.pid}) does not heed that either; it is killed.\n" in capsys.readouterr().err


def test_daemon_of_the_installed_program_that_hangs_is_ended(paths: Paths, processes: Processes) -> None:
    """Its command line is that of the script, not that of the module."""
    program = Path(sysconfig.get_path("scripts")) / "credhelper"
    started = processes.start([str(program), "daemon", "run"], stderr=subprocess.DEVNULL)
    wait_until(Agent(paths).running, what="the daemon")
    started.send_signal(signal.SIGSTOP)
    process = daemon_command._process(paths, Agent(paths))
    assert process is not None
    assert process.pid == started.pid
    daemon_command._end(paths, process, timeout=20)
    assert started.wait(10) == 0


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("python -P -m credhelper daemon run --ready-fd 3", True),
        ("python /home/a/.local/bin/credhelper daemon run", True),
        ("python credhelper -m credhelper daemon run", True),
        ("python -m credhelper daemon status", False),
        ("vi credhelper daemon", False),
        ("other daemon run", False),
        ("", False),
    ],
)
def test_command_lines_of_a_daemon(line: str, *, ours: bool) -> None:
    assert daemon_command._is_our_command(line.split()) is ours


def test_lock_of_a_daemon_that_cannot_be_reached(paths: Paths, capsys: pytest.CaptureFixture[str]) -> None:
    lock = singleton.Singleton(paths)
    assert lock.acquire()
    with pytest.raises(DaemonUnavailable, match=r"holds the lock .* and cannot be reached") as caught:
        daemon_command._stop(paths, timeout=0.1)
    assert "pgrep" in (caught.value.remedy or "")
    lock.release()
    assert not daemon_command._stop(paths)
    assert capsys.readouterr().err == ""


def test_daemon_that_is_ending_is_waited_for(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody listens any more, and the lock is still held for a while."""
    monkeypatch.setattr(daemon_command, "_TELL_AFTER", 0.0)
    looks = iter([False, False, False, True])
    monkeypatch.setattr(singleton, "is_free", lambda _: next(looks))
    assert not daemon_command._stop(paths)
    assert capsys.readouterr().err == "Waiting for a daemon that is starting or ending …\n"


@pytest.mark.parametrize("readable", [True, False])
def test_daemon_of_another_home_is_left_alone(
    paths: Paths, daemon: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, readable: bool
) -> None:
    """It listens where the rule says; ours holds its lock, and its record is gone."""
    if not readable:
        monkeypatch.setattr(psutil.Process, "environ", denied)
    assert daemon_command._process(paths, daemon) is not None
    other = tmp_path / "other"
    other.mkdir()
    theirs = Paths(home=other)
    lock = singleton.Singleton(theirs)
    assert lock.acquire()
    assert Agent(theirs).listening_process() == daemon.listening_process()
    assert daemon_command._process(theirs, Agent(theirs)) is None
    lock.publish(str(tmp_path / "run" / "agent.sock"))  # where nobody is
    assert Agent(theirs).listening_process() is None
    lock.release()


def denied(process: psutil.Process) -> dict[str, str]:
    """As the kernel answers who is not root."""
    raise psutil.AccessDenied(process.pid)


def test_process_that_is_no_daemon_is_left_alone(paths: Paths, runtime_folder: Path) -> None:
    """This one: it has the lock and listens, and does not run our command."""
    address = runtime_folder / "credhelper" / "agent.sock"
    address.parent.mkdir(mode=0o700)
    lock = singleton.Singleton(paths)
    assert lock.acquire()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(address))
        sock.listen()
        assert Agent(paths).listening_process() == os.getpid()
        assert daemon_command._process(paths, Agent(paths)) is None
    lock.release()
