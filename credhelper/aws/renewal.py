"""Renewing the token of a session: the one place where a refresh token is spent.

The refresh holds a lock and reads the file again first. After a refusal it looks at the file for a while more,
because tokens that differ from those sent are another client's success, which it writes down only after AWS has
answered it. A reply that arrives after the file vanished is dropped, because that was a logout.

Where AWS rotates refresh tokens, its reply is the only copy of what keeps the session alive. So all that can be done
without the reply is done before the request, and a kill between the reply and the write has the least of chances.
"""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from credhelper import files
from credhelper.aws.draft import Draft
from credhelper.aws.identity_center import IdentityCenter, Registration
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache, render_token
from credhelper.core.clock import Clock
from credhelper.core.schedule import renew_at
from credhelper.core.verdicts import Verdict, judge
from credhelper.errors import CredhelperError, TokenUnreadable, UpstreamError
from credhelper.model import Session, Token, normalize_start_url

# How long another client whose refresh won may take from AWS's answer to the end of its write. It takes milliseconds,
# but everything is slow on a machine that has just woken; callers wait for 4 s.
_OTHERS_WRITE_WITHIN = 1.5
# A successor may be longer than the token by so many bytes.
_ROOM = 4096
# Seconds that a token must have left for its renewal to wait for a disk that cannot be written; or a sixth of its
# lifetime, if that is shorter.
_LAST_CHANCE = 5 * 60.0


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
    rejected: bool = False,
    stays: bool = True,
    may_send: Callable[[], bool] = lambda: True,
) -> Outcome:
    """Renew the token of `session` if that is still due once the lock is held.

    Args:
        center_for: gives the client whose endpoints this token may be sent to.
        replacing: an access token that is renewed whatever its date says, because AWS no longer accepts it or its
            turn was brought forward. Any other that is in the file by now is judged by its own date.
        held: a token that an earlier call renewed but could not write; while the file still holds what it replaced,
            it is the one that counts, and it is written now if it need not be renewed itself.
        rejected: AWS no longer accepts the token that counts, so there is nothing to wait for.
        stays: whether the caller goes on and calls again with what could not be written. For one that does not, no
            refresh token is spent whose successor could not be written down; for one that does, only when the token
            nears its end, for until then the disk may recover, and a power failure would cost the session.
        may_send: asked once all is ready for the request, which may be long after the call. Where it says no,
            nothing is sent.

    Raises UpstreamError where AWS refuses or cannot be reached, TokenUnreadable, and CredhelperError where the lock
    cannot be had or nothing may be sent any more.
    """
    key = session.cache_key
    with cache.lock(key), cache.draft(key) as draft:
        snapshot = cache.snapshot(key)  # before it is read: what is written in between is seen as a change
        in_file = cache.read(key)
        if in_file is None or not _belongs(in_file, session):
            check_folder(cache)
            return Outcome(Result.GONE)
        file = _File(session, cache, draft, in_file, snapshot)
        holding = held is not None and in_file.access_token == held.replaced
        token = held.token if held is not None and holding else in_file
        now = clock.now()
        lifetime = known_lifetime(records, key, token)
        due = renew_at(token.expires_at, lifetime) <= now
        if token.access_token != replacing and not due:
            return _save(file, token, records) if holding else Outcome(Result.ADOPTED, token)
        if not token.refreshable(now):
            return Outcome(Result.IMPOSSIBLE, token)
        center = center_for(session, token)
        center.prepare("sso-oidc")
        try:
            draft.prepare(len(render_token(token)) + _ROOM)
        except CredhelperError:
            if not stays or (not rejected and token.expires_at - now > min(_LAST_CHANCE, lifetime / 6)):
                raise
        registration = Registration(
            token.client_id or "", token.client_secret or "", token.registration_expires_at or 0.0
        )
        if not may_send():
            raise CredhelperError("it was stopped before AWS was asked")
        try:
            grant = center.refresh(registration, token.refresh_token or "")
        except UpstreamError as error:
            if judge(error).verdict is not Verdict.LOGIN:
                raise
            changed = file.change_within(_OTHERS_WRITE_WITHIN)
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
        return _save(file, renewed, records)


