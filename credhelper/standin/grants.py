"""sso-oidc: client registrations, and the three ways to a token. Pure: the time is an argument.

Source of rules: the API reference of IAM Identity Center OIDC, RFC 7636 (PKCE), RFC 8628 (device code).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from credhelper.standin.messages import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credhelper.standin.sessions import Issued, Mint, Session, Sessions
    from credhelper.standin.settings import Settings

AUTHORIZATION_CODE = "authorization_code"
REFRESH_TOKEN = "refresh_token"  # noqa: S105 - the name of a grant type
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
GRANT_TYPES = (AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN)

_SCOPE = re.compile(r"[\w.\-]+(:[\w.*\-]+)*")
_USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # RFC 8628, 6.1: no vowels, so no words


@dataclass(frozen=True)
class Registration:
    """A client. Times in seconds since the epoch."""

    client_id: str
    client_secret: str
    client_name: str
    expires_at: float
    scopes: tuple[str, ...]
    grant_types: tuple[str, ...]
    redirect_uris: tuple[str, ...]
    issuer_url: str


@dataclass(frozen=True)
class AuthorizationRequest:
    """A valid visit to the authorize page."""

    registration: Registration
    redirect_uri: str
    state: str
    code_challenge: str

    def answer(self, **parameters: str) -> str:
        """The address to send the browser to."""
        return f"{self.redirect_uri}?{urlencode({**parameters, 'state': self.state})}"


@dataclass(frozen=True)
class _Code:
    request: AuthorizationRequest
    session: Session
    expires_at: float


@dataclass(eq=False)
class DeviceLogin:
    """A login by device code. `decision` is None until the person has clicked."""

    registration: Registration
    start_url: str
    user_code: str
    expires_at: float
    last_poll: float | None = None
    decision: bool | None = None
    session: Session | None = None


class Grants:
    """All registrations and logins under way. Not locked: `State` calls it under its lock."""

    def __init__(self, settings: Settings, mint: Mint, sessions: Sessions) -> None:
        self._settings = settings
        self._mint = mint
        self._sessions = sessions
        self._clients: dict[str, Registration] = {}
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, DeviceLogin] = {}

    def register(self, params: Mapping[str, Any], now: float) -> Registration:
        """RegisterClient.

        Raises:
            ServiceError: InvalidClientMetadataException, InvalidScopeException,
                UnsupportedGrantTypeException, InvalidRedirectUriException.
        """
        if params["clientType"] != "public":
            raise ServiceError("InvalidClientMetadataException", "clientType must be public")
        for scope in params.get("scopes", ()):
            if not _SCOPE.fullmatch(scope):
                raise ServiceError("InvalidScopeException", "Invalid scope")
        for grant in params.get("grantTypes", ()):
            if grant not in GRANT_TYPES:
                raise ServiceError("UnsupportedGrantTypeException", "Unsupported grant type")
        for uri in params.get("redirectUris", ()):
            if not _is_loopback(uri):
                raise ServiceError("InvalidRedirectUriException", "Only http://127.0.0.1/… is redirected to")
        registration = Registration(
            client_id=self._mint.plain(16),
            client_secret=self._mint.secret(400),
            client_name=params["clientName"],
            expires_at=float(int(now + self._settings.registration_lifetime)),
            scopes=tuple(params.get("scopes", ())),
            grant_types=tuple(params.get("grantTypes", ())),
            redirect_uris=tuple(params.get("redirectUris", ())),
            issuer_url=params.get("issuerUrl", ""),
        )
        self._clients[registration.client_id] = registration
        return registration

    def authorization_request(self, query: Mapping[str, str], now: float) -> AuthorizationRequest:
        """Check the query of the authorize page.

        Raises:
            ServiceError: the page must say so and not redirect (RFC 6749, 4.1.2.1).
        """
        registration = self._clients.get(query.get("client_id", ""))
        if registration is None or now >= registration.expires_at:
            raise ServiceError("InvalidClientException", "Unknown or expired client")
        redirect_uri = query.get("redirect_uri", "")
        if not any(_same_but_port(redirect_uri, uri) for uri in registration.redirect_uris):
            raise ServiceError("InvalidRedirectUriException", "The redirect address is not registered")
        if query.get("response_type") != "code":
            raise ServiceError("InvalidRequestException", "response_type must be code")
        if query.get("code_challenge_method") != "S256" or not query.get("code_challenge"):
            raise ServiceError("InvalidRequestException", "A code challenge by S256 is required")
        scopes = query.get("scopes", "").replace(",", " ").split()
        if set(scopes) - set(registration.scopes):
            raise ServiceError("InvalidScopeException", "A scope is not registered")
        return AuthorizationRequest(registration, redirect_uri, query.get("state", ""), query["code_challenge"])

    def approve_authorization(self, request: AuthorizationRequest, now: float) -> str:
        """Log the person in; returns the address to send the browser to, with the code."""
        session = self._sessions.login(request.registration.issuer_url, now)
        code = self._mint.plain(64)
        self._codes[code] = _Code(request, session, now + self._settings.auth_code_lifetime)
        return request.answer(code=code)

    def start_device(self, params: Mapping[str, Any], now: float) -> tuple[str, DeviceLogin]:
        """StartDeviceAuthorization; returns the device code with the login."""
        registration = self._client(params["clientId"], params["clientSecret"], now)
        if registration.grant_types and DEVICE_CODE not in registration.grant_types:
            raise ServiceError("UnauthorizedClientException", "Not registered for the device code grant")
        letters = self._mint.letters(8, _USER_CODE_LETTERS)
        login = DeviceLogin(
            registration,
            params["startUrl"],
            f"{letters[:4]}-{letters[4:]}",
            now + self._settings.device_code_lifetime,
        )
        device_code = self._mint.plain(64)
        self._devices[device_code] = login
        return device_code, login

    def device_login(self, user_code: str, now: float) -> DeviceLogin | None:
        """The login that a user code stands for, while it can be decided on."""
        wanted = user_code.strip().upper()
        for login in self._devices.values():
            if login.user_code == wanted and now < login.expires_at and login.decision is None:
                return login
        return None

    def decide_device(self, login: DeviceLogin, approved: bool, now: float) -> None:
        """The person's click."""
        login.decision = approved
        if approved:
            login.session = self._sessions.login(login.start_url, now)

    def create_token(self, params: Mapping[str, Any], now: float) -> Issued:
        """CreateToken.

        Raises:
            ServiceError: as the API reference says for each grant; a missing member of the grant is
                InvalidRequestException.
        """
        grant = params["grantType"]
        if grant not in GRANT_TYPES:
            raise ServiceError("UnsupportedGrantTypeException", "Unsupported grant type")
        registration = self._client(params["clientId"], params["clientSecret"], now)
        if registration.grant_types and grant not in registration.grant_types:
            raise ServiceError("UnauthorizedClientException", "Not registered for this grant type")
        if set(params.get("scope", ())) - set(registration.scopes):
            raise ServiceError("InvalidScopeException", "A scope is not registered")
        if grant == AUTHORIZATION_CODE:
            return self._by_code(registration, params, now)
        if grant == DEVICE_CODE:
            return self._by_device(registration, _needed(params, "deviceCode"), now)
        return self._sessions.refresh(_needed(params, "refreshToken"), registration.client_id, now)

    def _by_code(self, registration: Registration, params: Mapping[str, Any], now: float) -> Issued:
        value = _needed(params, "code")
        verifier = _needed(params, "codeVerifier")
        redirect_uri = _needed(params, "redirectUri")
        code = self._codes.pop(value, None)  # good for one attempt, as RFC 6749, 4.1.2 asks
        if code is None or code.request.registration is not registration or now >= code.expires_at:
            raise ServiceError("InvalidGrantException", "Invalid grant provided")
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, code.request.code_challenge):
            raise ServiceError("InvalidGrantException", "The code verifier does not fit")
        if redirect_uri != code.request.redirect_uri:
            raise ServiceError("InvalidGrantException", "The redirect address differs")
        return self._sessions.issue(code.session, registration.client_id, registration.scopes, now)

    def _by_device(self, registration: Registration, device_code: str, now: float) -> Issued:
        login = self._devices.get(device_code)
        if login is None or login.registration is not registration:
            raise ServiceError("InvalidGrantException", "Invalid device code provided")
        if now >= login.expires_at:
            raise ServiceError("ExpiredTokenException", "The device code has expired")
        last, login.last_poll = login.last_poll, now
        too_fast = last is not None and now - last < self._settings.device_interval
        if too_fast and self._settings.device_slow_down:
            raise ServiceError("SlowDownException", "Polled faster than the interval")
        if login.decision is None:
            raise ServiceError("AuthorizationPendingException", "The person has not decided yet")
        del self._devices[device_code]
        if login.session is None:
            raise ServiceError("AccessDeniedException", "The person denied the request")
        return self._sessions.issue(login.session, registration.client_id, registration.scopes, now)

    def _client(self, client_id: str, client_secret: str, now: float) -> Registration:
        registration = self._clients.get(client_id)
        if registration is None or not hmac.compare_digest(
            registration.client_secret.encode(), client_secret.encode()
        ):
            raise ServiceError("InvalidClientException", "Invalid client provided")
        if now >= registration.expires_at:
            raise ServiceError(self._settings.expired_registration_error, "The registration has expired")
        return registration


def _needed(params: Mapping[str, Any], name: str) -> str:
    value: str = params.get(name, "")
    if not value:
        raise ServiceError("InvalidRequestException", f"Missing required member: {name}")
    return value


def _is_loopback(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme == "http" and parts.hostname == "127.0.0.1" and port != 0


def _same_but_port(uri: str, registered: str) -> bool:
    if not _is_loopback(uri):
        return False
    parts, wanted = urlsplit(uri), urlsplit(registered)
    plain = not (parts.query or parts.fragment or parts.username)
    return plain and parts.path == wanted.path and parts.port is not None
