"""What is known of a session's accounts and roles: two small files for each session, written by the daemon.

`accounts/HASH.json` has the last whole list. `accounts/HASH.part.json` has what a list that was broken off had by
then; the next one goes on from there. There are no secrets in either. What cannot be understood counts as nothing
known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from credhelper import files
from credhelper.dates import has_date
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths

# Seconds for which a list counts as today's: what was broken off is gone on with, and a whole one need not be made
# anew for who is content with that.
CURRENT_FOR = 3600.0

# Characters of a name or a mail address.
LONGEST = 256

_ACCOUNT = re.compile("[0-9]{12}")


@dataclass(frozen=True, slots=True)
class KnownAccount:
    """One account.

    Attributes:
        account_id: 12 digits.
        name, email: as AWS says them; may be empty. What is invisible in them was made visible, and what is longer
            than any (`LONGEST`) was cut.
        roles: the names of the permission sets that the user has there, sorted; None where they were not listed yet.
    """

    account_id: str
    name: str
    email: str
    roles: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Directory:
    """The accounts of one session, by their ids.

    Attributes:
        complete: nothing is missing: all accounts are there, and the roles of each.
        listed_at: when the listing began, in seconds since the epoch: nothing in it is older.
    """

    accounts: tuple[KnownAccount, ...]
    complete: bool
    listed_at: float

    def recent(self, now: float) -> bool:
        """Whether this still counts as what is there."""
        return 0 <= now - self.listed_at < CURRENT_FOR


def is_account_id(text: object) -> bool:
    """Whether this is the id of an account."""
    return isinstance(text, str) and _ACCOUNT.fullmatch(text) is not None


def is_role_name(text: object) -> bool:
    """Whether this can be the name of a role: visible characters, not too many."""
    return isinstance(text, str) and 0 < len(text) <= LONGEST and text.isprintable()


def read_directory(paths: Paths, session: Session) -> Directory | None:
    """The last whole list of the session's accounts, else what there is of one; None where nothing is known.

    Never raises.
    """
    return _read(_path(paths, session)) or unfinished(paths, session)


def account_name(paths: Paths, session: Session, account_id: str) -> str | None:
    """What AWS calls that account; None where that is not known. Never raises."""
    found = read_directory(paths, session)
    if found is None:
        return None
    return next((known.name for known in found.accounts if known.account_id == account_id and known.name), None)


def unfinished(paths: Paths, session: Session) -> Directory | None:
    """What a list that was broken off had by then. Never raises."""
    return _read(_part(paths, session))


def write_directory(paths: Paths, session: Session, data: bytes, *, complete: bool) -> None:
    """Keep what `encode` made; a whole list puts an end to the unfinished one, also where it cannot be written.

    Raises CredhelperError.
    """
    try:
        files.replace(_path(paths, session) if complete else _part(paths, session), data)
    finally:
        if complete:
            forget_unfinished(paths, session)


def forget_unfinished(paths: Paths, session: Session) -> None:
    """Let the next list begin anew: after a logout somebody else may log in."""
    with contextlib.suppress(OSError):
        _part(paths, session).unlink()


def encode(directory: Directory) -> bytes:
    """The content of a file, and the daemon's answer."""
    content = {
        "schema": 1,
        "complete": directory.complete,
        "listed_at": directory.listed_at,
        "accounts": [
            {"id": known.account_id, "name": known.name, "email": known.email, "roles": known.roles}
            for known in directory.accounts
        ],
    }
    return json.dumps(content, separators=(",", ":")).encode()


def decode(data: bytes) -> Directory | None:
    """The reverse; None for anything else."""
    with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        content = json.loads(data)
        listed_at = float(content["listed_at"])
        accounts = tuple(_account(entry) for entry in content["accounts"])
        complete = content["complete"] is True and all(known.roles is not None for known in accounts)
        if content["schema"] == 1 and has_date(listed_at) and len({k.account_id for k in accounts}) == len(accounts):
            return Directory(accounts, complete, listed_at)
    return None


def _account(entry: Any) -> KnownAccount:
    roles = entry["roles"]
    if roles is not None and not isinstance(roles, list):  # a text is a row of one-letter names
        raise ValueError("no roles")
    known = KnownAccount(
        entry["id"], _text(entry["name"]), _text(entry["email"]), None if roles is None else tuple(roles)
    )
    if not is_account_id(known.account_id) or not all(map(is_role_name, known.roles or ())):
        raise ValueError("no account")
    return known


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST:
        raise ValueError("no text")
    return value


def _read(path: Path) -> Directory | None:
    with contextlib.suppress(OSError, ValueError, CredhelperError):
        return decode(files.read_bytes(path))
    return None


def _path(paths: Paths, session: Session) -> Path:
    name = hashlib.sha1(session.id.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
    return paths.state / "accounts" / f"{name}.json"


def _part(paths: Paths, session: Session) -> Path:
    return _path(paths, session).with_suffix(".part.json")
