"""All that a stand-in knows, behind one lock: sessions, registrations, logins, role credentials."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from credhelper.standin import sigv4
from credhelper.standin.grants import GRANT_TYPES, AuthorizationRequest, DeviceLogin, Grants
from credhelper.standin.portal import Portal
from credhelper.standin.sessions import Mint, Sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credhelper.standin.messages import Request
    from credhelper.standin.settings import Settings


class State:
    """Performs operations, one at a time. Addresses of pages begin with `base_url`.

    Attributes:
        lock: held while an operation is performed, and to change several settings at once.
    """

    def __init__(self, settings: Settings) -> None:
        self.lock = threading.RLock()
        self.settings = settings
        self.base_url = ""
        self._mint = Mint()
        self._sessions = Sessions(settings, self._mint)
        self._grants = Grants(settings, self._mint, self._sessions)
        self._portal = Portal(settings, self._mint, self._sessions)
        self._operations: Mapping[str, Callable[[Mapping[str, Any], float], dict[str, Any]]] = {
            "RegisterClient": self._register_client,
            "StartDeviceAuthorization": self._start_device_authorization,
            "CreateToken": self._create_token,
            "GetRoleCredentials": self._portal.get_role_credentials,
            "ListAccounts": self._portal.list_accounts,
            "ListAccountRoles": self._portal.list_account_roles,
            "Logout": self._portal.logout,
        }

    @property
    def now(self) -> float:
        return self.settings.clock()

    def perform(self, operation: str, params: Mapping[str, Any], request: Request) -> dict[str, Any]:
        """The output of an operation, by the names of the service's model.

        Raises:
            ServiceError: the service refuses.
        """
        with self.lock:
            if operation == "GetCallerIdentity":
                grant = sigv4.authenticate(request, self._portal.find_role, self.now)
                return self._portal.caller_identity(grant)
            return self._operations[operation](params, self.now)

    def secrets(self) -> frozenset[str]:
        with self.lock:
            return self._mint.given

    def authorization_request(self, query: Mapping[str, str]) -> AuthorizationRequest:
        with self.lock:
            return self._grants.authorization_request(query, self.now)

    def approve_authorization(self, request: AuthorizationRequest) -> str:
        with self.lock:
            return self._grants.approve_authorization(request, self.now)

    def device_login(self, user_code: str) -> DeviceLogin | None:
        with self.lock:
            return self._grants.device_login(user_code, self.now)

    def decide_device(self, user_code: str, *, approved: bool) -> DeviceLogin | None:
        """Decide on a login; None where no such login waits."""
        with self.lock:
            login = self._grants.device_login(user_code, self.now)
            if login is not None:
                self._grants.decide_device(login, approved, self.now)
            return login

    def end_sessions(self, start_url: str | None) -> None:
        with self.lock:
            self._sessions.end(start_url)

    def cap_sessions_now(self, start_url: str | None) -> None:
        with self.lock:
            self._sessions.cap_now(start_url, self.now)

    def expire_access_tokens(self) -> None:
        with self.lock:
            self._sessions.expire_access_tokens(self.now)

    def seed(self, start_url: str, region: str, scopes: tuple[str, ...]) -> dict[str, str]:
        """A login without the flow: the fields of a token file (dates `%Y-%m-%dT%H:%M:%SZ`)."""
        with self.lock:
            now = self.now
            params = {
                "clientName": "seeded",
                "clientType": "public",
                "grantTypes": list(GRANT_TYPES),
                "redirectUris": ["http://127.0.0.1/oauth/callback"],
                "issuerUrl": start_url,
                "scopes": list(scopes),
            }
            registration = self._grants.register(params, now)
            session = self._sessions.login(start_url, now)
            issued = self._sessions.issue(session, registration.client_id, scopes, now)
        token = {
            "startUrl": start_url,
            "region": region,
            "accessToken": issued.access_token,
            "expiresAt": _date(now + issued.expires_in),
            "clientId": registration.client_id,
            "clientSecret": registration.client_secret,
            "registrationExpiresAt": _date(registration.expires_at),
        }
        if issued.refresh_token is not None:
            token["refreshToken"] = issued.refresh_token
        return token

    def _register_client(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        registration = self._grants.register(params, now)
        return {
            "clientId": registration.client_id,
            "clientSecret": registration.client_secret,
            "clientIdIssuedAt": int(now),
            "clientSecretExpiresAt": int(registration.expires_at),
        }

    def _start_device_authorization(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        device_code, login = self._grants.start_device(params, now)
        page = f"{self.base_url}/device"
        return {
            "deviceCode": device_code,
            "userCode": login.user_code,
            "verificationUri": page,
            "verificationUriComplete": f"{page}?user_code={login.user_code}",
            "expiresIn": int(login.expires_at - now),
            "interval": self.settings.device_interval,
        }

    def _create_token(self, params: Mapping[str, Any], now: float) -> dict[str, Any]:
        issued = self._grants.create_token(params, now)
        return {
            "accessToken": issued.access_token,
            "tokenType": "Bearer",
            "expiresIn": issued.expires_in,
            "refreshToken": issued.refresh_token,
        }


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
