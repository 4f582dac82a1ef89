"""What makes a process a daemon: its log, its limits, its word to whoever started it, its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import logging.handlers
import os
import resource
import signal
import stat
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from credhelper import client, files, memory, resources, shell_files
from credhelper.agent import Agent
from credhelper.dates import DATE_FORMAT
from credhelper.errors import CredhelperError, DaemonUnavailable, places
from credhelper.paths import Paths
from credhelper.terminal import printable

_LOG_SIZE = 1_000_000
_WANTED_DESCRIPTORS = 16384
# Seconds after which a thread that waits for the interpreter gets its turn, a fifth of Python's own: the one that
# holds a renewed token must write it down, also while the event loop answers a thousand callers.
SWITCH_INTERVAL = 0.001
# How long a second daemon waits for the first, which has the lock, to publish its address or to end.
_NEIGHBOUR_WITHIN = 5.0
# And where the first has published an address at which nobody answers: it is ending, or in a container that shares
# the home folder but not the socket's. Whoever woke us for an AWS client does better without a daemon then.
_UNREACHABLE_WITHIN = 0.3


def run(
    paths: Paths, environ: Mapping[str, str], *, ready_fd: int | None, foreground: bool, patience: float | None = None
) -> None:
    """Be the daemon until told to stop; return at once where another one is running.

    Args:
        paths: of the home folder.
        environ: the process's environment.
        ready_fd: where `ready` or `running` is written once callers can connect; closed then.
        foreground: log to stderr too.
        patience: seconds to wait for another daemon that has the lock but cannot be reached.

    Raises CredhelperError where it cannot start; the reason goes to `ready_fd` as well.
    """
    word = _Word(ready_fd)
    try:
        paths.check_owner()
        harden()
        make_room()
        reset_signals()
        sys.setswitchinterval(SWITCH_INTERVAL)
        if ready_fd is not None:
            with contextlib.suppress(OSError):  # only root may go back up
                os.setpriority(os.PRIO_PROCESS, 0, 0)
        start_log(paths, foreground=foreground)
        if patience is None:
            patience = _NEIGHBOUR_WITHIN if ready_fd is None else _UNREACHABLE_WITHIN
        began = time.monotonic()
        while not asyncio.run(_main(paths, environ, word)):
            # The one that has the lock is starting, or ending: then its place is ours.
            if _neighbour_answers(paths, environ, began, patience):
                word.say("running\n")
                break
    except CredhelperError as error:
        word.say(str(error))
        raise
    finally:
        word.close()
        logging.shutdown()


async def _main(paths: Paths, environ: Mapping[str, str], word: _Word) -> bool:
    """Serve until the end; False where another daemon has the lock."""
    from credhelper.daemon.app import App  # noqa: PLC0415 - so that a failure to import is reported too

    app = App(paths, environ)
    if not await app.start():
        return False
    word.say("ready\n")
    # A profile may name the helper of an older version; whoever runs last keeps it current.
    threading.Thread(target=_keep_files_current, args=(paths,), name="files", daemon=True).start()
    await app.run()
    return True


def _keep_files_current(paths: Paths) -> None:
    with contextlib.suppress(CredhelperError, OSError):
        if resources.restore_helper(paths):
            logging.getLogger("credhelper").warning("the helper was missing and is in place again")
        elif resources.helper_is_ours(paths):
            resources.install_helper(paths)
    with contextlib.suppress(CredhelperError, OSError):
        shell_files.keep_current(paths)


def _neighbour_answers(paths: Paths, environ: Mapping[str, str], began: float, patience: float) -> bool:
    """Whether the daemon that has the lock can be reached. Raises CredhelperError when that has lasted too long."""
    try:
        Agent(paths, environ).call("ping", 2.0)
    except DaemonUnavailable as error:
        dead = isinstance(error.__cause__, client.Absent)
    except CredhelperError:
        return True
    else:
        return True
    # Who takes the lock removes an older record; so a record says that its holder was ready.
    within = patience if dead and paths.address_record.exists() else max(patience, _NEIGHBOUR_WITHIN)
    if time.monotonic() > began + within:
        raise CredhelperError(f"another daemon holds {paths.daemon_lock} but cannot be reached", "End its process")
    time.sleep(0.02)
    return False


class _Word:
    """The word to the process that waits for this one."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd

    def say(self, text: str) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, text.encode("utf-8", "replace"))
            self.close()

    def close(self) -> None:
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None


