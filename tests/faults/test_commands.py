"""Commands that write, on a disk that is full, read-only or closed to us: nothing is lost, and they say why."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.cli.terminal import Terminal
from tests.faults.disk import Disk, denied
from tests.faults.test_network import one_clear_message

WHY = {"full": "No space left on device", "read_only": "Read-only file system", "closed": "Permission denied"}
every_trouble = pytest.mark.parametrize("how", WHY)


@pytest.fixture
def terminal(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal.open(standin, paths, monkeypatch, capsys)


@contextlib.contextmanager
def trouble(disk: Disk, how: str, folder: Path) -> Iterator[None]:
    with denied(folder) if how == "closed" else getattr(disk, how)(folder):
        yield


def content(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@every_trouble
@pytest.mark.parametrize("where", ["aws", "data"])
def test_enable(terminal: Terminal, disk: Disk, how: str, where: str) -> None:
    """The config's folder, or the helper's own."""
    folder = {"aws": terminal.paths.aws, "data": terminal.paths.data}[where]
    folder.mkdir(parents=True, mode=0o700, exist_ok=True)
    before = content(terminal.paths.aws)
    with trouble(disk, how, folder):
        result = terminal.run("enable", "--all", "--yes")
        assert result.code == 1
        one_clear_message(result.err)
        assert WHY[how] in result.err
    assert content(terminal.paths.aws) == before
    result = terminal.run("enable", "--all", "--yes")
    assert (result.code, result.err) == (0, "")
    assert b"credential_process" in terminal.config.read_bytes()


@every_trouble
def test_login(terminal: Terminal, daemon: Agent, disk: Disk, how: str) -> None:
    """Nobody has to go to the browser for a token that could not be kept."""
    assert terminal.run("login").code == 0
    before = content(terminal.paths.token_cache)
    pages = len(terminal.browser.opened())
    with trouble(disk, how, terminal.paths.token_cache):
        result = terminal.run("login", "--force")
        assert result.code == 1
        one_clear_message(result.err)
        assert WHY[how] in result.err
        assert len(terminal.browser.opened()) == pages
    assert content(terminal.paths.token_cache) == before
    assert terminal.run("login", "--force").code == 0
    assert content(terminal.paths.token_cache) != before
