"""A world to measure in: a stand-in, a temporary home with enabled profiles, a daemon."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from credhelper import names, resources
from credhelper.agent import Agent
from credhelper.aws.tokens import TokenCache
from credhelper.daemon import singleton
from credhelper.paths import Paths
from credhelper.standin import StandIn

ACCOUNT = "100000000001"
ROLE = "AWSAdministratorAccess"
SESSION = "bench"
# The profile that the AWS clients' own SSO provider serves, and the one that the helper serves.
SSO_PROFILE = "own"
PROFILE = "bench"


@dataclass(frozen=True, slots=True)
class World:
    """What a benchmark needs to know."""

    standin: StandIn
    paths: Paths
    environ: dict[str, str]
    helper: list[str]
    token: Mapping[str, str]

    @property
    def agent(self) -> Agent:
        return Agent(self.paths, self.environ)

    @property
    def daemon(self) -> int:
        """The daemon's process id."""
        return int(json.loads(self.agent.call("ping"))["pid"])

    @property
    def interpreter(self) -> str:
        """The one that runs the helper."""
        return self.paths.helper.read_text().split()[0].removeprefix("#!")

    def stop(self) -> None:
        """End the daemon and wait until it has gone."""
        self.agent.call("stop")
        until = time.monotonic() + 20
        while not singleton.is_free(self.paths):
            if time.monotonic() > until:
                raise TimeoutError("the daemon does not end")
            time.sleep(0.005)


@contextlib.contextmanager
def world(standin: StandIn, *, profiles: int = 2, managed: bool = True, daemon: bool = True) -> Iterator[World]:
    """Make a world and take it away again. The real home folder is not touched.

    Args:
        standin: that serves it.
        profiles: how many there are in the AWS config.
        managed: whether they are enabled; one stays with its `sso_*` keys either way.
        daemon: whether one is started.
    """
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as top:
        home, runtime = Path(top) / "home", Path(top) / "run"
        for folder in (home, runtime):
            folder.mkdir(mode=0o700)
        environ = {
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(runtime),
            "PATH": os.environ["PATH"],
            "AWS_EC2_METADATA_DISABLED": "true",
            **standin.environment,
        }
        paths = Paths(home)
        token = standin.seed_session()
        write_token(paths, token)
        (paths.aws / "config").write_text(_config(paths, token, profiles, managed=managed))
        paths.settings.parent.mkdir(parents=True)
        paths.settings.write_text(
            f'[sessions.{SESSION}]\noidc = "{standin.url}"\nportal = "{standin.url}"\nsts = "{standin.url}"\n'
        )
        resources.install_helper(paths)
        made = World(standin, paths, environ, [str(paths.helper), *_helper_arguments(ACCOUNT, ROLE)], token)
        if daemon:
            made.agent.start()
        try:
            yield made
        finally:
            if made.agent.running():
                made.stop()


def write_token(paths: Paths, token: Mapping[str, str]) -> None:
    """Leave a login in the token cache, under the session's name and under its start URL."""
    paths.token_cache.mkdir(parents=True, exist_ok=True)
    url = hashlib.sha1(token["startUrl"].encode(), usedforsecurity=False).hexdigest()
    for file in (TokenCache(paths.token_cache, paths.locks).path(SESSION), paths.token_cache / f"{url}.json"):
        file.touch(0o600)
        file.write_text(json.dumps(token))


def _helper_arguments(account: str, role: str) -> list[str]:
    return [names.encode_name(name) for name in (SESSION, account, role)]


def _config(paths: Paths, token: Mapping[str, str], profiles: int, *, managed: bool) -> str:
    url, region = token["startUrl"], token["region"]
    session = f"[sso-session {SESSION}]\nsso_start_url = {url}\nsso_region = {region}\n"
    parts = [f"{session}sso_registration_scopes = sso:account:access\n\n"]
    for number in range(profiles):
        name = PROFILE if number == 0 else SSO_PROFILE if number == 1 else f"account-{number:04d}.{ROLE}"
        account = str(int(ACCOUNT) + (0 if number < 2 else number))
        parts.append(f"[profile {name}]\nregion = eu-west-1\noutput = json\n")
        if managed and number != 1:
            parts.append(f"credential_process = {paths.helper} {' '.join(_helper_arguments(account, ROLE))}\n\n")
        else:
            parts.append(f"sso_session = {SESSION}\nsso_account_id = {account}\nsso_role_name = {ROLE}\n\n")
    return "".join(parts)
