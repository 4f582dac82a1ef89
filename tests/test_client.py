from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import posix
import select
import shlex
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.patience import let_the_helper_wait
from credhelper import agent, client, resources
from credhelper.agent import Agent
from credhelper.paths import Paths
from tests.sandbox import PROJECT
from tests.support import Processes, Serve
from tests.waiting import wait_until

UID = os.geteuid()
NOBODY = 65534

# --- where the socket is --------------------------------------------------------------------------------------------


def rule(environ: dict[str, str]) -> str:
    return os.fsdecode(client.default_address({k.encode(): v.encode() for k, v in environ.items()}, UID))


def test_explicit_address_wins(runtime_folder: Path) -> None:
    assert rule({"CREDHELPER_SOCKET": "/x/y", "XDG_RUNTIME_DIR": str(runtime_folder)}) == "/x/y"


def test_runtime_folder(runtime_folder: Path) -> None:
    expected = f"{runtime_folder}/credhelper/agent.sock"
    assert rule({"XDG_RUNTIME_DIR": str(runtime_folder)}) == expected
    assert rule({"XDG_RUNTIME_DIR": f"{runtime_folder}/"}) == expected
    assert rule({"XDG_RUNTIME_DIR": str(runtime_folder), "CREDHELPER_SOCKET": ""}) == expected


@pytest.mark.parametrize("value", ["", "relative", "/nonexistent/run", "{long}"])
def test_unusable_runtime_folder_is_passed_over(
    value: str, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = runtime_folder / ("d" * 90)
    long.mkdir()
    monkeypatch.setattr(client, "owned", lambda path, uid: os.path.exists(path) and b"/run/user" not in path)  # noqa: PTH110
    assert rule({"XDG_RUNTIME_DIR": value.format(long=long)}) == f"/tmp/credhelper-{UID}/agent.sock"  # noqa: S108


def test_runtime_folder_of_another_user_is_passed_over(monkeypatch: pytest.MonkeyPatch, runtime_folder: Path) -> None:
    theirs = os.fsencode(runtime_folder)
    monkeypatch.setattr(client, "owned", lambda path, uid: path != theirs)
    assert rule({"XDG_RUNTIME_DIR": str(runtime_folder)}) == f"/run/user/{UID}/credhelper/agent.sock"


def test_folder_of_the_login_manager_where_no_variable_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "owned", lambda path, uid: path == b"/run/user/%d" % UID and uid == UID)
    assert rule({}) == f"/run/user/{UID}/credhelper/agent.sock"
    monkeypatch.setattr(client, "owned", lambda path, uid: False)
    assert rule({}) == f"/tmp/credhelper-{UID}/agent.sock"  # noqa: S108


def test_owned(home: Path) -> None:
    assert client.owned(os.fsencode(home), UID)
    assert not client.owned(os.fsencode(home), UID + 1)
    assert not client.owned(os.fsencode(home / "none"), UID)


def record(paths: Paths, text: bytes) -> None:
    paths.state.mkdir(parents=True, exist_ok=True)
    paths.address_record.write_bytes(text)


@pytest.mark.parametrize("obstacle", [os.mkfifo, Path.mkdir], ids=["fifo", "folder"])
def test_a_record_that_is_no_file_is_none(paths: Paths, obstacle: Callable[[Path], object]) -> None:
    paths.address_record.parent.mkdir(parents=True)
    obstacle(paths.address_record)
    environ = {b"XDG_RUNTIME_DIR": b"/run"}
    assert client.addresses(environ, os.fsencode(paths.home), 1) == [client.default_address(environ, 1)]


def test_recorded_address_comes_first(paths: Paths) -> None:
    home, environ = os.fsencode(paths.home), {b"XDG_RUNTIME_DIR": os.environb[b"XDG_RUNTIME_DIR"]}
    standard = client.default_address(environ, UID)
    assert client.addresses(environ, home, UID) == [standard]
    record(paths, b"/elsewhere/agent.sock\n")
    assert client.addresses(environ, home, UID) == [b"/elsewhere/agent.sock", standard]
    assert client.addresses({**environ, b"CREDHELPER_SOCKET": b"/x"}, home, UID) == [b"/x"]


@pytest.mark.parametrize("text", [b"", b"\n", b"relative", b"\xff\0", b"\n/x"])
def test_damaged_record_is_no_address(paths: Paths, text: bytes) -> None:
    record(paths, text)
    found = client.addresses({}, os.fsencode(paths.home), UID)
    assert found[-1] == client.default_address({}, UID)
    assert all(address.startswith(b"/") for address in found)


# --- frames ---------------------------------------------------------------------------------------------------------

