"""What `setup` does once the profiles are written: the hook of the shell, the background process, `whoami`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

import click

from credhelper.agent import Agent
from credhelper.cli import complain, hook, tell, whoami
from credhelper.cli.setup.questions import confirm, say
from credhelper.errors import CredhelperError
from credhelper.names import command_for
from credhelper.paths import Paths
from credhelper.terminal import paragraph, printable

# Names of processes, and the hook that is theirs. A login shell's begins with `-`.
_SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish", "pwsh": "powershell"}
_MOST_PARENTS = 6


def shell_around(environ: Mapping[str, str]) -> str | None:
    """The shell that this command was typed into; else that of the person's logins, which `$SHELL` names."""
    import psutil  # noqa: PLC0415 - for this verb alone

    try:
        for parent in psutil.Process().parents()[:_MOST_PARENTS]:
            found = _SHELLS.get(parent.name().lstrip("-"))
            if found is not None:
                return found
    except psutil.Error:
        pass
    return _SHELLS.get(Path(environ.get("SHELL", "")).name)


def install_hook(paths: Paths, environ: Mapping[str, str], wanted: str | None, *, yes: bool) -> None:
    """Offer the hook; one that is there already is only mentioned. Raises click.Abort.

    Args:
        wanted: a shell, `none`, or None for the one that is around.
    """
    if wanted == "none":
        return
    shell = wanted or shell_around(environ)
    if shell is None:
        say("For your shell there is a hook: see `credhelper hook --help`.")
        return
    click.echo()
    say(f"The hook lets {shell} log you in just before a command that needs it, and completes names.")
    try:
        hook.install_hook(paths, shell, yes=yes, ask=confirm)
    except CredhelperError as error:  # the profiles are there, and work without it
        _complain(error)


def offer_service(paths: Paths, environ: Mapping[str, str]) -> None:
    """See that the background process runs. No login session needs to start it: the first program does that."""
    try:
        Agent(paths, environ).start()
    except CredhelperError as error:
        _complain(error)
        return
    click.echo()
    say("The background process runs; when it does not, the first program that needs it starts it.")


def show_identity(profile: str) -> int:
    """Ask AWS who the profile is; the exit code of that, for all else is done."""
    click.echo(f"\n$ {command_for('whoami', profile)}")
    try:
        click.get_current_context().invoke(whoami.command, profile=profile)
    except CredhelperError as error:
        _complain(error)
        say("The profiles are written all the same.")
        return error.exit_code
    return 0


def say_what_next(profile: str) -> None:
    """The commands that somebody new types first."""
    click.echo("\nAll is ready. For instance:")
    click.echo(f"  {command_for('use', profile)}")
    click.echo(f"  aws s3 ls --profile {printable(shlex.quote(profile))}")


def _complain(error: CredhelperError) -> None:
    complain(error.message)
    if error.remedy:
        tell(f"  {paragraph(error.remedy, '  ')}")
