"""The recipes of docs/recipes.md do what they say, as they stand there, with real programs: AWS CLI, boto3, make …"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from credhelper import settings
from credhelper.agent import Agent
from credhelper.aws.config.authoring import NewProfile, add_profiles
from credhelper.aws.tokens import TokenCache
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.resources import install_helper
from credhelper.standin import DEFAULT_REGION, StandIn
from tests.sandbox import PROJECT

SESSIONS = {
    "alpha": Session("alpha", "https://d-1111111111.awsapps.com/start", DEFAULT_REGION),
    "beta": Session("beta", "https://beta.awsapps.com/start", DEFAULT_REGION),
}
PROFILES = {"alpha-dev": ("alpha", "100000000001"), "beta-prod": ("beta", "100000000002")}
ROLE = "AWSReadOnlyAccess"
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECTIONS = dict(
    section.split("\n", 1) for section in (PROJECT / "docs/recipes.md").read_text(encoding="utf-8").split("\n## ")[1:]
)


def recipe(heading: str, language: str, number: int = 0) -> str:
    """The text of a block below a heading."""
    found: list[tuple[str, str]] = _FENCE.findall(_SECTIONS[heading])
    return [text for kind, text in found if kind == language][number]


@dataclass
class Machine:
    """A person's machine with two customers, logged in to both."""

    paths: Paths
    standin: StandIn
    environ: dict[str, str]
    bin: Path

    def program(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)  # it may be a link to the real one
        path.write_text(text)
        path.chmod(0o755)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.bin.parent,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=60,
            check=False,
        )

    def account(self, *command: str, **environ: str) -> str:
        """What a command that tells an account's id tells."""
        done = self.run(*command, **environ)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()


@pytest.fixture
def machine(paths: Paths, standin: StandIn, daemon: Agent, aws_cli: str, tmp_path: Path) -> Machine:
    new = [
        NewProfile(name, SESSIONS[session], account, ROLE, region="eu-west-1", output="json")
        for name, (session, account) in PROFILES.items()
    ]
    paths.aws.mkdir(mode=0o700)
    (paths.aws / "config").write_bytes(add_profiles(b"", new, helper=str(paths.helper)).data)
    install_helper(paths)
    paths.settings.parent.mkdir(parents=True)
    paths.settings.write_text(
        "".join(f'[sessions.{name}]\noidc = "{standin.url}"\nportal = "{standin.url}"\n' for name in SESSIONS)
    )
    cache = TokenCache(paths.token_cache, paths.locks)
    paths.token_cache.mkdir(parents=True)
    for name, session in SESSIONS.items():
        cache.path(name).write_text(json.dumps(standin.seed_session(session.start_url)))
    bin_ = tmp_path / "work" / "bin"
    bin_.mkdir(parents=True)
    for name, target in (("credhelper", Path(sys.executable).with_name("credhelper")), ("aws", Path(aws_cli))):
        (bin_ / name).symlink_to(target)
    daemon.call("reload")
    environ = {**os.environ, **standin.environment, "PATH": f"{bin_}:{os.environ['PATH']}"}
    return Machine(paths, standin, environ, bin_)


def test_boto3(machine: Machine) -> None:
    done = machine.run(sys.executable, "-c", recipe("boto3 and other SDKs", "python"))
    assert (done.stdout, done.stderr) == ("alpha-dev 100000000001\nbeta-prod 100000000002\n", "")


def test_a_script_ends_where_a_login_is_needed(machine: Machine) -> None:
    machine.program("aws", '#!/bin/sh\necho "aws $* as $AWS_PROFILE"\n')
    script = machine.bin / "script"
    machine.program(script.name, recipe("Scripts", "sh"))
    done = machine.run(str(script))
    assert (done.returncode, done.stdout) == (0, "aws s3 ls as alpha-dev\n")
    assert machine.run("credhelper", "status", "--exit-code").returncode == 0
    assert machine.run("credhelper", "logout", "alpha").returncode == 0
    done = machine.run(str(script))
    assert (done.returncode, done.stdout) == (3, "")
    assert "credhelper login alpha" in done.stderr
    assert machine.run("credhelper", "status", "--exit-code").returncode == 3


