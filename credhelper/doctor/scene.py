"""What the checks look at: one person's files, environment and daemon, each read once and only when asked for."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from credhelper import client, settings
from credhelper.agent import Agent
from credhelper.aws.centers import Centers
from credhelper.aws.config.reader import (
    ConfigFile,
    parse_config,
    profiles_of,
    read_bytes_of,
    read_credentials,
    sessions_of,
)
from credhelper.aws.readable import check_readable
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.errors import ConfigError, CredhelperError, DaemonUnavailable
from credhelper.model import Profile, Session
from credhelper.paths import Paths
from credhelper.settings import Settings

# A program with options, and nothing that a shell would take apart.
_EDITOR = re.compile(r"[A-Za-z0-9_./ =-]+")
# Seconds that the daemon has for an answer.
_DAEMON_WITHIN = 3.0


class Scene:
    """One look at a home folder, from the place of a program with this environment.

    Args:
        interactive: a person looks on, in a shell of theirs.
    """

    def __init__(self, paths: Paths, environ: Mapping[str, str], *, interactive: bool = False) -> None:
        self.paths = paths
        self.environ = environ
        self.interactive = interactive
        self.clock = Clock()
        self.cache = TokenCache(paths.token_cache, paths.locks)
        self.records = LoginRecords(paths.state / "logins")
        self.agent = Agent(paths, environ)
        # By the id of a session whose token AWS was asked with and did not accept: `the token` or `its scopes`.
        self.refused: dict[str, str] = {}

    # The AWS files

    @functools.cached_property
    def config_path(self) -> Path:
        """The config file that programs with this environment read."""
        path = self.paths.config_file(self.environ)
        with contextlib.suppress(OSError):
            return path if path.is_absolute() else Path.cwd() / path
        return path

    @functools.cached_property
    def credentials_path(self) -> Path:
        return self.paths.credentials_file(self.environ)

    @functools.cached_property
    def config_problem(self) -> ConfigError | None:
        """Why the config cannot be read at all; a missing one is none."""
        return _unreadable(self.config_path)

    @functools.cached_property
    def credentials_problem(self) -> ConfigError | None:
        return _unreadable(self.credentials_path)

    @functools.cached_property
    def config(self) -> ConfigFile:
        """An empty one where it cannot be read."""
        try:
            return parse_config(read_bytes_of(self.config_path))
        except (ConfigError, ValueError):
            return ConfigFile()

    @functools.cached_property
    def credentials(self) -> ConfigFile:
        try:
            return read_credentials(self.credentials_path)
        except (ConfigError, ValueError):
            return ConfigFile()

    @functools.cached_property
    def profiles(self) -> list[Profile]:
        """Those of the config, in its order."""
        return profiles_of(self.config, self.credentials, self.paths.helper)

    @functools.cached_property
    def managed(self) -> list[Profile]:
        """Those that have a helper line."""
        return [profile for profile in self.profiles if profile.managed]

    @functools.cached_property
    def sessions(self) -> list[Session]:
        """Those of the config."""
        return sessions_of(self.config)

    # Ours

    @functools.cached_property
    def settings_problem(self) -> ConfigError | None:
        try:
            settings.load(self.paths)
        except ConfigError as error:
            return error
        return None

    @functools.cached_property
    def settings(self) -> Settings:
        """The defaults where they cannot be read."""
        return Settings() if self.settings_problem else settings.load(self.paths)

    @functools.cached_property
    def centers(self) -> Centers:
        """Knows the endpoints of each token."""
        return Centers(self.records, lambda: self.settings, self.clock)

    @functools.cached_property
    def _daemon(self) -> tuple[dict[str, Any] | None, CredhelperError | None]:
        try:
            answer = json.loads(self.agent.call("ping", _DAEMON_WITHIN))
        except CredhelperError as error:
            return None, error
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            return None, DaemonUnavailable("the daemon's answer makes no sense", "Run `credhelper daemon restart`")
        return answer, None

    @property
    def daemon(self) -> dict[str, Any] | None:
        """The daemon's word about itself; None where there is none, or none that can be used."""
        return self._daemon[0]

    @property
    def daemon_problem(self) -> CredhelperError | None:
        """Why it cannot be used; None also where there is simply none."""
        error = self._daemon[1]
        return None if error is None or isinstance(error.__cause__, client.Absent) else error

    @functools.cached_property
    def status(self) -> dict[str, Any]:
        """The daemon's `status` document; an empty one where there is none to be had."""
        if self.daemon is not None:
            with contextlib.suppress(CredhelperError):
                document = self.agent.status(_DAEMON_WITHIN)
                if isinstance(document.get("sessions"), list):
                    return document
        return {"sessions": []}

    # For what is said

    def shown(self, path: Path | str) -> str:
        """A path for people: `~` for the home folder."""
        text, home = os.fspath(path), os.fspath(self.paths.home)
        return "~" + text.removeprefix(home) if text == home or text.startswith(home + "/") else text

    def word(self, path: Path | str) -> str:
        """A path as a word of a command; its `~` is left for the shell."""
        text = self.shown(path)
        if text.startswith("~/") and shlex.quote(text[2:]) == text[2:]:
            return text
        return shlex.quote(os.fspath(path))

    def edit(self, path: Path) -> str:
        """What opens a file in the person's editor."""
        editor = self.environ.get("VISUAL") or self.environ.get("EDITOR") or ""
        return f"{editor if _EDITOR.fullmatch(editor) else 'vi'} {self.word(path)}"


def exists(path: Path) -> bool:
    """Whether there is something at `path`, as far as we may see; a name that is too long names nothing."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _unreadable(path: Path) -> ConfigError | None:
    try:
        check_readable(path)
    except ConfigError as error:
        return error
    return None
