"""Whether a session needs a login before a profile that uses it can be used; and that login, for what comes after."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from credhelper import board
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

if TYPE_CHECKING:
    from credhelper.agent import Agent
    from credhelper.model import Session

# Seconds for the daemon to start or to answer, and to renew what has run out and needs no person for that.
_ANSWERS_WITHIN = 4.0
_RENEWS_WITHIN = 4.0
_PAUSE = 0.1
_LOGIN_NEEDED = {"expired", "logged_out"}


def lives(profile: str, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Whether the board says that the profile uses a session which needs no login now. The quickest look there is."""
    entry = board.entry_of_profile(paths, profile, environ)
    return entry is not None and entry.needs_nothing(time.time())


def why_login(profile: str, session: Session, paths: Paths, environ: Mapping[str, str]) -> str | None:
    """Why only a login makes the session usable; None where it can be used, renews itself, or nothing tells.

    The board answers where it may be believed; else the daemon, which is started where none runs, so that the board
    is kept from then on and what can be renewed is; else the token's file.

    Args:
        profile: one that uses the session, by which the board knows it.
    """
    if lives(profile, paths, environ):
        return None
    from credhelper.agent import Agent  # noqa: PLC0415 - sockets, which the board spares us

    agent = Agent(paths, environ)
    known = None
    with contextlib.suppress(CredhelperError):  # one that hangs is asked once
        agent.start(_ANSWERS_WITHIN)
        known = _known(agent, session)
    if known is None:
        from credhelper.aws.survey import look_at  # noqa: PLC0415 - the daemon has mostly done this work

        found = look_at(session, paths)
        return found.reason if found.login_needed else None
    return str(known["reason"]) if known["state"] in _LOGIN_NEEDED else None


def _known(agent: Agent, session: Session) -> dict[str, Any] | None:
    """What the daemon says of the session, after a renewal that is due; None where it does not know it."""
    deadline = time.monotonic() + _RENEWS_WITHIN
    while True:
        known = agent.known_of(session, _ANSWERS_WITHIN)
        if known is None or known["state"] != "renewing" or time.monotonic() > deadline:
            return known
        time.sleep(_PAUSE)


def can_ask() -> bool:
    """Whether a person is there to log in: what they type is heard, and what they are told is seen.

    A job in the background may do neither, and no Ctrl-C would reach it.
    """
    try:
        return os.isatty(0) and os.isatty(2) and os.tcgetpgrp(0) == os.getpgrp()
    except OSError:
        return False


def log_in(profile: str, session: Session, paths: Paths, environ: Mapping[str, str]) -> None:
    """Log in to this profile's session as `credhelper login` does, but say all on stderr: stdout is a program's.

    Raises CredhelperError, KeyboardInterrupt.
    """
    from credhelper.cli import no_core_dumps  # noqa: PLC0415
    from credhelper.cli.login import Login, tell_if_left_out  # noqa: PLC0415 - 60 ms, hardly ever needed

    no_core_dumps()
    with contextlib.redirect_stdout(sys.stderr):
        Login(session, paths, environ).run()
        tell_if_left_out(profile, session, paths, environ)
