"""Which accounts and roles a person wanted no profile for when they last chose, so that they need not say it again.

A small file for each session, beside its style (`profile_styles`). One that is missing or damaged says nothing.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path

from credhelper import files
from credhelper.aws.directory import is_account_id, is_role_name
from credhelper.aws.profile_styles import style_file
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths

# Account id and role.
Target = tuple[str, str]


def left_out(paths: Paths, session: Session) -> set[Target]:
    """Those of the last choice. Never raises."""
    with contextlib.suppress(OSError, ValueError, TypeError, RecursionError, CredhelperError):
        pairs = json.loads(files.read_bytes(_path(paths, session)))
        return {(account, role) for account, role in pairs if is_account_id(account) and is_role_name(role)}
    return set()


def remember_left_out(paths: Paths, session: Session, targets: Iterable[Target]) -> None:
    """Keep these for the next time. Raises CredhelperError."""
    wanted = set(targets)
    if wanted != left_out(paths, session):
        files.replace(_path(paths, session), json.dumps(sorted(wanted)).encode() + b"\n")


def _path(paths: Paths, session: Session) -> Path:
    return style_file(paths, session).with_suffix(".left.json")