def test_a_script_behind_a_login_and_many_jobs(machine: Machine) -> None:
    work = machine.bin.parent
    (work / "report.sh").write_text("#!/bin/sh\necho a report\n")
    (work / "job.sh").write_text(f"#!/bin/sh\nexec {sys.executable} -c '{_JOB}'\n")
    for name in ("report.sh", "job.sh"):
        (work / name).chmod(0o755)
    done = machine.run("bash", "-c", recipe("Scripts", "sh", 1))
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("a report\n")
    assert "Already logged in" in done.stdout + done.stderr
    done = machine.run("bash", "-c", recipe("Scripts", "sh", 2).replace("50", "4"))
    assert done.stdout.split() == ["alpha-dev"] * 4, done.stderr
    assert len(machine.standin.calls("GetRoleCredentials")) == 1


_JOB = (
    'import boto3, os; boto3.Session().get_credentials().get_frozen_credentials(); print(os.environ["AWS_PROFILE"])'
)


def test_cron(machine: Machine) -> None:
    """cron gives a job HOME, a short PATH, and none of the desktop's variables."""
    command = re.findall(r"`0 6 \* \* \* ([^`]+) /\S+`", _SECTIONS["Scripts"])
    assert command == ["AWS_PROFILE=alpha-dev"]
    aws = os.path.realpath(machine.bin / "aws")
    line = f"{command[0]} {aws} sts get-caller-identity --query Account --output text"
    kept = {"HOME": machine.environ["HOME"], "PATH": "/usr/bin:/bin", **machine.standin.environment}
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=kept, capture_output=True, text=True, timeout=60, check=False, cwd="/"
    )
    assert (done.stdout, done.stderr) == ("100000000001\n", "")


def test_make(machine: Machine) -> None:
    if shutil.which("make") is None:
        pytest.skip("no make on this machine")
    (machine.bin.parent / "Makefile").write_text(recipe("make", "make"))
    assert machine.account("make", "who") == "100000000001"
    assert machine.account("make", "who", AWS_PROFILE="beta-prod") == "100000000002"


def test_old_tools_and_docker_get_the_values_in_their_environment(machine: Machine) -> None:
    shown = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
    state = " ".join(f"${{{name}:+{name}}}" for name in shown)
    (machine.bin.parent / "old-program").write_text(f'#!/bin/sh\necho "{state}"\n')
    (machine.bin.parent / "old-program").chmod(0o755)
    machine.program("docker", f'#!/bin/sh\necho "$*"\necho "{state}"\n')
    old = machine.run(
        "bash", "-euc", recipe("Tools that know no profiles", "sh") + 'echo "left: ${AWS_SESSION_TOKEN-}"'
    )
    assert (old.stdout.splitlines(), old.stderr) == ([" ".join(shown), "left: "], "")
    docker = machine.run("bash", "-euc", recipe("Docker", "sh"))
    arguments, given = docker.stdout.splitlines()
    assert given == " ".join(shown)
    assert arguments.split()[:8] == ["run", "--rm", *(word for name in shown for word in ("-e", name))]
    assert "ASIA" not in arguments


def test_each_customer_has_a_browser(machine: Machine) -> None:
    machine.paths.settings.write_text(recipe("Several customers", "toml"))
    assert settings.load(machine.paths).browsers == {
        "alpha": "firefox -P alpha",
        "beta": "google-chrome --profile-directory=Beta",
    }


def test_the_console(machine: Machine) -> None:
    first, second = (line.split() for line in recipe("The console", "sh").splitlines())
    assert machine.account(*first, "--print") == (
        "https://d-1111111111.awsapps.com/start/#/console?account_id=100000000001&role_name=AWSReadOnlyAccess"
        "&destination=https%3A%2F%2Feu-west-1.console.aws.amazon.com%2Fs3%2Fhome%3Fregion%3Deu-west-1"
    )
    assert "%2Fec2%2Fhome%3Fregion%3Dus-east-1" in machine.account(*second)
