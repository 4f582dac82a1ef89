from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from credhelper import client
from credhelper.agent import Agent
from credhelper.daemon import acceptor
from credhelper.daemon.acceptor import Acceptor
from credhelper.paths import Paths
from tests.machine import ACCOUNT, ROLE, Machine
from tests.waiting import wait_until


async def until(predicate: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not predicate():
        assert time.monotonic() < deadline, "waited 10 s"
        await asyncio.sleep(0.005)


class Echo:
    """Gives each caller its first byte back, then waits for the end of the connection."""

    def __init__(self, address: Path) -> None:
        self.address = str(address)
        self.acceptor = Acceptor(self._serve, 1024)
        self.most = 0

    def listen(self) -> None:
        sock = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.address)  # noqa: PTH108 - a string
        sock.bind(self.address)
        sock.listen(64)
        self.acceptor.listen(sock)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.most = max(self.most, len(self.acceptor.connections))
        with contextlib.suppress(ConnectionError):
            writer.write(await reader.read(1))
            await reader.read(1)

    async def call(self) -> socket.socket:
        """A caller in the kernel's queue; it has sent its byte."""
        caller = socket.socket(socket.AF_UNIX)
        caller.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(caller, self.address)
        await loop.sock_sendall(caller, b"x")
        return caller

    async def heard(self, caller: socket.socket) -> bool:
        with caller:
            async with asyncio.timeout(10):
                return await asyncio.get_running_loop().sock_recv(caller, 1) == b"x"


@pytest_asyncio.fixture
async def echo(runtime_folder: Path) -> AsyncIterator[Echo]:
    made = Echo(runtime_folder / "echo")
    yield made
    made.acceptor.close()
    for task in made.acceptor.connections:
        task.cancel()
    await asyncio.gather(*made.acceptor.connections, return_exceptions=True)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    """What this process has open, and a few more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    probe = os.dup(0)
    os.close(probe)
    resource.setrlimit(resource.RLIMIT_NOFILE, (probe + 24, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_reserve_grows_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for soft, ceiling in ((32, 16), (256, 128), (1024, 768), (16384, 16128), (resource.RLIM_INFINITY, 1 << 30)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert acceptor._ceiling() == ceiling


async def test_who_finds_no_room_waits_for_it(
    echo: Echo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(acceptor, "_CALM", 0.05)
    monkeypatch.setattr(acceptor, "_ceiling", lambda: 0)
    caplog.set_level(logging.INFO)
    echo.listen()
    callers = [await echo.call() for _ in range(30)]
    await until(lambda: echo.most == acceptor._AT_LEAST)
    assert all(await asyncio.gather(*(echo.heard(caller) for caller in callers)))
    assert echo.most == acceptor._AT_LEAST
    await until(lambda: "there is room for all callers again" in caplog.text)
    assert caplog.text.count("wait for their turn") == 1
    assert not echo.acceptor.connections


async def test_kernel_without_descriptors_is_asked_again(
    echo: Echo, few_descriptors: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Others of this process took what was left, and give it back in silence."""
    monkeypatch.setattr(acceptor, "_LOOK_AGAIN", 0.05)
    monkeypatch.setattr(acceptor, "_CALM", 0.2)
    caplog.set_level(logging.INFO)
    echo.listen()
    caller = socket.socket(socket.AF_UNIX)
    caller.setblocking(False)
    taken = []
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        caller.connect(echo.address)
        caller.send(b"x")
        await until(lambda: "wait for their turn" in caplog.text)
        assert not echo.acceptor.connections
    finally:
        for fd in taken:
            os.close(fd)
    assert await echo.heard(caller)
    await until(lambda: "room for all" in caplog.text)
    assert len(caplog.records) == 2


@pytest.mark.parametrize("ceiling", [0, 1 << 30])
async def test_nothing_is_left_behind(
    echo: Echo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, ceiling: int
) -> None:
    """Neither where it listened before nor at the end."""
    monkeypatch.setattr(acceptor, "_ceiling", lambda: ceiling)
    loop = asyncio.get_running_loop()
    surprises: list[object] = []
    old: socket.socket | None = None
    loop.set_exception_handler(lambda _, context: surprises.append(context))
    for _ in range(3):
        echo.listen()
        callers = [await echo.call() for _ in range(8)]
        await until(lambda: len(echo.acceptor.connections) >= acceptor._AT_LEAST)
        old = echo.acceptor._sock
        for caller in callers:
            caller.close()
        await until(lambda: not echo.acceptor.connections)
    echo.acceptor.close()
    assert old is not None
    assert old.fileno() == -1
    with socket.socket(socket.AF_UNIX) as late:
        late.setblocking(False)
        with pytest.raises(ConnectionRefusedError):
            late.connect(echo.address)
    await asyncio.sleep(0)
    assert not surprises


def limited(limit: int, *command: str) -> list[str]:
    return ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command]


@pytest.mark.parametrize("limit", [40, 32])
def test_storm_on_a_daemon_with_few_descriptors(machine: Machine, paths: Paths, limit: int) -> None:
    """A hundred that ask, and four that never do: all who ask are served, and afterwards all is as before."""
    start = limited(limit, sys.executable, "-P", "-m", "credhelper", "daemon", "start")
    assert subprocess.run(start, check=False, timeout=30, capture_output=True).returncode == 0
    agent = Agent(paths)
    daemon = psutil.Process(agent.status()["daemon"]["pid"])
    assert resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE)[1] == limit
    address = json.loads(agent.call("ping"))["socket"]
    before = len(os.listdir(f"/proc/{daemon.pid}/fd"))  # noqa: PTH208 - names
    fields = {"home": str(paths.home), "session": "corp", "account": ACCOUNT, "role": ROLE}
    request = client.encode_request(b"credentials", {name.encode(): value.encode() for name, value in fields.items()})
    idle = [socket.socket(socket.AF_UNIX) for _ in range(4)]
    callers = [socket.socket(socket.AF_UNIX) for _ in range(100)]
    with contextlib.ExitStack() as stack:
        for caller in (*idle, *callers):
            stack.enter_context(caller)
        for number, caller in enumerate(callers):
            caller.connect(address)
            caller.sendall(request)
            if number % 25 == 0:
                idle[number // 25].connect(address)
        for caller in callers:
            caller.settimeout(60)
            with caller.makefile("rb") as answer:
                size = int.from_bytes(answer.read(4), "big")
                body = answer.read(size)
            assert body[0] == 0, body
            assert json.loads(body[1:])["Version"] == 1
    assert agent.running()
    assert len(machine.standin.calls("GetRoleCredentials")) == 1
    wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) <= before + 6, what="its descriptors")  # noqa: PTH208
    log = paths.log.read_text()
    assert log.count("wait for their turn") == 1
    assert len(log.splitlines()) < 20
    assert "Traceback" not in log