FIELD = st.binary().filter(lambda raw: b"\0" not in raw)
NAME = FIELD.filter(lambda raw: b"=" not in raw)


@given(FIELD, st.dictionaries(NAME, FIELD))
def test_request_round_trip(verb: bytes, fields: dict[bytes, bytes]) -> None:
    frame = client.encode_request(verb, fields)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert client.decode_request(frame[4:]) == (verb, fields)


@given(st.binary())
def test_any_bytes_are_some_request(body: bytes) -> None:
    verb, fields = client.decode_request(body)
    assert isinstance(verb, bytes)
    assert isinstance(fields, dict)


def test_request_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="NUL"):
        client.encode_request(b"v", {b"a": b"x\0y"})
    with pytest.raises(ValueError, match="too long"):
        client.encode_request(b"v", {b"a": bytes(client.MAX_REQUEST).replace(b"\0", b"x")})


def reply_to(sent: bytes, deadline: float = 5.0) -> tuple[int, bytes]:
    """What the client reads when exactly these bytes come, and then the end."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)
        return client.read_reply(ours, time.monotonic() + deadline)


@given(st.integers(0, 255), st.binary())
def test_reply_round_trip(status: int, payload: bytes) -> None:
    assert reply_to(client.encode_reply(status, payload)) == (status, payload)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_reply_or_broken(sent: bytes) -> None:
    with contextlib.suppress(client.Broken):
        status, payload = reply_to(sent)
        assert client.encode_reply(status, payload) == sent[: len(payload) + 5]


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        (b"", "without an answer"),
        (b"\0\0", "without an answer"),
        (b"\0\0\0\0", "makes no sense"),
        (b"\xff\xff\xff\xff", "makes no sense"),
        (b"\0\0\0\x05\0ab", "without an answer"),
    ],
)
def test_hostile_replies(sent: bytes, message: str) -> None:
    with pytest.raises(client.Broken, match=message):
        reply_to(sent)


def test_silence_ends_at_the_deadline() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(client.Broken, match="did not answer in time"):
        client.read_reply(ours, time.monotonic() + 0.02)


def test_drip_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then does not keep the client beyond its deadline."""
    ours, theirs = socket.socketpair()
    moments = itertools.count()
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    with ours, theirs:
        theirs.sendall(client.encode_reply(0, bytes(100))[:8])
        with pytest.raises(client.Broken, match="did not answer in time"):
            client.read_reply(ours, 1)


def soon(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def test_exchange_waits_as_long_as_it_is_told(serve: Serve, runtime_folder: Path) -> None:
    wait = client.encode_reply(client.WAIT, b"20")
    server = serve("s", wait + wait + client.encode_reply(0, b"done"))
    request = client.encode_request(b"v", {b"a": b"b"})
    assert client.ask([os.fsencode(runtime_folder / "s")], request, UID, soon()) == (0, b"done")
    assert server.requests == [b"v\0a=b"]


@pytest.mark.parametrize("payload", [b"", b"soon", b"\xff", b"nan-", b"nan", b"-nan", b"-1"])
def test_senseless_wait(serve: Serve, runtime_folder: Path, payload: bytes) -> None:
    serve("s", client.encode_reply(client.WAIT, payload))
    with pytest.raises(client.Broken, match="makes no sense"):
        client.ask([os.fsencode(runtime_folder / "s")], client.encode_request(b"v", {}), UID, soon())


def test_daemon_of_another_home_is_passed_over(serve: Serve, runtime_folder: Path) -> None:
    serve("a", client.encode_reply(client.OTHER_HOME, b""))
    serve("b", client.encode_reply(0, b"mine"))
    places = [os.fsencode(runtime_folder / name) for name in ("none", "a", "b")]
    assert client.ask(places, client.encode_request(b"v", {}), UID, soon()) == (0, b"mine")
    with pytest.raises(client.Absent):
        client.ask(places[:1], client.encode_request(b"v", {}), UID, soon())


# --- whom to trust --------------------------------------------------------------------------------------------------


def test_nobody_there_is_absence(runtime_folder: Path) -> None:
    with pytest.raises(client.Absent):
        client.connect(b"/nonexistent/folder/s", UID, soon())
    with pytest.raises(client.Absent):
        client.connect(os.fsencode(runtime_folder / "s"), UID, soon())
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(runtime_folder / "s"))
    with pytest.raises(client.Absent):  # a socket that its owner left behind
        client.connect(os.fsencode(runtime_folder / "s"), UID, soon())


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o720, 0o702, 0o1777, 0o755, 0o740, 0o701])
def test_folder_that_others_may_use_is_refused(serve: Serve, runtime_folder: Path, mode: int) -> None:
    serve("s")
    runtime_folder.chmod(mode)
    with pytest.raises(client.Broken, match="not this user's alone"):
        client.connect(os.fsencode(runtime_folder / "s"), UID, soon())


