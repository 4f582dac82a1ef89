"""Any HTTP answer to any of our calls: a value of the right kind, or an UpstreamError that can be judged.

The client and all of its parsing are botocore's own; only what would have come over the network is the input: a line
`OPERATION STATUS`, headers, an empty line and the body.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from credhelper.aws.identity_center import IdentityCenter, Registration
from credhelper.core.clock import Clock
from credhelper.core.verdicts import judge, throttled
from credhelper.errors import UpstreamError

MAX_LEN = 700
LINES = False
WORDS = (
    b"RegisterClient 200\n", b"CreateToken 200\n", b"CreateToken 400\n", b"GetRoleCredentials 200\n",
    b"GetRoleCredentials 401\n", b"ListAccounts 200\n", b"ListAccountRoles 200\n", b"Logout 200\n",
    b"StartDeviceAuthorization 200\n", b" 500\n", b" 302\n", b"content-type: application/json\n",
    b"content-type: text/html\n", b"content-type: text/plain; charset=nonsense\n", b"x-amzn-requestid: 1\n",
    b"date: Mon, 23 Nov 2026 01:00:00 GMT\n", b"date: Mon, 23 Nov 99999 01:00:00 -9999\n",
    b"x-amzn-errortype: InvalidGrantException:x\n", b"\n\n", b'"accessToken"', b'"refreshToken"', b'"expiresIn"',
    b'"clientId"', b'"clientSecret"', b'"clientSecretExpiresAt"', b'"roleCredentials"', b'"accessKeyId"',
    b'"secretAccessKey"', b'"sessionToken"', b'"expiration"', b'"accountList"', b'"accountId"', b'"nextToken"',
    b'"roleList"', b'"roleName"', b'"deviceCode"', b'"userCode"', b'"verificationUri"', b'"interval"', b'"__type"',
    b'"error"', b'"error_description"', b'"message"', b"null", b"NaN", b"1e999", b"-1", b"[]", b"{}", b"true",
    b"\\ud800", b"\\u0000", b"\xff", b"[" * 200, b"9" * 400,
)  # fmt: skip
_REGISTRATION = Registration("ci", "cs", 2e9)
_CALLS: dict[bytes, Callable[[IdentityCenter], Any]] = {
    b"RegisterClient": lambda center: center.register_client(
        grant_types=["refresh_token"], redirect_uris=None, issuer_url="https://x", scopes=("a",)
    ),
    b"StartDeviceAuthorization": lambda center: center.start_device_authorization(_REGISTRATION, "https://x"),
    b"CreateToken": lambda center: center.refresh(_REGISTRATION, "rt"),
    b"GetRoleCredentials": lambda center: center.role_credentials("at", "123456789012", "Admin"),
    b"ListAccounts": lambda center: center.accounts("at"),
    b"ListAccountRoles": lambda center: center.account_roles("at", "123456789012"),
    b"Logout": lambda center: center.logout("at"),
}


class _Raw:
    """A body as urllib3 gives it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data

    def release_conn(self) -> None:
        """There is no connection to keep."""

    close = release_conn


class _Network:
    """What stands in the place of the network: it gives the next answer to whoever asks."""

    def __init__(self) -> None:
        self.status, self.headers, self.body = 0, HTTPHeaders(), b""
        self.now = 1_800_000_000.0
        self.clock = Clock(lambda: self.now)
        self.center = IdentityCenter("eu-west-1", clock=self.clock)
        for service in ("sso-oidc", "sso"):
            self.center._client(service)._endpoint.http_session.send = self._send

    def _send(self, request: Any) -> AWSResponse:
        return AWSResponse(request.url, self.status, self.headers, _Raw(self.body))


_network: _Network | None = None


def seeds() -> list[bytes]:
    """An answer of each operation, refusals, and what other machines say."""
    head = b"content-type: application/json\nx-amzn-requestid: 1\ndate: Fri, 15 Jan 2027 08:00:00 GMT\n\n"
    credentials = {
        "accessKeyId": "AK", "secretAccessKey": "SK", "sessionToken": "ST", "expiration": 1_800_003_600_000
    }  # fmt: skip
    device = {
        "deviceCode": "d", "userCode": "u", "verificationUri": "https://x", "verificationUriComplete": "https://x?u",
        "expiresIn": 600, "interval": 1,
    }  # fmt: skip
    answers: dict[str, dict[str, Any]] = {
        "RegisterClient": {"clientId": "ci", "clientSecret": "cs", "clientSecretExpiresAt": 2_000_000_000},
        "StartDeviceAuthorization": device,
        "CreateToken": {"accessToken": "at", "expiresIn": 3600, "refreshToken": "rt", "tokenType": "Bearer"},
        "GetRoleCredentials": {"roleCredentials": credentials},
        "ListAccounts": {"accountList": [{"accountId": "1", "accountName": "a", "emailAddress": "e"}]},
        "ListAccountRoles": {"roleList": [{"roleName": "r", "accountId": "1"}], "nextToken": "n"},
    }
    return [
        *(f"{name} 200\n".encode() + head + json.dumps(answer).encode() for name, answer in answers.items()),
        b"Logout 200\n" + head,
        b"CreateToken 400\nx-amzn-errortype: InvalidGrantException\n" + head + b'{"error_description": "over"}',
        b'GetRoleCredentials 401\n\n{"__type": "com.amazonaws#UnauthorizedException", "message": "no"}',
        b"GetRoleCredentials 200\ncontent-type: text/html\n\n<html>",
        b"CreateToken 302\nlocation: https://x\n\n",
        b"CreateToken 503\n\n",
    ]


def one(data: bytes) -> None:
    global _network  # noqa: PLW0603 - made once, within the process that uses it
    if _network is None:
        _network = _Network()
    head, _, _network.body = data.partition(b"\n\n")
    first, *headers = head.split(b"\n")
    name, _, status = first.partition(b" ")
    _network.status = int(status) if re.fullmatch(rb"[2-5][0-9][0-9]", status) else 200
    pairs = (header.decode("latin-1").partition(":") for header in headers)
    _network.headers = HTTPHeaders()
    for key, colon, value in pairs:
        if colon:
            _network.headers[key.strip()] = value.strip()
    call = _CALLS.get(name, _CALLS[b"GetRoleCredentials"])
    try:
        answer = call(_network.center)
    except UpstreamError as error:
        assert isinstance(error.code, str)
        assert len(str(error)) < 2000
        assert judge(error).reason
        throttled(error)
    else:
        _right(answer)
    assert abs(_network.clock.server_now()) < 1e12


def _right(answer: Any) -> None:
    """Texts are texts that can be written, times are times."""
    if isinstance(answer, list | tuple):  # a page and where the next one begins
        for part in answer:
            _right(part)
        return
    for value in dataclasses.asdict(answer).values() if dataclasses.is_dataclass(answer) else [answer]:  # type: ignore[arg-type]
        assert value is None or isinstance(value, str | float), value
        if isinstance(value, str):
            value.encode()
        elif value is not None:
            assert 0 <= value < 1e12
