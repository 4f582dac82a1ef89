"""Renewing the token of a session: the one place where a refresh token is spent.

The refresh holds a lock and reads the file again first. After a refusal it reads the file once more, because tokens
that differ from those sent are another client's success. A reply that arrives after the file vanished is dropped,
because that was a logout.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from credhelper.aws.identity_center import IdentityCenter, Registration
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.core.schedule import renew_at
from credhelper.core.verdicts import Verdict, judge
from credhelper.errors import CredhelperError, UpstreamError
from credhelper.model import Session, Token, normalize_start_url


class Result(Enum):
    """How a renewal ended."""

    RENEWED = "renewed"  # AWS gave a new access token, and it is in the file
    ADOPTED = "adopted"  # another client had renewed, or somebody had logged in
    UNSAVED = "unsaved"  # AWS gave a new token, but the file could not be written
    GONE = "gone"  # the file is not there any more: logged out
    IMPOSSIBLE = "impossible"  # the token has no refresh token, or its registration has run out


@dataclass(frozen=True, slots=True)
class Held:
    """A renewed token that is not in the file yet, and the access token that the file holds instead."""

    token: Token
    replaced: str = dataclasses.field(repr=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result and the token that now counts; None where there is none.

    Attributes:
        held: for UNSAVED, what to pass to the next call.
        problem: for UNSAVED, why the file could not be written.
    """

    result: Result
    token: Token | None = None
    held: Held | None = None
    problem: str | None = None


def renew(
    session: Session,
    *,
    cache: TokenCache,
    records: LoginRecords,
    center_for: Callable[[Session, Token], IdentityCenter],
    clock: Clock,
    replacing: str | None = None,
    held: Held | None = None,
) -> Outcome:
    """Renew the token of `session` if that is still due once the lock is held.

    Args:
        center_for: gives the client whose endpoints this token may be sent to.
        replacing: an access token that is renewed whatever its date says, because AWS no longer accepts it or its
            turn was brought forward. Any other that is in the file by now is judged by its own date.
        held: a token that an earlier call renewed but could not write; while the file still holds what it replaced,
            it is the one that counts, and it is written now if it need not be renewed itself.

    Raises UpstreamError where AWS refuses or cannot be reached, TokenUnreadable, and CredhelperError where the lock
    cannot be had.
    """
    key = session.cache_key
    with cache.lock(key):
        in_file = cache.read(key)
        if in_file is None or not _belongs(in_file, session):
            return Outcome(Result.GONE)
        holding = held is not None and in_file.access_token == held.replaced
        token = held.token if held is not None and holding else in_file
        now = clock.now()
        due = renew_at(token.expires_at, known_lifetime(records, key, token)) <= now
        if token.access_token != replacing and not due:
            return (
                _save(session, token, in_file, cache=cache, records=records)
                if holding
                else Outcome(Result.ADOPTED, token)
            )
        if not token.refreshable(now):
            return Outcome(Result.IMPOSSIBLE, token)
        center = center_for(session, token)
        try:
            grant = center.refresh(
                Registration(token.client_id or "", token.client_secret or "", token.registration_expires_at or 0.0),
                token.refresh_token or "",
            )
        except UpstreamError as error:
            if judge(error).verdict is not Verdict.LOGIN:
                raise
            present = cache.read(key)
            changed = _changed(present, in_file, session)
            if changed is None:
                raise
            return changed
        renewed = dataclasses.replace(
            token,
            access_token=grant.access_token,
            expires_at=clock.now() + grant.expires_in,
            lifetime=grant.expires_in,
            refresh_token=grant.refresh_token or token.refresh_token,
        )
        return _save(session, renewed, in_file, cache=cache, records=records)


def known_lifetime(records: LoginRecords, key: str, token: Token) -> float:
    """The token's lifetime: the server's `expiresIn` where we fetched this very token, else the file's own."""
    record = records.read(key)
    if record is not None and record.matches(token) and abs(record.expires_at - token.expires_at) < 1.0:
        return record.lifetime if record.lifetime > 0 else token.lifetime
    return token.lifetime


def _save(session: Session, renewed: Token, sent: Token, *, cache: TokenCache, records: LoginRecords) -> Outcome:
    key = session.cache_key
    try:
        changed = _changed(cache.read(key), sent, session)
        if changed is not None:
            return changed
        cache.write(key, renewed)
    except CredhelperError as error:
        # Also where another program is writing just now. The old refresh token may be spent; this one is kept.
        return Outcome(Result.UNSAVED, renewed, held=Held(renewed, sent.access_token), problem=str(error))
    record = records.read(key)
    if record is not None and record.matches(renewed):
        try:
            records.write(key, dataclasses.replace(record, lifetime=renewed.lifetime, expires_at=renewed.expires_at))
        except CredhelperError:
            # Only the lifetime is lost, and the file's age tells nearly the same.
            return Outcome(Result.RENEWED, renewed)
    return Outcome(Result.RENEWED, renewed)


def _changed(present: Token | None, sent: Token, session: Session) -> Outcome | None:
    """What has become of the file since it was read; None where it is as it was."""
    if present is None or not _belongs(present, session):
        return Outcome(Result.GONE)
    return None if _same(present, sent) else Outcome(Result.ADOPTED, present)


def _same(one: Token, other: Token) -> bool:
    return (one.access_token, one.refresh_token) == (other.access_token, other.refresh_token)


def _belongs(token: Token, session: Session) -> bool:
    return token.start_url is None or normalize_start_url(token.start_url) == session.same_start