def test_link_to_a_good_folder_is_refused(serve: Serve, runtime_folder: Path, home: Path) -> None:
    serve("s")
    (home / "link").symlink_to(runtime_folder)
    with pytest.raises(client.Broken, match="not this user's alone"):
        client.connect(os.fsencode(home / "link" / "s"), UID, soon())


def test_folder_of_another_user_is_refused(serve: Serve, runtime_folder: Path) -> None:
    serve("s")
    with pytest.raises(client.Broken, match="not this user's alone"):
        client.connect(os.fsencode(runtime_folder / "s"), UID + 1, soon())


def test_too_long_a_path_is_refused(runtime_folder: Path) -> None:
    address = os.fsencode(runtime_folder) + b"/" + b"s" * 100
    with pytest.raises(client.Broken, match="too long"):
        client.connect(address, UID, soon())


def test_regular_file_in_the_socket_s_place(runtime_folder: Path) -> None:
    (runtime_folder / "s").write_bytes(b"")
    with pytest.raises((client.Broken, client.Absent)):
        client.connect(os.fsencode(runtime_folder / "s"), UID, soon())


def test_own_peer_is_trusted() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        client.check_peer(ours, UID)
        with pytest.raises(client.Broken, match="held by another user"):
            client.check_peer(ours, UID + 1)


@contextlib.contextmanager
def as_nobody(work: Callable[[], Any]) -> Iterator[int]:
    """Run `work` in a forked child as another user; yields a descriptor that tells its result in one line.

    The child lives until the block ends. It cannot exec Python anew: another user may not be able to read it.
    """
    if UID != 0:
        pytest.skip("needs root, to become another user")
    result_in, result_out = os.pipe()
    hold_in, hold_out = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(hold_out)
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            try:
                word = f"{work()}"
            except BaseException as error:  # noqa: BLE001 - told to the parent
                word = f"{type(error).__name__}: {error}"
            os.write(result_out, word.encode() + b"\n")
            os.read(hold_in, 1)
        finally:
            os._exit(0)
    os.close(result_out)
    os.close(hold_in)
    try:
        yield result_in
    finally:
        os.close(hold_out)
        os.close(result_in)
        os.waitpid(child, 0)


def result(fd: int) -> str:
    assert select.select([fd], [], [], 20)[0], "the other user's process said nothing"
    return os.read(fd, 4096).decode().strip()


def test_socket_that_another_user_listens_on_is_refused(runtime_folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(runtime_folder / "s"))
        with as_nobody(lambda: listener.listen(1)) as told:
            assert result(told) == "None"
            with pytest.raises(client.Broken, match=f"held by another user .uid {NOBODY}."):
                client.connect(os.fsencode(runtime_folder / "s"), UID, soon())


def test_another_user_is_seen_and_sees(runtime_folder: Path) -> None:
    address = runtime_folder / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(address))
        listener.listen(1)
        for path, mode in ((runtime_folder, 0o755), (runtime_folder.parent, 0o755), (address, 0o777)):
            path.chmod(mode)

        def connect() -> None:
            with pytest.raises(client.Broken, match="not this user's alone"):
                client.connect(os.fsencode(address), NOBODY, soon())
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(address))
                client.check_peer(sock, NOBODY)

        with as_nobody(connect) as told:
            assert result(told) == (
                f"Broken: the socket is held by another user (uid {UID}). Run `credhelper daemon status`"
            )
            peer, _ = listener.accept()
            with peer, pytest.raises(client.Broken, match=f"uid {NOBODY}"):
                client.check_peer(peer, UID)


# --- a full backlog -------------------------------------------------------------------------------------------------


