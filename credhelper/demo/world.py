"""The world that the demo plays in: a stand-in for AWS, a home folder, an environment, child processes.

Nothing in it comes from the user's own: the home folder is a new one under /tmp, and of the environment only what
says nothing about AWS, networks or desktops is taken over. `close` leaves neither files nor processes behind; where
the demo is killed, its guard does that, and where that was killed too, the next demo.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import site
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import psutil

from credhelper import files
from credhelper.agent import Agent
from credhelper.demo.schedule import Schedule
from credhelper.errors import CredhelperError
from credhelper.paths import Paths
from credhelper.standin import Account, Settings, StandIn, write_browser_script

SESSION = "corp"
FORGOTTEN = "client"
REGION = "eu-west-1"
ACCOUNTS = {
    "111122223333": Account("111122223333", "corp-dev", "dev@corp.example", ("Deploy",)),
    "444455556666": Account("444455556666", "client-prod", "prod@client.example", ("Audit",)),
}
# Session name by profile name: one profile made by `aws configure sso` today, one as it was made years ago.
PROFILES = {"corp-dev": SESSION, "client-prod": FORGOTTEN}
_START_URLS = {name: f"https://{name}.awsapps.com/start" for name in (SESSION, FORGOTTEN)}
_CONFIG = f"""\
[sso-session {SESSION}]
sso_start_url = {_START_URLS[SESSION]}
sso_region = {REGION}
sso_registration_scopes = sso:account:access

[profile corp-dev]
sso_session = {SESSION}
sso_account_id = 111122223333
sso_role_name = Deploy
region = {REGION}

