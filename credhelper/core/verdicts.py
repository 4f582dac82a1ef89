"""What an answer of AWS means: one table for every operation that the daemon makes by itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from credhelper.errors import UpstreamError


class Verdict(Enum):
    """What to do with a session after a failed call."""

    LOGIN = "login"  # only a person can go on from here
    RETRY = "retry"  # the token may still be good: ask again later
    KEEP = "keep"  # the session is fine, this one request is not


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with a short sentence for people; `offline` where AWS was not reached at all."""

    verdict: Verdict
    reason: str
    offline: bool = False


_LOGIN = Verdict.LOGIN
_RETRY = Verdict.RETRY
_KEEP = Verdict.KEEP

# Of a role that the person does not have; `whoami` knows them again.
NO_ACCESS = "no access to this account and role"
NO_SUCH_ROLE = "there is no such account or role"

# Codes: the error shapes of botocore's service models `sso-oidc` and `sso`. What is missing here belongs to
# operations that the daemon never calls, and goes by its status.
_TABLE = {
    "InvalidGrantException": Judgement(_LOGIN, "AWS has ended the session"),
    "ExpiredTokenException": Judgement(_LOGIN, "the session has run out"),
    "InvalidClientException": Judgement(_LOGIN, "the client registration is no longer valid"),
    "UnauthorizedClientException": Judgement(_LOGIN, "the client registration may not renew tokens"),
    "UnsupportedGrantTypeException": Judgement(_LOGIN, "the client registration may not renew tokens"),
    "InvalidScopeException": Judgement(_LOGIN, "the client registration may not renew tokens"),
    "AccessDeniedException": Judgement(_LOGIN, "AWS refuses this login"),
    "UnauthorizedException": Judgement(_LOGIN, "AWS no longer accepts the access token"),
    "SlowDownException": Judgement(_RETRY, "AWS asks to slow down"),
    "TooManyRequestsException": Judgement(_RETRY, "AWS throttles this user's calls"),
    "InternalServerException": Judgement(_RETRY, "AWS has an internal error"),
    "ForbiddenException": Judgement(_KEEP, NO_ACCESS),
    "ResourceNotFoundException": Judgement(_KEEP, NO_SUCH_ROLE),
    "InvalidRequestException": Judgement(_KEEP, "AWS does not accept the request"),
    UpstreamError.OFFLINE: Judgement(_RETRY, "AWS cannot be reached", offline=True),
    UpstreamError.PORTAL: Judgement(_RETRY, "the network answers with a sign-in page of its own", offline=True),
    UpstreamError.GARBAGE: Judgement(_RETRY, "the answer makes no sense", offline=True),
}


def judge(error: UpstreamError) -> Judgement:
    """Classify a failed call. A code that is not in the table goes by its HTTP status."""
    if error.operation == "GetRoleCredentials" and error.code == "AccessDeniedException":
        return _TABLE["ForbiddenException"]  # whatever it says of a login, here it is about a role
    if error.operation == "CreateToken" and error.code == "InvalidRequestException":
        # A refresh holds nothing but the login's own values: the same request would be refused for ever.
        return Judgement(_LOGIN, "AWS cannot make sense of this login")
    known = _TABLE.get(error.code)
    if known is not None:
        if error.code == UpstreamError.OFFLINE and error.detail:
            return Judgement(_RETRY, f"{known.reason}: {error.detail}", offline=True)
        return known
    if error.status == 429:
        return _TABLE["TooManyRequestsException"]
    if error.status >= 500:
        return Judgement(_RETRY, f"AWS answers with status {error.status}")
    if error.status == 401:
        return _TABLE["UnauthorizedException"]
    if error.operation == "GetRoleCredentials":
        return _TABLE["ForbiddenException"] if error.status == 403 else Judgement(_KEEP, "AWS refuses the request")
    # An unknown refusal of a refresh is no proof that the session is over; asking again costs little.
    return Judgement(_RETRY, "AWS answers with an unknown error")


def throttled(error: UpstreamError) -> bool:
    """Whether AWS only wants the same call a little later."""
    return error.status == 429 or error.code in {"TooManyRequestsException", "SlowDownException"}