@pytest.fixture
def full_backlog(runtime_folder: Path) -> Iterator[socket.socket]:
    """A listener whose backlog is full, at `<runtime folder>/s`."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(runtime_folder / "s"))
        listener.listen(0)
        for _ in range(10):
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.setblocking(False)
            try:
                sock.connect(str(runtime_folder / "s"))
            except BlockingIOError:
                break
            except ConnectionRefusedError:
                pytest.skip("other OS: a full backlog refuses here")
        else:
            pytest.fail("the backlog never filled")
        yield listener


def test_full_backlog_is_asked_again(
    full_backlog: socket.socket, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def accept_one_instead(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            full_backlog.accept()[0].close()

    monkeypatch.setattr(time, "sleep", accept_one_instead)
    client.connect(os.fsencode(runtime_folder / "s"), UID, soon()).close()
    assert pauses == [0.002, 0.004, 0.008]


def test_full_backlog_ends_at_the_deadline(full_backlog: socket.socket, runtime_folder: Path) -> None:
    with pytest.raises(client.Broken, match="too busy"):
        client.connect(os.fsencode(runtime_folder / "s"), UID, soon(0.05))


# --- starting a daemon ----------------------------------------------------------------------------------------------

FAKE_DAEMON = """
import json, os, socket, stat, sys
mode, home = sys.argv[1], os.environ["HOME"]
if "credential-process" in sys.argv:
    print("served directly", sys.argv[-3:])
    sys.exit(0)
ready = int(sys.argv[sys.argv.index("--ready-fd") + 1])
with open(home + "/starts", "a") as file:
    file.write(f"{os.getpid()}\\n")
if mode == "fails":
    os.write(ready, b"the moon is full\\n")
    sys.exit(1)
if mode == "dies":
    sys.exit(1)
if mode == "hangs":
    socket.create_server(("127.0.0.1", 0)).accept()
mask = os.umask(0o077)
fds = {}
for fd in range(256):
    try:
        fds[fd] = os.readlink(f"/proc/self/fd/{fd}") if sys.platform == "linux" else stat.S_IFMT(os.fstat(fd).st_mode)
    except OSError:
        pass
world = {"environ": dict(os.environ), "cwd": os.getcwd(), "umask": mask, "fds": fds, "leader": os.getsid(0)}
with open(home + "/world.json", "w") as file:
    json.dump(world, file)
