"""A person's terminal, which test files furnish further under the same name."""

from __future__ import annotations

import pytest

from credhelper.agent import Agent
from credhelper.errors import DaemonUnavailable
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    """With the one profile `dev`, of the session `corp`; nobody is logged in."""
    return Terminal.open(standin, paths, monkeypatch, capsys)


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No daemon can be started."""

    def refuse(_: Agent, timeout: float = 10.0) -> None:
        raise DaemonUnavailable("the daemon cannot be started", "Why not")

    monkeypatch.setattr(Agent, "start", refuse)
