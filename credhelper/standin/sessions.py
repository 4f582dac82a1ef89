"""Identity Center sessions and the tokens that belong to them. Pure: the time is an argument.

Rules (from the behaviour of the real service): a session starts at a login and ends at its cap, which no
refresh moves, or at a logout; a login while it lives joins it; tokens die with their session.
"""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING

from credhelper.model import DEFAULT_SCOPE, normalize_start_url
from credhelper.standin.messages import ServiceError

if TYPE_CHECKING:
    from credhelper.standin.settings import Settings


class Mint:
    """Makes random values, and knows every secret that it made. None is in the tree."""

    def __init__(self) -> None:
        self._given: set[str] = set()

    def secret(self, size: int) -> str:
        """A new secret of `size` random bytes, URL-safe."""
        value = secrets.token_urlsafe(size)
        self._given.add(value)
        return value

    def plain(self, size: int) -> str:
        """A random value that is no secret to search for: an id, a code that travels in URLs."""
        return secrets.token_urlsafe(size)

    def letters(self, count: int, alphabet: str = string.ascii_uppercase + "234567") -> str:
        return "".join(secrets.choice(alphabet) for _ in range(count))

    @property
    def given(self) -> frozenset[str]:
        return frozenset(self._given)


@dataclass(eq=False)
class Session:
    """One session of the person at one start URL.

    Attributes:
        started_at: seconds since the epoch.
        capped_at: a cap that was brought forward; else the settings' cap counts.
        ended: logged out, or revoked by an administrator.
    """

    start_url: str
    started_at: float
    capped_at: float | None = None
    ended: bool = False

    def cap(self, settings: Settings) -> float | None:
        """When the session ends whatever happens, or None."""
        if self.capped_at is not None:
            return self.capped_at
        return None if settings.session_cap is None else self.started_at + settings.session_cap

    def alive(self, settings: Settings, now: float) -> bool:
        cap = self.cap(settings)
        return not self.ended and (cap is None or now < cap)


@dataclass(eq=False)
class AccessToken:
    session: Session
    expires_at: float


@dataclass(eq=False)
class RefreshToken:
    session: Session
    client_id: str
    scopes: tuple[str, ...]
    used_up: bool = False


@dataclass(frozen=True)
class Issued:
    """What a grant gives. `expires_in` is in whole seconds."""

    access_token: str
    expires_in: int
    refresh_token: str | None


class Sessions:
    """All sessions and tokens of one stand-in. Not locked: `State` calls it under its lock."""

    def __init__(self, settings: Settings, mint: Mint) -> None:
        self._settings = settings
        self._mint = mint
        self._current: dict[str, Session] = {}
        self._all: list[Session] = []
        self._access: dict[str, AccessToken] = {}
        self._refresh: dict[str, RefreshToken] = {}

    def login(self, start_url: str, now: float) -> Session:
        """The session that a login at this moment leads to: the living one, or a new one."""
        key = normalize_start_url(start_url)
        session = self._current.get(key)
        if session is None or self._settings.login_resets_cap or not session.alive(self._settings, now):
            session = Session(start_url, now)
            self._current[key] = session
            self._all.append(session)
        return session

    def issue(self, session: Session, client_id: str, scopes: tuple[str, ...], now: float) -> Issued:
        """The tokens that follow a login.

        Raises:
            ServiceError: InvalidGrantException, where the session has ended since the login.
        """
        if DEFAULT_SCOPE not in scopes:
            return self._issue(session, self._settings.legacy_lifetime, None, now)
        refresh = self._mint.secret(200)
        issued = self._issue(session, self._settings.token_lifetime, refresh, now)
        self._refresh[refresh] = RefreshToken(session, client_id, scopes)
        return issued

    def refresh(self, value: str, client_id: str, now: float) -> Issued:
        """New tokens for a refresh token.

        Raises:
            ServiceError: InvalidGrantException, where it is unknown, used up, another client's, or its
                session is over.
        """
        settings = self._settings
        token = self._refresh.get(value)
        if token is None or token.used_up or token.client_id != client_id:
            raise ServiceError("InvalidGrantException", "Invalid refresh token provided")
        reply: str | None = value
        if not settings.refresh_reply_has_refresh_token:
            reply = None
        elif settings.rotate_refresh_tokens:
            reply = self._mint.secret(200)
        issued = self._issue(token.session, settings.token_lifetime, reply, now)
        if reply is not None and reply != value:
            token.used_up = True
            self._refresh[reply] = RefreshToken(token.session, client_id, token.scopes)
        return issued

    def _issue(self, session: Session, lifetime: float, refresh: str | None, now: float) -> Issued:
        cap = session.cap(self._settings)
        expires_at = now + lifetime
        if cap is not None and self._settings.cap_bounds_tokens:
            expires_at = min(expires_at, cap)
        if not session.alive(self._settings, now):
            raise ServiceError("InvalidGrantException", "The session has ended")
        access = self._mint.secret(300)
        self._access[access] = AccessToken(session, expires_at)
        return Issued(access, int(expires_at - now), refresh)

    def authenticate(self, access_token: str, now: float) -> Session:
        """The session of a bearer token.

        Raises:
            ServiceError: UnauthorizedException, where the token is unknown or no longer lives.
        """
        token = self._access.get(access_token)
        if token is None or now >= token.expires_at or token.session.ended:
            raise ServiceError("UnauthorizedException", "Session token not found or invalid")
        if self._settings.cap_bounds_tokens and not token.session.alive(self._settings, now):
            raise ServiceError("UnauthorizedException", "Session token not found or invalid")
        return token.session

    def end(self, start_url: str | None) -> None:
        """As a logout of the sessions at this start URL, or of all."""
        for session in self._matching(start_url):
            session.ended = True

    def cap_now(self, start_url: str | None, now: float) -> None:
        """Let the sessions at this start URL, or all, reach their cap at this moment."""
        for session in self._matching(start_url):
            session.capped_at = now

    def expire_access_tokens(self, now: float) -> None:
        """Let all access tokens given so far run out at this moment; refresh tokens stay good."""
        for token in self._access.values():
            token.expires_at = min(token.expires_at, now)

    def _matching(self, start_url: str | None) -> list[Session]:
        if start_url is None:
            return self._all
        key = normalize_start_url(start_url)
        return [session for session in self._all if normalize_start_url(session.start_url) == key]
