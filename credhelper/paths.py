"""Where everything lies, for one home folder.

The places are fixed under HOME and follow no XDG variable: a helper that cron started must find what a desktop
session wrote. The AWS folders follow the AWS clients, which always use HOME too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from credhelper import client
from credhelper.errors import CredhelperError


@dataclass(frozen=True, slots=True)
class Paths:
    """All paths that derive from one home folder."""

    home: Path

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> Paths:
        """Paths of the calling user. Raises CredhelperError where HOME is not set to an absolute path."""
        environ = os.environ if environ is None else environ
        try:
            home = client.home_folder({b"HOME": os.fsencode(environ.get("HOME", ""))})
        except client.Broken as error:
            raise CredhelperError("HOME is not set to an absolute path", "Set it, then try again") from error
        return cls(Path(os.fsdecode(home)))

    def check_owner(self) -> None:
        """Refuse to write into another user's home (`sudo -E`). Raises CredhelperError."""
        try:
            client.check_home(os.fsencode(self.home), os.geteuid())
        except client.Broken as error:
            message, _, remedy = str(error).partition(". ")
            raise CredhelperError(message, remedy or None) from error

    @property
    def aws(self) -> Path:
        return self.home / ".aws"

    @property
    def token_cache(self) -> Path:
        return self.aws / "sso" / "cache"

    @property
    def cli_cache(self) -> Path:
        """Where the AWS CLI keeps role credentials of SSO profiles."""
        return self.aws / "cli" / "cache"

    @property
    def data(self) -> Path:
        return self.home / ".local" / "share" / "credhelper"

    @property
    def helper(self) -> Path:
        """The executable that a managed profile names."""
        return self.data / "credential-process"

    @property
    def state(self) -> Path:
        return Path(os.fsdecode(client.state_folder(os.fsencode(self.home))))

    @property
    def address_record(self) -> Path:
        return Path(os.fsdecode(client.address_record(os.fsencode(self.home))))

    @property
    def daemon_lock(self) -> Path:
        return self.address_record.with_suffix(".lock")

    @property
    def locks(self) -> Path:
        return self.state / "locks"

    @property
    def log(self) -> Path:
        return self.state / "daemon.log"

    @property
    def settings(self) -> Path:
        return self.home / ".config" / "credhelper" / "config.toml"

    def config_file(self, environ: Mapping[str, str]) -> Path:
        """The AWS config file that a process with this environment uses (shared file-location vectors)."""
        return self._chosen(environ, "AWS_CONFIG_FILE", "config")

    def credentials_file(self, environ: Mapping[str, str]) -> Path:
        """The shared credentials file that a process with this environment uses."""
        return self._chosen(environ, "AWS_SHARED_CREDENTIALS_FILE", "credentials")

    def _chosen(self, environ: Mapping[str, str], variable: str, name: str) -> Path:
        value = environ.get(variable)
        if not value:
            return self.aws / name
        if value == "~" or value.startswith("~/"):
            return self.home / value[2:]
        return Path(value)


def working_folder() -> Path:
    """Raises CredhelperError where it has been removed under the shell."""
    try:
        return Path.cwd()
    except OSError as error:
        raise CredhelperError(f"the working folder is gone: {error.strerror}", "Go to another one") from error


def chosen_profile(environ: Mapping[str, str]) -> str | None:
    """The profile that the environment chooses for every AWS program."""
    return environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE") or None
