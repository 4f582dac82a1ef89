"""What went wrong at a login, in words for a person."""

from __future__ import annotations

from credhelper.errors import CredhelperError, UpstreamError
from credhelper.terminal import printable

AGAIN = "Run the same command again"

_KNOWN = {
    UpstreamError.OFFLINE: ("IAM Identity Center cannot be reached", "Check the network, proxy and region"),
    UpstreamError.PORTAL: ("a web page answered in place of AWS", "Log in to this network first (open any web page)"),
    UpstreamError.GARBAGE: ("IAM Identity Center gave an answer that makes no sense", "Check proxy and endpoints"),
    "AccessDeniedException": ("the request was denied", "Log in again and choose Allow"),
    "ExpiredTokenException": ("the code has expired", AGAIN),
    "InvalidGrantException": ("the code was not accepted", AGAIN),
    "TooManyRequestsException": ("AWS asks to slow down", "Wait a minute, then run the same command again"),
    "InternalServerException": ("IAM Identity Center has trouble", "Wait a minute, then run the same command again"),
    "InvalidRequestException": ("AWS does not accept this login", "Check the session's start URL and region"),
    "InvalidScopeException": (
        "AWS does not know one of the session's scopes",
        "Check sso_registration_scopes in the AWS config",
    ),
    "InvalidRequestRegionException": ("the session's region is not where it lives", "Check sso_region"),
}
# The registration is what is wrong: a new one is made, once.
BAD_REGISTRATION = frozenset({"InvalidClientException", "UnauthorizedClientException"})
# What AWS may answer to a wish for a device code where that way of logging in is not allowed, or not to us.
# A wrong start URL has the same answer; the login by browser, which follows, then says so itself.
BLOCKED = frozenset(
    {
        "AccessDeniedException",
        "InvalidRequestException",
        "UnauthorizedClientException",
        "UnsupportedGrantTypeException",
    }
)


class LoginFailed(CredhelperError):
    """A login that came to nothing; nothing was written."""


def no_way(refusal: UpstreamError) -> LoginFailed:
    """The failure where AWS refuses a device code, and no browser's answer would ever come back to this login."""
    run = "run `credhelper login --no-browser` at a terminal, or on a machine with a browser"
    if refusal.code == "InvalidRequestException":
        run = f"check the session's start URL and region, or {run}"
    return LoginFailed("AWS takes no device code here, and no browser can be opened", run[0].upper() + run[1:])


def explain(error: UpstreamError) -> LoginFailed:
    """The failure of a call, without anything that was sent or received but the error's own code."""
    known = _KNOWN.get(error.code)
    if known is None:
        return LoginFailed(f"{error.operation} failed: {printable(error.code[:60])}", AGAIN)
    message, remedy = known
    reason = error.detail if error.code in {UpstreamError.OFFLINE, UpstreamError.GARBAGE} else ""
    return LoginFailed(f"{message} ({printable(reason)})" if reason else message, remedy)
