"""A person's machine as the daemon finds it: an AWS config, a token cache, settings that lead to a stand-in."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.patience import let_the_helper_wait
from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.settings import Settings, load
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, StandIn

ACCOUNT = "100000000001"
ROLE = "AWSAdministratorAccess"


class Hands:
    """A wall clock that a test can put forward. It starts at the real time, by which files are dated."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset

    def forward(self, seconds: float) -> None:
        self.offset += seconds


@dataclass
class Machine:
    """One home folder with one session, which a stand-in serves."""

    paths: Paths
    standin: StandIn
    session: Session = field(default_factory=lambda: Session("corp", DEFAULT_START_URL, DEFAULT_REGION))
    hands: Hands = field(default_factory=Hands)

    def __post_init__(self) -> None:
        self.standin.configure(clock=self.hands)
        self.clock = Clock(self.hands)
        self.cache = TokenCache(self.paths.token_cache, self.paths.locks)
        self.records = LoginRecords(self.paths.state / "logins")

    @property
    def config(self) -> Path:
        return self.paths.aws / "config"

    @property
    def token_file(self) -> Path:
        return self.cache.path(self.session.cache_key)

    def set_up(self) -> None:
        """Write the AWS config and the settings."""
        self.write_config()
        self.write_settings()

    def write_config(self, more: str = "") -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(section(self.session) + profile("dev", self.paths, self.session.name) + more)

    def write_settings(self, top: str = "", *, url: str | None = None) -> None:
        url = url or self.standin.url
        self.paths.settings.parent.mkdir(parents=True, exist_ok=True)
        self.paths.settings.write_text(
            f'{top}\n[sessions."{self.session.name}"]\noidc = "{url}"\nportal = "{url}"\nsts = "{url}"\n'
        )

    def log_in(self, session: Session | None = None, **changes: str | None) -> dict[str, str]:
        """A login by another client: a token file appears. `changes` replace fields; None takes one away."""
        session = session or self.session
        scopes = () if session.legacy else ("sso:account:access",)
        content = self.standin.seed_session(session.start_url, session.region, scopes=scopes)
        for name, value in changes.items():
            if value is None:
                content.pop(name, None)
            else:
                content[name] = value
        path = self.cache.path(session.cache_key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(json.dumps(content))
        return content

    def let_the_helper_wait(self) -> None:
        """Give the installed helper a minute instead of 5 s."""
        let_the_helper_wait(self.paths)

    def token(self) -> dict[str, str]:
        """What is in the session's token file."""
        found: dict[str, str] = json.loads(self.token_file.read_bytes())
        return found

    def centers(self, timeout: float = 10.0) -> Centers:
        settings: Settings = load(self.paths)
        return Centers(self.records, lambda: settings, self.clock, timeout)


def section(session: Session) -> str:
    return (
        f"[sso-session {session.name}]\nsso_start_url = {session.start_url}\nsso_region = {session.region}\n"
        "sso_registration_scopes = sso:account:access\n\n"
    )


def profile(name: str, paths: Paths, session: str, account: str = ACCOUNT, role: str = ROLE) -> str:
    return f"[profile {name}]\nregion = eu-west-1\ncredential_process = {paths.helper} {session} {account} {role}\n\n"
