"""From the NAME that a person types to a session: a session's, else a profile's; `$AWS_PROFILE`; the only one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping

from credhelper.aws.choices import Choices
from credhelper.aws.config import ConfigFile, profiles_of, read_config
from credhelper.aws.readable import check_config
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.core.clock import Clock
from credhelper.errors import ConfigError, CredhelperError, TokenUnreadable, UsageError
from credhelper.model import Profile, Session
from credhelper.names import nearest
from credhelper.paths import Paths, chosen_profile


def resolve_session(name: str | None, environ: Mapping[str, str], paths: Paths) -> Session:
    """The session that NAME, else the environment, means.

    Raises UsageError where the name is unknown (with the nearest known one) or none was given and there are several,
    ConfigError where the config cannot be read, CredhelperError where the profile uses no session or there is none.
    """
    check_config(paths, environ)
    world = World.of(paths, environ)
    sessions, profiles = world.sessions(), {profile.name: profile for profile in world.profiles()}
    choices = None
    with contextlib.suppress(ConfigError):
        choices = Choices.of(paths, environ)
        for only_in_credentials in choices.names:
            profiles.setdefault(only_in_credentials, Profile(only_in_credentials))

    def behind(profile: str) -> Session:
        found = choices.session(profile) if choices is not None else None
        return found or _session_of(profiles[profile], world)

    if name is not None:
        found = next((session for session in sessions if session.name == name), None)
        if found is not None:
            return found
        if name in profiles:
            return behind(name)
        _check_complete(name, world)
        raise unknown("session or profile", name, [*(session.name for session in sessions), *profiles])
    chosen = chosen_profile(environ)
    if chosen:
        if chosen in profiles:
            return behind(chosen)
        raise unknown("profile (from AWS_PROFILE)", chosen, profiles)
    if len(sessions) == 1:
        return sessions[0]
    if not sessions:
        for config in _configs(world):
            for incomplete in config.sessions:
                _check_complete(incomplete, world)
        raise CredhelperError(
            f"{world.files[0]} has no sso-session and no profile that uses one",
            "Run `credhelper setup` to make one",
        )
    names = ", ".join(session.name for session in sessions)
    raise UsageError(f"there are several sessions: {names}", "Name one of them")


def is_left_out(name: str, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Whether the AWS clients look for the profile's token under its start URL, where there is none that lives.

    So it is with a legacy profile that is not enabled, beside a session with the same start URL: a login goes to the
    session.
    """
    for config in _configs(World.of(paths, environ)):
        values = config.profiles.get(name)
        if values is None:
            continue
        start_url = values.get("sso_start_url")
        profile = next(found for found in profiles_of(config, {}, paths.helper) if found.name == name)
        if profile.managed or profile.session is None or profile.session.legacy or not start_url:
            return False
        if values.get("sso_session"):
            return False
        try:
            token = TokenCache(paths.token_cache, paths.locks).read(start_url)
        except TokenUnreadable:
            return False
        return token is None or token.expires_at <= Clock().now()
    return False


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that is not there, with the nearest one that is."""
    near = nearest(name, known)
    return UsageError(
        f"there is no {kind} {name!r}", f"Did you mean {near[0]!r}?" if near else "Run `credhelper status`"
    )


def _session_of(profile: Profile, world: World) -> Session:
    if profile.session is None:
        for config in _configs(world):
            values = config.profiles.get(profile.name)
            if values is not None:
                named = values.get("sso_session")
                if named:
                    _check_complete(named, world)
                    raise ConfigError(
                        f"the profile {profile.name!r} names the session {named!r}, of which there is no section",
                        f"Add [sso-session {named}] to the AWS config with `aws configure sso-session`",
                    )
                break
        raise CredhelperError(
            f"the profile {profile.name!r} uses no Identity Center session", "Name a session, or another profile"
        )
    return profile.session


def _check_complete(name: str, world: World) -> None:
    """Raise ConfigError where there is a section of the session `name` that says too little for a login."""
    for config in _configs(world):
        values = config.sessions.get(name)
        if values is not None:
            lacking = [key for key in ("sso_start_url", "sso_region") if not values.get(key)]
            if lacking:
                raise ConfigError(
                    f"[sso-session {name}] lacks {' and '.join(lacking)}", "Run `aws configure sso-session`"
                )


def _configs(world: World) -> Iterator[ConfigFile]:
    for path in world.files:
        with contextlib.suppress(CredhelperError):
            yield read_config(path)