address = os.environ["XDG_RUNTIME_DIR"] + "/credhelper/agent.sock"
os.makedirs(os.path.dirname(address), 0o700, exist_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind(address)
server.listen(1024)
os.write(ready, b"ready\\n")
os.close(ready)
while True:
    peer, _ = server.accept()
    with peer, peer.makefile("rb") as file:
        body = file.read(int.from_bytes(file.read(4), "big"))
        with open(home + "/requests", "a") as file:
            file.write(body.hex() + "\\n")
        if os.path.exists(home + "/vanish"):
            with open(home + "/vanish") as most, open(home + "/starts") as starts:
                if len(starts.readlines()) <= int(most.read()):
                    os.unlink(address)
                    sys.exit(0)
        text = b"{}\\n" if body.startswith(b"credentials") else b""
        peer.sendall((len(text) + 1).to_bytes(4, "big") + b"\\0" + text)
        if body.startswith(b"stop"):
            os.unlink(address)
            sys.exit(0)
"""


@pytest.fixture
def fake(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Put a fake daemon in place of the real one: `fake(mode)` returns its command line."""

    def use(mode: str) -> list[str]:
        script = home / "fake.py"
        script.write_text(FAKE_DAEMON)
        command = [sys.executable, "-I", str(script), mode, "daemon", "run"]
        monkeypatch.setattr(agent, "daemon_command", lambda: command)
        return command

    return use


@pytest.fixture
def helper(fake: Callable[[str], list[str]], paths: Paths) -> Callable[[str], str]:
    """Install the real helper, baked with the fake daemon: `helper(mode)` returns its path."""

    def install(mode: str = "serves") -> str:
        fake(mode)
        resources.install_helper(paths)
        return str(paths.helper)

    return install


def call(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """Run to the end of its stdout and stderr, as AWS clients do."""
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, **options)


ARGUMENTS = ["session", "123456789012", "Role"]


def test_helper_starts_the_daemon_and_copies_its_bytes(helper: Callable[..., str], paths: Paths) -> None:
    done = call([helper(), *ARGUMENTS])
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")
    # The pipes came to their end although the daemon lives on: it holds none of them.
    assert Agent(paths).running()
    assert call([str(paths.helper), *ARGUMENTS]).stdout == "{}\n"
    assert len((paths.home / "starts").read_text().splitlines()) == 1


def test_daemon_inherits_nothing(
    helper: Callable[..., str], home: Path, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "https_proxy", "LD_LIBRARY_PATH", "PYTHONPATH", "SECRET"):
        monkeypatch.setenv(name, "hostile")
    monkeypatch.setenv("PATH", f"/hostile:{os.environ['PATH']}")
    assert call([helper(), *ARGUMENTS], cwd=home).stdout == "{}\n"
    world = json.loads((home / "world.json").read_text())
    allowed = {name.decode() for name in client.DAEMON_ENVIRONMENT} | {"PATH", "__CF_USER_TEXT_ENCODING"}
    assert world["environ"].keys() <= allowed
    assert "hostile" not in world["environ"].values()
    assert world["environ"]["PATH"] == client.DAEMON_PATH.decode()
    assert world["environ"]["XDG_RUNTIME_DIR"] == str(runtime_folder)
    assert world["cwd"] == "/"
    assert world["umask"] == 0o077
    assert world["leader"] != os.getsid(0)
    assert world["fds"].keys() == {"0", "1", "2", "3"}
    assert len({world["fds"][fd] for fd in "012"}) == 1


@pytest.mark.parametrize("redirects", ["<&-", ">&-", "<&- >&-", "<&- >&- 2>&-"])
def test_daemon_starts_where_the_caller_has_closed_its_stdio(
    helper: Callable[..., str], home: Path, redirects: str
) -> None:
    call(["sh", "-c", f'exec "$0" "$@" {redirects}', helper(), *ARGUMENTS])
    fds = json.loads((home / "world.json").read_text())["fds"]
    assert fds.keys() == {"0", "1", "2", "3"}
    assert len({fds[fd] for fd in "012"}) == 1


@pytest.mark.parametrize("count", range(1, 8))
def test_daemon_starts_whatever_descriptors_are_open(helper: Callable[..., str], home: Path, count: int) -> None:
    opened = " ".join(f"{fd}</dev/null" for fd in range(3, 3 + count))
    done = call(["sh", "-c", f'exec {opened}; exec "$0" "$@"', helper(), *ARGUMENTS])
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")
    fds = json.loads((home / "world.json").read_text())["fds"]
    assert fds.keys() == {"0", "1", "2", "3"}
    assert len({fds[fd] for fd in "012"}) == 1


def test_storm_starts_one_daemon(helper: Callable[..., str], paths: Paths, home: Path, processes: Processes) -> None:
    command = [helper(), *ARGUMENTS]
    # A machine under load may take longer for this than a call has; who gives up serves itself.
    let_the_helper_wait(paths)
    callers = [processes.start(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(50)]
    answers = [(*caller.communicate(timeout=60), caller.returncode) for caller in callers]
    assert answers == [("{}\n", "", 0)] * 50
    assert len((home / "starts").read_text().splitlines()) == 1


@pytest.mark.parametrize("mode", ["fails", "dies"])
def test_helper_serves_directly_where_no_daemon_can_be_had(helper: Callable[..., str], mode: str) -> None:
    done = call([helper(mode), *ARGUMENTS])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"served directly {ARGUMENTS}\n"


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("fails", "the moon is full"), ("dies", "ended before it was ready"), ("hangs", "not ready in time")],
)
def test_reason_why_it_could_not_start(fake: Callable[[str], list[str]], mode: str, reason: str, home: Path) -> None:
    request = client.encode_request(b"ping", {})
    with pytest.raises(client.Absent, match=reason):
        client.ask_or_start(request, fake(mode), os.environb, UID, soon(1 if mode == "hangs" else 30))
    for pid in (home / "starts").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), 9)


IGNORE_CHILDREN = (
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
)


def test_caller_that_ignores_its_children(helper: Callable[..., str]) -> None:
    """Then the kernel reaps ours too, and there is nothing to wait for."""
    done = call([sys.executable, "-c", IGNORE_CHILDREN, helper(), *ARGUMENTS])
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")


FAKE_SYSTEMCTL = """#!{python} -I
import os, socket, sys
home = os.environ["HOME"]
with open(home + "/systemctl", "a") as file:
    print(sys.argv[1:], sorted(os.environ), os.listdir("/proc/self/fd") if sys.platform == "linux" else "", file=file)
mode = {mode!r}
if mode == "refuses":
    sys.exit(5)
if mode == "hangs":
    socket.create_server(("127.0.0.1", 0)).accept()
if mode == "starts" and os.fork() == 0:
    os.closerange(3, 100)
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    os.set_inheritable(null, True)
    os.execv(sys.executable, [*{command!r}, "--ready-fd", str(null)])
"""


@pytest.fixture
def service(home: Path, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, list[str]], None]:
    """A service manager that knows the service: `service(mode, command)`."""

    def install(mode: str, command: list[str]) -> None:
        units = home / ".config" / "systemd" / "user"
        units.mkdir(parents=True)
        (units / "credhelper.service").touch()
        (runtime_folder / "systemd").mkdir()
        (runtime_folder / "systemd" / "private").touch()
        program = home / "fake-systemctl"
        program.write_text(FAKE_SYSTEMCTL.format(python=sys.executable, mode=mode, command=command))
        program.chmod(0o700)
        monkeypatch.setattr(client, "SYSTEMCTL", (b"/nonexistent/systemctl", os.fsencode(program)))

    return install


