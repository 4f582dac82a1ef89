"""`credhelper daemon run|start|stop|restart|status`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from credhelper import client
from credhelper.agent import Agent
from credhelper.cli import complain, no_core_dumps, tell
from credhelper.core.report import NO_DAEMON
from credhelper.daemon import singleton
from credhelper.errors import CredhelperError, DaemonUnavailable
from credhelper.paths import Paths
from credhelper.terminal import printable

if TYPE_CHECKING:
    import psutil

# An end that takes longer than this is explained.
_TELL_AFTER = 2.0
# A daemon that is told to end may first finish a renewal and save it, some 16 s at worst.
_PATIENCE = 30.0
# The kernel ends a killed process at once, save one that waits for a disk.
_KILLED_WITHIN = 5.0


@click.group()
def command() -> None:
    """Run, start, stop or look at the background process."""


@command.command()
@click.option("--ready-fd", type=int, hidden=True, help="Descriptor for the word that it is ready.")
@click.option("--patience", type=float, hidden=True, help="Seconds to wait for another daemon to end.")
def run(ready_fd: int | None, patience: float | None) -> None:
    """Run in the foreground, for service managers and for looking at its log."""
    from credhelper.daemon import process  # noqa: PLC0415 - asyncio and the rest, for this verb alone

    paths = Paths.of()
    # With a socket passed in, it would be we who had to answer.
    if ready_fd is None and "LISTEN_FDS" not in os.environ and Agent(paths).running():
        raise CredhelperError("a daemon is already running", "Run `credhelper daemon stop` first")
    process.run(
        paths,
        os.environ,
        ready_fd=ready_fd,
        foreground=ready_fd is None and "INVOCATION_ID" not in os.environ,
        patience=patience,
    )


@command.command()
def start() -> None:
    """Start it in the background, if it is not running."""
    paths = Paths.of()
    _record(paths)
    _start(paths)


def _record(paths: Paths) -> None:
    """Keep what this environment says of the network. Raises CredhelperError."""
    from credhelper import settings  # noqa: PLC0415

    paths.check_owner()
    no_core_dumps()  # a proxy's address may hold a password
    for notice in settings.record_network(paths, os.environ):
        complain(notice)


def _start(paths: Paths) -> None:
    from credhelper import resources  # noqa: PLC0415

    try:
        if resources.restore_helper(paths):
            tell(f"The helper was missing and is in place again: {printable(str(paths.helper))}")
    except CredhelperError as error:
        complain(f"the helper is missing: {error}")
    Agent(paths).start()
    _tell_of_settings(paths)
    click.echo("The daemon is running.")


def _tell_of_settings(paths: Paths) -> None:
    from credhelper.cli.notices import settings_notice  # noqa: PLC0415

    for notice in settings_notice(paths):
        complain(notice)


@command.command()
def stop() -> None:
    """Stop it; what it held in memory is dropped."""
    click.echo("The daemon has stopped." if _stop(Paths.of()) else "The daemon was not running.")


def _stop(paths: Paths, timeout: float = _PATIENCE) -> bool:
    """Stop the daemon and wait until it has gone; False where none was running. Raises CredhelperError.

    It finishes a renewal of a token that is under way, which lasts as long as AWS takes to answer. One that does not
    answer is told by signals, and at last ended by force.
    """
    agent = Agent(paths)
    process = _process(paths, agent)
    try:
        if not _ask_to_stop(paths, agent, timeout):
            return False
    except DaemonUnavailable:
        if process is None:
            raise
        _end(paths, process, timeout)
        return True
    asked = time.monotonic()
    told = False
    while not _gone(paths, process):  # asking it would wake another, where the service manager holds the socket
        waited = time.monotonic() - asked
        if waited > _TELL_AFTER and not told:
            tell("Waiting for a renewal to finish …")
            told = True
        if waited > timeout:
            if process is None:
                raise CredhelperError(
                    "the daemon does not stop", "End its process, shown by `credhelper daemon status`"
                )
            _kill(paths, process)
            break
        time.sleep(0.02)
    return True


def _ask_to_stop(paths: Paths, agent: Agent, timeout: float) -> bool:
    """Ask the daemon to stop; False where none runs. One that is about to listen, or to end, is waited for.

    Raises DaemonUnavailable.
    """
    asked = time.monotonic()
    told = False
    while True:
        try:
            agent.call("stop")
        except DaemonUnavailable as error:
            if not isinstance(error.__cause__, client.Absent):
                raise
        else:
            return True
        if singleton.is_free(paths):
            return False
        waited = time.monotonic() - asked
        if waited > timeout:
            raise DaemonUnavailable(
                f"a daemon holds the lock {paths.daemon_lock} and cannot be reached",
                'Find it with `pgrep -f "credhelper daemon run"`, also in a container that shares this home folder, '
                "and end it",
            )
        if waited > _TELL_AFTER and not told:
            tell("Waiting for a daemon that is starting or ending …")
            told = True
        time.sleep(0.05)


def _gone(paths: Paths, process: psutil.Process | None) -> bool:
    """Whether the daemon has ended: nobody has the lock, or a successor has it and this process is no more."""
    if singleton.is_free(paths):
        return True
    if process is None:
        return False
    import psutil  # noqa: PLC0415

    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _process(paths: Paths, agent: Agent) -> psutil.Process | None:
    """The daemon's process: one of this user and home that listens at the daemon's socket, and runs our command."""
    import psutil  # noqa: PLC0415 - for some verbs only

    pid = None if singleton.is_free(paths) else agent.listening_process()
    if pid is None:
        return None
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        ours = process.uids().effective == os.geteuid() and _is_our_command(process.cmdline())
        if ours and _serves(process, paths):
            return process
    return None


def _serves(process: psutil.Process, paths: Paths) -> bool:
    """Whether it is the daemon of our home. Raises psutil.Error.

    Its environment says so, where that may be read (a daemon lets root alone do so). Else it is so where an address
    is recorded: whoever has the lock wrote it. Without a record we have asked at an address that all homes share.
    """
    import psutil  # noqa: PLC0415

    try:
        home = process.environ().get("HOME", "")
    except psutil.AccessDenied:
        return paths.address_record.exists()
    with contextlib.suppress(OSError):
        return paths.home.samefile(home)
    return False


def _is_our_command(line: list[str]) -> bool:
    """Whether this is `… -m credhelper daemon run`, or the installed program `…/credhelper daemon run`."""
    return any(
        Path(word).name == "credhelper" and line[place + 1 : place + 3] == ["daemon", "run"]
        for place, word in enumerate(line)
    )


def _end(paths: Paths, process: psutil.Process, timeout: float) -> None:
    """End a daemon that does not answer: SIGTERM, and SIGCONT for one that is stopped, then SIGKILL.

    It has as long as a renewal under way may take, for its end by force may lose the session.
    """
    tell(f"The daemon (process {process.pid}) does not answer; it is told to end by a signal …")
    _signal(process, signal.SIGTERM, signal.SIGCONT)
    deadline = time.monotonic() + timeout
    while not _gone(paths, process):
        if time.monotonic() > deadline:
            _kill(paths, process)
            return
        time.sleep(0.02)
    tell("It has ended.")


def _kill(paths: Paths, process: psutil.Process) -> None:
    """Raises CredhelperError where even that does not end it."""
    tell(f"The daemon (process {process.pid}) does not heed that either; it is killed.")
    _signal(process, signal.SIGKILL)
    deadline = time.monotonic() + _KILLED_WITHIN
    while not _gone(paths, process):
        if time.monotonic() > deadline:
            raise CredhelperError(
                f"the daemon (process {process.pid}) cannot be killed", "Look at what its process waits for"
            )
        time.sleep(0.02)


def _signal(process: psutil.Process, *numbers: signal.Signals) -> None:
    """To this very process; psutil heeds that its id may be another's by now."""
    import psutil  # noqa: PLC0415

    with contextlib.suppress(psutil.NoSuchProcess):
        for number in numbers:
            process.send_signal(number)


@command.command()
def restart() -> None:
    """Stop it and start it again, for instance after an upgrade."""
    paths = Paths.of()
    _record(paths)
    _stop(paths)
    _start(paths)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def status(as_json: bool) -> None:
    """Show whether it runs, where it listens, and what it has done."""
    paths = Paths.of()
    try:
        answer = json.loads(Agent(paths).call("ping"))
    except DaemonUnavailable as error:
        if not isinstance(error.__cause__, client.Absent):
            process = _process(paths, Agent(paths))
            if process is None:
                raise
            raise DaemonUnavailable(f"{error.message} (process {process.pid})", error.remedy) from error
        if as_json:
            click.echo(json.dumps(NO_DAEMON))
            raise SystemExit(1) from None
        raise
    _tell_of_settings(paths)
    if as_json:
        click.echo(json.dumps(answer))
        return
    counters = answer["counters"]
    click.echo(f"credhelper {answer['version']} runs as process {answer['pid']} and listens at {answer['socket']}.")
    click.echo(
        f"Since it started: {counters['hand_outs']} credentials handed out, {counters['fetches']} fetched from AWS, "
        f"{counters['renewals']} tokens renewed. Log: {paths.log}"
    )
