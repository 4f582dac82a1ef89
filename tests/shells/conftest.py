"""What the tests of all shells share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.shells.world import Forks, World
from tests.shells.zsh import Zsh


@pytest.fixture
def world(home: Path) -> World:
    """A home folder with an empty board, and programs that note how they were called."""
    return World(home)


@pytest.fixture
def forks(tmp_path: Path) -> Forks:
    """Counts the processes of a shell."""
    return Forks(tmp_path / "strace")


@pytest.fixture
def corp(world: World) -> World:
    """A session that lives, profile `dev` that uses it, profile `other` that uses none."""
    world.credhelper()
    world.session()
    world.profile("dev")
    world.profile("other", None)
    return world


@pytest.fixture
def zsh(world: World, tmp_path: Path) -> Zsh:
    """A zsh in a folder of its own, and two profiles of one living session."""
    for name in ("corp-admin", "corp-dev"):
        world.profile(name)
    world.profile("keys", None)
    world.session()
    world.credhelper()
    return Zsh(world, tmp_path)
