from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from credhelper import client
from credhelper.daemon import sockets
from credhelper.errors import CredhelperError


@pytest.fixture
def environ(runtime_folder: Path) -> dict[str, str]:
    return {"XDG_RUNTIME_DIR": str(runtime_folder)}


@pytest.fixture
def rule(runtime_folder: Path) -> Path:
    return runtime_folder / "credhelper" / "agent.sock"


@pytest.fixture
def listeners() -> Iterator[list[sockets.Listener]]:
    made: list[sockets.Listener] = []
    yield made
    for listener in made:
        listener.close()


def test_modes_do_not_depend_on_the_umask(environ: dict[str, str], rule: Path) -> None:
    before = os.umask(0)
    try:
        listener = sockets.bind(environ)
    finally:
        assert os.umask(before) == 0
    assert listener.address == str(rule)
    assert stat.S_IMODE(rule.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(rule.lstat().st_mode) == 0o600
    assert not listener.sock.get_inheritable()
    assert listener.still_there()
    listener.close()
    assert not rule.exists()
    assert not listener.still_there()


def test_another_daemon_s_address_is_respected(
    environ: dict[str, str], rule: Path, listeners: list[sockets.Listener]
) -> None:
    listeners += [sockets.bind(environ) for _ in range(9)]
    assert [Path(one.address).name for one in listeners] == [
        "agent.sock",
        *(f"agent-{number}.sock" for number in range(2, 10)),
    ]
    with pytest.raises(CredhelperError, match="hold all addresses"):
        sockets.bind(environ)
    listeners.pop(3).close()
    listeners.append(sockets.bind(environ))
    assert listeners[-1].address == str(rule.with_name("agent-4.sock"))


def test_stale_socket_is_replaced(environ: dict[str, str], rule: Path, listeners: list[sockets.Listener]) -> None:
    rule.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(rule))
    inode = rule.lstat().st_ino
    listeners.append(sockets.bind(environ))
    assert listeners[0].address == str(rule)
    assert rule.lstat().st_ino != inode or listeners[0].still_there()


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_what_is_no_socket_is_not_removed(environ: dict[str, str], rule: Path, what: str) -> None:
    rule.parent.mkdir(mode=0o700)
    if what == "file":
        rule.write_text("precious")
    elif what == "folder":
        rule.mkdir()
    else:
        rule.symlink_to("/nonexistent")
    with pytest.raises(CredhelperError, match="is there and is no socket"):
        sockets.bind(environ)
    assert os.path.lexists(rule)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o722, 0o755, 0o710, 0o701])
@pytest.mark.parametrize("explicit", [False, True])
def test_folder_that_others_may_use(environ: dict[str, str], rule: Path, mode: int, *, explicit: bool) -> None:
    """Who can open it can lock it, and so keep the daemon from its start."""
    rule.parent.mkdir()
    rule.parent.chmod(mode)
    if explicit:
        environ = {"CREDHELPER_SOCKET": str(rule)}
    with pytest.raises(CredhelperError, match="not this user's alone") as caught:
        sockets.bind(environ)
    assert f"chmod 700 {rule.parent}" in str(caught.value.remedy)
    assert "another folder" in str(caught.value.remedy)
    assert not rule.exists()


