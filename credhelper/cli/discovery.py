"""Which accounts and roles a session opens: asked of AWS by the daemon, behind all callers, with progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from credhelper.aws.directory import Directory, decode
from credhelper.cli.desk import Desk
from credhelper.errors import DaemonUnavailable
from credhelper.model import Session


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is.

    Attributes:
        accounts: how many there are; None while they are still being listed.
        listed: of how many the roles are known.
    """

    accounts: int | None
    listed: int


def discover(
    desk: Desk, session: Session, on_progress: Callable[[Progress], None], *, fresh: bool = True
) -> Directory:
    """All accounts of the session and the user's roles in each, also those in which the user has none.

    The daemon is started where none runs, and need not know the session: nothing of it has to be in an AWS config
    yet. A list that was broken off less than an hour ago, by Ctrl-C or by an error, is gone on with. Where the
    caller is interrupted, the daemon stops at once.

    Args:
        on_progress: called several times a second, in this thread.
        fresh: False is content with a whole list that this daemon made within the hour, in the same login.

    Raises LoginNeeded where nobody is logged in, or the session ends meanwhile; CredhelperError, DaemonUnavailable.
    """

    def heard(word: bytes) -> None:
        progress = _progress(word)
        if progress is not None:
            on_progress(progress)

    answer = desk.agent.follow(
        "accounts",
        heard,
        name=session.name,
        start_url=session.start_url,
        region=session.region,
        scopes=" ".join(session.scopes),
        legacy="yes" if session.legacy else "no",
        fresh="yes" if fresh else "no",
    )
    found = decode(answer)
    if found is None or not found.complete:
        raise DaemonUnavailable("the daemon's answer makes no sense", "Run `credhelper daemon restart`")
    on_progress(Progress(len(found.accounts), len(found.accounts)))
    return found


def _progress(word: bytes) -> Progress | None:
    try:
        accounts, listed = (int(part) for part in word.split())
    except ValueError:
        return None
    return Progress(accounts if accounts >= 0 else None, listed)
