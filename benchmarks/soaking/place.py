"""A person's machine: 20 profiles over five sessions, three born as sessions and two of the older kind."""

from __future__ import annotations

import configparser
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.soaking.acceleration import Time
from credhelper.aws.tokens import TokenCache, parse_date
from credhelper.dates import format_date
from credhelper.model import DEFAULT_SCOPE
from credhelper.paths import Paths
from credhelper.standin import StandIn

REGION = "eu-west-1"
ROLE = "AWSReadOnlyAccess"
PROFILES = 20
_BORN_AS_SESSIONS = ("corp", "client-a", "client-b")
_LEGACY = ("d-legacyone", "d-legacytwo")
ROLE_LIFETIME = 3600.0


@dataclass(frozen=True)
class Session:
    """One Identity Center session.

    Attributes:
        old_start: the start URL as the older profiles wrote it, after which another client's legacy login names its
            token file; None for one born as a session.
    """

    name: str
    start_url: str
    old_start: str | None


@dataclass(frozen=True)
class Profile:
    """One profile. Its account is its own, so that credentials tell whose they are."""

    name: str
    session: Session
    account: str

    @property
    def detail(self) -> str:
        """As the stand-in's record of calls names it."""
        return f"{self.account}/{ROLE}"


class Place:
    """The home folder and what other programs do in it."""

    def __init__(self, home: Path, standin: StandIn, time: Time) -> None:
        self.paths = Paths(home)
        self.standin = standin
        self.time = time
        self.cache = TokenCache(self.paths.token_cache, self.paths.locks)
        self.paths.token_cache.mkdir(parents=True)
        self._write_config()
        self.sessions, self.profiles = self._read_config()
        self.config_text = self.config.read_text()
        self._write_settings()

    @property
    def config(self) -> Path:
        return self.paths.aws / "config"

    def _write_config(self) -> None:
        """As `aws configure sso` leaves it, of both ages; then `enable --all`."""
        text = ""
        for name in _BORN_AS_SESSIONS:
            text += f"[sso-session {name}]\nsso_start_url = https://d-{name}.awsapps.com/start\n"
            text += f"sso_region = {REGION}\nsso_registration_scopes = {DEFAULT_SCOPE}\n\n"
        names = (*_BORN_AS_SESSIONS, *_LEGACY)
        for number in range(PROFILES):
            name = names[number % len(names)]
            text += f"[profile p{number}]\nregion = {REGION}\n"
            if name in _LEGACY:
                text += f"sso_start_url = https://{name}.awsapps.com/start#/\nsso_region = {REGION}\n"
            else:
                text += f"sso_session = {name}\n"
            text += f"sso_account_id = {100_000_000_001 + number}\nsso_role_name = {ROLE}\n\n"
        self.config.write_text(text)
        command = [sys.executable, "-m", "credhelper", "enable", "--all", "--yes"]
        environ = {"HOME": str(self.paths.home), "PATH": os.environ["PATH"]}
        environ["PYTHONPATH"] = str(Path(__file__).parents[2])
        subprocess.run(command, env=environ, check=True, stdout=subprocess.DEVNULL)

    def _read_config(self) -> tuple[list[Session], list[Profile]]:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(self.config)
        sessions: dict[str, Session] = {}
        for title in parser.sections():
            if title.startswith("sso-session "):
                start_url = parser[title]["sso_start_url"]
                host = start_url.split("//")[1].split(".")[0]
                old = f"https://{host}.awsapps.com/start#/" if host in _LEGACY else None
                sessions[title.split()[1]] = Session(title.split()[1], start_url, old)
        profiles = []
        for title in parser.sections():
            if title.startswith("profile "):
                _, session, account, _ = parser[title]["credential_process"].split()
                profiles.append(Profile(title.split()[1], sessions[session], account))
        if (len(profiles), len(sessions)) != (PROFILES, len(_BORN_AS_SESSIONS) + len(_LEGACY)):
            raise ValueError("the config has become another than was meant")
        return list(sessions.values()), profiles

    def _write_settings(self) -> None:
        url = self.standin.url
        self.paths.settings.parent.mkdir(parents=True)
        self.paths.settings.write_text(
            "".join(
                f'[sessions."{s.name}"]\noidc = "{url}"\nportal = "{url}"\nsts = "{url}"\n' for s in self.sessions
            )
        )

    # The token cache

    def token_file(self, session: Session, *, legacy: bool = False) -> Path:
        """The session's own file, or that of another client's legacy login to the same start URL."""
        return self.cache.path((session.old_start or "") if legacy else session.name)

    def read_token(self, session: Session, *, legacy: bool = False) -> dict[str, Any] | None:
        """What is in the file; None where there is none, or no whole one."""
        try:
            content = json.loads(self.token_file(session, legacy=legacy).read_bytes())
        except (OSError, ValueError):
            return None
        return content if isinstance(content, dict) and "accessToken" in content else None

    def log_in(self, session: Session, *, legacy: bool = False) -> dict[str, str]:
        """What a login by any client gives: the fields of a token file, dated by the machine's clock."""
        start_url = (session.old_start or "") if legacy else session.start_url
        content = self.standin.seed_session(start_url, REGION, scopes=() if legacy else (DEFAULT_SCOPE,))
        for name in ("expiresAt", "registrationExpiresAt"):
            content[name] = format_date(parse_date(content[name]) + self.time.error)
        return content

    def date(self, path: Path) -> None:
        """Date a file that another client wrote by the machine's clock; the real one stands still here."""
        moment = self.time.wall()
        os.utime(path, (moment, moment))
