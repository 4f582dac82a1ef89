"""`credhelper use`: choose the profile that the programs of this shell, or of new shells, work with.

A program cannot change the environment of the shell that runs it, so the shell hook calls this with `--print` and
exports what it prints.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from credhelper import board, headers
from credhelper.cli import complain, need, recent, tell
from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError, UsageError
from credhelper.files import read_bytes
from credhelper.names import command_for, login_command, nearest
from credhelper.paths import Paths
from credhelper.terminal import printable

if TYPE_CHECKING:
    from credhelper.aws.choices import Choices

# Programs of `$SHELL` and the hooks for them.
_HOOKS = {"bash": "bash", "zsh": "zsh", "fish": "fish", "pwsh": "powershell", "powershell": "powershell"}


@click.command()
@click.argument("profile", required=False)
@click.option("--default", "default", is_flag=True, help="Also for the shells to come.")
@click.option("--unset", is_flag=True, help="Take the choice back; with --default that of new shells too.")
@click.option("--print", "for_hook", is_flag=True, hidden=True, help="Print the name for the hook that exports it.")
def command(profile: str | None, *, default: bool, unset: bool, for_hook: bool) -> int:
    """Work with PROFILE in this shell: exports AWS_PROFILE, and logs in first if that is needed.

    Without PROFILE: pick one. With `-`: go back to the one before.

    This goes through the shell hook; `credhelper hook SHELL --install` puts it in place.
    """
    paths = Paths.of()
    paths.check_owner()
    if unset:
        if profile is not None:
            raise click.UsageError("--unset takes no profile.")
        if default:
            board.set_default_profile(paths, None)
            tell("New shells start without a profile.")
        elif not for_hook:
            return _explain(os.environ)
        return EXIT_OK
    if not for_hook and not default:
        return _explain(os.environ)
    if profile == "-":
        raise CredhelperError("there is no profile to go back to", "Name one: credhelper use PROFILE")
    if profile is None or not is_ready(profile, paths, os.environ):
        from credhelper.aws.choices import Choices  # noqa: PLC0415 - reads all of the config

        choices = Choices.of(paths, os.environ)
        if profile is None:
            from credhelper.cli.picker import pick  # noqa: PLC0415 - mostly a profile is named

            profile = pick(choices, paths, os.environ)
        else:
            check(profile, choices)
        prepare(profile, choices, paths, os.environ)
    if os.environ.get("AWS_ACCESS_KEY_ID"):
        complain("AWS_ACCESS_KEY_ID is set: most programs use those keys in place of the profile. Unset it.")
    if default:
        board.set_default_profile(paths, profile)
        tell(f"New shells {'' if for_hook else 'with the hook '}start with {printable(profile)}.")
    recent.note(paths, profile)
    if for_hook:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(profile) + b"\n")
        sys.stdout.buffer.flush()
    return EXIT_OK


def is_ready(profile: str, paths: Paths, environ: Mapping[str, str]) -> bool:
    """Whether the board and the headers of the config show already that the profile is there and needs no login.

    With two thousand profiles this takes a tenth of what reading all of the config does.
    """
    if "\n" in profile or not need.lives(profile, paths, environ):
        return False
    try:
        found = headers.headers_of(read_bytes(paths.config_file(environ)))
    except (FileNotFoundError, CredhelperError):
        return False
    return any(named in {("profile", profile), ("default", profile)} for named in map(headers.parse_header, found))


def check(profile: str, choices: Choices) -> None:
    """Raise UsageError for a profile that is not there, or that no shell could be given."""
    if "\n" in profile:
        raise UsageError(f"the profile {profile!r} has a newline in its name", "Rename it")
    if profile in choices:
        return
    near = nearest(profile, choices.names)
    if near:
        raise UsageError(f"there is no profile {profile!r}", f"Did you mean {near[0]!r}?")
    if not choices.names:
        raise UsageError(f"there is no profile {profile!r}: {choices.path} has none", "Run `credhelper setup`")
    raise UsageError(f"there is no profile {profile!r} in {choices.path}", "Run `credhelper status`")


def prepare(profile: str, choices: Choices, paths: Paths, environ: Mapping[str, str]) -> None:
    """Log in where the profile's session needs it and a person is there; else say what to run.

    Raises CredhelperError, KeyboardInterrupt where the login came to nothing.
    """
    session = choices.session(profile)
    if session is None:
        named = choices.session_named_by(profile)
        if named is not None:
            complain(f"the profile {profile} names the session {named}, which the AWS config does not describe")
        return
    if environ.get("AWS_CONFIG_FILE"):
        from credhelper import resources  # noqa: PLC0415 - hardly ever needed

        with contextlib.suppress(CredhelperError):  # what the daemon does not know is no session of the board's
            resources.remember_config(paths, choices.path)
    reason = need.why_login(profile, session, paths, environ)
    if reason is None:
        return
    if need.can_ask():
        need.log_in(profile, session, paths, environ)
    else:
        complain(f"session {session.name}: {reason}. Run: {login_command(session.name)}")


def _explain(environ: Mapping[str, str]) -> int:
    """Say that a hook is needed for this, and how to get it."""
    shell = _HOOKS.get(PurePath(environ.get("SHELL", "")).name, "SHELL")
    complain(
        "`use` works through the shell hook, which is not in this shell. "
        f"Run `{command_for('hook', shell)} --install`, then open a new shell"
    )
    return EXIT_FAILURE
