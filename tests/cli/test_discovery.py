from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import textwrap
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from credhelper import client, resources
from credhelper.agent import Agent
from credhelper.aws.directory import Directory, read_directory, unfinished
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import Progress, discover
from credhelper.errors import CredhelperError, DaemonUnavailable, LoginNeeded
from credhelper.paths import Paths
from credhelper.standin import Fault, StandIn
from tests.cli.terminal import COMMAND, environment
from tests.machine import Machine
from tests.support import MakeStandIn, Processes, Serve
from tests.waiting import wait_until

reply = client.encode_reply
ROLES = ("AWSAdministratorAccess", "AWSReadOnlyAccess")
LAST = "100000000003"


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """Logged in; no daemon runs."""
    return ready(paths, standin)


def ready(paths: Paths, standin: StandIn) -> Machine:
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    return machine


@pytest.fixture
def desk(paths: Paths) -> Desk:
    return Desk.of(paths, os.environ)


def role_calls(standin: StandIn) -> Counter[str]:
    return Counter(call.detail for call in standin.calls("ListAccountRoles"))


class Enough(Exception):
    """As Ctrl-C, wherever a test wants it."""


# --- the daemon -----------------------------------------------------------------------------------------------------


def test_daemon_is_started_and_asked(desk: Desk, machine: Machine) -> None:
    seen: list[Progress] = []
    found = discover(desk, machine.session, seen.append)
    assert [known.roles for known in found.accounts] == [ROLES] * 3
    assert found.complete
    assert seen[-1] == Progress(3, 3)
    assert seen == sorted(seen, key=lambda progress: (progress.accounts is not None, progress.listed))
    assert read_directory(desk.paths, machine.session) == found
    calls = len(machine.standin.calls())
    assert discover(desk, machine.session, seen.append, fresh=False) == found
    assert len(machine.standin.calls()) == calls


def test_login_needed(desk: Desk, machine: Machine) -> None:
    machine.token_file.unlink()
    with pytest.raises(LoginNeeded, match=r"session corp: not logged in. Run: credhelper login corp"):
        discover(desk, machine.session, lambda _: None)


def test_what_the_caller_breaks_off_is_gone_on_with(desk: Desk, machine: Machine) -> None:
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=LAST)

    def stop(progress: Progress) -> None:
        if progress == Progress(3, 2) and role_calls(machine.standin)[LAST]:
            raise Enough

    with pytest.raises(Enough):
        discover(desk, machine.session, stop)
    placed.remove()
    assert len(discover(desk, machine.session, lambda _: None).accounts) == 3
    calls = role_calls(machine.standin)
    # Who comes before the daemon has seen the first one go joins him, and the call that was held serves both.
    assert calls.pop(LAST) in {1, 2}
    assert calls == {"100000000001": 1, "100000000002": 1}


def test_ctrl_c_stops_the_daemon_s_walk(desk: Desk, machine: Machine, processes: Processes) -> None:
    desk.agent.start()
    machine.standin.configure(accounts=1000)
    script = """
        import os
        from credhelper.cli.desk import Desk
        from credhelper.cli.discovery import discover
        from credhelper.model import Session
        from credhelper.paths import Paths
        print("listing", flush=True)
        discover(Desk.of(Paths.of(), os.environ), Session(*os.environ["SESSION"].split()), lambda _: None)
    """
    session = machine.session
    process = processes.python(
        "-c",
        textwrap.dedent(script),
        env={**environment(), "SESSION": f"{session.name} {session.start_url} {session.region}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    machine.standin.wait_for("ListAccountRoles", 5)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=20)
    assert "KeyboardInterrupt" in stderr
    part = wait_until(lambda: unfinished(desk.paths, session))
    assert part is not None
    assert 0 < sum(known.roles is not None for known in part.accounts) < 1000
    log = desk.paths.log.read_text()
    assert "could not be listed" not in log


def test_killed_daemon_is_replaced_and_what_was_written_down_is_not_asked_again(desk: Desk, machine: Machine) -> None:
    machine.standin.configure(accounts=70)
    last = "100000000070"
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=last)
    desk.agent.start()
    pid = json.loads(desk.agent.call("ping"))["pid"]
    known: set[str] = set()

    def kill(progress: Progress) -> None:
        if not known:
            part = unfinished(desk.paths, machine.session)
            if part is not None and part.accounts:
                known.update(account.account_id for account in part.accounts if account.roles is not None)
                os.kill(pid, signal.SIGKILL)
                placed.remove()

    found = discover(desk, machine.session, kill)
    assert [account.roles for account in found.accounts] == [ROLES] * 70
    assert known
    calls = role_calls(machine.standin)
    assert {calls[account] for account in known} == {1}
    assert json.loads(desk.agent.call("ping"))["pid"] != pid


def test_logout_in_the_middle(desk: Desk, machine: Machine) -> None:
    machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=LAST)
    done: list[subprocess.CompletedProcess[str]] = []

    def log_out(progress: Progress) -> None:
        if progress.listed and not done:
            command = [*COMMAND, "logout", "corp"]
            done.append(subprocess.run(command, env=environment(), capture_output=True, text=True, check=False))

    with pytest.raises(LoginNeeded, match=r"session corp: not logged in. Run: credhelper login corp"):
        discover(desk, machine.session, log_out)
    assert [(ended.returncode, ended.stdout) for ended in done] == [(0, "Logged out of corp.\n")]
    assert wait_until(lambda: unfinished(desk.paths, machine.session) is None)
    assert "Traceback" not in desk.paths.log.read_text()


