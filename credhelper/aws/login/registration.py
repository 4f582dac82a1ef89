"""Our client registrations, kept in the AWS cache folder between logins.

A registration is what a token's renewal depends on, so one that ends soon is not used for a new login. The file has
the fields that the AWS CLI writes for its own, and a name that the CLI's never has.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from credhelper import files
from credhelper.aws.identity_center import IdentityCenter, Registration
from credhelper.aws.tokens import parse_date
from credhelper.core.clock import Clock
from credhelper.dates import format_date
from credhelper.errors import CredhelperError
from credhelper.model import Session

# Seconds; a login's renewals need its registration, and a week of them is the least that a person expects.
LEAST_LEFT = 8 * 86400.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a registration is for; one is reused only for the very same, at the same endpoint."""

    session: Session
    scopes: tuple[str, ...]
    grant_types: Sequence[str] = ()
    redirect_uris: Sequence[str] = ()


class Registrations:
    """The registrations of one home folder.

    Args:
        folder: `~/.aws/sso/cache`.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    def path(self, wanted: Wanted, endpoint: str | None) -> Path:
        """The file of a registration made at `endpoint` (None: AWS's own)."""
        identity = {
            "tool": "credhelper",
            "startUrl": wanted.session.start_url,
            "region": wanted.session.region,
            "scopes": sorted(wanted.scopes),
            "grantTypes": list(wanted.grant_types),
            "redirectUris": list(wanted.redirect_uris),
            "endpoint": endpoint,
        }
        digest = hashlib.sha1(json.dumps(identity, sort_keys=True).encode(), usedforsecurity=False).hexdigest()
        return self._folder / f"{digest}.json"

    def get(self, center: IdentityCenter, wanted: Wanted, *, fresh: bool = False) -> Registration:
        """A registration with eight days left or more: the kept one, or (always if `fresh`) a new one.

        Raises UpstreamError. That a new one cannot be kept is no error.
        """
        path = self.path(wanted, center.endpoints.oidc)
        kept = None if fresh else self._read(path)
        if kept is not None:
            return kept
        made = center.register_client(
            grant_types=list(wanted.grant_types),
            redirect_uris=list(wanted.redirect_uris) or None,
            issuer_url=wanted.session.start_url,
            scopes=wanted.scopes,
        )
        content = {
            "clientId": made.client_id,
            "clientSecret": made.client_secret,
            "expiresAt": format_date(made.expires_at),
            "scopes": list(wanted.scopes),
            "grantTypes": list(wanted.grant_types),
        }
        with contextlib.suppress(OSError):
            path.chmod(0o600)  # the replacement keeps a mode that others have loosened
        with contextlib.suppress(CredhelperError):
            files.replace(path, json.dumps(content).encode(), new_mode=0o600)
        return made

    def _read(self, path: Path) -> Registration | None:
        """The kept registration, or None where there is none, it ends soon, or it cannot be understood."""
        try:
            content = json.loads(files.read_bytes(path))
            kept = Registration(content["clientId"], content["clientSecret"], parse_date(content["expiresAt"]))
        except (FileNotFoundError, CredhelperError, ValueError, LookupError, TypeError, RecursionError):
            return None
        if not all(isinstance(value, str) and value for value in (kept.client_id, kept.client_secret)):
            return None
        return kept if kept.expires_at - self._clock.now() >= LEAST_LEFT else None
