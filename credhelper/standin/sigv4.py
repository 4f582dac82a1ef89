"""Signature Version 4 checked with botocore's own signer.

The canonical request is built from exactly the headers that the caller says it signed, so that other
SDKs' choices of headers pass. Not checked: that the signature is recent, and that the scope's region and
service are the right ones.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from http.client import HTTPMessage
from typing import TYPE_CHECKING

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials

from credhelper.standin.messages import Request, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from credhelper.standin.portal import RoleGrant

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key>[^/,]+)/(?P<day>\d{8})/(?P<region>[^/,]+)/(?P<service>[^/,]+)/aws4_request"
    r",\s*SignedHeaders=(?P<headers>[^,]+),\s*Signature=(?P<signature>[0-9a-f]+)"
)


class _Verifier(SigV4Auth):
    def headers_to_sign(self, request: AWSRequest) -> HTTPMessage:
        return request.headers


def authenticate(request: Request, find_role: Callable[[str], RoleGrant | None], now: float) -> RoleGrant:
    """The role whose credentials signed a request.

    Raises:
        ServiceError: MissingAuthenticationToken, IncompleteSignature, InvalidClientTokenId (key and
            session token do not belong together), SignatureDoesNotMatch, ExpiredToken.
    """
    given = request.header("authorization")
    if not given:
        raise ServiceError("MissingAuthenticationToken", "Request is missing Authentication Token")
    match = _AUTHORIZATION.fullmatch(given.strip())
    if match is None:
        raise ServiceError("IncompleteSignature", "The Authorization header cannot be read")
    grant = find_role(match["key"])
    token = request.header("x-amz-security-token")
    if grant is None or not hmac.compare_digest(grant.session_token.encode(), token.encode()):
        raise ServiceError("InvalidClientTokenId", "The security token included in the request is invalid.")
    expected = _signature(request, match, grant)
    if expected is None or not hmac.compare_digest(expected, match["signature"]):
        raise ServiceError(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    if now >= grant.expires_at:
        raise ServiceError("ExpiredToken", "The security token included in the request is expired")
    return grant


def _signature(request: Request, match: re.Match[str], grant: RoleGrant) -> str | None:
    claimed = request.header("x-amz-content-sha256")
    if claimed not in {"", "UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest()}:
        return None
    headers = {name: request.header(name) for name in match["headers"].split(";")}
    url = f"http://{request.header('host')}{request.target}"
    signed = AWSRequest(method=request.method, url=url, headers=headers, data=request.body)
    signed.context["timestamp"] = request.header("x-amz-date")
    credentials = ReadOnlyCredentials(grant.access_key_id, grant.secret_access_key, grant.session_token)
    verifier = _Verifier(credentials, match["service"], match["region"])
    text = verifier.string_to_sign(signed, verifier.canonical_request(signed))
    return verifier.signature(text, signed)