[profile client-prod]
sso_start_url = {_START_URLS[FORGOTTEN]}
sso_region = {REGION}
sso_account_id = 444455556666
sso_role_name = Audit
region = {REGION}
"""

# An allowlist, because no list of what must not come along would be complete.
_INHERITED = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "USER", "LOGNAME")
_HOMES, _PREFIX = Path("/tmp"), "credhelper-demo-"  # noqa: S108 - not $TMPDIR: see `_start`
# Locked in the home folder for as long as the demo lives that made it.
_OWNER = ".owner"
_END_WITHIN = 8.0
_COMMANDS_END_WITHIN = 5.0


class World:
    """One such world. Use as a context manager.

    Args:
        schedule: for the lifetimes.
        environ: of the person who runs the demo.
        keep: leave the home folder behind.
    """

    def __init__(self, schedule: Schedule, environ: Mapping[str, str] | None = None, *, keep: bool = False) -> None:
        self.schedule = schedule
        self.keep = keep
        self.standin = StandIn(
            Settings(
                token_lifetime=schedule.token_lifetime,
                role_lifetime=schedule.role_lifetime,
                # At the cap AWS refuses to renew; a token that was given before lives to its own end.
                cap_bounds_tokens=False,
                accounts=ACCOUNTS,
                user="you@example.com",
            )
        )
        self.environment: dict[str, str] = {}
        self._theirs = os.environ if environ is None else environ
        self._home: Path | None = None
        self._agent: Agent | None = None
        self._commands: list[Command] = []
        self._children: list[subprocess.Popen[bytes]] = []
        self._daemons: dict[int, psutil.Process] = {}
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner = -1

    @classmethod
    def left_behind(cls, home: Path, *, keep: bool = False) -> Self:
        """The world of a demo that was killed, for closing it."""
        world = cls(Schedule(), {}, keep=keep)
        world._home = home
        world.environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
        return world

    @property
    def made(self) -> bool:
        """Whether there is a home folder."""
        return self._home is not None

    @property
    def home(self) -> Path:
        """The temporary home folder."""
        if self._home is None:
            raise RuntimeError("the world was not started")
        return self._home

    @property
    def paths(self) -> Paths:
        return Paths(self.home)

    @property
    def agent(self) -> Agent:
        """The daemon of this world."""
        if self._agent is None:
            self._agent = Agent(self.paths, self.environment)
        return self._agent

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _start(self) -> None:
        try:
            # Not $TMPDIR: the daemon's socket lies inside, and its path has room for a hundred bytes.
            self._home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_HOMES))
            self._be_guarded()
            _sweep()
            self.standin.start()
            runtime = self._home / "run"
            runtime.mkdir(mode=0o700)
            browser = write_browser_script(self._home / "person")
            self.environment = {
                **{name: self._theirs[name] for name in _INHERITED if name in self._theirs},
                **self.standin.environment,
                "HOME": str(self._home),
                "XDG_RUNTIME_DIR": str(runtime),
                "BROWSER": str(browser.path),
                "AWS_EC2_METADATA_DISABLED": "true",
                "NO_COLOR": "1",
            }
            self._show_user_packages()
            files.make_private_folder(self.paths.aws)
            files.replace(self.paths.config_file(self.environment), _CONFIG.encode())
            warnings = ", ".join(f"{before:g}" for before in self.schedule.warn_before)
            files.replace(self.paths.settings, f"warn_before = [{warnings}]\n".encode())
        except OSError as error:
            raise CredhelperError(
                f"the demo cannot set up its world: {error}", "It needs room in /tmp and a port on 127.0.0.1"
            ) from error

    def _be_guarded(self) -> None:
        if not self.keep:
            # Locked before it has its name: another demo's sweep takes one that is not for left behind.
            unnamed = self.home / f"{_OWNER}.new"
            self._owner = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._owner, fcntl.LOCK_EX)
            unnamed.rename(self.home / _OWNER)
        guard = str(Path(__file__).with_name("guard.py"))
        self._guard = subprocess.Popen(
            [sys.executable, "-P", guard, str(self.home), *(["keep"] if self.keep else [])],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            with contextlib.suppress(BrokenPipeError):
                self._guard.communicate(b".")
            self._guard = None
        if self._owner >= 0:
            os.close(self._owner)
            self._owner = -1

    def _show_user_packages(self) -> None:
        """Where credhelper was installed with `pip install --user`, its packages must be found from the new home."""
        packages = Path(site.getusersitepackages())
        theirs = Path(self._theirs.get("HOME") or "/nonexistent")
        if site.ENABLE_USER_SITE and packages.is_dir() and packages.is_relative_to(theirs):
            link = self.home / packages.relative_to(theirs)
            link.parent.mkdir(parents=True)
            link.symlink_to(packages)

    @property
    def mark(self) -> str:
        """A word that is on the command line of what is started here for the person (as Python's `-X`, say)."""
        return f"credhelper_demo={self.home}"

    def config(self) -> str:
        """The AWS config as it is now."""
        return self.paths.config_file(self.environment).read_text()

    def start_url(self, session: str) -> str:
        """Where people log in to a session."""
        return _START_URLS[session]

    def begin(self, *arguments: str) -> Command:
        """Start `credhelper ARGUMENTS…` as a process of its own."""
        output = tempfile.TemporaryFile(dir=self.home)  # noqa: SIM115 - closed by Command.result
        command = Command(self._spawn("credhelper", *arguments, stdout=output, stderr=output), output)
        self._commands.append(command)
        return command

    def program(self, profile: str, receive: Callable[[str, dict[str, Any] | None], None]) -> None:
        """Start the boto3 program of a profile.

        Args:
            receive: called by a thread with the profile and each line of the program's, and with None at its end.
        """
        interval = str(self.schedule.interval)
        child = self._spawn("credhelper.demo.program", profile, interval, stdout=subprocess.PIPE)

        def read() -> None:
            assert child.stdout is not None  # noqa: S101 - for the type checker
            with child.stdout as lines:
                for line in lines:
                    with contextlib.suppress(ValueError):
                        receive(profile, json.loads(line))
            receive(profile, None)

        threading.Thread(target=read, name=f"program {profile}", daemon=True).start()

    def _spawn(
        self, module: str, *arguments: str, stdout: IO[bytes] | int, stderr: IO[bytes] | int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        # A session of its own: a Ctrl-C reaches the demo alone, which then ends its children in order.
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            env=self.environment,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )
        self._children.append(child)
        return child

    def ping(self) -> dict[str, Any]:
        """What the daemon says about itself, with its counters. Raises CredhelperError."""
        answer: dict[str, Any] = json.loads(self.agent.call("ping"))
        pid = answer["pid"]
        if pid not in self._daemons:
            with contextlib.suppress(psutil.Error):
                self._daemons[pid] = psutil.Process(pid)
        return answer

    def stop_programs(self) -> None:
        """End all child processes and what they started. Harmless when repeated."""
        # A command may be starting the daemon, which answers to nobody yet: then wait, so that it can be stopped.
        deadline = time.monotonic() + _COMMANDS_END_WITHIN
        while time.monotonic() < deadline and not all(command.ended() for command in self._commands):
            time.sleep(0.02)
        for command in self._commands:
            command.close()
        self._commands.clear()
        for child in self._children:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # The whole group: a program's helper must not start a new daemon after the old one was stopped.
                os.killpg(child.pid, signal.SIGTERM)
        for child in self._children:
            try:
                child.wait(_END_WITHIN)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        self._children.clear()

    def stop_daemon(self) -> None:
        """Stop the daemon and see to it that its process is gone. Harmless when repeated."""
        if self._home is None or not self.paths.state.exists():
            return
        with contextlib.suppress(CredhelperError, KeyError, ValueError):
            self.ping()
            self.agent.call("stop")
        for process in self._daemons.values():
            if not _ended(process, _END_WITHIN):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                _ended(process, _END_WITHIN)
        self._daemons.clear()

    def _end_strays(self) -> None:
        """End what a person left running in this world: jobs in the background, whatever opened windows."""
        if self._home is None:
            return
        if self.paths.state.exists():
            with contextlib.suppress(CredhelperError, KeyError, ValueError):
                self.ping()  # to know the daemon, which is asked to stop later
        strays = [
            process
            for process in psutil.process_iter()
            if process.pid not in self._daemons and self._is_of_here(process)
        ]
        for process in strays:
            with contextlib.suppress(psutil.Error):
                process.terminate()
        for process in psutil.wait_procs(strays, timeout=2.0)[1]:
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _is_of_here(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            if self.mark in process.cmdline():
                return True
        with contextlib.suppress(psutil.Error):
            return bool(process.environ().get("HOME") == str(self._home))
        return False

    def close(self) -> None:
        """End everything. A second Ctrl-C does not interrupt it. Harmless when repeated."""
        with _undisturbed():
            try:
                self.stop_programs()
                self._end_strays()
                self.stop_daemon()
            finally:
                try:
                    self.standin.stop()
                finally:
                    if self._home is not None and not self.keep:
                        _remove(self._home)
                    self._dismiss_guard()


class Command:
    """A command of credhelper's under way."""

    def __init__(self, child: subprocess.Popen[bytes], output: IO[bytes]) -> None:
        self._child = child
        self._output = output

    def ended(self) -> bool:
        return self._child.poll() is not None

    def result(self) -> tuple[int, str]:
        """The exit code and all that it wrote; waits for its end."""
        code = self._child.wait()
        with self._output:
            self._output.seek(0)
            return code, self._output.read().decode("utf-8", "replace")

    def close(self) -> None:
        """Drop what it wrote, where nobody asked for it."""
        self._output.close()


@contextlib.contextmanager
def _undisturbed() -> Any:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ended(process: psutil.Process, within: float) -> bool:
    """Wait for the end of a process that is no child of ours. One that only waits to be reaped has ended."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def _sweep() -> None:
    """Close the worlds of this user's whose demo and guard were killed."""
    for home in _HOMES.glob(f"{_PREFIX}*"):
        try:
            status = home.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            fd = os.open(home / _OWNER, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # gone by now, kept, or just being made
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        else:
            World.left_behind(home).close()
        finally:
            os.close(fd)


def _remove(folder: Path) -> None:
    """Remove the home; a process that is just ending may still write a last file into it."""
    for _ in range(20):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.05)
