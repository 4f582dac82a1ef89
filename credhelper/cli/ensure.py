"""`credhelper ensure`: log in just in time, before a program of AWS runs; what the shell hooks call when in doubt.

It must never make things worse: whatever is wrong but the session, the program that comes after it says best.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from credhelper.cli import need, tell
from credhelper.errors import EXIT_INTERRUPTED, EXIT_OK
from credhelper.paths import Paths, chosen_profile
from credhelper.terminal import printable

if TYPE_CHECKING:
    from credhelper.model import Session


@click.command(hidden=True)
@click.option("--profile", help="As given to the program; else as the environment chooses.")
def command(profile: str | None) -> int:
    """Log in if the profile's session needs it and a person is there. Otherwise say and do nothing."""
    if not need.can_ask():
        return EXIT_OK
    try:
        _log_in_if_needed(profile)
    except KeyboardInterrupt:
        _die_of_ctrl_c()
        return EXIT_INTERRUPTED
    return EXIT_OK


def _log_in_if_needed(profile: str | None) -> None:
    """Raises CredhelperError, KeyboardInterrupt where the login came to nothing."""
    try:
        found = find_need(profile, os.environ)
    except Exception:  # noqa: BLE001 - nothing of ours may stand in the way of the program that comes next
        return
    if found is not None:
        paths, name, session, reason = found
        tell(printable(f"credhelper: {name} needs a login to {session.name} ({reason}). Ctrl-C calls both off."))
        need.log_in(name, session, paths, os.environ)


def _die_of_ctrl_c() -> None:
    """End as a program that knows no Ctrl-C: 130 to the shell, and only then does it give up on the rest of the line
    too, such as a loop's next command, which would begin the same login."""
    tell("")
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGINT)


def find_need(profile: str | None, environ: Mapping[str, str]) -> tuple[Paths, str, Session, str] | None:
    """The profile that the program will use, its session, and why that needs a login; None where it does not.

    Raises CredhelperError where that cannot be found out.
    """
    if profile is None and environ.get("AWS_ACCESS_KEY_ID"):
        return None  # those win over any profile that the environment names
    paths = Paths.of(environ)
    paths.check_owner()
    name = profile or chosen_profile(environ) or "default"
    if need.lives(name, paths, environ):
        return None
    from credhelper.aws.choices import Choices  # noqa: PLC0415 - reads all of the config, and the board may know

    session = Choices.of(paths, environ).session(name)
    if session is None:
        return None
    reason = need.why_login(name, session, paths, environ)
    return None if reason is None else (paths, name, session, reason)
