"""What we remember of our own logins: which endpoints gave a token, and for how long it was given.

One small file (0600) for each session under the state folder. A token is sent only to the endpoints recorded at its
login; a token that another client fetched has no record and goes to AWS's own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from credhelper import files
from credhelper.aws.draft import Draft, remove_abandoned
from credhelper.dates import has_date
from credhelper.errors import CredhelperError
from credhelper.model import Endpoints, Token


def _fingerprint(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class LoginRecord:
    """Facts of one login.

    Attributes:
        client: a fingerprint of the client registration, which all renewals of a login share.
        endpoints: where its tokens may be sent.
        logged_in_at: seconds since the epoch.
        lifetime: `expiresIn` of the newest token, in seconds.
        expires_at: of the newest token; tells whether `lifetime` belongs to the token in the cache.
    """

    client: str
    endpoints: Endpoints
    logged_in_at: float
    lifetime: float
    expires_at: float

    @classmethod
    def of(cls, token: Token, endpoints: Endpoints, logged_in_at: float) -> LoginRecord:
        """The record of a token that was just fetched."""
        return cls(_fingerprint(token.client_id or ""), endpoints, logged_in_at, token.lifetime, token.expires_at)

    def matches(self, token: Token) -> bool:
        """Whether `token` descends from this login."""
        return token.client_id is not None and _fingerprint(token.client_id) == self.client


class LoginRecords:
    """The records of one home folder; `folder` is made at the first write."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # What was read last counts where a record cannot be read any more: a token must not go elsewhere because of
        # that. It counts only for the tokens of its own login.
        self._known: dict[Path, LoginRecord] = {}

    def _path(self, key: str) -> Path:
        return self._folder / f"{_fingerprint(key)}.json"

    def read(self, key: str) -> LoginRecord | None:
        """The record of the token file `key`, or None. One that cannot be read counts as it did before."""
        path = self._path(key)
        try:
            data = files.read_bytes(path)
        except (OSError, CredhelperError):
            return self._known.get(path)
        record = _parse(data)
        if record is None:
            return self._known.get(path)
        self._known[path] = record
        return record

    @staticmethod
    def _read_path(path: Path) -> LoginRecord | None:
        try:
            return _parse(files.read_bytes(path))
        except (OSError, CredhelperError):
            return None

    def matching(self, token: Token) -> LoginRecord | None:
        """The record of the login that `token` descends from, whatever its file is called, or None."""
        try:
            paths = sorted(self._folder.glob("*.json"))
        except OSError:
            return None
        found = (self._read_path(path) for path in paths)
        return next((record for record in found if record is not None and record.matches(token)), None)

    def cap_at(self, key: str, token: Token, cap: float) -> float | None:
        """When AWS ends the session of `token`, from the file `key`, `cap` seconds after its login; None where that
        was another client's."""
        record = self.read(key)
        return None if record is None or not record.matches(token) else record.logged_in_at + cap

    def draft(self, key: str) -> Draft:
        """The next record of `key`; prepared early, it makes sure of the room for it; see `write`."""
        return Draft(self._path(key))

    def write(self, key: str, record: LoginRecord, draft: Draft | None = None) -> None:
        """Keep a record. Only for who holds the lock of the token file `key`. Raises CredhelperError.

        `draft`: one that the method of that name gave.
        """
        remove_abandoned(self._path(key), but=draft)
        with draft or self.draft(key) as made:
            made.commit(json.dumps(asdict(record)).encode())

    def remove(self, key: str) -> None:
        """Forget a record; none is no error."""
        self._known.pop(self._path(key), None)
        with contextlib.suppress(OSError):
            self._path(key).unlink()


def _parse(data: bytes) -> LoginRecord | None:
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        content = json.loads(data)
        endpoints = content["endpoints"]
        return LoginRecord(
            client=str(content["client"]),
            endpoints=Endpoints(*(_text(endpoints.get(name)) for name in ("oidc", "portal", "sts"))),
            logged_in_at=_seconds(content["logged_in_at"]),
            lifetime=_seconds(content["lifetime"]),
            expires_at=_seconds(content["expires_at"]),
        )
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _seconds(value: Any) -> float:
    seconds = float(value)
    if not has_date(seconds):
        raise ValueError("neither a moment nor a span")
    return seconds
