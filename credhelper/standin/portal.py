"""The access portal and sts: accounts, roles, role credentials, and who they make the caller.

Pure: the time is an argument.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from credhelper.standin.messages import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credhelper.standin.sessions import Mint, Sessions
    from credhelper.standin.settings import Settings

_T = TypeVar("_T")


@dataclass(frozen=True)
class RoleGrant:
    """Role credentials that were given out. `expires_at` in seconds since the epoch."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: float
    account_id: str
    role_name: str


class Portal:
    """The portal's operations, and the credentials that it gave. Not locked: `State` locks."""

    def __init__(self, settings: Settings, mint: Mint, sessions: Sessions) -> None:
        self._settings = settings
        self._mint = mint
        self._sessions = sessions
        self._roles: dict[str, RoleGrant] = {}

    def get_role_credentials(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """Fresh credentials each time; `expiration` in milliseconds since the epoch.

        Raises:
            ServiceError: UnauthorizedException for the token, ForbiddenException for the role.
        """
        self._sessions.authenticate(params["accessToken"], now)
        account_id, role_name = params["accountId"], params["roleName"]
        account = self._settings.directory().get(account_id)
        if account is None or role_name not in account.roles:
            raise ServiceError("ForbiddenException", "No access")
        grant = RoleGrant(
            access_key_id="ASIA" + self._mint.letters(16),
            secret_access_key=self._mint.secret(30),
            session_token=self._mint.secret(600),
            expires_at=now + self._settings.role_lifetime,
            account_id=account_id,
            role_name=role_name,
        )
        self._roles[grant.access_key_id] = grant
        return {
            "roleCredentials": {
                "accessKeyId": grant.access_key_id,
                "secretAccessKey": grant.secret_access_key,
                "sessionToken": grant.session_token,
                "expiration": int(grant.expires_at * 1000),
            }
        }

    def list_accounts(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """One page of the accounts."""
        self._sessions.authenticate(params["accessToken"], now)
        page, token = self._page(list(self._settings.directory().values()), params)
        entries = [{"accountId": a.account_id, "accountName": a.name, "emailAddress": a.email} for a in page]
        return {"accountList": entries, "nextToken": token}

    def list_account_roles(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """One page of the roles in an account."""
        self._sessions.authenticate(params["accessToken"], now)
        account = self._settings.directory().get(params["accountId"])
        if account is None:
            raise ServiceError("ForbiddenException", "No access")
        page, token = self._page(account.roles, params)
        entries = [{"roleName": role, "accountId": account.account_id} for role in page]
        return {"roleList": entries, "nextToken": token}

    def logout(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        """End the token's session, with all tokens of it. Role credentials live on."""
        self._sessions.authenticate(params["accessToken"], now).ended = True
        return {}

    def find_role(self, access_key_id: str) -> RoleGrant | None:
        return self._roles.get(access_key_id)

    def caller_identity(self, grant: RoleGrant) -> dict[str, Any]:
        """GetCallerIdentity for credentials that were checked."""
        digest = hashlib.sha256(f"{grant.account_id}/{grant.role_name}".encode())
        role_id = "AROA" + base64.b32encode(digest.digest())[:17].decode()
        role = f"AWSReservedSSO_{grant.role_name}_{digest.hexdigest()[:16]}"
        user = self._settings.user
        return {
            "UserId": f"{role_id}:{user}",
            "Account": grant.account_id,
            "Arn": f"arn:aws:sts::{grant.account_id}:assumed-role/{role}/{user}",
        }

    def _page(self, entries: Sequence[_T], params: Mapping[str, Any]) -> tuple[Sequence[_T], str | None]:
        size = min(params.get("maxResults", self._settings.page_size), self._settings.page_size)
        start = _offset(params.get("nextToken"))
        end = start + size
        return entries[start:end], _token(end) if end < len(entries) else None


def _token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"from {offset}".encode()).decode()


def _offset(token: str | None) -> int:
    if token is None:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("from "))
    except ValueError as error:
        raise ServiceError("InvalidRequestException", "Invalid nextToken") from error
