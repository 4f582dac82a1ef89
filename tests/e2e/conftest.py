"""A person's machine for end-to-end tests: two profiles, a browser that approves, the real programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from credhelper.agent import Agent
from credhelper.paths import Paths
from credhelper.standin import StandIn, write_browser_script
from credhelper.standin.browser import BrowserScript
from tests.e2e import programs
from tests.support import MakeStandIn, Processes

LEGACY_URL = "https://d-93670bd35a.awsapps.com/start/"
SESSION_URL = "https://d-1111111111.awsapps.com/start"
CONFIG = f"""\
[profile legacy]
region = eu-west-1
output = json
sso_start_url = {LEGACY_URL}
sso_region = eu-west-1
sso_account_id = 100000000001
sso_role_name = AWSAdministratorAccess

[profile modern]
sso_session = corp
sso_account_id = 100000000002
sso_role_name = AWSReadOnlyAccess
region = eu-west-1

[sso-session corp]
sso_start_url = {SESSION_URL}
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""
ACCOUNTS = {"legacy": "100000000001", "modern": "100000000002"}
# The session that each profile has once it is enabled.
SESSIONS = {"legacy": "d-93670bd35a", "modern": "corp"}

Finished = subprocess.CompletedProcess[str]


class Machine:
    """The person's machine and what is run on it."""

    def __init__(self, paths: Paths, standin: StandIn, aws_cli: str, browser: BrowserScript) -> None:
        self.paths = paths
        self.standin = standin
        self.browser = browser
        self.agent = Agent(paths)
        self.config = paths.aws / "config"
        self.environ = {**os.environ, **standin.environment, "BROWSER": str(browser.path)}
        self._aws = aws_cli

    def credhelper(self, *arguments: str, check: bool = True) -> Finished:
        """Run one of our own commands."""
        return self._run([sys.executable, "-P", "-m", "credhelper", *arguments], check=check)

    def aws(self, *arguments: str, check: bool = True) -> Finished:
        """Run the real AWS CLI v2."""
        return self._run([self._aws, *arguments], check=check)

    def aws_identity(self, profile: str) -> Any:
        """What the AWS CLI says the profile's identity is."""
        return json.loads(self.aws("sts", "get-caller-identity", "--profile", profile, "--output", "json").stdout)

    def identities(self, sdk: str, profile: str, count: int = 1, *, check: bool = True) -> Finished:
        """A fresh process of one of `programs.SDKS` that asks `count` times, each time with a fresh client."""
        return self._run([*programs.command(sdk), profile, str(count)], check=check)

    def boto3_identities(self, profile: str, count: int = 1, *, check: bool = True) -> Finished:
        """A fresh boto3 process that asks `count` times, each time with a fresh session."""
        return self.identities("boto3", profile, count, check=check)

    def ask_once(self, client: str, profile: str) -> Finished:
        """One of `programs.CLIENTS` asks who it is, and fails or not."""
        return self._run(programs.ask_once(client, profile), check=False)

    def steady(
        self, sdk: str, profile: str, processes: Processes, *, stderr: Path = Path(os.devnull)
    ) -> programs.Steady:
        """A process of one of `programs.SDKS` that asks with one client whenever it is told to."""
        command = [*programs.command(sdk), profile]
        with stderr.open("w") as file:
            pipes: dict[str, Any] = {
                "stdin": subprocess.PIPE,
                "stdout": subprocess.PIPE,
                "stderr": file,
                "text": True,
            }
            return programs.Steady(processes.start(command, env=self.environ, **pipes))

    def helper(self, profile: str) -> Finished:
        """Run the helper line of an enabled profile as botocore does."""
        line = next(
            line.partition("=")[2].split()
            for line in self.config.read_text().partition(f"[profile {profile}]")[2].splitlines()
            if line.startswith("credential_process")
        )
        return self._run(line, check=False)

    def endpoints_in_settings(self) -> None:
        """Tell the daemon where tokens that another client fetched may be sent."""
        self.paths.settings.parent.mkdir(parents=True, exist_ok=True)
        url = self.standin.url
        self.paths.settings.write_text(
            "".join(f'[sessions."{name}"]\noidc = "{url}"\nportal = "{url}"\n' for name in SESSIONS.values())
        )

    def counters(self) -> dict[str, int]:
        """What the daemon has counted."""
        counters: dict[str, int] = json.loads(self.agent.call("ping"))["counters"]
        return counters

    def session(self, name: str) -> dict[str, Any]:
        """One session of the daemon's `status`."""
        return next(entry for entry in self.agent.status()["sessions"] if entry["name"] == name)

    def _run(self, command: list[str], *, check: bool) -> Finished:
        done = subprocess.run(
            command,
            env=self.environ,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )
        assert not check or done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture
def standin_settings() -> dict[str, Any]:
    """Settings of the machine's stand-in; a test overrides it by parametrizing."""
    return {}


@pytest.fixture
def machine(
    paths: Paths, make_standin: MakeStandIn, aws_cli: str, standin_settings: dict[str, Any], tmp_path: Path
) -> Machine:
    """A machine with the two profiles, not logged in, nothing enabled, no daemon."""
    made = Machine(paths, make_standin(**standin_settings), aws_cli, write_browser_script(tmp_path / "browser"))
    made.config.parent.mkdir()
    made.config.write_text(CONFIG)
    return made


@pytest.fixture
def enabled(machine: Machine, daemon: Agent) -> Machine:
    """The machine with both profiles enabled and both sessions logged in by our own command."""
    machine.credhelper("enable", "--all", "--yes")
    for name in SESSIONS.values():
        machine.credhelper("login", name)
    return machine
