"""The background process: whether it runs, answers, and is of this version."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from credhelper import __version__, client
from credhelper.daemon import singleton
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene, exists
from credhelper.errors import CredhelperError

# What the command line alone is made of.
_NOT_THE_DAEMONS = {"cli", "demo", "doctor", "standin"}
_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,3}", re.ASCII)
# Seconds that the kernel's word on when a process began may be off.
_START_TAKES = 2.0


def running(scene: Scene) -> Iterator[Remark]:
    """Whether it can be asked, and what it says of itself."""
    folder = _loose_folder(scene)
    daemon = scene.daemon
    if folder is not None:
        yield Finding(
            "daemon-folder",
            f"the folder of the daemon's socket is not this user's alone: {folder}",
            "Somebody else could lock it or listen there, so nobody connects",
            Mend(f"chmod 700 {scene.word(folder)}", action=lambda: _close(folder))
            if _is_own_folder(folder)
            else Mend(words="Set CREDHELPER_SOCKET to a path in another folder"),
        )
    elif scene.daemon_problem is not None:
        yield Finding(
            "daemon-broken",
            scene.daemon_problem.message,
            "No program gets credentials while somebody is there and does not answer",
            _restarting(scene),
        )
    elif daemon is None and not singleton.is_free(scene.paths):
        yield Finding(
            "daemon-elsewhere",
            "a daemon has the lock and cannot be reached from here",
            "It starts or ends at this moment, or runs in a container or with another CREDHELPER_SOCKET, and shares "
            "this home folder; programs here are served without one, more slowly",
            Mend('pgrep -af "credhelper daemon run"', "Look for it, and end it where it runs"),
        )
    elif daemon is None:
        if scene.managed or scene.sessions:
            yield Finding(
                "daemon-absent",
                "the daemon does not run",
                "The next call of a managed profile starts it; until then nothing is renewed, and nobody is warned",
                Mend("credhelper daemon start", action=lambda: _start(scene)),
            )
    elif _number(daemon.get("version")) > _number(__version__):
        # To start ours in its place would be a way back, and the other program's doctor would then undo it.
        yield Finding(
            "daemon-newer",
            f"the daemon is of version {daemon.get('version')}, this program of {__version__}",
            "A newer installation of credhelper has started it, and it is that one's",
            Mend(words="Use that one, and remove this one or bring it up to date"),
            "hint",
        )
    elif daemon.get("version") != __version__:
        yield Finding(
            "daemon-older",
            f"the daemon is of version {daemon.get('version')}, the program of {__version__}",
            "It was started before the upgrade, and goes on as it was",
            _restarting(scene),
        )
    elif _is_behind(daemon.get("pid")):
        yield Finding(
            "daemon-older",
            "the daemon was started before the program's files changed",
            "It goes on with the code of then, though the version is the same",
            _restarting(scene),
            "hint",
        )
    else:
        yield Well(f"it runs (process {daemon.get('pid')}), version {__version__}")


def log(scene: Scene) -> Iterator[Remark]:
    """Whether its log can be written."""
    path = scene.paths.log
    if exists(path) and not path.is_file():
        yield Finding(
            "daemon-log",
            f"{scene.shown(path)} is no regular file",
            "The daemon does not start then",
            Mend(f"mv {scene.word(path)} {scene.word(path.with_suffix('.old'))}"),
        )


def _number(version: Any) -> tuple[int, ...]:
    """Major, minor and the rest, to be compared; nothing where that makes no sense."""
    found = _VERSION.match(version) if isinstance(version, str) else None
    return tuple(map(int, found[0].split("."))) if found else ()


def _restarting(scene: Scene) -> Mend:
    return Mend("credhelper daemon restart", verb=("daemon", "stop"), action=lambda: _start(scene))


def _start(scene: Scene) -> str:
    """As a helper starts it: `daemon start` would record this shell's proxy and CA bundle, which may be wrong.

    Raises DaemonUnavailable.
    """
    scene.agent.start()
    return "the daemon is running"


def _is_behind(pid: Any) -> bool:
    """Whether the program's files are newer than the daemon's process; False where that cannot be seen."""
    import psutil  # noqa: PLC0415 - not for programs

    try:
        return psutil.Process(pid).create_time() + _START_TAKES < _newest()
    except (psutil.Error, OSError, TypeError, ValueError):
        return False


def _newest() -> float:
    """When a file that the daemon may have loaded was written last; seconds since the epoch. Raises OSError."""
    package = Path(client.__file__).parent
    files = (path for path in package.rglob("*.py") if path.relative_to(package).parts[0] not in _NOT_THE_DAEMONS)
    return max(path.stat().st_mtime for path in files)


def _loose_folder(scene: Scene) -> Path | None:
    """The folder of a socket in use that is not ours alone, if there is one."""
    environ = {os.fsencode(name): os.fsencode(value) for name, value in scene.environ.items()}
    for address in client.addresses(environ, os.fsencode(scene.paths.home), os.geteuid()):
        folder = Path(os.fsdecode(address)).parent
        try:
            client.check_folder(address, os.geteuid())
        except client.Broken:
            return folder
        except client.Absent:
            continue
    return None


def _is_own_folder(folder: Path) -> bool:
    """Whether its mode can be put right; not where a link, perhaps one to nothing, or a file is in its place."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()


def _close(folder: Path) -> str:
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise CredhelperError(f"{folder} is no folder", "Move it away")
    folder.chmod(0o700)
    return f"{folder} is this user's alone"


CHECKS: tuple[Check, ...] = (running, log)
