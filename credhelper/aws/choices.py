"""The profiles that AWS programs of one environment can choose between, and the session that each needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from credhelper.aws.config.reader import ConfigFile, merge_profiles, profiles_of, read_config, read_credentials
from credhelper.aws.config.sources import source_of
from credhelper.aws.readable import check_config
from credhelper.model import Profile, Session
from credhelper.paths import Paths


class Choices:
    """What the config and the credentials file say that an environment names; no program looks into others.

    Args:
        path: of the config file.
        helper: our helper's path.
    """

    def __init__(self, path: Path, config: ConfigFile, credentials: ConfigFile, helper: Path) -> None:
        self.path = path
        self._values = merge_profiles(config, credentials)
        self._static = credentials.profiles
        self._profiles = {found.name: found for found in profiles_of(config, credentials, helper)}

    @classmethod
    def of(cls, paths: Paths, environ: Mapping[str, str]) -> Self:
        """The choices of this environment. Raises ConfigError where a file is there and cannot be read."""
        check_config(paths, environ)
        path = paths.config_file(environ)
        return cls(path, read_config(path), read_credentials(paths.credentials_file(environ)), paths.helper)

    @property
    def profiles(self) -> list[Profile]:
        """Those of the config, in its order."""
        return list(self._profiles.values())

    @property
    def names(self) -> list[str]:
        """In the order of the files, the config first."""
        return list(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def behind(self, name: str) -> Profile | None:
        """The profile whose credentials those of `name` are, or come from by roles; None where there is none.

        A profile that only the credentials file has is an empty one.
        """
        source = source_of(name, self._values)
        return None if source is None else self._profiles.get(source, Profile(source))

    def session(self, name: str) -> Session | None:
        """The session that has to be logged in to for `name`; None where it needs none, or cannot be used at all."""
        profile = self.behind(name)
        if profile is None:
            return None
        live_sso = any(key.startswith("sso_") for key in profile.shadowed_by)
        if profile.managed and not live_sso and self._static.get(profile.name, {}).get("aws_access_key_id"):
            return None  # the AWS CLI takes those keys in place of what the helper gives
        return profile.session

    def role(self, name: str) -> str:
        """The role that `name` acts in, by name; empty where the config does not say."""
        arn = self._values.get(name, {}).get("role_arn")
        profile = self._profiles.get(name)
        return (arn.rpartition("/")[2] if arn else profile and profile.role_name) or ""

    def account(self, name: str) -> str:
        """The account that `name` acts in, by number; empty where the config does not say."""
        arn = self._values.get(name, {}).get("role_arn")
        profile = self._profiles.get(name)
        return (f"{arn}::::::".split(":")[4] if arn else profile and profile.account_id) or ""

    def session_named_by(self, name: str) -> str | None:
        """The `sso_session` that the profile behind `name` names, whether there is a section for it or not."""
        profile = self.behind(name)
        return None if profile is None else self._values.get(profile.name, {}).get("sso_session") or None