# --- odd daemons ----------------------------------------------------------------------------------------------------


@pytest.fixture
def scripted(runtime_folder: Path, machine: Machine) -> None:
    (runtime_folder / "credhelper").mkdir(mode=0o700)


SOCKET = "credhelper/agent.sock"
OLD = b"credhelper: the daemon is older than the program. Run: credhelper daemon restart\n"


def test_daemon_that_is_older(desk: Desk, machine: Machine, scripted: None, serve: Serve) -> None:
    serve(SOCKET, reply(0, b"{}"), reply(1, OLD))
    with pytest.raises(
        CredhelperError, match=r"the daemon is older than the program. Run: credhelper daemon restart"
    ):
        discover(desk, machine.session, lambda _: None)


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b"\xff", b'{"schema": 1, "complete": false, "listed_at": 1, "accounts": []}']
)
def test_answer_without_sense(desk: Desk, machine: Machine, scripted: None, serve: Serve, answer: bytes) -> None:
    serve(SOCKET, reply(0, b"{}"), reply(0, answer))
    with pytest.raises(DaemonUnavailable, match="makes no sense"):
        discover(desk, machine.session, lambda _: None)


def test_words_that_are_not_understood_are_left_out(
    desk: Desk, machine: Machine, scripted: None, serve: Serve
) -> None:
    words = [b"", b"x", b"1", b"1 2 3", b"7 4"]
    answer = b'{"schema": 1, "complete": true, "listed_at": 1, "accounts": []}'
    serve(SOCKET, reply(0, b"{}"), b"".join(reply(client.WORD, word) for word in words) + reply(0, answer))
    seen: list[Progress] = []
    assert discover(desk, machine.session, seen.append) == Directory((), complete=True, listed_at=1)
    assert seen == [Progress(7, 4), Progress(0, 0)]


def test_daemon_that_goes_again_and_again(desk: Desk, machine: Machine, scripted: None, serve: Serve) -> None:
    server = serve(SOCKET, *[reply(0, b"{}"), b""] * (client.MOST_VANISHED + 1))
    with pytest.raises(DaemonUnavailable, match="again and again"):
        discover(desk, machine.session, lambda _: None)
    assert len(server.requests) == 2 * (client.MOST_VANISHED + 1)


def test_daemon_that_dies_of_the_walk_each_time(desk: Desk, machine: Machine, scripted: None, serve: Serve) -> None:
    """Its first words are no progress."""
    words = reply(client.WORD, b"-1 0") + reply(client.WORD, b"9 1")
    server = serve(SOCKET, *[reply(0, b"{}"), words] * (client.MOST_VANISHED + 1))
    with pytest.raises(DaemonUnavailable, match="again and again"):
        discover(desk, machine.session, lambda _: None)
    assert len(server.requests) == 2 * (client.MOST_VANISHED + 1)


def test_mistake_in_what_hears_the_words_is_no_expected_failure(
    desk: Desk, machine: Machine, scripted: None, serve: Serve
) -> None:
    def stumble(progress: Progress) -> None:
        raise ValueError(progress)

    serve(SOCKET, reply(0, b"{}"), reply(client.WORD, b"-1 0"))
    with pytest.raises(ValueError, match="Progress"):
        discover(desk, machine.session, stumble)


def test_daemon_that_says_nothing(
    desk: Desk, scripted: None, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Agent, "start", lambda _: None)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(runtime_folder / SOCKET))
        silent.listen()
        with pytest.raises(DaemonUnavailable, match="did not answer in time"):
            desk.agent.follow("accounts", lambda _: None, silence=0.05)


def test_session_that_no_request_can_hold(desk: Desk, machine: Machine) -> None:
    with pytest.raises(CredhelperError, match="NUL"):
        desk.agent.follow("accounts", lambda _: None, name="a\0b")


# --- a large organization -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def callers(desk: Desk, machine: Machine, pause: float) -> Iterator[list[int]]:
    """One who asks for the credentials of another role each time; the exit codes that he got."""
    answers: list[int] = []
    ended = threading.Event()

    def ask() -> None:
        for number in range(1, 1000):
            account = str(100_000_000_000 + number)
            done = subprocess.run(
                [desk.paths.helper, machine.session.name, account, ROLES[0]], capture_output=True, check=False
            )
            answers.append(done.returncode)
            if ended.wait(pause):
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield answers
    finally:
        ended.set()
        thread.join()


@pytest.mark.timeout(300)
def test_a_thousand_accounts_under_the_throttle(make_standin: MakeStandIn, paths: Paths, desk: Desk) -> None:
    """Two roles each, at 20 calls a second: none is missed though a person breaks it off in the middle, AWS never has
    to throttle, and callers are served meanwhile."""
    standin = make_standin(accounts=1000, throttle=20, token_lifetime=3600)
    machine = ready(paths, standin)
    resources.install_helper(paths)
    machine.let_the_helper_wait()
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if progress.listed >= 400:
            raise Enough

    desk.agent.start()
    with callers(desk, machine, 1.5) as answers:
        with pytest.raises(Enough):
            discover(desk, machine.session, stop)
        found = discover(desk, machine.session, seen.append)
    assert [known.account_id for known in found.accounts] == sorted(standin.settings.directory())
    assert {known.roles for known in found.accounts} == {ROLES}
    assert {call.status for call in standin.calls()} == {200}
    assert len(standin.calls("ListAccountRoles")) <= 1000 + 12
    assert len(answers) > 10
    assert set(answers) == {0}
    assert len({progress.listed for progress in seen}) > 100
