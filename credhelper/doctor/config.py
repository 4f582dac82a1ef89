"""What the AWS config and the credentials file say, as far as some client stumbles over it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from credhelper import resources
from credhelper.agent import Agent
from credhelper.aws.browser import check_start_url
from credhelper.aws.config.complaints import complaints, unparsable, without_session
from credhelper.aws.regions import every_region
from credhelper.doctor.asking import can_be_asked
from credhelper.doctor.environment import export, unset
from credhelper.doctor.installation import listed
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene, exists
from credhelper.endpoints import is_loopback
from credhelper.errors import ConfigError
from credhelper.names import command_for, nearest
from credhelper.terminal import counted

_SESSION_KEYS = ("sso_start_url", "sso_region", "sso_registration_scopes")


def readable(scene: Scene) -> Iterator[Remark]:
    """Whether there is a config that the AWS clients can read."""
    path, named = scene.config_path, scene.environ.get("AWS_CONFIG_FILE")
    if scene.config_problem is not None:
        yield Finding(
            "config-unreadable",
            scene.config_problem.message,
            "To the AWS programs a config that cannot be read is one that does not exist"
            + ("; AWS_CONFIG_FILE names it" if named else ""),
            Mend(words="Correct AWS_CONFIG_FILE" if named else scene.config_problem.remedy or "Mend it"),
        )
        return
    if not exists(path):
        yield Finding(
            "config-missing",
            f"AWS_CONFIG_FILE names {scene.shown(path)}, which is not there"
            if named
            else f"there is no AWS config: {scene.shown(path)}",
            "Without one there are no profiles",
            Mend(unset(scene, ["AWS_CONFIG_FILE"]), "Correct it, or do without")
            if named
            else Mend("credhelper setup"),
        )
        return
    reason = unparsable(scene.config.data)
    if reason:
        yield Finding(
            "config-unparsable",
            f"the AWS CLI and boto3 cannot read {scene.shown(path)}: {reason}",
            "They refuse the whole file for it, so no profile of it works there",
            Mend(scene.edit(path)),
        )
    for said in complaints(scene.config.data)[bool(reason) :]:
        yield Finding(
            "config-header",
            f"{scene.shown(path)}, {said}",
            "No profile comes of it",
            Mend(scene.edit(path)),
        )
    if not reason:
        yield Well(
            f"{scene.shown(path)}: {counted(len(scene.profiles), 'profile')}, "
            f"{counted(len(scene.sessions), 'session')}"
        )


def credentials(scene: Scene) -> Iterator[Remark]:
    """Whether the credentials file, if there is one, can be read."""
    problem = scene.credentials_problem
    reason = None if problem else unparsable(scene.credentials.data)
    if problem is not None:
        yield Finding(
            "credentials-unreadable",
            problem.message,
            "The AWS programs pass it over; keys in it are not found",
            Mend(words=problem.remedy or "Mend it"),
        )
    elif reason:
        yield Finding(
            "credentials-unparsable",
            f"the AWS CLI and boto3 cannot read {scene.shown(scene.credentials_path)}: {reason}",
            "They refuse to work with any profile until it is mended",
            Mend(scene.edit(scene.credentials_path)),
        )


def sessions(scene: Scene) -> Iterator[Remark]:
    """Whether each session that profiles name is there and says what a login needs."""
    for reason, names in without_session(scene.config).items():
        yield Finding(
            "session-missing",
            f"{reason}, and {listed(names)} cannot do without it",
            "A session has a start URL and the region of the Identity Center",
            Mend("aws configure sso-session"),
        )
    for session in scene.sessions:
        endpoint = scene.environ.get("AWS_ENDPOINT_URL_SSO_OIDC") or scene.environ.get("AWS_ENDPOINT_URL")
        configured = scene.settings.endpoints.get(session.name)
        here = is_loopback((configured.oidc if configured and configured.oidc else endpoint) or "")
        try:
            check_start_url(session.start_url, session.name, loopback=here)
        except ConfigError as error:
            yield Finding(
                "session-start-url",
                error.message,
                "Neither the AWS CLI nor credhelper begins a login there",
                Mend(scene.edit(scene.config_path), error.remedy),
            )
    regions = every_region() if scene.sessions else frozenset()
    for session in scene.sessions:
        if session.region not in regions:
            near, sound = nearest(session.region, regions), can_be_asked(session)
            yield Finding(
                "session-region",
                f"session {session.name}: there is no region {session.region}, as far as is known"
                if sound
                else f"session {session.name}: sso_region is no name of a region: {session.region}",
                f"It may be meant for {near[0]}"
                if near
                else "AWS may have it by now; else no login is possible"
                if sound
                else "No program can log in there, or renew its token",
                Mend(scene.edit(scene.config_path), "Correct sso_region"),
                "hint" if sound else "problem",
            )
    for name, values in scene.config.sessions.items():
        for key in values:
            if key.startswith("sso_") and key not in _SESSION_KEYS:
                meant = nearest(key, _SESSION_KEYS)
                yield Finding(
                    "session-key",
                    f"[sso-session {name}] has {key}, which no client knows",
                    f"It may be meant for {meant[0]}" if meant else "It has no effect",
                    Mend(scene.edit(scene.config_path)),
                    "hint",
                )


def known(scene: Scene) -> Iterator[Remark]:
    """Whether the daemon reads the config that this environment names."""
    named = scene.environ.get("AWS_CONFIG_FILE")
    if not named or not (scene.managed or scene.sessions):
        return
    if not named.startswith(("/", "~")):
        yield Finding(
            "config-relative",
            f"AWS_CONFIG_FILE is a relative path: {named}",
            "In another folder the same variable names another file",
            Mend(export(scene, "AWS_CONFIG_FILE", str(scene.config_path))),
            "hint",
        )
    if any(_plain(path) == _plain(scene.config_path) for path in resources.known_configs(scene.paths)):
        yield Well("the daemon reads it, though it is not the default one")
        return
    profiles, logins = [profile.name for profile in scene.managed], [session.name for session in scene.sessions]
    yield Finding(
        "config-unknown",
        f"the daemon does not know the config that AWS_CONFIG_FILE names: {scene.shown(scene.config_path)}",
        "It inherits no variable from whoever wakes it, so it neither renews nor serves the sessions of that file",
        Mend(
            command_for("enable", profiles[0]) if profiles else command_for("login", logins[0]),
            action=lambda: _remember(scene),
        ),
    )


def _remember(scene: Scene) -> str:
    resources.remember_config(scene.paths, scene.config_path)
    if scene.daemon is not None:
        Agent(scene.paths, scene.environ).call("reload")
    return f"the daemon reads {scene.shown(scene.config_path)} from now on"


def _plain(path: Path) -> str:
    return os.path.normpath(path)


CHECKS: tuple[Check, ...] = (readable, credentials, sessions, known)
