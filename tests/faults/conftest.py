"""A machine whose AWS, network and disk go wrong, and the daemon of `tests/daemon` in the test's own event loop."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from credhelper.paths import Paths
from tests.aws.login.conftest import desk  # noqa: F401 - fixtures
from tests.daemon.conftest import inside, machine, tripwire  # noqa: F401 - fixtures
from tests.daemon.inside import Inside
from tests.faults.disk import Disk, Halfway, Injected, mounts_are_permitted
from tests.machine import Hands


@pytest.fixture
def hands(inside: Inside) -> Hands:  # noqa: F811
    return inside.machine.hands


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the daemon's log would hold."""
    caplog.set_level(logging.INFO, "credhelper")
    return caplog


@pytest.fixture(params=[*(["mounted"] if mounts_are_permitted() else []), "refused", "halfway"])
def disk(request: pytest.FixtureRequest, paths: Paths) -> Iterator[Disk]:
    """Trouble with folders: by the kernel (`mounted`) where it lets us mount, and by refused system calls."""
    made = {"mounted": Disk, "refused": Injected, "halfway": Halfway}[request.param]()
    yield made
    made.close()