def test_folder_that_stays_locked(environ: dict[str, str], rule: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_FOLDER_WITHIN", 0.1)
    rule.parent.mkdir(mode=0o700)
    fd = os.open(rule.parent, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        with pytest.raises(CredhelperError, match="another process keeps the folder"):
            sockets.bind(environ)
    finally:
        os.close(fd)


def test_folder_without_locks(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(CredhelperError, match="cannot be locked: No locks available"):
        sockets.bind(environ)


def test_folder_that_is_a_link(environ: dict[str, str], rule: Path, runtime_folder: Path) -> None:
    (runtime_folder / "elsewhere").mkdir(mode=0o700)
    rule.parent.symlink_to(runtime_folder / "elsewhere")
    with pytest.raises(CredhelperError, match="not this user's alone"):
        sockets.bind(environ)


def test_explicit_address(runtime_folder: Path, listeners: list[sockets.Listener]) -> None:
    listeners.append(sockets.bind({"CREDHELPER_SOCKET": f"{runtime_folder}/mine"}))
    assert listeners[0].address == f"{runtime_folder}/mine"
    with pytest.raises(CredhelperError, match="cannot be made"):
        sockets.bind({"CREDHELPER_SOCKET": f"{runtime_folder}/no/such/mine"})
    deep = runtime_folder / ("d" * 90)
    deep.mkdir(mode=0o700)
    with pytest.raises(CredhelperError, match="too long"):
        sockets.bind({"CREDHELPER_SOCKET": f"{deep}/mine"})


def test_replaced_name_is_left_to_its_owner(environ: dict[str, str], rule: Path) -> None:
    listener = sockets.bind(environ)
    rule.unlink()
    rule.write_text("another's")
    assert not listener.still_there()
    listener.close()
    assert rule.read_text() == "another's"


def test_place_that_has_come_back(
    environ: dict[str, str], rule: Path, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopgap = runtime_folder.parent / "credhelper-1"
    monkeypatch.setattr(sockets, "_LAST_RESORT", str(stopgap))
    default = client.default_address

    def without(variables: Mapping[bytes, bytes], uid: int) -> bytes:
        """As the rule is where there is no /run/user/UID either."""
        address = default(variables, uid)
        return address if address == os.fsencode(rule) else os.fsencode(stopgap / "agent.sock")

    monkeypatch.setattr(client, "default_address", without)
    runtime_folder.rmdir()
    listener = sockets.bind(environ)
    assert listener.address == str(stopgap / "agent.sock")
    assert listener.still_there()
    assert listener.in_its_place()
    runtime_folder.mkdir(mode=0o700)
    assert listener.still_there()
    assert not listener.in_its_place()
    listener.close()
    assert not stopgap.exists()
    other = sockets.bind(environ)
    assert other.in_its_place()
    other.close()
    assert rule.parent.exists()


# --- passed in by a service manager ---------------------------------------------------------------------------------


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch, runtime_folder: Path) -> Iterator[socket.socket]:
    """A listening socket under the number at which systemd would have passed it."""
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(str(runtime_folder / "passed"))
    sock.listen()
    monkeypatch.setattr(sockets, "_LISTEN_FDS_START", os.dup(sock.fileno()))
    yield sock
    sock.close()


def test_passed_socket(passed: socket.socket, runtime_folder: Path) -> None:
    listener = sockets.passed_in({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
    assert listener is not None
    assert listener.address == str(runtime_folder / "passed")
    assert listener.still_there()
    assert not listener.sock.get_inheritable()
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(listener.address)
        peer, _ = listener.sock.accept()
        peer.close()
    listener.close()
    assert (runtime_folder / "passed").exists()  # it belongs to the service manager


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_FDS": "1"},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": "{pid}", "LISTEN_FDS": "0"},
        {"LISTEN_PID": "{pid}", "LISTEN_FDS": "x"},
        {"LISTEN_PID": "{pid}", "LISTEN_FDS": ""},
        {"LISTEN_PID": "{pid}"},
    ],
)
def test_passed_to_somebody_else(environ: dict[str, str]) -> None:
    assert sockets.passed_in({name: value.format(pid=os.getpid()) for name, value in environ.items()}) is None


def test_passed_what_is_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}
    read, write = os.pipe()
    monkeypatch.setattr(sockets, "_LISTEN_FDS_START", read)
    with pytest.raises(CredhelperError, match="cannot be used"):
        sockets.passed_in(mine)
    os.close(read)
    os.close(write)


def test_passed_what_is_no_unix_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    sock = socket.socket(socket.AF_INET)
    sock.bind(("127.0.0.1", 0))
    monkeypatch.setattr(sockets, "_LISTEN_FDS_START", sock.detach())
    with pytest.raises(CredhelperError, match="not a Unix socket with a name"):
        sockets.passed_in({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
