"""A home folder, a runtime folder and an environment for one test, and proof that nothing else was touched."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import site
import stat
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from credhelper.agent import Agent
from credhelper.errors import CredhelperError
from credhelper.paths import Paths
from tests.waiting import wait_until

PROJECT = Path(__file__).resolve().parent.parent

_REAL_HOMES = tuple(
    dict.fromkeys(
        os.path.realpath(folder)
        for folder in (os.environ.get("HOME", ""), pwd.getpwuid(os.getuid()).pw_dir)
        if folder
    )
)

# Variables that would let the machine that the tests run on decide what happens in them.
_CLEARED_PREFIXES = ("AWS_", "CREDHELPER_", "XDG_", "SSH_", "C9_", "WSL", "PYTHONP")
_CLEARED = frozenset(
    {
        "BASH_ENV",
        "BROWSER",
        "CLICOLOR_FORCE",
        "CODESPACES",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
        "ENV",
        "FORCE_COLOR",
        "GITPOD_WORKSPACE_ID",
        "NO_COLOR",
        "NOTIFY_SOCKET",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "SUDO_UID",
        "SUDO_USER",
        "WAYLAND_DISPLAY",
        "ZDOTDIR",
        *(
            name
            for base in ("http", "https", "all", "no", "ftp")
            for name in (f"{base}_proxy", f"{base}_proxy".upper())
        ),
    }
)

# What credhelper could change in a real home: watched for the whole run, because no hook sees into child processes.
_WATCHED = (
    ".aws",
    ".bash_login",
    ".bash_profile",
    ".bashrc",
    ".config/credhelper",
    ".config/fish/conf.d",
    ".config/fish/config.fish",
    ".config/powershell",
    ".config/systemd/user",
    ".local/share/credhelper",
    ".local/state/credhelper",
    ".profile",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "Library/LaunchAgents",
)


def clean_environment(environ: dict[str, str]) -> dict[str, str]:
    """`environ` without what could lead a test to the real home, desktop, network or AWS account."""
    return {
        name: value
        for name, value in environ.items()
        if name not in _CLEARED and not name.startswith(_CLEARED_PREFIXES)
    }


class Tripwire:
    """An audit hook that refuses and notes each use of the real home folder while a test runs.

    The interpreter, its packages, this checkout and the temporary folder may lie under the home; they are allowed.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._armed = False
        allowed = {
            PROJECT,
            sys.prefix,
            sys.base_prefix,
            sys.exec_prefix,
            sys.base_exec_prefix,
            tempfile.gettempdir(),
            site.getusersitepackages(),
            sys.pycache_prefix,
            *sysconfig.get_paths().values(),
            *(entry for entry in sys.path if entry),
        }
        self._allowed = tuple({os.path.realpath(folder) for folder in allowed if folder})
        # A home of `/` (some containers) holds everything; there only the places that matter are refused.
        self._refused = tuple(
            os.path.join(home, name)  # noqa: PTH118 - strings: the hook runs at every open
            for home in _REAL_HOMES
            for name in (("",) if home != "/" else _WATCHED)
        )
        uid = os.getuid()
        self._sockets = (f"/run/user/{uid}/credhelper", f"/tmp/credhelper-{uid}")  # noqa: S108 - the real places
        sys.addaudithook(self._hook)

    @contextlib.contextmanager
    def armed(self) -> Iterator[None]:
        """Refuse for the time of one test."""
        self.violations.clear()
        self._armed = True
        try:
            yield
        finally:
            self._armed = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._armed:
            return
        if event == "open" or event.startswith(("os.", "shutil.")):
            for argument in arguments:
                if isinstance(argument, (str, bytes)):
                    self._check(event, os.fsdecode(argument))
        elif event in {"socket.connect", "socket.bind"} and isinstance(arguments[1], (str, bytes)):
            address = os.fsdecode(arguments[1])
            if address.startswith(self._sockets):
                self._refuse(event, address)

    def _check(self, event: str, path: str) -> None:
        if not path.startswith("/") and event != "open":
            return  # a name relative to a folder descriptor, or no path at all
        full = os.path.normpath(os.path.join(os.getcwd(), path))  # noqa: PTH109, PTH118 - as above
        if any(_below(full, folder) for folder in self._refused) and not any(
            _below(full, folder) for folder in self._allowed
        ):
            self._refuse(event, full)

    def _refuse(self, event: str, path: str) -> None:
        self.violations.append(f"{event} {path}")
        raise RealHomeTouched(f"a test must not touch the real home folder: {event} {path}")


