"""Login by authorization code with PKCE, in a browser on this machine or on another one.

On the wire it is what AWS CLI 2.38.5 does, as observed; verifier and challenge by RFC 7636, the redirect
to a port of 127.0.0.1 by RFC 8252.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlencode

from credhelper.aws import browser
from credhelper.aws.identity_center import (
    GRANT_CODE,
    GRANT_REFRESH,
    IdentityCenter,
    Registration,
    TokenGrant,
)
from credhelper.aws.login import page
from credhelper.aws.login.failures import LoginFailed, explain
from credhelper.aws.login.listener import PATH, Answer, Listener, read_answer
from credhelper.aws.login.ui import Ui
from credhelper.endpoints import is_loopback
from credhelper.errors import CredhelperError, UpstreamError
from credhelper.model import Token
from credhelper.terminal import printable

GRANT_TYPES = [GRANT_CODE, GRANT_REFRESH]
REDIRECT_URIS = [f"http://127.0.0.1{PATH}"]
# Seconds for a person to find password and second factor; the AWS CLI waits as long.
PATIENCE = 600.0


def authorize_url(
    center: IdentityCenter,
    registration: Registration,
    *,
    redirect_uri: str,
    state: str,
    verifier: str,
    scopes: tuple[str, ...],
) -> str:
    """The address of the page at which the person says yes.

    Raises CredhelperError where it is not one that may be opened (`browser.check_page`).
    """
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    query = urlencode(
        {
            "response_type": "code",
            "client_id": registration.client_id,
            "redirect_uri": redirect_uri,
            "state": state,
            "code_challenge_method": "S256",
            "scopes": " ".join(scopes),
            "code_challenge": challenge,
        }
    )
    base = center.authorize_endpoint()
    return browser.check_page(f"{base.rstrip('/')}/authorize?{query}", loopback=is_loopback(base))


def fetch(
    center: IdentityCenter,
    registration: Registration,
    *,
    session: str,
    scopes: tuple[str, ...],
    ui: Ui,
    keep: Callable[[TokenGrant], Token],
    monotonic: Callable[[], float] = time.monotonic,
) -> Token:
    """Let the person log in, keep what the code is worth, and return that.

    The browser gets its page only once the code has been redeemed and the token kept: so the page tells the truth.

    Args:
        session: its name, for the pages and messages.
        scopes: those of the registration.
        keep: writes the token.

    Raises UpstreamError where redeeming fails, LoginFailed where the person said no or did nothing, CredhelperError,
    and what `keep` raises.
    """
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    with _listener(state, ui) as listener:
        redirect_uri = listener.redirect_uri
        url = authorize_url(
            center, registration, redirect_uri=redirect_uri, state=state, verifier=verifier, scopes=scopes
        )
        ui.show_page(url)
        try:
            answer = _wait(listener, state, ui, monotonic)
        finally:
            ui.done_waiting()
        if answer.code is None:
            failure = _refusal(answer.error or "no code")
            listener.finish(page.failure(failure.message))
            raise failure
        content = page.failure("the login was interrupted")
        try:
            token = keep(center.redeem_code(registration, answer.code, redirect_uri, verifier))
            content = page.success(printable(session))
        except UpstreamError as error:
            content = page.failure(explain(error).message)
            raise
        except CredhelperError:
            content = page.failure("AWS said yes, but the token could not be kept on this machine")
            raise
        finally:
            listener.finish(content)
    return token


def _listener(state: str, ui: Ui) -> Listener:
    try:
        return Listener(state, ui.input_fd)
    except OSError as error:
        raise LoginFailed(
            f"no port of 127.0.0.1 can be opened for the browser: {error.strerror}", "Use `credhelper login --device`"
        ) from error


def _wait(listener: Listener, state: str, ui: Ui, monotonic: Callable[[], float]) -> Answer:
    deadline = monotonic() + PATIENCE
    while (left := deadline - monotonic()) > 0:
        ui.waiting("your login in the browser", left)
        answer, has_input = listener.wait(min(1.0, left))
        if answer is not None:
            return answer
        if has_input:
            lines = ui.read_input()
            if lines is None:
                listener.forget_input()
            for line in lines or []:
                answer = _pasted(line, state, ui)
                if answer is not None:
                    return answer
    raise LoginFailed("nobody logged in within 10 minutes", "Run the same command again")


def _pasted(line: str, state: str, ui: Ui) -> Answer | None:
    """The answer in a pasted address; one that is not right is said to be wrong, and the wait goes on."""
    text = line.strip().strip("'\"<>")
    if not text:
        return None
    answer = read_answer(text, state)
    if answer is not None:
        return answer
    if PATH not in text:
        ui.say(
            f"That is not the address that the browser was sent to (http://127.0.0.1:…{PATH}?code=…). "
            "Copy it whole from the browser's address bar and try again."
        )
    elif "state=" not in text:
        ui.say("That address is cut off. Copy it whole from the browser's address bar and try again.")
    else:
        ui.say("That address belongs to another login. Open the address above, log in there, and paste what follows.")
    return None


def _refusal(error: str) -> LoginFailed:
    if error == "access_denied":
        return LoginFailed("the request was denied in the browser", "Log in again and choose Allow")
    return LoginFailed(
        f"the login page answered with the error {printable(error[:60])!r}", "Log in again, or try --device"
    )
