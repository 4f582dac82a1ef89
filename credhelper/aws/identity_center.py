"""The calls to IAM Identity Center: sso-oidc for tokens, the sso portal for role credentials.

The clients are private ones: no config or credentials file is read, no profile, no endpoint variable, nothing is
signed. So a broken config, or our own helper line in it, can never bite the program that serves it.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

from credhelper import __version__
from credhelper.aws.botocore_clients import TooLong, make_client, proxies_for
from credhelper.core.clock import Clock
from credhelper.dates import has_date
from credhelper.errors import CredhelperError, UpstreamError
from credhelper.model import Endpoints, Network, RoleCredentials

_Answer = TypeVar("_Answer")

# Role credentials are called over so many seconds before AWS ends them: several SDKs ask again only at the end that
# they were told, and what they signed by then has yet to arrive.
_LAST_MOMENT = 2.0

GRANT_CODE = "authorization_code"
GRANT_REFRESH = "refresh_token"
GRANT_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(frozen=True, slots=True)
class Registration:
    """A client registration; `expires_at` in seconds since the epoch."""

    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class DeviceAuthorization:
    """The answer to StartDeviceAuthorization; times in seconds."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: float
    interval: float


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """The answer to CreateToken; `refresh_token` is None where the reply lacks it."""

    access_token: str = field(repr=False)
    expires_in: float
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """One account that the user may enter."""

    account_id: str
    name: str
    email: str