def save(session: Session, held: Held, *, cache: TokenCache) -> None:
    """Write `held` down if the file still holds what it replaced. Raises CredhelperError."""
    key = session.cache_key
    with cache.lock(key, timeout=2.0), cache.draft(key) as draft:
        snapshot = cache.snapshot(key)
        in_file = cache.read(key)
        if in_file is None:
            check_folder(cache)
        elif in_file.access_token == held.replaced:
            _File(session, cache, draft, in_file, snapshot).replace(held.token)


def check_folder(cache: TokenCache) -> None:
    """Raise TokenUnreadable where the whole folder of tokens has gone: a network home is away, a dotfile manager at
    work. A logout removes the files alone."""
    if not files.is_folder(cache.folder):
        raise TokenUnreadable(f"the folder {cache.folder} has gone")


def known_lifetime(records: LoginRecords, key: str, token: Token) -> float:
    """The token's lifetime: the server's `expiresIn` where we fetched this very token, else the file's own."""
    record = records.read(key)
    if record is not None and record.matches(token) and abs(record.expires_at - token.expires_at) < 1.0:
        return record.lifetime if record.lifetime > 0 else token.lifetime
    return token.lifetime


@dataclass(frozen=True, slots=True)
class _File:
    """The token file as it was read under the lock.

    Attributes:
        draft: its next content.
        token, snapshot: what it held, and its bytes.
    """

    session: Session
    cache: TokenCache
    draft: Draft
    token: Token
    snapshot: bytes | None = dataclasses.field(repr=False)

    def change(self) -> Outcome | None:
        """What has become of the file since it was read; None where it is as it was. Raises TokenUnreadable."""
        key = self.session.cache_key
        if self.snapshot is not None and self.cache.snapshot(key) == self.snapshot:
            return None
        present = self.cache.read(key)
        if present is None or not _belongs(present, self.session):
            check_folder(self.cache)
            return Outcome(Result.GONE)
        return None if _same(present, self.token) else Outcome(Result.ADOPTED, present)

    def change_within(self, seconds: float) -> Outcome | None:
        """Wait that long for a change."""
        deadline = time.monotonic() + seconds
        while True:
            changed = self.change()
            if changed is not None or time.monotonic() > deadline:
                return changed
            time.sleep(0.02)

    def replace(self, renewed: Token) -> Outcome | None:
        """Write the renewed token, unless the file is not as it was any more: then what has become of it.

        Only the rename comes after that look, for all that writes may take long. Raises CredhelperError.
        """
        rotated = renewed.refresh_token != self.token.refresh_token
        failure = None
        try:
            self.draft.fill(render_token(renewed), durable=not rotated)
        except CredhelperError as error:
            failure = error
        changed = self.change()
        if changed is None:
            if failure is not None:
                raise failure
            self.draft.publish()
        return changed


def _save(file: _File, renewed: Token, records: LoginRecords) -> Outcome:
    try:
        changed = file.replace(renewed)
        if changed is not None:
            return changed
    except CredhelperError as error:
        # Also where another program is writing just now. The old refresh token may be spent; this one is kept.
        return Outcome(Result.UNSAVED, renewed, held=Held(renewed, file.token.access_token), problem=str(error))
    key = file.session.cache_key
    record = records.read(key)
    if record is not None and record.matches(renewed):
        with contextlib.suppress(
            CredhelperError
        ):  # only the lifetime is lost, and the file's age tells nearly the same
            records.write(key, dataclasses.replace(record, lifetime=renewed.lifetime, expires_at=renewed.expires_at))
    return Outcome(Result.RENEWED, renewed)


def _same(one: Token, other: Token) -> bool:
    return (one.access_token, one.refresh_token) == (other.access_token, other.refresh_token)


def _belongs(token: Token, session: Session) -> bool:
    return token.start_url is None or normalize_start_url(token.start_url) == session.same_start
