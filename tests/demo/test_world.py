"""The stage by itself."""

from __future__ import annotations

import fcntl
import os
import stat
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from credhelper.demo.schedule import Schedule
from credhelper.demo.world import World, _sweep
from credhelper.errors import CredhelperError
from credhelper.standin import StandIn
from tests.demo.ends import over
from tests.waiting import wait_until


def test_a_home_of_its_own_and_nothing_of_the_users() -> None:
    theirs = {**os.environ, "AWS_PROFILE": "x", "https_proxy": "x", "CREDHELPER_SOCKET": "x", "LANG": "C.UTF-8"}
    with World(Schedule(), theirs) as world:
        folder = world.home
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert len(str(folder)) < 40
        allowed = {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME"}
        own = {"HOME", "XDG_RUNTIME_DIR", "BROWSER", "AWS_EC2_METADATA_DISABLED", "NO_COLOR"}
        assert set(world.environment) <= allowed | own | set(world.standin.environment)
        assert world.environment["HOME"] == str(folder)
        assert world.environment["LANG"] == "C.UTF-8"
    assert not folder.exists()


def test_another_demo_that_sweeps_leaves_one_that_is_just_being_made(monkeypatch: pytest.MonkeyPatch) -> None:
    real = fcntl.flock

    def late(fd: int, how: int) -> None:
        if how == fcntl.LOCK_EX:
            _sweep()
        real(fd, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with World(Schedule()) as made:
        assert made.home.is_dir()
        _sweep()
        assert made.home.is_dir()
    assert not made.home.exists()


def test_a_command_and_the_daemon_that_it_started_end_with_it() -> None:
    with World(Schedule()) as world:
        assert world.begin("enable", "--all", "--yes").result()[0] == 0
        command = world.begin("daemon", "start")
        assert command.result() == (0, "The daemon is running.\n")
        daemon = world.ping()["pid"]
        assert psutil.pid_exists(daemon)
        folder = world.home
    assert over(daemon)
    assert not folder.exists()


def test_a_daemon_still_starting_is_not_left_behind() -> None:
    with World(Schedule()) as world:
        world.begin("daemon", "start")
        folder = world.home
    assert not folder.exists()
    time.sleep(0.5)
    assert not folder.exists(), "a daemon that came late has made it again"


def test_a_daemon_that_does_not_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credhelper.demo.world._END_WITHIN", 0.2)
    with World(Schedule()) as world:
        assert world.begin("daemon", "start").result()[0] == 0
        daemon = world.ping()["pid"]
        monkeypatch.setattr(world.agent, "call", lambda *_: b'{"pid": %d}' % daemon)
    assert over(daemon)


def test_the_program_reports_each_call_also_those_that_fail() -> None:
    lines: list[dict[str, Any] | None] = []
    with World(Schedule(interval=0.1)) as world:
        world.program("nobody", lambda _, line: lines.append(line))
        wait_until(lambda: len(lines) >= 2)
        world.stop_programs()
        wait_until(lambda: None in lines)
    first, second = lines[:2]
    assert first
    assert second
    assert (first["n"], first["ok"], first["error"]) == (1, False, "ProfileNotFound")
    assert second["n"] == 2
    assert second["at"] > first["at"]


def test_no_port(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: StandIn) -> StandIn:
        raise OSError("no port")

    monkeypatch.setattr(StandIn, "start", start)
    world = World(Schedule())
    with pytest.raises(CredhelperError, match=r"cannot set up its world: no port.*port on 127\.0\.0\.1"):
        world.__enter__()
    assert not world.home.exists()


def test_packages_of_a_user_install_are_found(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    packages = home / ".local" / "lib" / "python" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "kept.py").touch()
    monkeypatch.setattr("site.ENABLE_USER_SITE", True)
    monkeypatch.setattr("site.getusersitepackages", lambda: str(packages))
    with World(Schedule()) as world:
        link = world.home / ".local" / "lib" / "python" / "site-packages"
        assert link.is_symlink()
        assert (link / "kept.py").exists()
    assert (packages / "kept.py").exists(), "the link was removed, not what it leads to"