class IdentityCenter:
    """Calls to one region's Identity Center. Thread-safe; every method raises UpstreamError.

    Args:
        region: of the Identity Center.
        endpoints: overrides; None means AWS's own for the region.
        network: proxies and CA bundle; None values mean that botocore decides from this process's environment.
        clock: told about every `Date` header.
        timeout: seconds to wait for a connection, and again for the whole of an answer.
    """

    def __init__(
        self,
        region: str,
        endpoints: Endpoints | None = None,
        network: Network | None = None,
        clock: Clock | None = None,
        timeout: float = 10.0,
    ) -> None:
        self.region = region
        self.endpoints = endpoints or Endpoints()
        self._network = network or Network()
        self._clock = clock or Clock()
        self._timeout = timeout
        self._clients: dict[str, Any] = {}
        self._making = threading.Lock()

    def authorize_endpoint(self) -> str:
        """The base address of the authorize page: the sso-oidc endpoint."""
        return str(self._client("sso-oidc").meta.endpoint_url)

    def register_client(
        self, *, grant_types: list[str], redirect_uris: list[str] | None, issuer_url: str, scopes: tuple[str, ...]
    ) -> Registration:
        """Register this program as a public client.

        Without grant types none are named, and the registration is good for the device code and for refreshes: so
        the AWS CLI registers for its device code logins.
        """
        parameters: dict[str, Any] = {"clientName": f"credhelper-{__version__}", "clientType": "public"}
        if scopes:
            parameters["scopes"] = list(scopes)
        if grant_types:
            parameters |= {"grantTypes": grant_types, "issuerUrl": issuer_url}
        if redirect_uris:
            parameters["redirectUris"] = redirect_uris
        return self._call(
            "sso-oidc",
            "RegisterClient",
            lambda reply: Registration(
                _text(reply, "clientId"), _text(reply, "clientSecret"), _moment(reply["clientSecretExpiresAt"])
            ),
            **parameters,
        )

    def start_device_authorization(self, registration: Registration, start_url: str) -> DeviceAuthorization:
        """Begin a device code login."""
        return self._call(
            "sso-oidc",
            "StartDeviceAuthorization",
            lambda reply: DeviceAuthorization(
                device_code=_text(reply, "deviceCode"),
                user_code=_text(reply, "userCode"),
                verification_uri=_text(reply, "verificationUri"),
                verification_uri_complete=_text(reply, "verificationUriComplete"),
                expires_in=_seconds(reply.get("expiresIn", 600)),
                interval=_seconds(reply.get("interval") or 5),
            ),
            clientId=registration.client_id,
            clientSecret=registration.client_secret,
            startUrl=start_url,
        )

    def redeem_code(self, registration: Registration, code: str, redirect_uri: str, verifier: str) -> TokenGrant:
        """Exchange an authorization code (PKCE)."""
        return self._create_token(
            registration, GRANT_CODE, code=code, redirectUri=redirect_uri, codeVerifier=verifier
        )

    def redeem_device_code(self, registration: Registration, device_code: str) -> TokenGrant:
        """Ask whether the person has approved: `AuthorizationPendingException` until then."""
        return self._create_token(registration, GRANT_DEVICE, deviceCode=device_code)

    def refresh(self, registration: Registration, refresh_token: str) -> TokenGrant:
        """Exchange a refresh token."""
        return self._create_token(registration, GRANT_REFRESH, refreshToken=refresh_token)

    def _create_token(self, registration: Registration, grant_type: str, **parameters: Any) -> TokenGrant:
        return self._call(
            "sso-oidc",
            "CreateToken",
            lambda reply: TokenGrant(
                _text(reply, "accessToken"),
                _seconds(reply["expiresIn"]),
                _text(reply, "refreshToken") if reply.get("refreshToken") else None,
            ),
            clientId=registration.client_id,
            clientSecret=registration.client_secret,
            grantType=grant_type,
            **parameters,
        )

    def role_credentials(self, access_token: str, account_id: str, role_name: str) -> RoleCredentials:
        """Fetch credentials of one role."""

        def read(reply: dict[str, Any]) -> RoleCredentials:
            credentials = reply["roleCredentials"]
            end = _moment(float(credentials["expiration"]) / 1000)
            lifetime = _seconds(end - self._clock.server_now())
            return RoleCredentials(
                access_key_id=_text(credentials, "accessKeyId"),
                secret_access_key=_text(credentials, "secretAccessKey"),
                session_token=_text(credentials, "sessionToken"),
                expires_at=float(math.ceil(end - min(_LAST_MOMENT, lifetime / 3))),
                lifetime=lifetime,
            )

        return self._call(
            "sso", "GetRoleCredentials", read, accessToken=access_token, accountId=account_id, roleName=role_name
        )

    def accounts(self, access_token: str, after: str | None = None) -> tuple[list[Account], str | None]:
        """One page of the accounts that the user may enter, and what to ask the next one with (None: it is the last).

        `after` is what the page before gave.
        """
        return self._call(
            "sso",
            "ListAccounts",
            lambda reply: (
                [
                    Account(
                        _text(item, "accountId"),
                        _text(item, "accountName") if item.get("accountName") else "",
                        _text(item, "emailAddress") if item.get("emailAddress") else "",
                    )
                    for item in reply["accountList"]
                ],
                _next(reply),
            ),
            accessToken=access_token,
            maxResults=100,
            **_from(after),
        )

    def account_roles(
        self, access_token: str, account_id: str, after: str | None = None
    ) -> tuple[list[str], str | None]:
        """One page of the names of the user's roles in one account; as for `accounts`."""
        return self._call(
            "sso",
            "ListAccountRoles",
            lambda reply: ([_text(item, "roleName") for item in reply["roleList"]], _next(reply)),
            accessToken=access_token,
            accountId=account_id,
            maxResults=100,
            **_from(after),
        )

    def logout(self, access_token: str) -> None:
        """End the session on the server."""
        self._call("sso", "Logout", lambda _: None, accessToken=access_token)

    def prepare(self, service: str) -> None:
        """Make the client of `sso-oidc` or `sso` now, that a call may go out at once; the call says what is wrong."""
        with contextlib.suppress(Exception):
            self._client(service)

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()
        self._clients.clear()

    def _client(self, service: str) -> Any:
        client = self._clients.get(service)
        if client is None:
            with self._making:  # a tenth of a second of work each: many threads at once would make as many
                client = self._clients.get(service)
                if client is None:
                    url = self.endpoints.oidc if service == "sso-oidc" else self.endpoints.portal
                    client = make_client(service, self.region, url, self._network, self._timeout)
                    proxies = self._network.proxies
                    if proxies and proxies_for(client.meta.endpoint_url, self._network) != proxies:
                        client.close()
                        direct = Network(proxies={}, ca_bundle=self._network.ca_bundle)
                        client = make_client(service, self.region, url, direct, self._timeout)
                    self._clients[service] = client
        return client

    def _call(
        self, service: str, operation: str, read: Callable[[dict[str, Any]], _Answer], **parameters: Any
    ) -> _Answer:
        """Make one call and read its reply by `read`; whatever goes wrong becomes an UpstreamError."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - botocore is loaded when needed

        asked_at = self._clock.now()
        try:
            client = self._client(service)
            reply = getattr(client, _METHODS[operation])(**parameters)
        except ClientError as error:
            self._observe(error.response.get("ResponseMetadata", {}), asked_at)
            raise _client_error(operation, error.response) from None
        except BotoCoreError as error:
            # The text of a parser error holds the body; the type is enough for anybody.
            kind = type(error).__name__
            code = UpstreamError.GARBAGE if kind == "ResponseParserError" else UpstreamError.OFFLINE
            raise UpstreamError(operation, code, 0, why_offline(kind)) from None
        except CredhelperError:
            raise  # an endpoint that is no safe one
        except TooLong:
            raise UpstreamError(operation, UpstreamError.GARBAGE, 0, "it is far too long") from None
        except Exception as error:  # noqa: BLE001 - botocore's parsers meet nonsense with errors of any kind
            raise UpstreamError(operation, UpstreamError.GARBAGE, 0, type(error).__name__) from None
        metadata = reply.get("ResponseMetadata", {})
        if "html" in metadata.get("HTTPHeaders", {}).get("content-type", ""):
            raise UpstreamError(operation, UpstreamError.PORTAL, metadata.get("HTTPStatusCode", 0), "a web page")
        self._observe(metadata, asked_at)
        try:
            return read(reply)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise UpstreamError(operation, UpstreamError.GARBAGE, 200, "an incomplete answer") from None

    def _observe(self, metadata: Any, asked_at: float) -> None:
        headers = metadata.get("HTTPHeaders", {})
        # Only a service's own answer is believed: a captive portal's clock is anybody's.
        if "date" in headers and ("x-amzn-requestid" in headers or "json" in headers.get("content-type", "")):
            try:
                self._clock.observe(parsedate_to_datetime(headers["date"]).timestamp(), asked_at)
            except (ValueError, TypeError, OverflowError):
                return


_METHODS = {
    "RegisterClient": "register_client",
    "StartDeviceAuthorization": "start_device_authorization",
    "CreateToken": "create_token",
    "GetRoleCredentials": "get_role_credentials",
    "ListAccounts": "list_accounts",
    "ListAccountRoles": "list_account_roles",
    "Logout": "logout",
}

_REASONS = {
    "EndpointConnectionError": "no connection",
    "ConnectTimeoutError": "no connection in time",
    "ReadTimeoutError": "no answer in time",
    "ConnectionClosedError": "the connection was closed",
    "ProxyConnectionError": "the proxy refused",
    "SSLError": "the TLS certificate is not trusted",
    "NoRegionError": "no region",
    "InvalidRegionError": "the region is not a valid one",
}


def why_offline(kind: str) -> str:
    """In words, why an error of botocore's of this class came in place of an answer."""
    return _REASONS.get(kind, kind)