def ask_fake(command: list[str]) -> tuple[int, bytes]:
    return client.ask_or_start(client.encode_request(b"credentials", {}), command, os.environb, UID, soon(60))


def test_service_manager_starts_the_daemon_where_it_knows_it(
    fake: Callable[[str], list[str]], service: Callable[[str, list[str]], None], home: Path
) -> None:
    command = fake("serves")
    service("starts", command)
    nowhere = ["/nonexistent/python", "daemon", "run"]
    assert ask_fake(nowhere) == (0, b"{}\n")
    asked = (home / "systemctl").read_text()
    assert asked.startswith("['--user', 'start', 'credhelper.service'] ['HOME', ")
    assert "AWS" not in asked
    assert len((home / "starts").read_text().splitlines()) == 1


@pytest.mark.parametrize("mode", ["refuses", "hangs", "does nothing"])
def test_service_manager_that_does_not_help(
    fake: Callable[[str], list[str]],
    service: Callable[[str, list[str]], None],
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
) -> None:
    command = fake("serves")
    service(mode, command)
    request = client.encode_request(b"credentials", {})
    assert client.ask_or_start(request, command, os.environb, UID, soon(8)) == (0, b"{}\n")
    assert (home / "systemctl").exists()
    assert len((home / "starts").read_text().splitlines()) == 1


@pytest.mark.parametrize("lacks", ["unit", "manager", "program", "rule"])
def test_no_service_manager_is_asked(
    fake: Callable[[str], list[str]],
    service: Callable[[str, list[str]], None],
    home: Path,
    runtime_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacks: str,
) -> None:
    command = fake("serves")
    service("starts", command)
    if lacks == "unit":
        (home / ".config" / "systemd" / "user" / "credhelper.service").unlink()
    elif lacks == "manager":
        (runtime_folder / "systemd" / "private").unlink()
    elif lacks == "program":
        monkeypatch.setattr(client, "SYSTEMCTL", (b"/nonexistent/systemctl",))
    else:
        monkeypatch.setenv("CREDHELPER_SOCKET", f"{runtime_folder}/credhelper/agent.sock")
    assert ask_fake(command) == (0, b"{}\n")
    assert not (home / "systemctl").exists()


def test_installation_that_is_gone(home: Path) -> None:
    """The forked child tells the reason and never returns into its caller."""
    with pytest.raises(client.Absent, match=r"cannot be started: .*No such file"):
        client.ask_or_start(client.encode_request(b"ping", {}), ["/nonexistent/python"], os.environb, UID, soon(30))


def test_helper_of_an_installation_that_is_gone(
    paths: Paths, fake: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "daemon_command", lambda: ["/nonexistent/python", "-m", "credhelper", "daemon", "run"])
    resources.install_helper(paths)
    done = call([str(paths.helper), *ARGUMENTS])
    assert done.returncode == client.EX_FAILURE
    assert done.stdout == ""
    assert "the installation has moved or is gone: /nonexistent/python" in done.stderr
    assert "Run `credhelper enable` again" in done.stderr


def test_home_of_another_user_starts_nothing(fake: Callable[[str], list[str]], home: Path) -> None:
    if UID != 0:
        pytest.skip("needs root, to give the folder away")
    command = fake("serves")
    os.chown(home, NOBODY, NOBODY)
    try:
        with pytest.raises(client.Broken, match="HOME belongs to another user"):
            client.ask_or_start(client.encode_request(b"ping", {}), command, os.environb, UID, soon())
    finally:
        os.chown(home, UID, -1)
    assert not (home / "starts").exists()
    assert not (home / ".local").exists()


# --- the helper as a program ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["a"], ["a", "b", "c", "d"]])
def test_wrong_number_of_arguments(helper: Callable[..., str], arguments: list[str]) -> None:
    done = call([helper(), *arguments])
    assert done.returncode == client.EX_USAGE
    assert done.stdout == ""
    assert done.stderr.startswith("credhelper: usage: ")
    assert done.stderr.count("\n") == 1


def test_no_home(helper: Callable[..., str]) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "HOME"}
    done = call([helper(), *ARGUMENTS], env=environ)
    assert done.returncode == client.EX_FAILURE
    assert done.stderr == "credhelper: HOME is not set to an absolute path. Set it, then try again\n"


