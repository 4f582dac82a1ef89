"""The SSO token cache, `~/.aws/sso/cache`: the one home of tokens, shared with every other AWS client.

File names and fields are those of botocore's `SSOTokenLoader` and `SSOTokenFetcher`. The AWS CLI writes by truncating
in place, so a reader may see half a file; no other client takes a lock. A file that vanished is a logout.
"""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import json
import math
import os
import re
import stat
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from credhelper import files
from credhelper.aws.draft import Draft, remove_abandoned
from credhelper.dates import format_date
from credhelper.errors import CredhelperError, TokenUnreadable
from credhelper.model import Session, Token, normalize_start_url

DEFAULT_LIFETIME = 3600.0
# Longer than any token that Identity Center gives (90 days at most); a larger difference is a copied or touched file.
_LONGEST_LIFETIME = 90 * 86400.0
# The first moment that has no date of four digits.
_YEAR_10000 = 253_402_300_800.0
# How deep what we do not know may be nested: it has to be written again, from wherever the stack then stands.
_DEEPEST = 50
# How long a half-written file is read again before it counts as garbage: a truncate-and-write takes microseconds.
_PATIENCE = 0.25
# A temporary file that belongs to no lock and is older was left by a process that was killed: writing one takes
# milliseconds.
_LEFT_OVER = 300.0
_DRAFT = re.compile(re.escape(files.TEMPORARY) + "([0-9a-f]{40})-")

_KNOWN = frozenset(
    {
        "accessToken",
        "expiresAt",
        "startUrl",
        "region",
        "refreshToken",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
    }
)


def parse_date(text: object) -> float:
    """Seconds since the epoch for a date of a cache file. Raises ValueError.

    AWS CLI before 2.1.14 ended dates in `UTC`; Go's SDK may write fractions of a second.
    """
    if not isinstance(text, str) or len(text) > 40:
        raise ValueError("not a date")
    plain = text.removesuffix("UTC").removesuffix("Z")
    head, dot, fraction = plain.partition(".")
    if (dot and not fraction.isdecimal()) or (plain == text):
        raise ValueError("not a date in UTC")
    moment = float(calendar.timegm(time.strptime(head, "%Y-%m-%dT%H:%M:%S")))
    if moment >= _YEAR_10000:  # by a leap second
        raise ValueError("not a date that can be written")
    return moment


def parse_token(data: bytes, mtime: float) -> Token:
    """Read the bytes of a token file.

    Args:
        data: the file's bytes, possibly half of them.
        mtime: of the file, seconds since the epoch; the lifetime is counted from it.

    Raises TokenUnreadable where this is no token (the message says why and holds nothing of the content).
    """
    try:
        content = json.loads(data, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError) as error:
        raise TokenUnreadable("it is not JSON") from error
    if not isinstance(content, dict):
        raise TokenUnreadable("it is not a JSON object")
    if _deeper(content, _DEEPEST):
        raise TokenUnreadable("it is nested too deeply")
    access_token = content.get("accessToken")
    if not isinstance(access_token, str) or not access_token:
        raise TokenUnreadable("it holds no accessToken")
    if not _is_text(access_token):
        raise TokenUnreadable("its accessToken is no text")
    if isinstance(content.get("startUrl"), str) and not _is_text(content["startUrl"]):
        raise TokenUnreadable("its startUrl is no text")  # without it, the token would count as the session's own
    try:
        expires_at = parse_date(content.get("expiresAt"))
    except ValueError as error:
        raise TokenUnreadable("its expiresAt is not a date") from error
    try:
        registration = parse_date(content["registrationExpiresAt"]) if "registrationExpiresAt" in content else None
    except ValueError:
        registration = None

    def text(name: str) -> str | None:
        value = content.get(name)
        return value if value and _is_text(value) else None

    lifetime = expires_at - mtime
    return Token(
        access_token=access_token,
        expires_at=expires_at,
        start_url=text("startUrl"),
        region=text("region"),
        refresh_token=text("refreshToken"),
        client_id=text("clientId"),
        client_secret=text("clientSecret"),
        registration_expires_at=registration,
        lifetime=lifetime if 0 < lifetime <= _LONGEST_LIFETIME else DEFAULT_LIFETIME,
        extra={name: value for name, value in content.items() if name not in _KNOWN},
    )


