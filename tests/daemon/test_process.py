from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from credhelper import client, resources, shell_files
from credhelper.agent import Agent
from credhelper.daemon import process as daemon_process
from credhelper.daemon import singleton
from credhelper.errors import CredhelperError, DaemonUnavailable
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn
from tests import sandbox
from tests.faults.disk import Disk, mounts_are_permitted
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import Processes
from tests.waiting import wait_until

FETCH = "GetRoleCredentials"


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A machine with one session, logged in, and the helper installed."""
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    resources.install_helper(paths)
    return machine


def helper(
    machine: Machine, *, environ: dict[str, str] | None = None, cwd: Path | str = "/", role: str = ROLE
) -> subprocess.CompletedProcess[str]:
    """One call of the helper, as an AWS client makes it."""
    return subprocess.run(
        [str(machine.paths.helper), "corp", ACCOUNT, role],
        env=environ or {"HOME": str(machine.paths.home), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def key_of(done: subprocess.CompletedProcess[str]) -> str:
    assert (done.returncode, done.stderr) == (0, "")
    return str(json.loads(done.stdout)["AccessKeyId"])


def the_daemon(machine: Machine) -> psutil.Process:
    return psutil.Process(Agent(machine.paths).status()["daemon"]["pid"])


def has_ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    output, error = process.communicate(timeout=30)
    return process.returncode, output, error


class HostileServer:
    """Answers nothing, counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._sock.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._sock.accept()
                self.connections += 1
                peer.close()

    def close(self) -> None:
        self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()
        self._thread.join()


@pytest.fixture
def hostile() -> Iterator[HostileServer]:
    server = HostileServer()
    yield server
    server.close()


def hostile_environment(machine: Machine, server: HostileServer) -> dict[str, str]:
    url = server.url
    return {
        "HOME": str(machine.paths.home),
        "PATH": "/nonexistent",
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_SSO": url,
        "AWS_ENDPOINT_URL_SSO_OIDC": url,
        "AWS_PROFILE": "no-such-profile",
        "AWS_ACCESS_KEY_ID": "AKIA",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_CA_BUNDLE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_DATA_PATH": "/nonexistent",
        "SSL_CERT_FILE": "/nonexistent",
        "REQUESTS_CA_BUNDLE": "/nonexistent",
        "PYTHONPATH": "/nonexistent",
        "PYTHONHOME": "/nonexistent",
        **{name: url for base in ("http", "https", "all") for name in (f"{base}_proxy", f"{base}_proxy".upper())},
    }


# --- one daemon, whoever wakes it -----------------------------------------------------------------------------------


@pytest.mark.parametrize("direct", [False, True])
def test_whoever_calls_decides_nothing_about_where_tokens_go(
    machine: Machine, hostile: HostileServer, *, direct: bool
) -> None:
    environ = {**hostile_environment(machine, hostile), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}
    if direct:
        shutil.rmtree(machine.paths.state, ignore_errors=True)
        machine.paths.state.parent.mkdir(parents=True, exist_ok=True)
        machine.paths.state.write_text("a file in place of the folder")
    key_of(helper(machine, environ=environ))
    assert hostile.connections == 0
    assert len(machine.standin.calls(FETCH)) == 1
    if direct:
        assert machine.paths.state.is_file()


def test_callers_of_all_kinds_find_the_same_daemon(machine: Machine, hostile: HostileServer, tmp_path: Path) -> None:
    home, runtime = str(machine.paths.home), os.environ["XDG_RUNTIME_DIR"]
    callers: list[dict[str, str]] = [
        {"HOME": home, "XDG_RUNTIME_DIR": runtime},
        {"HOME": home, "XDG_RUNTIME_DIR": str(tmp_path)},
        {"HOME": home, "XDG_RUNTIME_DIR": "/nonexistent", "LANG": "C"},
        {"HOME": home + "/", "XDG_RUNTIME_DIR": runtime, "TZ": "Asia/Tokyo"},
        {"HOME": home},
        hostile_environment(machine, hostile),
    ]
    keys = {key_of(helper(machine, environ=environ, cwd=tmp_path)) for environ in callers}
    assert len(keys) == 1
    assert len(sandbox._daemons(machine.paths.home)) == 1
    assert hostile.connections == 0
    assert len(machine.standin.calls(FETCH)) == 1


