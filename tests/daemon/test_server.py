from __future__ import annotations

import asyncio
import errno
import os
import random
import socket
import sys
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credhelper import client
from credhelper.daemon import server
from tests.daemon.inside import Inside
from tests.machine import ACCOUNT, ROLE, profile
from tests.support import Processes

NOBODY = 65534


async def left_alone(inside: Inside, sent: bytes, *, close: bool = True) -> bytes:
    """What the daemon says to these bytes until it closes the connection."""
    reader, writer = await inside.connect()
    try:
        writer.write(sent)
        if close:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0",
        b"\0\0\0",
        b"\xff\xff\xff\xff",
        (client.MAX_REQUEST + 1).to_bytes(4, "big") + b"x" * 100,
        b"\0\0\0\x10short",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_hostile_frames_get_no_answer_and_hurt_nobody(inside: Inside, sent: bytes) -> None:
    assert await left_alone(inside, sent) == b""
    assert await inside.got()


async def test_garbage_of_the_right_length(inside: Inside) -> None:
    chance = random.Random(1)  # noqa: S311 - the same garbage each time
    for _ in range(50):
        body = chance.randbytes(chance.randrange(200))
        assert (await left_alone(inside, len(body).to_bytes(4, "big") + body))[4:5] == bytes((client.OTHER_HOME,))
    assert await inside.got()


async def test_largest_request(inside: Inside) -> None:
    fields = inside.fields({"session": "corp", "account": ACCOUNT, "role": ROLE})
    room = client.MAX_REQUEST - len(client.encode_request(b"credentials", {**fields, b"x": b""})) + 4
    frame = client.encode_request(b"credentials", {**fields, b"x": b"y" * room})
    assert len(frame) == client.MAX_REQUEST + 4
    assert (await left_alone(inside, frame))[4] == 0


async def test_slow_callers_are_given_up_and_others_do_not_wait(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_REQUEST_WITHIN", 0.3)
    slow = [asyncio.create_task(left_alone(inside, b"\0\0\0\x10abc", close=False)) for _ in range(200)]
    await inside.until(lambda: len(inside.app._server._connections) == 200)
    assert await inside.got()
    assert await asyncio.gather(*slow) == [b""] * 200
    await inside.until(lambda: not inside.app._server._connections)


async def unread(inside: Inside) -> socket.socket:
    """A caller that asked for more than its socket holds and reads no more than the reply's length."""
    inside.machine.write_config("".join(profile(f"p{n}", inside.machine.paths, "corp") for n in range(4000)))
    caller = socket.socket(socket.AF_UNIX)
    caller.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(caller, inside.address)
    await loop.sock_sendall(caller, client.encode_request(b"status", inside.fields({})))
    async with asyncio.timeout(20):
        size = int.from_bytes(await loop.sock_recv(caller, 4), "big")
    assert size > caller.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) * 1.2
    return caller


async def test_caller_that_reads_nothing_does_not_keep_the_daemon_from_ending(inside: Inside) -> None:
    with await unread(inside):
        assert await inside.got()
        await inside.stop()
    assert inside.ended


