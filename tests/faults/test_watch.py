"""A system that tells of no changes, or of too many: what changes on the disk is noticed all the same."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from blockbuster import BlockBuster
from watchdog.observers import inotify_c

from credhelper import resources
from credhelper.agent import Agent, daemon_command
from credhelper.daemon import app
from tests.daemon.inside import Inside
from tests.faults.test_upstream import lines
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import Processes
from tests.waiting import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="other OS: inotify is Linux's")


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SWEEP", 0.1)


@contextmanager
def refused(number: int) -> Iterator[None]:
    """inotify refuses: watches (ENOSPC), or instances (EMFILE)."""

    def refuse(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inotify_c, "inotify_init" if number == errno.EMFILE else "inotify_add_watch", refuse)
        yield


# --- no events ------------------------------------------------------------------------------------------------------


@linux
@pytest.mark.usefixtures("quick_sweep")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
async def test_inotify_exhausted(
    machine: Machine, tripwire: BlockBuster, log: pytest.LogCaptureFixture, number: int
) -> None:
    inside = Inside(machine)
    with refused(number):
        assert await inside.start()
        before = psutil.Process().num_fds()
        first = await inside.got()
        for _ in range(100):
            await inside.turn()
        assert psutil.Process().num_fds() <= before + 5
        assert len(lines(log, "cannot be watched")) == 1
        whole = machine.token_file.read_bytes()
        machine.token_file.unlink()
        await inside.until(lambda: inside.state == "logged_out", "a sweep to notice the logout")
        machine.token_file.write_bytes(whole)
        await inside.until(lambda: inside.state == "active", "a sweep to notice the login")
        assert (await inside.got())["AccessKeyId"] != first["AccessKeyId"]
    await inside.until(lambda: lines(log, "make themselves known again"), "the watches to come back by themselves")
    assert len(lines(log, "make themselves known again")) == 1
    inside.app._swept_at += 3600  # no sweep any more
    app.SWEEP = 30.0
    machine.token_file.unlink()
    await inside.until(lambda: inside.state == "logged_out", "an event")
    await inside.stop()


_ENTER = ["unshare", "--user", "--map-root-user", "sh", "-c"]
_LIMIT = "echo 0 > /proc/sys/user/max_inotify_instances || exit 9"


def limits_are_permitted() -> bool:
    """Whether we may make a user namespace, and set limits in it."""
    return (
        os.geteuid() == 0
        and shutil.which("unshare") is not None
        and subprocess.run([*_ENTER, _LIMIT], check=False, capture_output=True).returncode == 0
    )


@linux
@pytest.mark.parametrize("by", [*(["kernel"] if limits_are_permitted() else []), "library"])
def test_process_without_inotify_instances(machine: Machine, processes: Processes, by: str) -> None:
    """A real kernel's refusal, in a user namespace of its own, where it harms nobody else; or an invented one."""
    resources.install_helper(machine.paths)
    command = daemon_command()
    if by == "kernel":
        command = [*_ENTER, f'{_LIMIT}; exec "$@"', "sh", *command]
    else:
        patch = (
            "import ctypes, errno, runpy, sys; from watchdog.observers import inotify_c; "
            "inotify_c.inotify_init = lambda: (ctypes.set_errno(errno.EMFILE), -1)[1]; "
            "sys.argv = ['credhelper', 'daemon', 'run']; runpy.run_module('credhelper', run_name='__main__')"
        )
        command = [sys.executable, "-P", "-c", patch, "daemon", "run"]
    processes.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    agent = Agent(machine.paths)
    wait_until(agent.running, what="the daemon")
    arguments = [str(machine.paths.helper), "corp", ACCOUNT, ROLE]
    for _ in range(3):
        done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["AccountId"] == ACCOUNT
    # Without events the next question notices.
    machine.token_file.unlink()
    assert agent.status()["sessions"][0]["state"] == "logged_out"
    machine.log_in()
    assert subprocess.run(arguments, capture_output=True, check=False, timeout=30).returncode == 0
    for _ in range(5):
        agent.call("reload")
    assert machine.paths.log.read_text().count("cannot be watched") == 1
    agent.call("stop")


# --- what appears and is replaced -----------------------------------------------------------------------------------


@pytest.fixture
def no_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is noticed is noticed by an event."""
    monkeypatch.setattr(app, "SWEEP", 3600.0)


async def noticed(inside: Inside, state: str) -> None:
    await inside.until(lambda: bool(inside.app._keepers) and inside.state == state, state)


@linux
@pytest.mark.usefixtures("no_sweep")
@pytest.mark.parametrize("missing", ["cache", "sso", "aws"])
async def test_folder_that_does_not_exist_yet(machine: Machine, tripwire: BlockBuster, missing: str) -> None:
    """The first login on a new machine."""
    folder = {"cache": machine.paths.token_cache, "sso": machine.paths.token_cache.parent, "aws": machine.paths.aws}
    shutil.rmtree(folder[missing])
    inside = Inside(machine)
    assert await inside.start()
    await asyncio.sleep(0)
    if missing == "aws":
        machine.write_config()
    machine.log_in()
    await noticed(inside, "active")
    assert await inside.got()
    await inside.stop()


@linux
@pytest.mark.usefixtures("no_sweep")
async def test_config_folder_that_is_replaced_by_another(inside: Inside) -> None:
    """As a dotfile manager or a restored backup does it."""
    machine = inside.machine
    other = machine.paths.home / "other"
    shutil.copytree(machine.paths.aws, other)
    (other / "sso" / "cache" / machine.token_file.name).unlink()
    machine.paths.aws.rename(machine.paths.home / ".aws.old")
    other.rename(machine.paths.aws)
    await noticed(inside, "logged_out")
    # What changes in the new one is noticed too.
    machine.log_in()
    await noticed(inside, "active")
    machine.config.write_text("[profile plain]\nregion = x\n")
    await inside.until(lambda: not inside.app._keepers, "the new config")
    shutil.rmtree(machine.paths.home / ".aws.old")


# --- too many events ------------------------------------------------------------------------------------------------


@linux
@pytest.mark.usefixtures("quick_sweep")
async def test_overflow(inside: Inside, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture) -> None:
    """The kernel drops events of which nobody takes notice for a while; a login is among them."""
    machine = inside.machine
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    read, gate = os.read, threading.Event()
    overflows = 0

    def late(fd: int, size: int) -> bytes:
        nonlocal overflows
        if threading.current_thread() is not threading.main_thread():
            gate.wait(20)
            data = read(fd, size)
            overflows += b"\xff\xff\xff\xff\x00\x40\x00\x00" in data  # wd -1, IN_Q_OVERFLOW
            return data
        return read(fd, size)

    monkeypatch.setattr(os, "read", late)
    noise = [machine.paths.aws / name for name in ("noise-1", "noise-2")]
    for path in noise:
        path.touch()
    for _ in range(limit // 2 + 1000):
        for path in noise:
            os.utime(path)
    machine.token_file.unlink()
    gate.set()
    await inside.until(lambda: overflows, "the queue to overflow")
    await inside.until(lambda: inside.state == "logged_out")
    machine.log_in()
    await inside.until(lambda: inside.state == "active")
    assert await inside.got()