def test_many_helpers_at_once_start_one_daemon(machine: Machine, processes: Processes) -> None:
    machine.let_the_helper_wait()  # who gives up serves itself
    started = [
        processes.start([str(machine.paths.helper), "corp", ACCOUNT, ROLE], stdout=-1, stderr=-1, text=True)
        for _ in range(20)
    ]
    answers = [process.communicate(timeout=30) for process in started]
    assert {error for _, error in answers} == {""}
    assert len({json.loads(output)["AccessKeyId"] for output, _ in answers}) == 1
    assert len(sandbox._daemons(machine.paths.home)) == 1


def test_two_homes_in_one_runtime_folder(machine: Machine, make_standin: type[StandIn], home: Path) -> None:
    other = Machine(Paths(home.parent / "home2"), make_standin())
    other.paths.home.mkdir(mode=0o700)
    other.set_up()
    other.log_in()
    resources.install_helper(other.paths)
    try:
        keys = {}
        for _ in range(2):
            for one in (machine, other):
                keys[key_of(helper(one))] = one
        assert len(keys) == 2
        for one in (machine, other):
            assert len(one.standin.calls(FETCH)) == 1
            assert len(sandbox._daemons(one.paths.home)) == 1
            assert Agent(one.paths, {**os.environ, "HOME": str(one.paths.home)}).running()
        assert the_daemon(machine).pid != Agent(other.paths).status()["daemon"]["pid"]
    finally:
        wrong = sandbox.end_daemon(other.paths)
    assert not wrong


