"""A healthy home folder for each test."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest

from credhelper import resources, shell_files
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.doctor.clinic import Clinic
from tests.machine import Machine


@pytest.fixture
def clinic(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Clinic:
    """One session, logged in, one managed profile, helper and hook in place. No daemon runs."""
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    monkeypatch.setenv("SHELL", "/bin/bash")
    # Ours, though another one may be installed on this machine.
    monkeypatch.setenv("PATH", f"{Path(shell_files.own_command()).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    found = Clinic(machine, monkeypatch, capsys)
    resources.install_helper(paths)
    assert found.run("hook", "bash", "--install", "--yes").code == 0
    return found