@pytest.mark.parametrize(
    ("status", "code", "stdout", "stderr"),
    [(0, 0, "text", ""), *((failure, failure, "", "credhelper: text\n") for failure in (1, 2, 3, 4, 70, 99))],
)
def test_status_decides_the_stream_and_the_exit_code(
    helper: Callable[..., str],
    serve: Serve,
    runtime_folder: Path,
    status: int,
    code: int,
    stdout: str,
    stderr: str,
) -> None:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    text = b"credhelper: text" if status else b"text"
    server = serve("credhelper/agent.sock", client.encode_reply(status, text))
    done = call([helper(), "a+20b", "1", "r"], env={**os.environ, "AWS_PROFILE": "p", "AWS_CONFIG_FILE": "c"})
    assert (done.returncode, done.stdout, done.stderr) == (code, stdout, stderr)
    verb, fields = client.decode_request(server.requests[0])
    assert verb == b"credentials"
    assert fields[b"session"] == b"a+20b"
    assert fields[b"account"] == b"1"
    assert fields[b"role"] == b"r"
    assert fields[b"profile"] == b"p"
    assert fields[b"config"] == b"c"
    assert fields[b"home"] == os.environb[b"HOME"]
    assert int(fields[b"parent"]) == os.getpid()


@pytest.mark.parametrize(
    ("status", "payload"),
    [(client.WORD, b"-1 0"), (1, b"-1 0"), (1, b""), (3, b"\xff"), (255, b"credhelper: text\n"), (1, b"credhelper:")],
)
def test_daemon_that_speaks_otherwise(
    helper: Callable[..., str], serve: Serve, runtime_folder: Path, status: int, payload: bytes
) -> None:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    serve("credhelper/agent.sock", client.encode_reply(status, payload))
    done = call([helper(), *ARGUMENTS])
    message = "credhelper: the daemon is of another version than the program. Run: credhelper daemon restart\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)


def test_stdin_is_never_read(helper: Callable[..., str], processes: Processes) -> None:
    """JS gives the helper a pipe that it never closes."""
    process = processes.start(
        [helper(), *ARGUMENTS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    assert process.stdout.read() == b"{}\n"
    wait_until(lambda: process.poll() is not None, what="the helper to end")


def test_folder_that_was_removed_under_its_shell(helper: Callable[..., str], home: Path) -> None:
    (home / "gone").mkdir()
    command = shlex.join([helper(), *ARGUMENTS])
    done = call(["sh", "-c", f"rmdir {shlex.quote(str(home / 'gone'))}; {command}"], cwd=home / "gone")
    assert (done.returncode, done.stdout) == (0, "{}\n")


def test_imports_no_pure_python_module(tmp_path: Path) -> None:
    shutil.copy(PROJECT / "credhelper" / "client.py", tmp_path / "leaf.py")
    code = (
        "import sys; before = set(sys.modules); sys.path.insert(0, sys.argv[1]); import leaf\n"
        "for name in set(sys.modules) - before:\n"
        "    print(name, getattr(sys.modules[name].__spec__, 'origin', ''))\n"
    )
    done = call([sys.executable, "-I", "-S", "-c", code, str(tmp_path)])
    assert done.stderr == ""
    modules = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    assert {name for name, origin in modules.items() if origin.endswith((".py", ".pyc"))} == {"leaf"}


def test_macs_have_one_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their host name follows the network, and a second daemon would start beside the first."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert client.host_id() == b"darwin"


def test_hosts_differ_by_kernel() -> None:
    host = client.host_id()
    assert host == client.host_id()
    assert b"/" not in host
    assert b"\n" not in host


def test_make_folder(home: Path) -> None:
    client.make_folder(os.fsencode(home / "a" / "b"))
    client.make_folder(os.fsencode(home / "a" / "b"))
    assert stat.S_IMODE((home / "a").stat().st_mode) == 0o700
    (home / "f").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        client.make_folder(os.fsencode(home / "f" / "g"))


def test_lock_of_the_home_folder_is_let_go_though_the_other_way_fails(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EBADF, "no such lock")

    mine, another = (os.open(home, os.O_RDONLY) for _ in range(2))
    try:
        assert client.try_lock(mine)
        assert not client.try_lock(another)
        with monkeypatch.context() as patch:
            patch.setattr(posix, "lockf", refused)
            client.unlock(mine)
        assert client.try_lock(another)
    finally:
        os.close(mine)
        os.close(another)


def test_reader_that_went_away(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1]); from credhelper import client\n"
        "client.write_all(int(sys.argv[2]), bytes(1 << 20))\n"
    )
    read, write = os.pipe()
    os.close(read)
    try:
        done = call([sys.executable, "-c", code, str(PROJECT), str(write)], pass_fds=[write])
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (client.EX_FAILURE, "")


