"""What the real AWS CLI does to an enabled profile, and what we say of it."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.cli.terminal import Terminal


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    assert terminal.run("enable", "dev", "--yes").code == 0
    return terminal


def aws(program: str, *arguments: str) -> int:
    done = subprocess.run(
        [program, *arguments],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode


def test_its_login_by_profile_fails_and_by_session_serves(terminal: Terminal, aws_cli: str) -> None:
    """As `enable` and the README say."""
    assert aws(aws_cli, "sso", "login", "--profile", "dev") != 0
    assert terminal.standin.calls() == []
    assert aws(aws_cli, "sso", "login", "--sso-session", "corp") == 0
    assert terminal.cache.read("corp") is not None
    assert "Already logged in to corp" in terminal.run("login", "dev").out


def test_a_key_that_it_sets_shadows_the_helper_until_the_next_enable(terminal: Terminal, aws_cli: str) -> None:
    assert aws(aws_cli, "configure", "set", "sso_role_name", "AWSReadOnlyAccess", "--profile", "dev") == 0
    last = terminal.run("status").out.splitlines()[-1]
    assert "dev is shadowed: sso_role_name wins" in last
    assert last.endswith("Run: credhelper enable dev")
    assert terminal.run("enable", "dev", "--yes").code == 0
    assert "shadowed" not in terminal.run("status").out
