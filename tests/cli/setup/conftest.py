"""The machine on which `setup` is run."""

from __future__ import annotations

import pytest

from credhelper.paths import Paths
from credhelper.standin import write_browser_script
from tests.cli.setup.wizard import Wizard, accounts
from tests.support import MakeStandIn


@pytest.fixture
def wizard(paths: Paths, make_standin: MakeStandIn, monkeypatch: pytest.MonkeyPatch) -> Wizard:
    """Two accounts with two roles each; nobody is logged in, and there is no AWS config."""
    standin = make_standin(accounts=accounts(2))
    browser = write_browser_script(paths.home / "browser")
    for name, value in {**standin.environment, "BROWSER": str(browser.path), "SHELL": "/bin/bash"}.items():
        monkeypatch.setenv(name, value)
    return Wizard(paths, standin, browser)
