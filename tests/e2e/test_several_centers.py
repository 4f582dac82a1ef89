"""Two organizations side by side, set up one after the other: other regions, partitions and caps, one daemon."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from credhelper.agent import Agent
from credhelper.aws.config import read_config
from credhelper.paths import Paths
from credhelper.standin import Account, StandIn, write_browser_script
from tests.support import MakeStandIn
from tests.waiting import wait_until

GOV = "https://start.us-gov-home.awsapps.com/directory/globex"
ROLES = ("Admin", "ReadOnly")


class Consultant:
    """One home folder, and an Identity Center at each of two customers."""

    def __init__(self, paths: Paths, acme: StandIn, globex: StandIn, browser: Path, aws: str) -> None:
        self.paths = paths
        self.acme = acme
        self.globex = globex
        self._browser = browser
        self._aws = aws

    def environ(self, standin: StandIn) -> dict[str, str]:
        """One customer's endpoints; at AWS the region alone would lead to them."""
        return {**os.environ, **standin.environment, "BROWSER": str(self._browser)}

    def credhelper(self, standin: StandIn, *arguments: str, code: int = 0) -> str:
        return self._run([sys.executable, "-P", "-m", "credhelper", *arguments], standin, code)

    def aws(self, standin: StandIn, *arguments: str, code: int = 0) -> str:
        return self._run([self._aws, *arguments], standin, code)

    def account(self, standin: StandIn, profile: str) -> str:
        """The account that the AWS CLI finds itself in."""
        said = self.aws(standin, "sts", "get-caller-identity", "--profile", profile, "--output", "json")
        return str(json.loads(said)["Account"])

    def session(self, name: str) -> dict[str, Any]:
        return next(entry for entry in Agent(self.paths).status()["sessions"] if entry["name"] == name)

    def _run(self, command: list[str], standin: StandIn, code: int) -> str:
        done = subprocess.run(
            command,
            env=self.environ(standin),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def consultant(paths: Paths, make_standin: MakeStandIn, aws_cli: str, tmp_path: Path) -> Consultant:
    acme = make_standin(
        portal_region="eu-south-1",
        accounts={"100000000001": Account("100000000001", "Production", "p@acme.example", ROLES)},
    )
    globex = make_standin(
        portal_region="us-gov-west-1",
        accounts={"200000000001": Account("200000000001", "Production", "p@globex.example", ROLES)},
    )
    paths.settings.parent.mkdir(parents=True)
    paths.settings.write_text("[sessions.acme]\nsession_cap = 86400\n[sessions.globex]\nsession_cap = 7200\n")
    return Consultant(paths, acme, globex, write_browser_script(tmp_path / "browser").path, aws_cli)


def test_two_organizations_side_by_side(consultant: Consultant) -> None:
    acme, globex = consultant.acme, consultant.globex
    said = consultant.credhelper(acme, "setup", "--yes", "--hook", "none", "--start-url", "acme")
    assert "Region: eu-south-1, as the portal says" in said
    said = consultant.credhelper(globex, "setup", "--yes", "--hook", "none", "--start-url", f"{GOV}#/?tab=accounts")
    assert "Region: us-gov-west-1, as the portal says" in said
    config = read_config(consultant.paths.aws / "config")
    assert {name: (values["sso_start_url"], values["sso_region"]) for name, values in config.sessions.items()} == {
        "acme": ("https://acme.awsapps.com/start", "eu-south-1"),
        "globex": (GOV, "us-gov-west-1"),
    }
    # Accounts of one name in both: the names tell them apart, and who was first keeps theirs.
    own = {"acme": "production.Admin", "globex": "production.Admin-200000000001"}
    assert set(own.values()) < set(config.profiles)
    assert len(config.profiles) == 4

    # The real AWS CLI takes the config, and each profile leads to its own organization.
    assert sorted(consultant.aws(acme, "configure", "list-profiles").split()) == sorted(config.profiles)
    assert consultant.account(acme, own["acme"]) == "100000000001"
    assert consultant.account(globex, own["globex"]) == "200000000001"
    assert consultant.aws(globex, "configure", "get", "region", "--profile", own["globex"]).strip() == "us-gov-west-1"
    for standin in (acme, globex):
        assert {call.error_code for call in standin.calls("GetRoleCredentials")} == {None}

    # Each session has its own cap.
    caps = {}
    for name in own:
        entry = consultant.session(name)
        assert (entry["state"], entry["refreshable"]) == ("active", True)
        said = consultant.credhelper(acme, "login", name)
        assert f"Already logged in to {name}" in said
        caps[name] = said.rpartition("renews itself until ")[2].split(")")[0]
    assert caps["acme"] != caps["globex"]

    # One organization ends its session; the other one's goes on.
    globex.end_sessions()
    asked = consultant.aws(
        globex, "sts", "get-caller-identity", "--profile", "production.ReadOnly-200000000001", code=255
    )
    assert "credhelper login globex" in asked
    wait_until(lambda: consultant.session("globex")["state"] == "expired", what="the end of globex's session")
    assert consultant.session("acme")["state"] == "active"
    assert consultant.account(acme, "production.ReadOnly") == "100000000001"

    # Again, for one of them: the other one's profiles stay as they are, byte for byte.
    before = (consultant.paths.aws / "config").read_bytes()
    said = consultant.credhelper(globex, "setup", "--yes", "--hook", "none", "--session", "globex")
    assert "Logged in to globex until" in said
    assert (consultant.paths.aws / "config").read_bytes() == before
    assert consultant.session("globex")["state"] == "active"
