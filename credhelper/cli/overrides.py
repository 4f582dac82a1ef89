"""Which variable leads AWS programs to another endpoint than AWS's own, and than that of a session's login."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from urllib.parse import urlsplit

from credhelper import settings
from credhelper.aws.centers import Centers
from credhelper.cli.desk import Desk
from credhelper.endpoints import is_loopback
from credhelper.errors import CredhelperError
from credhelper.model import Endpoints, Session
from credhelper.paths import Paths
from credhelper.settings import Settings

_ENDPOINTS = ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL")


def override_of(url: str, environ: Mapping[str, str]) -> str | None:
    """The variable that led botocore to the endpoint `url`; None where it is AWS's own, or of the config."""
    if not url or environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    return next(
        (name for name in _ENDPOINTS if environ.get(name) and url.startswith(environ[name].rstrip("/"))), None
    )


def endpoints_of(session: Session, desk: Desk, known: Settings) -> Endpoints:
    """Where the session's token was got; without one, or where it cannot be read, where the settings say."""
    with contextlib.suppress(CredhelperError):
        found = desk.cache.find(session, desk.clock.now())
        if found is not None:
            with contextlib.closing(Centers(desk.records, lambda: known, desk.clock)) as centers:
                return centers.endpoints(session, found.token)
    return known.endpoints.get(session.name, Endpoints())


def is_of_login(url: str, session: Session, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Whether the session's token was got at the place of `url`, so that keys made with it are known there."""
    desk = Desk.of(paths, environ)
    with contextlib.suppress(CredhelperError):
        theirs = endpoints_of(session, desk, settings.load(paths))
        return _place(url) in {_place(one) for one in (theirs.oidc, theirs.portal, theirs.sts) if one}
    return False


def bare(url: str) -> str:
    """The address without a user and a password."""
    head, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{head}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _place(url: str) -> tuple[str, int | None]:
    """Host and port; this machine has many names."""
    try:
        parts = urlsplit(url)
        return "localhost" if is_loopback(url) else (parts.hostname or ""), parts.port
    except ValueError:
        return url, None
