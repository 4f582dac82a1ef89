from __future__ import annotations

import botocore.loaders
import pytest

from credhelper.core.verdicts import _TABLE, Verdict, judge, throttled
from credhelper.errors import UpstreamError

# Errors that only operations give which the daemon never calls by itself (logins, IAM grants), or which make no sense
# for those that it does; they go by their status.
LEFT_TO_THE_STATUS = {
    "AuthorizationPendingException",
    "InvalidClientMetadataException",
    "InvalidRedirectUriException",
    "InvalidRequestRegionException",
}


def modelled_errors() -> set[str]:
    loader = botocore.loaders.Loader()
    return {
        name
        for service in ("sso-oidc", "sso")
        for name, shape in loader.load_service_model(service, "service-2")["shapes"].items()
        if shape.get("exception")
    }


def test_every_error_of_the_services_has_its_line() -> None:
    modelled = modelled_errors()
    assert modelled - set(_TABLE) == LEFT_TO_THE_STATUS
    ours = {UpstreamError.OFFLINE, UpstreamError.PORTAL, UpstreamError.GARBAGE}
    # `ForbiddenException` is what the real portal sends; its model does not say so.
    assert set(_TABLE) - modelled == ours | {"ForbiddenException"}


@pytest.mark.parametrize("operation", ["CreateToken", "GetRoleCredentials"])
@pytest.mark.parametrize("code", sorted(_TABLE))
def test_reasons_are_for_people(operation: str, code: str) -> None:
    judgement = judge(UpstreamError(operation, code, 400, "a detail"))
    assert judgement.reason
    assert "Exception" not in judgement.reason
    assert not judgement.reason.endswith(".")


REFRESH = {
    "InvalidGrantException": Verdict.LOGIN,
    "ExpiredTokenException": Verdict.LOGIN,
    "InvalidClientException": Verdict.LOGIN,
    "UnauthorizedClientException": Verdict.LOGIN,
    "UnsupportedGrantTypeException": Verdict.LOGIN,
    "InvalidScopeException": Verdict.LOGIN,
    "AccessDeniedException": Verdict.LOGIN,
    "InvalidRequestException": Verdict.LOGIN,
    "SlowDownException": Verdict.RETRY,
    "TooManyRequestsException": Verdict.RETRY,
    "InternalServerException": Verdict.RETRY,
    "AuthorizationPendingException": Verdict.RETRY,
    "Offline": Verdict.RETRY,
    "CaptivePortal": Verdict.RETRY,
    "Garbage": Verdict.RETRY,
    "NeverHeardOfException": Verdict.RETRY,
}
ROLE = {
    "UnauthorizedException": Verdict.LOGIN,
    "ForbiddenException": Verdict.KEEP,
    "AccessDeniedException": Verdict.KEEP,
    "ResourceNotFoundException": Verdict.KEEP,
    "InvalidRequestException": Verdict.KEEP,
    "TooManyRequestsException": Verdict.RETRY,
    "Offline": Verdict.RETRY,
    "NeverHeardOfException": Verdict.KEEP,
}


@pytest.mark.parametrize(
    ("operation", "code", "verdict"),
    [("CreateToken", *item) for item in REFRESH.items()] + [("GetRoleCredentials", *item) for item in ROLE.items()],
)
def test_table(operation: str, code: str, verdict: Verdict) -> None:
    assert judge(UpstreamError(operation, code, 400)).verdict is verdict


@pytest.mark.parametrize(
    ("operation", "status", "verdict", "reason"),
    [
        ("CreateToken", 429, Verdict.RETRY, "throttles"),
        ("CreateToken", 500, Verdict.RETRY, "status 500"),
        ("CreateToken", 503, Verdict.RETRY, "status 503"),
        ("CreateToken", 401, Verdict.LOGIN, "access token"),
        ("CreateToken", 403, Verdict.RETRY, "unknown"),
        ("GetRoleCredentials", 403, Verdict.KEEP, "no access"),
        ("GetRoleCredentials", 404, Verdict.KEEP, "refuses the request"),
        ("GetRoleCredentials", 502, Verdict.RETRY, "status 502"),
        ("GetRoleCredentials", 401, Verdict.LOGIN, "access token"),
        ("GetRoleCredentials", 429, Verdict.RETRY, "throttles"),
    ],
)
def test_unknown_codes_go_by_their_status(operation: str, status: int, verdict: Verdict, reason: str) -> None:
    judgement = judge(UpstreamError(operation, "Unknown", status))
    assert judgement.verdict is verdict
    assert reason in judgement.reason


def test_throttled() -> None:
    assert throttled(UpstreamError("GetRoleCredentials", "TooManyRequestsException", 429))
    assert throttled(UpstreamError("GetRoleCredentials", "Unknown", 429))
    assert throttled(UpstreamError("CreateToken", "SlowDownException", 400))
    assert not throttled(UpstreamError("GetRoleCredentials", "ForbiddenException", 403))


def test_offline_says_why() -> None:
    judgement = judge(UpstreamError("CreateToken", UpstreamError.OFFLINE, 0, "no connection"))
    assert judgement.offline
    assert judgement.reason == "AWS cannot be reached: no connection"
    assert judge(UpstreamError("CreateToken", UpstreamError.PORTAL, 200)).offline
    assert not judge(UpstreamError("CreateToken", "SlowDownException", 400)).offline
