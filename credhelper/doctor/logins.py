"""The tokens of the sessions: whether there are any, who may read them, and whether they can be renewed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from credhelper.aws.config.reader import session_of
from credhelper.aws.survey import look_at
from credhelper.aws.tokens import Found, parse_token
from credhelper.core.schedule import Assessment
from credhelper.dates import moment_of
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from credhelper.doctor.shared import on_windows
from credhelper.errors import CredhelperError, TokenUnreadable
from credhelper.files import read_bytes
from credhelper.model import DEFAULT_SCOPE, Session, normalize_start_url
from credhelper.names import command_for, login_command
from credhelper.terminal import local_time

_OVER = {"expired", "logged_out"}


def cache(scene: Scene) -> Iterator[Remark]:
    """Files of the token cache that are nobody's, or somebody else's."""
    named = {scene.cache.path(session.cache_key) for session in scene.sessions}
    for path in _files(scene.paths.token_cache):
        status = None
        with contextlib.suppress(OSError):
            status = path.stat()
        # Root can renew what is in any, and in a container has those of the person whose folder it shares.
        if status is not None and os.geteuid() not in {0, status.st_uid} and not on_windows(path):
            yield Finding(
                "token-owner",
                f"{scene.shown(path)} belongs to another user (uid {status.st_uid})",
                "`sudo aws …` leaves files like that; no program of yours can renew what is in it",
                Mend(f"sudo chown {os.geteuid()} {scene.word(path)}"),
            )
        elif path in named:
            continue  # told with its session
        else:
            reason = _unreadable(path)
            if reason is not None:
                yield Finding(
                    "cache-unreadable",
                    f"{scene.shown(path)} {reason}",
                    "It is of no session in this config; a program that looks for it fails, or was killed while it "
                    "wrote",
                    Mend(f"mv {scene.word(path)} {scene.word(path.with_suffix('.broken'))}"),
                    "hint",
                )


def sessions(scene: Scene) -> Iterator[Remark]:
    """Each session of the config."""
    for session in scene.sessions:
        yield from _session(scene, session)


def _session(scene: Scene, session: Session) -> Iterator[Remark]:
    name, login = session.name, login_command(session.name)
    path = scene.cache.path(session.cache_key)
    try:
        token = scene.cache.read(session.cache_key)
    except TokenUnreadable as error:
        regular = path.is_file()
        yield Finding(
            "token-unreadable",
            f"session {name}: {error.message}",
            "Another program was killed while it wrote the file, or a disk was full",
            Mend(login if regular else f"mv {scene.word(path)} {scene.word(path.with_suffix('.old'))} && {login}"),
        )
        return
    if token is not None and token.start_url and normalize_start_url(token.start_url) != session.same_start:
        yield Finding(
            "token-other",
            f"session {name}: the login that lies there is of another start URL, {token.start_url}",
            "Two sessions of one name in two configs share one file; a token is only used for its own start URL",
            Mend(login, "Give one of the two sessions another name, then log in"),
        )
        return
    state, reason, expires_at = _state(scene, session)
    if state in _OVER:
        yield Finding(
            "login-needed",
            f"session {name}: {reason}",
            "Only a person can go on from there",
            Mend(login),
        )
        return
    if state == "offline" or (state == "renewing" and scene.daemon is not None):
        yield Finding(
            "not-renewed",
            f"session {name}: its token has run out and is not renewed yet: {reason}",
            "The daemon tries again by itself",
            Mend("credhelper status --watch"),
            "hint",
        )
        return
    if session.id in scene.refused:
        yield _refused(scene, session)
        return
    now = scene.clock.now()
    found = scene.cache.find(session, now)
    if found is not None and (found.borrowed or not found.token.refreshable(now)):
        yield _not_renewable(scene, session, found)
    elif state == "renewing":
        yield Well(f"{name} is logged in; its token is renewed at the next call")
    else:
        left = f" (token until {local_time(expires_at, now)})" if expires_at else ""
        yield Well(f"{name} is logged in, and renews itself{left}")


def _refused(scene: Scene, session: Session) -> Finding:
    if scene.refused[session.id] == "its scopes":
        return Finding(
            "token-scopes",
            f"session {session.name}: AWS does not let this login see accounts",
            f"It was made without the scope {DEFAULT_SCOPE}, for an IDE's assistant perhaps, or no account is "
            "assigned to you",
            Mend(_again(session.name)),
        )
    return Finding(
        "token-refused",
        f"session {session.name}: AWS does not accept its token, which should live",
        "Somebody logged out elsewhere, or an administrator ended the session",
        Mend(_again(session.name)),
    )


def _again(name: str) -> str:
    return login_command(name).replace("credhelper login", "credhelper login --force", 1)


def _not_renewable(scene: Scene, session: Session, found: Found) -> Finding:
    token = found.token
    ends = local_time(token.expires_at, scene.clock.now())
    text = f"session {session.name}: this login cannot be renewed, and ends at {ends}"
    again = _again(session.name)
    if found.borrowed:
        return Finding(
            "token-scopes",
            text,
            "It is the login of a profile without an sso-session, which is used while it lives",
            Mend(again),
            "hint",
        )
    if token.refresh_token and token.client_id and token.client_secret:
        return Finding("token-registration", text, "Its client registration has run out", Mend(again))
    if session.legacy:
        names = [other.name for other in scene.profiles if other.session and other.session.id == session.id]
        return Finding(
            "token-scopes",
            text,
            f"Profiles without an sso-session log in without the scope {DEFAULT_SCOPE}, and get no refresh token",
            Mend(f"{command_for('enable', names[0])} && {login_command(session.name)}" if names else again),
            "hint",
        )
    unscoped = "; the AWS CLI asks for it only where sso_registration_scopes says so"
    return Finding(
        "token-scopes",
        text,
        f"It was made without the scope {DEFAULT_SCOPE}, so AWS gave no refresh token"
        + (unscoped if _unscoped(scene, session) else ""),
        Mend(again),
    )


def scopes(scene: Scene) -> Iterator[Remark]:
    """Sessions whose next login would ask for the wrong scopes."""
    for name, values in scene.config.sessions.items():
        session = session_of(name, values)
        if session is None:
            continue
        edit = scene.edit(scene.config_path)
        wanted = f"Write `sso_registration_scopes = {', '.join(dict.fromkeys([DEFAULT_SCOPE, *session.scopes]))}`"
        if DEFAULT_SCOPE not in session.scopes:
            yield Finding(
                "session-scopes",
                f"[sso-session {name}] asks for other scopes than {DEFAULT_SCOPE}",
                "A login with them gives tokens that can neither be renewed nor get role credentials",
                Mend(edit, wanted),
            )
        elif _unscoped(scene, session):
            yield Finding(
                "session-scopes",
                f"[sso-session {name}] has no sso_registration_scopes",
                "`credhelper login` asks for a token that can be renewed all the same, `aws sso login` does not",
                Mend(edit, wanted),
                "hint",
            )


def _unscoped(scene: Scene, session: Session) -> bool:
    return not scene.config.sessions.get(session.name, {}).get("sso_registration_scopes")


def _state(scene: Scene, session: Session) -> tuple[str, str, float | None]:
    """State, reason and end: the daemon's word, else what the file alone says."""
    for entry in scene.status["sessions"]:
        if isinstance(entry, dict) and (entry.get("name"), entry.get("start_url")) == (
            session.name,
            session.start_url,
        ):
            return str(entry.get("state")), str(entry.get("reason")), _moment(entry.get("expires_at"))
    assessment: Assessment = look_at(session, scene.paths)
    end = None
    with contextlib.suppress(CredhelperError):
        found = scene.cache.find(session, scene.clock.now())
        end = found.token.expires_at if found else None
    return assessment.state, assessment.reason, end


def _moment(date: Any) -> float | None:
    try:
        return moment_of(date) if date else None
    except (TypeError, ValueError):
        return None


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(folder.glob("*.json"))
    except OSError:
        return []


def _unreadable(path: Path) -> str | None:
    """Why a file of the cache is neither a token nor a client registration nor anything else in JSON."""
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        return None
    except CredhelperError as error:
        return error.message.removeprefix(f"{path} ")  # `is …`, `cannot be read: …`
    try:
        parse_token(data, 0.0)
    except TokenUnreadable as error:
        return "is not JSON" if "JSON" in error.message else None
    return None


CHECKS: tuple[Check, ...] = (cache, sessions, scopes)
