"""The nouns of the program: sessions, profiles, tokens, role credentials.

Times are seconds since the epoch, UTC, as floats. Fields that hold secrets are left out of `repr`, so that
neither a log line nor a traceback can carry one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DEFAULT_SCOPE = "sso:account:access"
# Seconds before the end of what cannot be renewed at which a person is warned.
WARN_BEFORE = (15 * 60.0, 5 * 60.0, 0.0)


def normalize_start_url(url: str) -> str:
    """Return `url` in the form in which two spellings of one start URL are equal.

    Without `#`, `#/` and trailing slashes, and with scheme and host in lower case: the portal shows
    `https://D-1.awsapps.com/start/#/` in the browser, people paste any of these.
    """
    head = re.sub(r"[\s/]+$", "", url.split("#", 1)[0].strip())
    try:
        parts = urlsplit(head)
    except ValueError:  # an unbalanced `[` in the host; compared as it is
        return head
    return parts._replace(scheme=parts.scheme.lower(), netloc=parts.netloc.lower()).geturl()


@dataclass(frozen=True, slots=True)
class Session:
    """One Identity Center session: an `[sso-session NAME]`, or what a legacy profile's own keys amount to.

    Attributes:
        name: what a person calls it; for a legacy profile derived from its start URL.
        start_url: exactly as written, because the token file of a legacy profile is named after it.
        region: the Identity Center's own region.
        scopes: registration scopes asked for at login.
        legacy: True where no `[sso-session]` section exists for it.
    """

    name: str
    start_url: str
    region: str
    scopes: tuple[str, ...] = (DEFAULT_SCOPE,)
    legacy: bool = False

    @property
    def cache_key(self) -> str:
        """The string whose SHA-1 names the token file (botocore `SSOTokenLoader`)."""
        return self.start_url if self.legacy else self.name

    @property
    def id(self) -> str:
        """What tells this session from all others: two config files may give one name to two start URLs."""
        return f"{self.cache_key} {self.same_start}"

    @property
    def same_start(self) -> str:
        """The start URL in its comparable form."""
        return normalize_start_url(self.start_url)


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of the AWS config, seen as far as credhelper cares.

    Attributes:
        name: without the `profile ` prefix.
        session: the session that it uses, or None where it uses none.
        account_id, role_name: None where the profile does not say.
        managed: its live `credential_process` is our helper.
        shadowed_by: the keys that win over the helper in one client or another (FACTS: live `sso_*` keys,
            static keys of the same name); empty where the helper is what every client runs.
        other_process: a `credential_process` that is not ours.
    """

    name: str
    session: Session | None = None
    account_id: str | None = None
    role_name: str | None = None
    managed: bool = False
    shadowed_by: tuple[str, ...] = ()
    other_process: str | None = None
    region: str | None = None
    output: str | None = None


@dataclass(frozen=True, slots=True)
class RoleKey:
    """What role credentials are kept under; `session` is the session's `id`."""

    session: str
    account_id: str
    role_name: str


@dataclass(frozen=True, slots=True)
class RoleCredentials:
    """Credentials of one role.

    Attributes:
        expires_at: when nobody should begin to use them any more, a little before AWS ends them; whole seconds since
            the epoch, by the server's clock.
        lifetime: seconds from issue to AWS's own end.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float
    lifetime: float


@dataclass(frozen=True, slots=True)
class Token:
    """One file of the token cache.

    Attributes:
        expires_at: seconds since the epoch, by the clock of the machine that wrote the file.
        lifetime: seconds from issue to expiry: the server's `expiresIn` where we fetched it, else
            `expiresAt − mtime` of the file, else an hour.
        registration_expires_at: of the client registration, or None where the file does not say.
        extra: fields that we do not know, kept when the file is written again (Go's SDK keeps them too).
    """

    access_token: str = field(repr=False)
    expires_at: float
    start_url: str | None
    region: str | None
    refresh_token: str | None = field(default=None, repr=False)
    client_id: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    registration_expires_at: float | None = None
    lifetime: float = 3600.0
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def refreshable(self, now: float) -> bool:
        """Whether the server could be asked for a new access token without a person."""
        if not (self.refresh_token and self.client_id and self.client_secret):
            return False
        return self.registration_expires_at is None or self.registration_expires_at > now


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses of the three services; None means AWS's own for the region."""

    oidc: str | None = None
    portal: str | None = None
    sts: str | None = None


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach the services: proxy by scheme and a CA bundle's path; None means the defaults.

    `no_proxy` lists hosts to reach without the proxy, as the variable of that name does.
    """

    proxies: Mapping[str, str] | None = field(default=None, repr=False)  # an address may hold a password
    ca_bundle: str | None = None
    no_proxy: str | None = None
