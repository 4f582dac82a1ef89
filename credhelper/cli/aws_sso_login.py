"""`credhelper aws-sso-login`: what the shell hooks make of `aws sso login`, so that the old habit works.

For a profile that credhelper manages, the AWS CLI's own command finds no session: the `sso_*` lines are comments.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

import click

from credhelper.aws.choices import Choices
from credhelper.aws.targets import resolve_session
from credhelper.aws.world import World
from credhelper.cli import complain, no_core_dumps
from credhelper.errors import EXIT_OK, CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths, chosen_profile

# As a shell answers for a command that is not there.
_NOT_FOUND, _NOT_RUN = 127, 126


@dataclass(slots=True)
class _Wish:
    """What the arguments ask for."""

    profile: str | None = None
    session: str | None = None
    device: bool = False
    no_browser: bool = False


@click.command(
    hidden=True,
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Log in as `credhelper login` does where a managed profile is meant, else run the real `aws sso login`."""
    wish = read(arguments)
    session = None
    if wish is not None:
        with contextlib.suppress(CredhelperError):
            session = managed_session(wish, Paths.of())
    if wish is None or session is None:
        return _run_aws(["sso", "login", *arguments])
    from credhelper.cli.login import Login  # noqa: PLC0415 - costs 60 ms that the AWS CLI needs not

    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()
    Login(session, paths, os.environ).run(device=wish.device, no_browser=wish.no_browser)
    return EXIT_OK


def read(arguments: Sequence[str]) -> _Wish | None:
    """What the arguments ask for; None where only the AWS CLI can know."""
    wish = _Wish()
    rest = iter(arguments)
    for argument in rest:
        name, given, value = argument.partition("=")
        if name in {"--profile", "--sso-session"}:
            if not given:
                value = next(rest, "")
            if not value or value.startswith("-"):
                return None
            if name == "--profile":
                wish.profile = value
            else:
                wish.session = value
        elif argument == "--no-browser":
            wish.no_browser = True
        elif argument == "--use-device-code":
            wish.device = True
        else:
            return None
    return wish


def managed_session(wish: _Wish, paths: Paths) -> Session | None:
    """The session to log in to, where it is one of a profile that credhelper manages. Raises CredhelperError."""
    if wish.session is not None:
        managed = [profile.session for profile in World.of(paths, os.environ).profiles() if profile.managed]
        names = {session.name for session in managed if session is not None and not session.legacy}
        return resolve_session(wish.session, os.environ, paths) if wish.session in names else None
    choices = Choices.of(paths, os.environ)
    profile = choices.behind(wish.profile or chosen_profile(os.environ) or "default")
    return profile.session if profile is not None and profile.managed else None


def _run_aws(arguments: Sequence[str]) -> int:
    """Become the AWS CLI. Returns only where it cannot be run: the exit code."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and programs inherit that
    try:
        os.execvp("aws", ["aws", *arguments])  # noqa: S606 - the person's own command
    except FileNotFoundError:
        complain("aws: command not found")
        return _NOT_FOUND
    except OSError as error:
        complain(f"aws cannot be run: {error.strerror}")
        return _NOT_RUN