class RealHomeTouched(BaseException):
    """Not an Exception: code under test that suppresses those must not hide it."""


def _below(path: str, folder: str) -> bool:
    folder = folder.rstrip("/")
    return path == folder or path.startswith(folder + "/")


def snapshot() -> dict[str, tuple[int, int, int, int]]:
    """Mode, size, times and inode of everything that credhelper could change in the real home folders."""
    found = {}
    for home in _REAL_HOMES:
        for name in _WATCHED:
            for path in _walk(Path(home, name)):
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    times = 0 if stat.S_ISDIR(status.st_mode) else status.st_mtime_ns
                    size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
                    found[str(path)] = (status.st_mode, size, times, status.st_ino)
    return found


def _walk(top: Path) -> Iterator[Path]:
    yield top
    for folder, names, files in os.walk(top):
        yield from (Path(folder, name) for name in [*names, *files])


def end_daemon(paths: Paths, timeout: float = 10.0) -> list[str]:
    """End the daemon of a test's home folder, if one runs; the return value is what is wrong with how it went."""
    if not paths.state.exists():
        return []
    wrong = []
    agent = Agent(paths, {**os.environ, "HOME": str(paths.home)})
    try:
        if agent.running():
            agent.call("stop")
            wait_until(lambda: not agent.running(), timeout, "the daemon to close its socket")
        wait_until(lambda: not _daemons(paths.home), timeout, "the daemon's process to end")
    except (CredhelperError, AssertionError) as error:
        wrong.append(f"the daemon was not ended by `stop`: {error}")
    for process in _daemons(paths.home):
        wrong.append(f"process {process.pid} had to be killed")
        with contextlib.suppress(psutil.Error):
            process.kill()
            process.wait(timeout)
    with contextlib.suppress(OSError):
        log = paths.log.read_text("utf-8", "replace")
        if "Traceback" in log:
            wrong.append(f"the daemon's log holds a traceback:\n{log}")
    return wrong


def _daemons(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            line = process.cmdline()
            if "daemon" in line and "run" in line and process.environ().get("HOME") == str(home):
                found.append(process)
    return found


# Tokens belong in the one, and the AWS CLI itself keeps role credentials in the other.
_SECRETS_ALLOWED = (".aws/sso/cache", ".aws/cli/cache")


def leaked_secrets(folders: Iterable[Path], secrets: Iterable[str], output: str = "") -> list[str]:
    """Where secrets lie that belong nowhere: files under `folders`, or the captured output."""
    needles = [secret.encode() for secret in secrets if secret]
    if not needles:
        return []
    places = []
    for top in folders:
        for folder, _, names in os.walk(top):
            if Path(folder).relative_to(top).as_posix() in _SECRETS_ALLOWED:
                continue
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(OSError):
                    if stat.S_ISREG(path.lstat().st_mode):
                        data = path.read_bytes()
                        if any(needle in data for needle in needles):
                            places.append(str(path))
    raw = output.encode("utf-8", "replace")
    if any(needle in raw for needle in needles):
        places.append("captured output")
    return places


def remove_tree(top: Path) -> None:
    """Remove a test's folders, also those whose modes a test took away."""
    for folder, names, _ in os.walk(top):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if not path.is_symlink():
                    path.chmod(0o700)
    shutil.rmtree(top, ignore_errors=True)
