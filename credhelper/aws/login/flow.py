"""One login from beginning to end: registration, the person, the token on disk."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from credhelper.aws.identity_center import IdentityCenter, Registration, TokenGrant
from credhelper.aws.login import device, pkce
from credhelper.aws.login.failures import BAD_REGISTRATION, BLOCKED, explain, no_way
from credhelper.aws.login.registration import Registrations, Wanted
from credhelper.aws.login.ui import NoBrowser, Ui
from credhelper.aws.records import LoginRecord, LoginRecords
from credhelper.aws.tokens import Found, TokenCache
from credhelper.core.clock import Clock
from credhelper.errors import CredhelperError, UpstreamError
from credhelper.model import DEFAULT_SCOPE, Endpoints, Session, Token

# Seconds. What cannot be renewed and ends within this is as good as over; a login near the cap is a new session.
SHORT = 15 * 60.0
NEAR_CAP = 30 * 60.0
# Bytes that a token may need; AWS's own have less than half of that.
_ROOM = 8192


class Method(enum.Enum):
    """How the person logs in."""

    PKCE = "pkce"
    DEVICE = "device"


@dataclass(frozen=True, slots=True)
class Pace:
    """How time passes for a login; tests have their own."""

    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic


def suffices(found: Found | None, now: float, *, cap_at: float | None = None) -> bool:
    """Whether there is no need to log in.

    Args:
        found: the session's token, if it has one.
        cap_at: the session's absolute end in seconds since the epoch, where it is known.
    """
    if found is None:
        return False
    if cap_at is not None and cap_at - now <= NEAR_CAP:
        return False
    if renewable(found, now):
        return found.token.expires_at > now
    return found.token.expires_at - now > SHORT


def renewable(found: Found | None, now: float) -> bool:
    """Whether the token can be renewed without a person."""
    return found is not None and not found.borrowed and found.token.refreshable(now)


def log_in(
    session: Session,
    *,
    cache: TokenCache,
    records: LoginRecords,
    center: IdentityCenter,
    clock: Clock,
    method: Method,
    ui: Ui,
    pace: Pace | None = None,
) -> Token:
    """Log in to `session`, write its token file and return the token.

    Where `method` turns out not to be possible here, the other one follows by itself, and the person is told.

    The caller holds the lease on the session. A session that a legacy profile amounts to gets the scope
    `sso:account:access` too, without which there is no refresh token.

    Raises LoginFailed, CredhelperError. Nothing is written then, save perhaps a client registration.
    """
    pace = pace or Pace()
    key = session.cache_key
    with cache.first_draft(key) as draft, records.draft(key) as record_draft:
        # Found out now, and not when the person has gone through password and second factor; and the room is kept.
        draft.prepare(_ROOM)
        with _nice_to_have(center.endpoints):
            record_draft.prepare(_ROOM)

        def keep(grant: TokenGrant, registration: Registration) -> Token:
            token = _token(session, grant, registration, clock.now())
            with cache.lock(key):
                # The record comes first: whoever sees the new token must find the endpoints that it belongs to.
                with _nice_to_have(center.endpoints):
                    records.write(key, LoginRecord.of(token, center.endpoints, clock.now()), record_draft)
                cache.write(key, token, draft)
            return token

        def by(way: Method) -> Token:
            return _log_in(session, keep=keep, cache=cache, center=center, clock=clock, method=way, ui=ui, pace=pace)

        try:
            return _with_way_out(by, method, ui)
        except UpstreamError as error:
            raise explain(error) from error


def _with_way_out(by: Callable[[Method], Token], method: Method, ui: Ui) -> Token:
    """Log in by `method`, else where that cannot be by the other. Raises UpstreamError, CredhelperError."""
    way = method
    refusal: UpstreamError | None = None
    while True:
        try:
            return by(way)
        except NoBrowser:
            if refusal is None:
                ui.say("No browser could be opened here; a device code follows.")
                way = Method.DEVICE
            elif not ui.can_answer:
                raise no_way(refusal) from refusal
        except UpstreamError as error:
            if way is not Method.DEVICE or error.operation != "StartDeviceAuthorization" or error.code not in BLOCKED:
                raise
            if not ui.can_answer:
                raise no_way(error) from error
            ui.say("AWS takes no device code here, so the login goes on in a browser.")
            if error.code == "InvalidRequestException":
                ui.say("Where its page shows an error, check the session's start URL and region.")
            way, refusal = Method.PKCE, error


@contextlib.contextmanager
def _nice_to_have(endpoints: Endpoints) -> Iterator[None]:
    """A login to AWS's own endpoints does without a record: the file's age says nearly the same."""
    try:
        yield
    except CredhelperError:
        if endpoints != Endpoints():
            raise


def _log_in(
    session: Session,
    *,
    keep: Callable[[TokenGrant, Registration], Token],
    cache: TokenCache,
    center: IdentityCenter,
    clock: Clock,
    method: Method,
    ui: Ui,
    pace: Pace,
) -> Token:
    """Bring the person through it by one method. `keep` writes the token.

    Raises UpstreamError, NoBrowser, LoginFailed, CredhelperError.
    """
    scopes = session.scopes
    if not scopes or (session.legacy and DEFAULT_SCOPE not in scopes):
        scopes = (*scopes, DEFAULT_SCOPE)
    wanted = (
        Wanted(session, scopes, pkce.GRANT_TYPES, pkce.REDIRECT_URIS)
        if method is Method.PKCE
        else Wanted(session, scopes, device.GRANT_TYPES)
    )

    def attempt(registration: Registration) -> Token:
        if method is Method.PKCE:
            return pkce.fetch(
                center,
                registration,
                session=session.name,
                scopes=scopes,
                ui=ui,
                keep=lambda grant: keep(grant, registration),
                monotonic=pace.monotonic,
            )
        grant = device.fetch(
            center, registration, start_url=session.start_url, ui=ui, sleep=pace.sleep, monotonic=pace.monotonic
        )
        return keep(grant, registration)

    registrations = Registrations(cache.folder, clock)
    try:
        # That AWS has dropped a registration shows on the page in the browser alone, of which nobody tells us; so
        # each login there makes its own.
        return attempt(registrations.get(center, wanted, fresh=method is Method.PKCE))
    except UpstreamError as error:
        if error.code not in BAD_REGISTRATION:
            raise
        ui.say("AWS no longer knows this program; registering it anew.")
        return attempt(registrations.get(center, wanted, fresh=True))


def _token(session: Session, grant: TokenGrant, registration: Registration, now: float) -> Token:
    return Token(
        access_token=grant.access_token,
        expires_at=float(int(now + grant.expires_in)),  # as the file will say, in whole seconds
        start_url=session.start_url,
        region=session.region,
        refresh_token=grant.refresh_token,
        client_id=registration.client_id,
        client_secret=registration.client_secret,
        registration_expires_at=registration.expires_at,
        lifetime=grant.expires_in,
    )