async def test_caller_that_reads_nothing_is_given_up(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_REPLY_WITHIN", 0.2)
    with await unread(inside):
        await inside.until(lambda: not inside.app._server._connections, "the connection to be given up")
    assert await inside.got()


async def test_home_by_another_path(inside: Inside) -> None:
    link = inside.machine.paths.home.parent / "link"
    assert (await inside.ask("ping", home=str(link)))[0] == client.OTHER_HOME
    link.symlink_to(inside.machine.paths.home)  # a mount that was late
    assert (await inside.ask("ping", home=str(link)))[0] == 0
    assert inside.app._server._homes == {os.fsencode(link): True}
    for other in ("", "relative", "/" + "x" * 5000, "/", str(inside.machine.paths.home / "f" / "g")):
        assert (await inside.ask("ping", home=other))[0] == client.OTHER_HOME


async def test_home_that_does_not_answer_keeps_nobody(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a folder of a network that has gone."""
    monkeypatch.setattr(server, "_LOOK_WITHIN", 30.0)
    released, entered = threading.Event(), threading.Event()

    def hang(one: bytes, other: bytes) -> bool:
        entered.set()
        return released.wait(30)

    monkeypatch.setattr(os.path, "samefile", hang)
    waiting = asyncio.create_task(inside.ask("ping", home="/net/gone"))
    try:
        await inside.until(entered.is_set)
        assert await inside.got()
        monkeypatch.setattr(server, "_LOOK_WITHIN", 0.0)
        assert (await inside.ask("ping", home="/net/gone"))[0] == client.OTHER_HOME
        assert not waiting.done()
    finally:
        released.set()
    assert (await waiting)[0] == 0


async def test_unforeseen_error_is_an_answer_and_in_the_log(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(inside.app._broker, "answer", fail)
        status, payload = await inside.credentials()
        assert (status, payload) == (70, b"credhelper: a bug in the daemon; see its log\n")
        await inside.credentials()
        assert caplog.text.count("unforeseen") == 1
        inside.app._server._surprises._said_at -= 3600  # an hour later it is news again
        await inside.credentials()
        assert caplog.text.count("unforeseen") == 2
    caplog.clear()
    assert await inside.got()


ASK = """
import os, socket, sys
os.setgid({nobody}); os.setuid({nobody})
sock = socket.socket(socket.AF_UNIX)
sock.connect({address!r})
sock.settimeout(10)
try:
    sock.sendall(bytes.fromhex({frame!r}))
    print("answered" if sock.recv(1) else "turned away")
except ConnectionError:
    print("turned away")
"""


async def test_another_user_gets_nothing(inside: Inside, processes: Processes) -> None:
    """Though folder and socket were opened to all, the daemon asks the kernel who is there."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    address = inside.address
    for path in (inside.machine.paths.home.parent, inside.machine.paths.home.parent / "run"):
        path.chmod(0o755)
    (inside.machine.paths.home.parent / "run" / "credhelper").chmod(0o755)
    os.chmod(address, 0o777)  # noqa: PTH101, S103 - the test's point
    frame = client.encode_request(
        b"credentials", inside.fields({"session": "corp", "account": ACCOUNT, "role": ROLE})
    )
    script = ASK.format(nobody=NOBODY, address=address, frame=frame.hex())
    process = processes.python("-I", "-S", "-c", script, stdout=-1, text=True)
    output, _ = await asyncio.to_thread(process.communicate, timeout=30)
    assert output == "turned away\n"
    assert inside.calls("GetRoleCredentials") == 0


async def test_caller_of_whom_the_kernel_does_not_tell_gets_nothing(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def gone(_: socket.socket) -> int:
        raise OSError(errno.ENOTCONN, "not connected")

    with monkeypatch.context() as patch:
        patch.setattr(server, "_peer_uid", gone)
        assert await left_alone(inside, b"") == b""
    assert "unforeseen" not in caplog.text
    assert await inside.got()


def test_peer_of_a_socket_is_asked_for_its_uid() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert server._peer_uid(ours) == os.geteuid()
    assert sys.platform == "linux" or server._peer_uid


# --- leases ---------------------------------------------------------------------------------------------------------


async def test_second_login_is_told_when_the_first_has_ended(inside: Inside) -> None:
    joined = asyncio.Event()

    async def second() -> bytes:
        async with inside.lease() as word:
            joined.set()
            return bytes(word)

    async with inside.lease() as word:
        assert word == b"granted"
        others = [asyncio.create_task(second()) for _ in range(3)]
        await inside.until(lambda: len(inside.app._server._connections) == 4)
        assert not joined.is_set()
        async with inside.lease("another") as independent:
            assert independent == b"granted"
    assert await asyncio.gather(*others) == [b"joined"] * 3
    async with inside.lease() as word:
        assert word == b"granted"


async def test_lease_ends_with_its_holder(inside: Inside) -> None:
    async with inside.lease():
        assert inside.app._leases.held("corp")
    await inside.until(lambda: not inside.app._leases.held("corp"))


async def test_waiting_for_a_lease_ends_with_the_one_who_waits(inside: Inside) -> None:
    async with inside.lease():
        reader, writer = await inside.connect()
        writer.write(client.encode_request(b"login-lease", inside.fields({"key": "corp"})))
        assert (await reader.readexactly(5))[4] == client.WAIT
        writer.close()
        await inside.until(lambda: len(inside.app._server._connections) == 1)
        assert inside.app._leases.held("corp")


async def test_lease_of_another_home(inside: Inside) -> None:
    assert (await inside.ask("login-lease", home="/", key="corp"))[0] == client.OTHER_HOME


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_bytes_decode_to_some_request(body: bytes) -> None:
    verb, fields = client.decode_request(body)
    assert b"\0" not in verb
    assert all(b"\0" not in value for value in fields.values())
