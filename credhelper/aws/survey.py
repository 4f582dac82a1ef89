"""`status` without a daemon: what the config and the token cache alone say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from credhelper.aws.records import LoginRecords
from credhelper.aws.renewal import known_lifetime
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.core import report
from credhelper.core.clock import Clock
from credhelper.core.schedule import Assessment, View, assess, renew_at
from credhelper.errors import ConfigError, TokenUnreadable
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.settings import Settings, load


def survey(paths: Paths, environ: Mapping[str, str], clock: Clock | None = None) -> dict[str, Any]:
    """The `status` document of a machine on which no daemon runs."""
    clock = clock or Clock()
    world = World.of(paths, environ)
    try:
        settings = load(paths)
    except ConfigError:
        settings = Settings()
    cache = TokenCache(paths.token_cache, paths.locks)
    records = LoginRecords(paths.state / "logins")
    sessions = [_report(session, cache, records, clock.now(), settings) for session in world.sessions()]
    return report.document(report.NO_DAEMON, sessions, world.profiles(), {})


def seen_from(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The daemon's `status` document as one of the sessions and profiles that `ours`, a survey, names, in its order.

    The caller's environment may name a config that the daemon does not know, or lies behind another one in its view.
    What only the survey knows stands as the survey has it.
    """

    def origin(session: Mapping[str, Any]) -> tuple[str, str]:
        return session["name"], session["start_url"]

    known = {origin(session): session for session in theirs["sessions"]}
    urls = {session["name"]: session["start_url"] for session in theirs["sessions"]}
    shared = {name for name, url in map(origin, ours["sessions"]) if urls.get(name) == url}
    expiries = {_role(profile): profile["expires_at"] for profile in theirs["profiles"]}
    return {
        **theirs,
        "sessions": [known.get(origin(session), session) for session in ours["sessions"]],
        "profiles": [
            {**profile, "expires_at": expiries.get(_role(profile)) if profile["session"] in shared else None}
            for profile in ours["profiles"]
        ],
    }


def look_at(session: Session, paths: Paths) -> Assessment:
    """The state of one session as its token file alone shows it."""
    cache, records = TokenCache(paths.token_cache, paths.locks), LoginRecords(paths.state / "logins")
    return _report(session, cache, records, Clock().now(), Settings()).assessment


def _role(profile: Mapping[str, Any]) -> tuple[str | None, ...]:
    return profile["session"], profile["account_id"], profile["role_name"]


def _report(
    session: Session, cache: TokenCache, records: LoginRecords, now: float, settings: Settings
) -> report.SessionReport:
    try:
        found = cache.find(session, now)
    except TokenUnreadable as error:
        view = View(problem=error.message)
    else:
        view = View()
        if found is not None:
            token = found.token
            view = View(
                expires_at=token.expires_at,
                refreshable=token.refreshable(now) and not found.borrowed,
                renew_at=renew_at(token.expires_at, known_lifetime(records, found.key, token)),
            )
    assessment = assess(view, now, settings.warn_before)
    if assessment.state == "renewing":
        # Nobody is at it; a call wakes the daemon.
        assessment = Assessment("renewing", "has run out; it is renewed at the next call")
    return report.SessionReport(session, assessment, view.expires_at, view.refreshable)
