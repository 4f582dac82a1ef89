"""What the tests of all shells share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shells.world import Forks, World


@pytest.fixture
def world(home: Path) -> World:
    """A home folder with an empty board, and programs that note how they were called."""
    return World(home)


@pytest.fixture
def forks(tmp_path: Path) -> Forks:
    """Counts the processes of a shell."""
    return Forks(tmp_path / "strace")