# --- whoever is killed ----------------------------------------------------------------------------------------------


def test_who_asked_a_daemon_that_vanished_asks_again(
    serve: Serve, fake: Callable[[str], list[str]], runtime_folder: Path, home: Path
) -> None:
    """A daemon that was killed, or restarted, with a request in its hands."""
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    killed = serve("credhelper/agent.sock", b"")
    request = client.encode_request(b"credentials", {})

    def die() -> None:
        wait_until(lambda: killed.requests)
        killed.close()
        (runtime_folder / "credhelper" / "agent.sock").unlink()

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(die)
        assert client.ask_or_start(request, fake("serves"), os.environb, UID, soon(60)) == (0, b"{}\n")
        ending.result()
    assert len((home / "starts").read_text().splitlines()) == 1


def test_a_daemon_that_always_hangs_up_is_none(
    serve: Serve, fake: Callable[[str], list[str]], runtime_folder: Path, home: Path
) -> None:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    broken = serve("credhelper/agent.sock", *[b""] * (1 + client.MOST_VANISHED))
    with pytest.raises(client.Absent, match="hangs up, whenever it is asked"):
        client.ask_or_start(client.encode_request(b"ping", {}), fake("serves"), os.environb, UID, soon())
    assert len(broken.requests) == 1 + client.MOST_VANISHED
    assert not (home / "starts").exists()


def starts(home: Path) -> int:
    return len((home / "starts").read_text().splitlines())


def test_a_daemon_that_vanishes_on_whoever_started_it_is_started_again(
    helper: Callable[..., str], home: Path
) -> None:
    (home / "vanish").write_text("2")
    done = call([helper(), *ARGUMENTS])
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")
    assert starts(home) == 3


def test_helper_serves_directly_where_each_daemon_vanishes(
    helper: Callable[..., str], paths: Paths, home: Path
) -> None:
    (home / "vanish").write_text("99")
    command = [helper(), *ARGUMENTS]
    let_the_helper_wait(paths)
    done = call(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"served directly {ARGUMENTS}\n"
    assert starts(home) == client.MOST_VANISHED


def test_the_daemon_is_told_how_much_time_is_left(helper: Callable[..., str], home: Path) -> None:
    before = time.monotonic()
    assert call([helper(), *ARGUMENTS]).returncode == 0
    after = time.monotonic()
    (until,) = (
        float(fields[b"until"])
        for body in (home / "requests").read_bytes().splitlines()
        for _, fields in [client.decode_request(bytes.fromhex(body.decode()))]
    )
    assert before + client.DEADLINE <= until + 0.001
    assert until <= after + client.DEADLINE


def test_a_daemon_that_had_too_little_time_is_not_to_be_restarted(
    serve: Serve, fake: Callable[[str], list[str]], runtime_folder: Path
) -> None:
    """It is healthy: whoever kills it then makes the next caller wait as well."""
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    serve("credhelper/agent.sock", b"")  # hangs up, as one that is restarted; who asks then waits in the queue
    with pytest.raises(client.Broken, match=r"not ready soon enough.*\. Try again$"):
        client.ask_or_start(client.encode_request(b"ping", {}), fake("serves"), os.environb, UID, soon(0.5))


@pytest.mark.parametrize(
    ("load", "processors", "expected"),
    [
        ("0.1 0.2 0.3 3/200 99", 2, False),
        ("0.1 0.2 0.3 300/900 99", 2, True),
        ("0.1 0.2 0.3 300/900 99", 128, False),
        ("nonsense", 2, False),
        ("", 2, False),
    ],
)
def test_a_crowded_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load: str, processors: int, expected: bool
) -> None:
    (tmp_path / "loadavg").write_text(load)
    real = posix.open
    monkeypatch.setattr(posix, "open", lambda path, *rest: real(tmp_path / "loadavg", *rest))
    monkeypatch.setattr(posix, "cpu_count", lambda: processors)
    assert client.crowded() is expected
    now = time.monotonic()
    assert client.calm() is not expected
    assert client.give_up(now - 1, now + 10) is not expected
    assert client.give_up(now - 1, now + 1) is False, "nobody could serve in the time that is left"
    assert client.give_up(now - 1, now) is True
    assert client.give_up(now + 10, now + 20) is False


def test_a_dip_in_the_load_is_no_calm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([False, True, True, False, False])
    monkeypatch.setattr(client, "crowded", lambda: next(looks))
    assert [client.calm() for _ in range(3)] == [False, False, True]


def test_a_machine_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: Any) -> int:
        raise FileNotFoundError

    monkeypatch.setattr(posix, "open", absent)
    assert client.crowded() is False
