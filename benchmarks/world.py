"""A world to measure in: a stand-in, a temporary home with one enabled profile, a running daemon."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from credhelper import names, resources
from credhelper.agent import Agent
from credhelper.aws.tokens import TokenCache
from credhelper.paths import Paths
from credhelper.standin import Settings, StandIn

ACCOUNT = "100000000001"
ROLE = "AWSAdministratorAccess"
SESSION = "bench"


@dataclass(frozen=True, slots=True)
class World:
    """What a benchmark needs to know."""

    standin: StandIn
    paths: Paths
    environ: dict[str, str]
    helper: list[str]

    @property
    def agent(self) -> Agent:
        return Agent(self.paths, self.environ)


@contextlib.contextmanager
def world(settings: Settings | None = None) -> Iterator[World]:
    """Make a world and take it away again. The real home folder is not touched."""
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as top, StandIn(settings) as standin:
        home, runtime = Path(top) / "home", Path(top) / "run"
        for folder in (home, runtime):
            folder.mkdir(mode=0o700)
        environ = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"]}
        paths = Paths(home)
        token = standin.seed_session()
        paths.token_cache.mkdir(parents=True)
        (paths.aws / "config").write_text(
            f"[profile bench]\ncredential_process = {paths.helper} {SESSION} {ACCOUNT} {ROLE}\nregion = eu-west-1\n"
            f"[sso-session {SESSION}]\nsso_start_url = {token['startUrl']}\nsso_region = {token['region']}\n"
        )
        settings_folder = paths.settings.parent
        settings_folder.mkdir(parents=True)
        paths.settings.write_text(
            f'[sessions.{SESSION}]\noidc = "{standin.url}"\nportal = "{standin.url}"\nsts = "{standin.url}"\n'
        )

        file = TokenCache(paths.token_cache, paths.locks).path(SESSION)
        file.write_text(json.dumps(token))
        file.chmod(0o600)
        resources.install_helper(paths)
        arguments = [names.encode_name(name) for name in (SESSION, ACCOUNT, ROLE)]
        made = World(standin, paths, environ, [str(paths.helper), *arguments])
        made.agent.start()
        try:
            yield made
        finally:
            made.agent.call("stop")