def _client_error(operation: str, response: Any) -> UpstreamError:
    error, metadata = response.get("Error", {}), response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    code = str(error.get("Code", "")) or "Unknown"
    content_type = metadata.get("HTTPHeaders", {}).get("content-type", "")
    if "html" in content_type or 300 <= status < 400:
        return UpstreamError(operation, UpstreamError.PORTAL, status, "a web page")
    if code.isdecimal() and 400 <= status < 500 and status != 429:
        # The services name each refusal; this one is a proxy's or a firewall's, and says nothing of the session.
        detail = "the proxy asks for a name and a password" if status == 407 else f"somebody else answers {status}"
        return UpstreamError(operation, UpstreamError.OFFLINE, 0, detail)
    detail = str(response.get("error_description") or error.get("Message") or "")
    return UpstreamError(operation, code, status, " ".join(detail.split())[:200])


def _text(reply: dict[str, Any], name: str) -> str:
    value = reply[name]
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    value.encode()  # JSON can name half a character, which no file and no terminal takes
    return value


def _seconds(value: float) -> float:
    seconds = float(value)
    if not 0 < seconds < 10 * 365 * 86400:
        raise ValueError("not a lifetime")
    return seconds


def _moment(value: float) -> float:
    moment = float(value)
    if not has_date(moment):
        raise ValueError("not a date")
    return moment


def _next(reply: dict[str, Any]) -> str | None:
    return _text(reply, "nextToken") if reply.get("nextToken") else None


def _from(after: str | None) -> dict[str, str]:
    return {"nextToken": after} if after else {}
