"""Fixtures for all tests. No test touches the real home folder, network, desktop or AWS account."""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import Settings, StandIn
from tests import sandbox
from tests.parts import aws_cli as aws_cli_part
from tests.support import MakeStandIn, Processes, ScriptedDaemon, Serve

_TRIPWIRE = sandbox.Tripwire()
_CI = os.environ.get("CI") == "true"
_AWS_CLI = aws_cli_part.executable()
_OTHER_OS = "other OS:"

# No test measures time.
hypothesis.settings.register_profile("project", deadline=None)
hypothesis.settings.load_profile("project")

_skips: dict[str, str] = {}
_home_before: dict[str, tuple[int, int, int, int]] = {}


# --- the run as a whole ---------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    # A shell without job control lets its background jobs ignore Ctrl-C and Ctrl-\, and they would hand that down to
    # every program that a test starts.
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


def pytest_sessionstart(session: pytest.Session) -> None:
    if not hasattr(session.config, "workerinput"):
        _home_before.update(sandbox.snapshot())


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        _skips[report.nodeid] = _skip_reason(report.longrepr)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        _skips[report.nodeid] = _skip_reason(report.longrepr)


def _skip_reason(longrepr: object) -> str:
    reason = longrepr[2] if isinstance(longrepr, tuple) else longrepr
    return str(reason).removeprefix("Skipped: ")


def _forbidden_skips() -> dict[str, str]:
    return {test: reason for test, reason in _skips.items() if _CI and not reason.startswith(_OTHER_OS)}


def _home_changes() -> list[str]:
    after = sandbox.snapshot()
    return sorted(path for path in {*_home_before, *after} if _home_before.get(path) != after.get(path))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return
    if session.exitstatus == pytest.ExitCode.OK and (_forbidden_skips() or _home_changes()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    forbidden = _forbidden_skips()
    if forbidden:
        terminalreporter.section("skipped, which fails a run with CI=true", red=True)
        for test, reason in forbidden.items():
            terminalreporter.line(f"{test}: {reason}")
    changes = _home_changes()
    if changes:
        terminalreporter.section("the real home folder changed during the tests", red=True)
        for path in changes:
            terminalreporter.line(path)
        terminalreporter.line("Where another program of yours did that, run the tests again.")


# --- one test -------------------------------------------------------------------------------------------------------


class _Sandbox:
    """The folders of one test, and what must not be found in them at its end."""

    def __init__(self, top: Path) -> None:
        self.home = top / "home"
        self.runtime = top / "run"
        self.secrets: set[str] = set()
        for folder in (self.home, self.runtime):
            folder.mkdir(mode=0o700)


@pytest.fixture(autouse=True)
def _sandbox(request: pytest.FixtureRequest) -> Iterator[_Sandbox]:
    # Under /tmp and short: the path of a Unix socket has room for about a hundred bytes.
    top = Path(tempfile.mkdtemp(prefix="ch-", dir=os.path.realpath("/tmp")))  # noqa: S108 - made by mkdtemp
    try:
        made = _Sandbox(top)
        with pytest.MonkeyPatch.context() as patch, _TRIPWIRE.armed():
            kept = sandbox.clean_environment(dict(os.environ))
            for name in set(os.environ) - set(kept):
                patch.delenv(name)
            patch.setenv("HOME", str(made.home))
            patch.setenv("XDG_RUNTIME_DIR", str(made.runtime))
            patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
            yield made
            wrong = sandbox.end_daemon(Paths(made.home))
        wrong += [f"the real home folder was touched: {what}" for what in _TRIPWIRE.violations]
        output = "".join(content for _, _, content in getattr(request.node, "_report_sections", []))
        leaks = sandbox.leaked_secrets((made.home, made.runtime), made.secrets, output)
        wrong += [f"a secret of the stand-in was found in {place}" for place in leaks]
        if wrong:
            pytest.fail("\n".join(wrong), pytrace=False)
    finally:
        sandbox.remove_tree(top)


@pytest.fixture
def home(_sandbox: _Sandbox) -> Path:
    """The test's own home folder, which HOME names; empty."""
    return _sandbox.home


@pytest.fixture
def runtime_folder(_sandbox: _Sandbox) -> Path:
    """The test's own XDG_RUNTIME_DIR, mode 0700, with a short path."""
    return _sandbox.runtime


@pytest.fixture
def paths(home: Path) -> Paths:
    """All places in the test's home folder."""
    return Paths(home)


@pytest.fixture
def make_standin(_sandbox: _Sandbox) -> Iterator[MakeStandIn]:
    """Start stand-ins with settings of the test's choice; they are stopped at its end.

    None of the secrets that they gave out may then lie anywhere but in the token cache.
    """
    started: list[StandIn] = []

    def make(**settings: Any) -> StandIn:
        unknown = settings.keys() - {field.name for field in fields(Settings)}
        assert not unknown, f"no such settings of the stand-in: {sorted(unknown)}"
        standin = StandIn(Settings(**settings))
        standin.start()
        started.append(standin)
        return standin

    with contextlib.ExitStack() as stack:
        yield make
        for standin in started:
            _sandbox.secrets.update(standin.secrets())
            stack.callback(standin.stop)


@pytest.fixture
def standin(make_standin: MakeStandIn) -> StandIn:
    """A running stand-in for Identity Center and sts with its default settings."""
    return make_standin()


@pytest.fixture
def daemon(paths: Paths) -> Iterator[Agent]:
    """A running daemon of the test's home folder, started as a command starts it.

    At the end it is told to stop; it must then be gone, and its log must hold no traceback.
    """
    agent = Agent(paths)
    try:
        agent.start()
        yield agent
    finally:
        wrong = sandbox.end_daemon(paths)
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


@pytest.fixture
def serve(runtime_folder: Path) -> Iterator[Serve]:
    """Start servers: `serve("name", reply, …)`, each at `<runtime folder>/name`."""
    servers: list[ScriptedDaemon] = []

    def start(name: str, *replies: bytes) -> ScriptedDaemon:
        servers.append(ScriptedDaemon(runtime_folder / name, list(replies)))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Start child processes with `.start([...])`; one that has to be killed at the end fails the test."""
    registry = Processes()
    try:
        yield registry
    finally:
        killed = registry.end()
    if killed:
        pytest.fail("\n".join(killed), pytrace=False)


@pytest.fixture(scope="session")
def aws_cli() -> str:
    """The path of the real AWS CLI v2."""
    if not _AWS_CLI.is_file():
        message = "no AWS CLI v2: run `python -m tests.parts.aws_cli`"
        if _CI:
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return str(_AWS_CLI)