# --- what the process is like ---------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: reads /proc")
def test_the_process_inherits_nothing(machine: Machine, hostile: HostileServer) -> None:
    environ = {**hostile_environment(machine, hostile), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}
    key_of(helper(machine, environ=environ, cwd=machine.paths.home))
    daemon = the_daemon(machine)
    environ = daemon.environ()
    allowed = {name.decode() for name in client.DAEMON_ENVIRONMENT} | {"PATH"}
    assert set(environ) <= allowed
    assert environ["PATH"] == client.DAEMON_PATH.decode()
    assert daemon.cwd() == "/"
    assert daemon.ppid() != os.getpid()
    assert daemon.terminal() is None
    assert os.getsid(daemon.pid) != os.getsid(0)
    links = {}
    for entry in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            links[int(entry.name)] = str(entry.readlink())
    assert [links.pop(number) for number in range(3)] == ["/dev/null"] * 3
    own = ("socket:", "anon_inode:", "pipe:", str(machine.paths.state))
    assert all(target.startswith(own) for target in links.values()), links
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    assert "Umask:\t0077" in status
    assert "Max core file size        0                    0" in Path(f"/proc/{daemon.pid}/limits").read_text()
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[0] >= min(
        16384, resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: prctl")
def test_the_process_cannot_be_dumped() -> None:
    script = (
        "from credhelper.daemon.process import harden\nimport ctypes\nharden()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n"


def test_files_are_private(machine: Machine) -> None:
    before = os.umask(0)
    try:
        key_of(helper(machine))
    finally:
        os.umask(before)
    top = machine.paths.home / ".local"
    for path in (*top.rglob("*"), *Path(os.environ["XDG_RUNTIME_DIR"]).rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        wanted = 0o700 if path.is_dir() or path == machine.paths.helper else 0o600
        # `__pycache__` was made by this process before; the helper's code is no secret. A link has no mode.
        if "__pycache__" not in path.parts and not path.is_symlink():
            assert mode == wanted, (path, oct(mode))


def test_log_holds_no_secret_and_says_who_is_there(machine: Machine) -> None:
    key_of(helper(machine))
    machine.standin.revoke_sessions()
    assert helper(machine, role="AWSReadOnlyAccess").returncode == 3
    text = machine.paths.log.read_text()
    assert f"pid {the_daemon(machine).pid}" in text
    assert "not renewed: AWS has ended the session" in text
    assert not [secret for secret in machine.standin.secrets() if secret in text]


def test_idle_process_sleeps(machine: Machine) -> None:
    """Thread by thread: what the kernel counts as having waited and been woken."""
    key_of(helper(machine))
    daemon = the_daemon(machine)

    def woken() -> int:
        total = 0
        for task in Path(f"/proc/{daemon.pid}/task").iterdir():
            with contextlib.suppress(OSError):
                lines = (task / "status").read_text().splitlines()
                total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt"))
        return total

    time.sleep(1)
    before, cpu = woken(), sum(daemon.cpu_times()[:2])
    time.sleep(3)
    assert woken() - before <= 3
    assert sum(daemon.cpu_times()[:2]) - cpu <= 0.05


# --- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("silence", [False, True])
def test_sigterm_ends_it_cleanly(machine: Machine, processes: Processes, *, silence: bool) -> None:
    key_of(helper(machine))
    daemon = the_daemon(machine)
    address = Path(machine.paths.address_record.read_text().strip())
    caller = None
    if silence:
        machine.let_the_helper_wait()
        machine.standin.fault(FETCH, Fault.silence(), times=1)
        caller = processes.start(
            [str(machine.paths.helper), "corp", ACCOUNT, "AWSReadOnlyAccess"], stdout=-1, stderr=-1, text=True
        )
        machine.standin.wait_for(FETCH, 2, done=None)
    daemon.terminate()
    # A call to AWS that hangs for ten seconds keeps the process from nothing.
    wait_until(lambda: has_ended(daemon), 4, "the process to end")
    assert "stopped" in machine.paths.log.read_text()
    if caller is not None:
        # It was cut off, and has asked the next daemon.
        key_of(subprocess.CompletedProcess([], *finished(caller)))
        assert the_daemon(machine).pid != daemon.pid
        return
    assert not address.exists()
    assert not machine.paths.address_record.exists()
    assert singleton.is_free(machine.paths)


def test_killed_daemon_is_followed_by_another(machine: Machine) -> None:
    first = key_of(helper(machine))
    daemon = the_daemon(machine)
    daemon.kill()
    wait_until(lambda: has_ended(daemon))
    assert machine.paths.address_record.exists()
    assert key_of(helper(machine)) != first
    assert the_daemon(machine).pid != daemon.pid


def test_end_and_beginning_overlap(machine: Machine) -> None:
    """A daemon that waits for its last callers no longer listens, but has the lock for a second yet."""
    key_of(helper(machine))
    agent = Agent(machine.paths)
    for _ in range(2):
        with agent.login_lease("corp"):  # keeps its connection open
            agent.call("stop")
            wait_until(lambda: not agent.running())
            agent.start()
        assert agent.running()
    assert key_of(helper(machine))


def test_signal_drops_secrets(machine: Machine) -> None:
    first = key_of(helper(machine))
    the_daemon(machine).send_signal(signal.SIGUSR1)
    wait_until(lambda: "forgot 1 role credentials" in machine.paths.log.read_text())
    assert key_of(helper(machine)) != first


def test_hangup_means_look_again(machine: Machine) -> None:
    key_of(helper(machine))
    daemon = the_daemon(machine)
    machine.write_settings("wait_for_login = 'x'")
    daemon.send_signal(signal.SIGHUP)
    wait_until(lambda: "the settings read before stay in force" in machine.paths.log.read_text())
    assert key_of(helper(machine))


# --- socket activation ----------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: systemd")
def test_socket_activation(machine: Machine, processes: Processes, runtime_folder: Path) -> None:
    activator = shutil.which("systemd-socket-activate")
    if activator is None:
        pytest.skip("other OS: no systemd")
    folder = runtime_folder / "credhelper"
    folder.mkdir(mode=0o700)
    address = folder / "agent.sock"
    processes.start(
        [
            activator,
            f"--listen={address}",
            *(f"--setenv={name}={os.environ[name]}" for name in ("HOME", "XDG_RUNTIME_DIR")),
            sys.executable,
            "-P",
            "-m",
            "credhelper",
            "daemon",
            "run",
        ],
        stderr=-1,
    )
    wait_until(address.exists)
    started = time.monotonic()
    key_of(helper(machine))
    assert time.monotonic() - started < 5
    assert the_daemon(machine).ppid() == os.getpid()
    assert machine.paths.address_record.read_text() == f"{address}\n"
    inode = address.lstat().st_ino
    Agent(machine.paths).call("stop")
    wait_until(lambda: singleton.is_free(machine.paths))
    assert address.lstat().st_ino == inode  # the service manager's, for the next start


# --- starting -------------------------------------------------------------------------------------------------------


def test_why_it_cannot_start_reaches_the_caller(paths: Paths) -> None:
    paths.state.mkdir(parents=True)
    paths.log.mkdir()
    with pytest.raises(Exception, match=r"daemon\.log cannot be written"):
        Agent(paths).start()


@pytest.fixture
def unwritable_state(machine: Machine) -> Iterator[Path]:
    """The state folder cannot be written: for root a read-only disk, for others their own refusal."""
    state = machine.paths.state
    state.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        state.chmod(0o500)
        yield state
        state.chmod(0o700)
        return
    if not mounts_are_permitted():
        pytest.skip("this root may not mount a disk")
    disk = Disk()
    with disk.read_only(state):
        yield state
    disk.close()


def test_daemon_starts_where_its_state_cannot_be_written(
    machine: Machine, unwritable_state: Path, processes: Processes
) -> None:
    machine.let_the_helper_wait()
    started = [
        processes.start([str(machine.paths.helper), "corp", ACCOUNT, ROLE], stdout=-1, stderr=-1, text=True)
        for _ in range(5)
    ]
    answers = [process.communicate(timeout=60) for process in started]
    assert {error for _, error in answers} == {""}
    assert len(sandbox._daemons(machine.paths.home)) == 1
    assert len(machine.standin.calls(FETCH)) == 1
    daemon = the_daemon(machine)
    assert not list(unwritable_state.glob("daemon*"))
    assert not singleton.is_free(machine.paths)
    Agent(machine.paths).start()
    assert the_daemon(machine) == daemon
    Agent(machine.paths).call("stop")
    wait_until(lambda: singleton.is_free(machine.paths))


def test_lock_held_by_something_that_does_not_answer(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(daemon_process, "_NEIGHBOUR_WITHIN", 0.1)
    for name in ("harden", "make_room", "reset_signals", "start_log"):
        monkeypatch.setattr(daemon_process, name, lambda *_, **__: None)
    lock = singleton.Singleton(paths)
    assert lock.acquire()
    read, write = os.pipe()
    with pytest.raises(Exception, match="cannot be reached"):
        daemon_process.run(paths, os.environ, ready_fd=write, foreground=False)
    assert b"cannot be reached" in os.read(read, 1000)
    os.close(read)
    lock.release()


@pytest.fixture
def unreachable(machine: Machine) -> Iterator[None]:
    """A daemon in a container that shares the home folder and the kernel, but not the folder of the socket."""
    lock = singleton.Singleton(machine.paths)
    assert lock.acquire()
    lock.publish("/run/elsewhere/credhelper/agent.sock")
    yield
    lock.release()


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("case", ["served", "logged out", "silence"])
def test_daemon_that_nobody_can_reach_costs_no_call_its_answer(machine: Machine, case: str) -> None:
    """In less than the five seconds that the contract gives a helper."""
    if case == "logged out":
        machine.token_file.unlink()
    elif case == "silence":
        machine.standin.fault(FETCH, Fault.silence())
    began = time.monotonic()
    done = helper(machine)
    assert time.monotonic() - began < 5
    if case == "served":
        key_of(done)
    elif case == "logged out":
        assert (done.returncode, done.stdout) == (3, "")
        assert done.stderr == "credhelper: session corp: not logged in. Run: credhelper login corp\n"
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "credhelper: AWS did not answer in time. Try again\n"
    # The daemon that was started in vain says so at once and ends.
    wait_until(lambda: not sandbox._daemons(machine.paths.home))


@pytest.mark.usefixtures("unreachable")
def test_person_is_told_of_a_daemon_that_nobody_can_reach(paths: Paths) -> None:
    with pytest.raises(DaemonUnavailable, match="cannot be reached"):
        Agent(paths)._ask(b"ping", {}, 3.0, start=True)


def test_neighbour_that_is_just_starting_is_waited_for(paths: Paths) -> None:
    """It has the lock and no address yet; one that a killed daemon left behind is not taken for its own."""
    paths.state.mkdir(parents=True)
    paths.address_record.write_text("/run/elsewhere/agent.sock\n")
    lock = singleton.Singleton(paths)
    assert lock.acquire()
    a_second_ago = time.monotonic() - 1
    assert not daemon_process._neighbour_answers(paths, os.environ, a_second_ago, 0.3)
    lock.publish("/run/elsewhere/agent.sock")
    with pytest.raises(CredhelperError, match="cannot be reached"):
        daemon_process._neighbour_answers(paths, os.environ, a_second_ago, 0.3)
    assert not daemon_process._neighbour_answers(paths, os.environ, a_second_ago, 60)
    lock.release()


INHERIT = """
import os, resource, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGHUP, signal.SIGALRM):
    signal.signal(number, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_CPU, (50000, resource.getrlimit(resource.RLIMIT_CPU)[1]))
os.nice(5)
os.execv(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: reads /proc")
def test_the_process_inherits_no_signals_limits_or_priority(machine: Machine) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INHERIT, str(machine.paths.helper), "corp", ACCOUNT, ROLE],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    key_of(done)
    daemon = the_daemon(machine)
    lines = (line.split(":\t") for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines())
    status = {name: value for name, value in lines if name.startswith("Sig")}
    assert int(status["SigBlk"], 16) == 0
    ignored = {number for number in signal.valid_signals() if int(status["SigIgn"], 16) >> (number - 1) & 1}
    assert ignored == {signal.SIGPIPE, signal.SIGXFSZ}
    soft, hard = resource.prlimit(daemon.pid, resource.RLIMIT_CPU)
    assert soft == hard
    assert os.geteuid() != 0 or daemon.nice() == os.getpriority(os.PRIO_PROCESS, 0)
    daemon.terminate()
    wait_until(lambda: has_ended(daemon), what="the process to end")


def test_asyncio_s_errors_are_in_the_log(paths: Paths) -> None:
    script = (
        "import asyncio, logging; from pathlib import Path; from credhelper.paths import Paths\n"
        "from credhelper.daemon.process import start_log\n"
        f"start_log(Paths(Path({str(paths.home)!r})), foreground=False)\n"
        "logging.getLogger('asyncio').error('Task exception was never retrieved')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "ERROR Task exception was never retrieved" in paths.log.read_text()


def test_names_add_no_lines_to_the_log(paths: Paths) -> None:
    """Nor are lines lost that no encoding holds."""
    name = "a\n2026-01-01T00:00:00Z INFO forged\x1b[2J\udcff"
    script = (
        "import logging; from pathlib import Path; from credhelper.paths import Paths\n"
        "from credhelper.daemon.process import start_log\n"
        f"start_log(Paths(Path({str(paths.home)!r})), foreground=False)\n"
        f"logging.getLogger('credhelper.daemon.keeper').info('session %s: logged out', {name!r})\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
    (line,) = paths.log.read_text().splitlines()
    assert line.endswith(r" INFO session a\n2026-01-01T00:00:00Z INFO forged\x1b[2J\udcff: logged out")


@pytest.mark.parametrize("read", [False, True])
def test_fifo_in_the_log_s_place_is_named_and_not_waited_at(paths: Paths, read: bool) -> None:
    paths.state.mkdir(parents=True)
    os.mkfifo(paths.log)
    reader = os.open(paths.log, os.O_RDONLY | os.O_NONBLOCK) if read else None
    try:
        with pytest.raises(CredhelperError, match=r"daemon\.log"):
            daemon_process.start_log(paths, foreground=False)
    finally:
        if reader is not None:
            os.close(reader)
        paths.log.unlink()


def test_helper_of_another_installation_is_left_alone(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = machine.paths.helper.read_bytes()
    theirs = ours.replace(b"'-P'", b"'-s', '-P'").replace(b"# credhelper", b"# an older credhelper")
    machine.paths.helper.write_bytes(theirs)
    daemon_process._keep_files_current(machine.paths)
    assert machine.paths.helper.read_bytes() == theirs
    gone = theirs.replace(repr(sys.executable).encode(), b"'/nonexistent/python'")
    for mine_to_mend in (gone, ours.replace(b"# credhelper", b"# an older credhelper"), b"#!/bin/false\n"):
        machine.paths.helper.write_bytes(mine_to_mend)
        daemon_process._keep_files_current(machine.paths)
        assert machine.paths.helper.read_bytes() == ours
    for missing in (machine.paths.helper, machine.paths.data / "lib" / "credhelper_client.py"):
        missing.unlink()
        daemon_process._keep_files_current(machine.paths)
        assert machine.paths.helper.read_bytes() == ours
        assert missing.exists()
    machine.paths.helper.unlink()
    machine.config.write_text("[default]\n")
    daemon_process._keep_files_current(machine.paths)
    assert not machine.paths.helper.exists()  # nobody misses it


def test_shell_files_are_kept_current(paths: Paths) -> None:
    shell_files.install(paths, "zsh")
    path = shell_files.installed_file(paths, "zsh")
    current = path.read_bytes()
    path.write_bytes(current.replace(b"#", b"# of an older version:", 1))
    Agent(paths).start()
    wait_until(lambda: path.read_bytes() == current, 20, "the shell file of this version")
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]  # the others were never asked for


def test_another_user_s_home_is_left_alone(paths: Paths) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give the folder away")
    os.chown(paths.home, 65534, 65534)
    try:
        with pytest.raises(Exception, match="belongs to another user"):
            daemon_process.run(paths, os.environ, ready_fd=None, foreground=False)
        assert list(paths.home.iterdir()) == []
    finally:
        os.chown(paths.home, 0, 0)


def test_log_is_kept_small(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon_process, "_LOG_SIZE", 1000)
    root, other = logging.getLogger("credhelper"), logging.getLogger("asyncio")
    handlers, level, raising = list(root.handlers), root.level, logging.raiseExceptions
    before = os.umask(0o077)
    try:
        daemon_process.start_log(paths, foreground=False)
        for number in range(100):
            root.info("line %d, which is not very long", number)
        names = sorted(path.name for path in paths.state.glob("daemon.log*"))
        assert names == ["daemon.log", "daemon.log.1"]
        assert all(path.stat().st_size <= 1100 for path in paths.state.glob("daemon.log*"))
        assert "line 99" in paths.log.read_text()
    finally:
        os.umask(before)
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)
            other.removeHandler(handler)
            handler.close()
        root.setLevel(level)
        logging.raiseExceptions = raising