def _finite(text: str) -> float:
    """A number, but for those that other clients could not read when they are written again (`NaN`, `1e999`)."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("not a number of JSON")
    return value


def _deeper(value: object, levels: int) -> bool:
    """Whether lists and objects lie within one another deeper than so many levels."""
    inner: Collection[object] = ()
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, list):
        inner = value
    return bool(inner) and (levels == 0 or any(_deeper(each, levels - 1) for each in inner))


def _is_text(value: object) -> TypeGuard[str]:
    """Whether this is a text that every encoding of Unicode can hold; JSON can name half a character."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def render_token(token: Token) -> bytes:
    """The bytes of a token file, with the fields that we do not know kept."""
    content: dict[str, Any] = dict(token.extra)
    fields: Mapping[str, str | None] = {
        "startUrl": token.start_url,
        "region": token.region,
        "accessToken": token.access_token,
        "expiresAt": format_date(token.expires_at),
        "clientId": token.client_id,
        "clientSecret": token.client_secret,
        "registrationExpiresAt": (
            None if token.registration_expires_at is None else format_date(token.registration_expires_at)
        ),
        "refreshToken": token.refresh_token,
    }
    content.update({name: value for name, value in fields.items() if value is not None})
    return json.dumps(content, indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Found:
    """A token of a session.

    Attributes:
        key: what the file is named after.
        borrowed: it is a legacy login's token for the same start URL, used until it ends but never renewed here.
    """

    key: str
    token: Token
    borrowed: bool = False


class TokenCache:
    """The token files of one home folder.

    Args:
        folder: `~/.aws/sso/cache`; need not exist.
        locks: where our own lock files lie, outside the AWS folders.
    """

    def __init__(self, folder: Path, locks: Path) -> None:
        self.folder = folder
        self._locks = locks

    def path(self, key: str) -> Path:
        """The file of the session name or start URL `key`."""
        digest = hashlib.sha1(key.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
        return self.folder / f"{digest}.json"

    def lock(self, key: str, timeout: float = 30.0) -> AbstractContextManager[None]:
        """The lock that each of our processes holds while it renews, writes or removes the token of `key`."""
        return self._lock(self.path(key).stem, timeout)

    def _lock(self, stem: str, timeout: float) -> AbstractContextManager[None]:
        return files.locked(self._locks / f"{stem}.lock", timeout=timeout, what="this token", instead=self.folder)

    def snapshot(self, key: str) -> bytes | None:
        """The bytes of the token file of `key`, to tell whether it has changed; None where it cannot be read."""
        try:
            return files.read_bytes(self.path(key))
        except (OSError, CredhelperError):
            return None

    def read(self, key: str) -> Token | None:
        """The token of `key`, or None where there is no file. Raises TokenUnreadable.

        A file that looks half-written is read again for a quarter of a second.
        """
        return self._read_path(self.path(key))

    def _read_path(self, path: Path, patience: float = _PATIENCE) -> Token | None:
        deadline = time.monotonic() + patience
        while True:
            try:
                data = files.read_bytes(path)
                return parse_token(data, path.stat().st_mtime)
            except FileNotFoundError:
                return None
            except TokenUnreadable as error:
                if time.monotonic() > deadline:
                    raise TokenUnreadable(
                        f"the token file {path} cannot be understood: {error.message}", "Log in again to replace it"
                    ) from error
            except CredhelperError as error:
                raise TokenUnreadable(error.message, error.remedy) from error
            time.sleep(0.01)

    def draft(self, key: str) -> Draft:
        """The successor of the token that `key` has; only for who holds its lock.

        The folder is not made: where it has gone, so has the token.
        """
        path = self.path(key)
        remove_abandoned(path)
        return Draft(path, makes_folder=False)

    def first_draft(self, key: str) -> Draft:
        """The token of `key` that a login is about to fetch; its folder is made where there is none.

        Whoever prepares it before he holds the lock makes sure of the room for it; see `write`.
        """
        return Draft(self.path(key))

    def write(self, key: str, token: Token, draft: Draft | None = None) -> None:
        """Write the token of `key`: whole or not at all, mode 0600. Only for who holds its lock.

        Args:
            draft: one that `first_draft` gave.

        Raises CredhelperError.
        """
        remove_abandoned(self.path(key), but=draft)
        with draft or self.first_draft(key) as made:
            made.commit(render_token(token))

    def remove(self, key: str) -> bool:
        """Remove the token of `key`; False where there was none. Only for who holds its lock.

        Raises CredhelperError.
        """
        remove_abandoned(self.path(key))
        self.remove_leftovers()
        return self.remove_path(self.path(key))

    def remove_leftovers(self) -> None:
        """Remove our own half-written files of processes that were killed: they may hold a token."""
        with contextlib.suppress(OSError):
            for path in self.folder.glob(f"{files.TEMPORARY}*"):
                named = _DRAFT.match(path.name)
                if named is not None:
                    # Whoever writes a token holds its lock; so a draft that nobody has locked is nobody's.
                    with contextlib.suppress(CredhelperError), self._lock(named[1], timeout=0.0):
                        remove_abandoned(self.folder / f"{named[1]}.json")
                    continue
                with contextlib.suppress(OSError):
                    status = path.lstat()
                    old = time.time() - status.st_mtime > _LEFT_OVER
                    if old and stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
                        path.unlink()

    def remove_path(self, path: Path) -> bool:
        """Remove one file of the cache; False where there was none. Raises CredhelperError.

        Where it is a link, what it leads to holds the secrets and goes first.
        """
        try:
            if path.is_symlink():
                Path(os.path.realpath(path)).unlink(missing_ok=True)
            path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise CredhelperError(f"{path} cannot be removed: {error.strerror}", "Check its folder's mode") from error
        return True

    def all(self, in_use: Path | None = None) -> Iterator[tuple[Path, Token]]:
        """Each file that holds a token, by name; registrations, other files and garbage are passed over.

        Raises TokenUnreadable only for the file `in_use`: garbage in it is no sign that its token has gone.
        """
        try:
            paths = sorted(self.folder.glob("*.json"))
        except OSError:
            return
        for path in paths:
            try:
                token = self._read_path(path, patience=_PATIENCE if path == in_use else 0.0)
            except TokenUnreadable:
                if path == in_use:
                    raise
                continue
            if token is not None:
                yield path, token

    def find(
        self,
        session: Session,
        now: float,
        *,
        refused: str | None = None,
        rejected: Collection[str] = (),
        in_use: str | None = None,
    ) -> Found | None:
        """The token that `session` uses, or None. Raises TokenUnreadable.

        First the session's own file; where that is missing or over for good, a legacy login's file for the same
        start URL that still lives; where none does, what has run out. A token whose `startUrl` is another's is not
        used.

        Args:
            refused: an access token that AWS has refused to renew: once it is over, it is so for good.
            rejected: access tokens that AWS does not accept any more, whatever their dates say.
            in_use: the key of the token that was found last; its file is not passed over while it cannot be read.
        """
        own = self.read(session.cache_key)
        if own is not None and own.start_url and normalize_start_url(own.start_url) != session.same_start:
            own = None
        if own is not None:
            lives = own.expires_at > now and own.access_token not in rejected
            if lives or (own.refreshable(now) and own.access_token != refused):
                return Found(session.cache_key, own)
        over = None if own is None else Found(session.cache_key, own)
        if not session.legacy:
            for path, token in self.all(None if in_use is None else self.path(in_use)):
                if (
                    token.start_url
                    and path == self.path(token.start_url)
                    and normalize_start_url(token.start_url) == session.same_start
                    and token.region in {None, session.region}
                ):
                    borrowed = Found(token.start_url, token, borrowed=True)
                    if token.expires_at > now:
                        return borrowed
                    over = over or borrowed  # that it has run out is no logout
        return over
