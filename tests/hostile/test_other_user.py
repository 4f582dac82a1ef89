"""Other users of the machine get nothing, by the modes of folders and by the kernel's word on who is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from credhelper import client, resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests import sandbox
from tests.hostile.strangers import NOBODY, Planted, need_root, run, script
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import Processes
from tests.waiting import wait_until

_ARGUMENTS = ["corp", ACCOUNT, ROLE]


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A machine with one session, logged in, on which the folders above ours are open, as they often are."""
    need_root()
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    resources.install_helper(paths)
    return machine


def open_up(*folders: Path) -> None:
    for folder in folders:
        folder.chmod(0o755)


def open_home(paths: Paths) -> None:
    """A home folder with the modes that many systems give."""
    local = paths.home / ".local"
    open_up(paths.home.parent, paths.home, local, local / "share", local / "state")


def helper(machine: Machine, **environ: str) -> subprocess.CompletedProcess[str]:
    known = {"HOME": str(machine.paths.home), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}
    return subprocess.run(
        [str(machine.paths.helper), *_ARGUMENTS],
        env={**known, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "credhelper", *arguments],
        env={**os.environ, **environ, "PYTHONPATH": str(sandbox.PROJECT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def served(machine: Machine) -> None:
    done = helper(machine)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["Version"] == 1


def requests(machine: Machine) -> list[str]:
    """Everything that can be asked, in hex."""
    named = {b"home": os.fsencode(machine.paths.home), b"session": b"corp", b"key": b"corp"}
    named |= {b"account": ACCOUNT.encode(), b"role": ROLE.encode()}
    session = machine.session
    named |= {b"name": b"corp", b"start_url": session.start_url.encode(), b"region": session.region.encode()}
    named |= {b"scopes": b"", b"legacy": b"no"}
    verbs = (
        b"credentials",
        b"status",
        b"accounts",
        b"login-lease",
        b"forget",
        b"reload",
        b"ping",
        b"stop",
        b"nonsense",
    )
    return [client.encode_request(verb, named).hex() for verb in verbs]


# --- they come to the daemon ----------------------------------------------------------------------------------------

_WALK = """
opened = []
for top in argument["tops"]:
    for folder, names, files in os.walk(top):
        for name in [*names, *files]:
            path = os.path.join(folder, name)
            try:
                os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
                opened.append(path)
            except OSError:
                pass
refused = {}
for what, flags in argument["places"].items():
    try:
        os.close(os.open(what, flags))
        refused[what] = "opened"
    except OSError as error:
        refused[what] = error.strerror
sock = socket.socket(socket.AF_UNIX)
try:
    sock.connect(argument["socket"])
    refused["connect"] = "connected"
except OSError as error:
    refused["connect"] = error.strerror
tell({"opened": opened, "refused": refused})
"""


def test_folders_keep_them_out(machine: Machine, processes: Processes, runtime_folder: Path) -> None:
    """They neither connect, nor read or lock anything, whatever the folders above ours are open to."""
    served(machine)
    paths = machine.paths
    open_home(paths)
    open_up(runtime_folder)
    address = runtime_folder / "credhelper" / "agent.sock"
    assert address.is_socket()
    places = [
        address.parent,
        paths.state,
        paths.daemon_lock,
        paths.address_record,
        paths.log,
        paths.state / "start.lock",
        paths.data,
        paths.helper,
        machine.token_file,
    ]
    for place in places:
        assert place.exists(), place
    tell = run(
        processes,
        _WALK,
        {
            "tops": [str(paths.home), str(runtime_folder)],
            "places": {str(place): os.O_RDONLY for place in places},
            "socket": str(address),
        },
    )
    assert set(tell["refused"].values()) == {"Permission denied"}
    assert len(tell["refused"]) == len(places) + 1
    # What the AWS CLI and people make themselves is their own business; ours is closed.
    ours = [path for path in tell["opened"] if "credhelper" in path.removeprefix(str(paths.home))]
    assert ours == [str(paths.settings.parent), str(paths.settings)], "only what this test wrote itself may be open"
    assert not [path for path in tell["opened"] if path.endswith(".json")]


_ASK = """
answers = []
for request in argument["requests"]:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(argument["socket"])
    got = b""
    try:
        sock.sendall(bytes.fromhex(request))
        while part := sock.recv(65536):
            got += part
    except ConnectionError:
        pass
    sock.close()
    answers.append(got.hex())
tell(answers)
"""

_SIT = """
sitting = []
for _ in range(argument["count"]):
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(argument["socket"])
    sitting.append(sock)
over = 0
for sock in sitting:
    try:
        over += sock.recv(1) == b""
    except ConnectionError:
        over += 1
tell(over)
sys.stdin.read()
"""


def test_daemon_turns_them_away_behind_open_folders(
    machine: Machine, processes: Processes, runtime_folder: Path
) -> None:
    """With the folder opened up, the kernel's word on the peer remains: not one byte, no lock, no lease, no call."""
    served(machine)
    address = runtime_folder / "credhelper" / "agent.sock"
    daemon = psutil.Process(Agent(machine.paths).status()["daemon"]["pid"])
    upstream, log = len(machine.standin.calls()), machine.paths.log.read_text()
    open_up(runtime_folder.parent, runtime_folder, address.parent)
    address.chmod(0o777)
    descriptors = daemon.num_fds()
    argument = {"socket": str(address), "requests": requests(machine)}
    assert run(processes, _ASK, argument) == [""] * len(argument["requests"])
    sitting = processes.python(
        *script(_SIT, {"socket": str(address), "count": 300}),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert sitting.stdout is not None
    assert sitting.stdin is not None
    assert sitting.stdout.readline() == "300\n"  # each was hung up on, while the stranger keeps its ends open
    wait_until(lambda: daemon.num_fds() <= descriptors, what="the daemon to let go of them")
    assert daemon.is_running()
    address.parent.chmod(0o700)
    served(machine)
    with Agent(machine.paths).login_lease(machine.token_file.stem) as granted:
        assert granted
    sitting.stdin.close()
    assert sitting.wait(20) == 0
    assert len(machine.standin.calls()) == upstream
    assert machine.paths.log.read_text() == log


def test_they_cannot_look_into_the_daemon(machine: Machine, processes: Processes) -> None:
    served(machine)
    pid = Agent(machine.paths).status()["daemon"]["pid"]
    if not Path("/proc/self/mem").exists():
        pytest.skip("other OS: reads /proc")
    names = ["environ", "mem", "maps", "fd", "cwd", "auxv"]
    text = """
refused = {}
for name in argument["names"]:
    path = f"/proc/{argument['pid']}/{name}"
    try:
        os.listdir(path) if name in {"fd", "cwd"} else open(path, "rb").read(1)
        refused[name] = "read"
    except OSError as error:
        refused[name] = error.strerror
tell(refused)
"""
    tell = run(processes, text, {"pid": pid, "names": names})
    assert tell == dict.fromkeys(names, "Permission denied")


# --- we come in with another's home (sudo -E) -----------------------------------------------------------------------


@pytest.fixture
def foreign(machine: Machine) -> Iterator[Machine]:
    """The home belongs to somebody else, as where root runs with a person's HOME."""
    for path in (machine.paths.home, *machine.paths.home.rglob("*")):
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    yield machine
    for path in (machine.paths.home, *machine.paths.home.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)


def snapshot(*tops: Path) -> dict[str, tuple[Any, ...]]:
    found = {}
    for top in tops:
        for path in (top, *top.rglob("*")):
            status = path.lstat()
            content = path.read_bytes() if path.is_file() else b""
            found[str(path)] = (status.st_uid, status.st_mode, status.st_mtime_ns, status.st_ino, content)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        ["helper"],
        ["credential-process", *_ARGUMENTS],
        ["daemon", "start"],
        ["daemon", "restart"],
        ["daemon", "run"],
        ["login", "--no-browser"],
        ["login", "--device", "--force"],
        ["logout", "--all"],
        ["enable", "--all", "--yes"],
        ["disable", "--all", "--yes"],
        ["status"],
        ["whoami", "dev"],
        ["console", "--print", "dev"],
        ["daemon", "status"],
    ],
    ids=" ".join,
)
def test_another_s_home_is_neither_written_nor_served(
    foreign: Machine, runtime_folder: Path, arguments: list[str]
) -> None:
    before = snapshot(foreign.paths.home, runtime_folder)
    done = helper(foreign) if arguments == ["helper"] else command(*arguments)
    assert snapshot(foreign.paths.home, runtime_folder) == before
    assert sandbox._daemons(foreign.paths.home) == []
    assert foreign.standin.calls() == []
    assert "Traceback" not in done.stderr
    if arguments[-1] in {"status", "dev"}:  # looking is no harm, and tells nobody's secrets
        assert not [secret for secret in foreign.standin.secrets() if secret in done.stdout + done.stderr]
        return
    assert (done.returncode, done.stdout) == (1, "")
    assert f"HOME belongs to another user (uid {NOBODY}, this is uid 0)" in done.stderr
    assert "sudo -H" in done.stderr


# --- they wait for us with a socket of their own --------------------------------------------------------------------


def refused(machine: Machine, done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One line that says what is wrong, exit code 1, nothing on stdout, nothing started."""
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("credhelper: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr
    assert sandbox._daemons(machine.paths.home) == []
    assert machine.standin.calls() == []


def test_socket_of_theirs_in_our_folder(machine: Machine, processes: Processes, runtime_folder: Path) -> None:
    """As where somebody had the folder for a moment: the kernel says who listens, and nothing is sent."""
    folder = runtime_folder / "credhelper"
    folder.mkdir()
    open_up(runtime_folder.parent, runtime_folder)
    folder.chmod(0o777)
    planted = Planted(processes, folder / "agent.sock")
    folder.chmod(0o700)
    refused(machine, helper(machine), f"the socket is held by another user (uid {NOBODY})")
    for verb in ("status", "ping"):
        with pytest.raises(Exception, match=f"held by another user .uid {NOBODY}."):
            Agent(machine.paths).call(verb)
    assert command("daemon", "status").returncode == 1
    assert set(planted.stop()) == {b""}


@pytest.mark.parametrize("how", ["folder of theirs", "link to theirs", "open folder", "explicit"])
def test_folder_of_theirs_in_the_expected_place(
    machine: Machine, processes: Processes, runtime_folder: Path, tmp_path: Path, how: str
) -> None:
    """Nobody even connects."""
    open_up(runtime_folder.parent, runtime_folder)
    environ = {}
    folder = runtime_folder / ("theirs" if how in {"link to theirs", "explicit"} else "credhelper")
    folder.mkdir()
    if how == "open folder":
        folder.chmod(0o777)
    else:
        os.chown(folder, NOBODY, NOBODY)
        folder.chmod(0o700)
    if how == "link to theirs":
        (runtime_folder / "credhelper").symlink_to(folder)
    if how == "explicit":
        environ["CREDHELPER_SOCKET"] = str(folder / "agent.sock")
    planted = Planted(processes, folder / "agent.sock")
    named = folder if how != "link to theirs" else runtime_folder / "credhelper"
    refused(machine, helper(machine, **environ), f"{named} of the daemon's socket is not this user's alone")
    done = command("daemon", "start", **environ)
    assert done.returncode == 1
    assert "is not this user's alone" in done.stderr
    assert sandbox._daemons(machine.paths.home) == []
    assert planted.stop() == []


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o777])
def test_address_record_that_leads_to_theirs(
    machine: Machine, processes: Processes, runtime_folder: Path, mode: int
) -> None:
    """Who can write into the state folder can name any address; what lies there is checked as ever."""
    open_up(runtime_folder.parent, runtime_folder)
    theirs = runtime_folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, NOBODY, NOBODY)
    planted = Planted(processes, theirs / "agent.sock")
    theirs.chmod(mode)
    machine.paths.state.mkdir(parents=True, exist_ok=True)
    machine.paths.address_record.write_text(f"{theirs}/agent.sock\n")
    os.chown(machine.paths.address_record, NOBODY, NOBODY)
    refused(machine, helper(machine), f"{theirs} of the daemon's socket is not this user's alone")
    assert planted.stop() == []


@pytest.mark.parametrize("mode", [0o700, 0o755, 0o1777])
def test_folder_under_tmp_that_they_made_first(processes: Processes, home: Path, mode: int) -> None:
    """Anybody can make /tmp/credhelper-UID before its user comes, here a user whom nobody else is."""
    need_root()
    uid = next(uid for uid in range(61184, 61999) if not Path(f"/tmp/credhelper-{uid}").exists())  # noqa: S108 - the rule's place
    folder = Path(f"/tmp/credhelper-{uid}")  # noqa: S108 - as above
    open_up(home.parent)
    os.chown(home, uid, uid)
    folder.mkdir()
    try:
        os.chown(folder, NOBODY, NOBODY)
        planted = Planted(processes, folder / "agent.sock")
        folder.chmod(mode)
        ask = f"""
import importlib.machinery
os.environ.clear()
os.environ["HOME"] = {str(home)!r}
client.posix.environ.clear()
client.posix.environ[b"HOME"] = os.fsencode({str(home)!r})
client.main({_ARGUMENTS!r}, ["/nonexistent", "daemon", "run"])
"""
        load = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("client", {client.__file__!r})
client = importlib.util.module_from_spec(spec)
spec.loader.exec_module(client)
"""
        arguments = script(ask, uid=uid)
        process = processes.python(
            *arguments[:-1], load + arguments[-1], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        output, error = process.communicate(timeout=30)
        assert (process.returncode, output) == (1, "")
        assert error.startswith(f"credhelper: the folder {folder} of the daemon's socket is not this user's alone. ")
        assert error.count("\n") == 1
        assert planted.stop() == []
        assert list(home.iterdir()) == []
    finally:
        os.chown(home, 0, 0)
        (folder / "agent.sock").unlink(missing_ok=True)
        folder.rmdir()


# --- they wait for us with a helper of their own --------------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        "folder of theirs",
        "open folder",
        "library of theirs",
        "open library",
        "open cache",
        "share of theirs",
        "open share",
        "open local",
    ],
)
def test_helper_s_folder_that_others_can_write_to(paths: Paths, how: str) -> None:
    """Every AWS call would run what they put there."""
    need_root()
    cache = paths.data / "lib" / "__pycache__"
    cache.mkdir(parents=True)
    named = {"cache": cache, "library": cache.parent, "folder": paths.data}
    named |= {"share": paths.data.parent, "local": paths.data.parent.parent}
    for folder in named.values():
        folder.chmod(0o700)
    chosen = next(folder for name, folder in named.items() if name in how)
    if "theirs" in how:
        os.chown(chosen, NOBODY, NOBODY)
    else:
        chosen.chmod(0o775)
        os.chown(chosen, -1, NOBODY)
    before = snapshot(paths.home)
    paths.aws.mkdir()
    (paths.aws / "config").write_text(
        "[sso-session corp]\nsso_start_url = https://d-1.awsapps.com/start\nsso_region = eu-west-1\n"
        f"[profile dev]\nsso_session = corp\nsso_account_id = {ACCOUNT}\nsso_role_name = {ROLE}\n"
    )
    config = (paths.aws / "config").read_bytes()
    done = command("enable", "--all", "--yes")
    assert done.returncode == 1
    if "theirs" in how:
        assert f"{chosen} belongs to another user" in done.stderr
    else:
        assert f"others can write to {chosen}" in done.stderr
        assert f"chmod go-w {chosen}" in done.stderr
    assert (paths.aws / "config").read_bytes() == config
    assert not paths.helper.exists()
    after = snapshot(paths.home)
    assert {path: after[path] for path in before if path.startswith(str(paths.data))} == {
        path: before[path] for path in before if path.startswith(str(paths.data))
    }