def harden() -> None:
    """No core dumps, no debugger of the same user, private files."""
    os.umask(0o077)
    memory.seclude(for_good=True)


def make_room() -> None:
    """Room for many callers at once, and none of the limits that whoever woke us had set for work of its own."""
    for name in ("RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_AS", "RLIMIT_NPROC"):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            limit = getattr(resource, name)
            hard = resource.getrlimit(limit)[1]
            resource.setrlimit(limit, (hard, hard))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(_WANTED_DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def reset_signals() -> None:
    """Neither blocked nor ignored signals of whoever woke us: SIGTERM must end the daemon.

    The two that Python ignores on purpose stay ignored.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        with contextlib.suppress(OSError, ValueError):
            if signal.getsignal(number) is signal.SIG_IGN:
                ours = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
                signal.signal(number, ours)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that is written where it can be found, also after its folder was removed."""

    def _open(self) -> Any:
        return open(self.baseFilename, "a", encoding=self.encoding, opener=_open_regular)

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - the base class names it
        if not self._is_there():
            with contextlib.suppress(CredhelperError):
                files.make_private_folder(Path(self.baseFilename).parent)
            self.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def _is_there(self) -> bool:
        if self.stream is None:
            return True  # the base class opens it
        try:
            return os.path.samestat(Path(self.baseFilename).stat(), os.fstat(self.stream.fileno()))
        except FileNotFoundError:
            return False
        except OSError:
            return True  # it could not be opened anew either


def _open_regular(path: str, flags: int) -> int:
    """Open a file and nothing else: a FIFO would be waited at. Raises CredhelperError, OSError."""
    fd = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise CredhelperError(f"{path} is not a regular file", "Move it away")
    return fd


class _Formatter(logging.Formatter):
    """Of errors that nobody foresaw only the places and kinds are told: their texts may hold secrets.

    What stands in a name from elsewhere can neither add a line nor steer a terminal that shows the log.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        if record.exc_info and record.name == "asyncio":
            record.message = record.message.partition("\n")[0]  # then come the `repr` of tasks and their results
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - as above
        return "\n".join(["Traceback, without values:", *places(ei[1])])


def start_log(paths: Paths, *, foreground: bool) -> None:
    """Log to `daemon.log` (0600, one old copy kept); on a full or read-only disk once that is possible.

    Raises CredhelperError where something else is in its place.
    """
    problem = None
    try:
        files.make_private_folder(paths.state)
        kept = _open_log(paths.log)
    except (CredhelperError, OSError) as error:
        problem = error if isinstance(error, CredhelperError) else CredhelperError(_unwritable(paths.log, error))
        if not files.is_unwritable(error):
            raise problem from error
        kept = _open_log(paths.log, delay=True)
    handlers: list[logging.Handler] = [kept]
    if foreground:
        handlers.append(logging.StreamHandler())
    formatter = _Formatter("%(asctime)s %(levelname)s %(message)s", DATE_FORMAT)
    formatter.converter = time.gmtime
    logging.getLogger("credhelper").setLevel(logging.INFO)
    for handler in handlers:
        handler.setFormatter(formatter)
        for name in ("credhelper", "asyncio"):
            logging.getLogger(name).addHandler(handler)
    # A full disk must not end the daemon, nor fill stderr.
    logging.raiseExceptions = False
    if problem is not None:
        logging.getLogger("credhelper").warning("%s; the daemon goes on without a log", problem.message)


def _open_log(path: Path, *, delay: bool = False) -> _LogFile:
    return _LogFile(path, maxBytes=_LOG_SIZE, backupCount=1, encoding="utf-8", delay=delay)


def _unwritable(path: Path, error: OSError) -> str:
    return f"{path} cannot be written: {error.strerror}"
