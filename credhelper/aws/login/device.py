"""Login by device code (RFC 8628): for machines without a browser."""

from __future__ import annotations

import time
from collections.abc import Callable

from credhelper.aws import browser
from credhelper.aws.identity_center import IdentityCenter, Registration, TokenGrant
from credhelper.aws.login.failures import AGAIN, LoginFailed
from credhelper.aws.login.ui import Ui
from credhelper.endpoints import is_loopback
from credhelper.errors import UpstreamError
from credhelper.terminal import printable

# The registration names no grant types: like the AWS CLI's, it is good for the device code and for refreshes.
GRANT_TYPES: list[str] = []
_SLOWER = 5.0  # RFC 8628, 3.5
_LONGEST = 3600.0
# An organization that blocks device codes may do so at their page, of which nobody tells us.
_PAGE_REFUSES = "or with --no-browser where its page takes no codes"


def fetch(
    center: IdentityCenter,
    registration: Registration,
    *,
    start_url: str,
    ui: Ui,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> TokenGrant:
    """Let the person log in on any device and return what the device code is worth.

    Trouble with the network, 5xx and 429 are passed over until the code ends.

    Raises UpstreamError for what is final, LoginFailed where the person said no or did nothing, CredhelperError where
    the server names a page that may not be opened.
    """
    started = center.start_device_authorization(registration, start_url)
    loopback = is_loopback(center.authorize_endpoint())
    complete = browser.check_page(started.verification_uri_complete, loopback=loopback)
    page = browser.check_page(started.verification_uri, loopback=loopback)
    ui.show_code(printable(started.user_code), page, complete)
    deadline = monotonic() + min(max(started.expires_in, 0.0), _LONGEST)
    interval = min(max(started.interval, 1.0), 60.0)
    try:
        while True:
            _pause(interval, deadline, ui, sleep, monotonic)
            try:
                return center.redeem_device_code(registration, started.device_code)
            except UpstreamError as error:
                if error.code == "SlowDownException":
                    interval += _SLOWER
                elif error.code == "AccessDeniedException":
                    raise LoginFailed(
                        "the request was denied in the browser", "Log in again and choose Allow"
                    ) from None
                elif error.code == "ExpiredTokenException":
                    raise _too_late() from None
                elif not _passing(error):
                    raise
    finally:
        ui.done_waiting()


def _pause(
    interval: float, deadline: float, ui: Ui, sleep: Callable[[float], None], monotonic: Callable[[], float]
) -> None:
    """Wait for the next poll, showing the time left each second. Raises LoginFailed at the code's end."""
    until = monotonic() + interval
    while (wait := until - monotonic()) > 0:
        left = deadline - monotonic()
        if left <= 0:
            raise _too_late()
        ui.waiting("your login in the browser", left)
        sleep(min(1.0, wait, left))


def _too_late() -> LoginFailed:
    return LoginFailed("the code has expired before anybody used it", f"{AGAIN}, {_PAGE_REFUSES}")


def _passing(error: UpstreamError) -> bool:
    """Whether the next poll may go better."""
    return (
        error.code
        in {"AuthorizationPendingException", UpstreamError.OFFLINE, UpstreamError.PORTAL, UpstreamError.GARBAGE}
        or error.status == 429
        or error.status >= 500
        or error.code in {"TooManyRequestsException", "InternalServerException"}
    )
