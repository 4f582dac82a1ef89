"""`credhelper demo`: the whole thing on a local stand-in."""

from __future__ import annotations

import click

from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError


@click.command("demo")
@click.option("--shell", is_flag=True, help="Open a shell in the demo's world instead, logged in, to try things out.")
@click.option(
    "--lifetime",
    type=click.IntRange(6, 3600),
    metavar="SECONDS",
    help="With --shell: of tokens and role credentials, 6 to 3600; default 60.",
)
@click.option("--keep", is_flag=True, help="Leave the temporary home folder behind, for looking at it.")
def command(*, shell: bool, lifetime: int | None, keep: bool) -> int:
    """Show credhelper at work in about a minute. No AWS account is needed.

    AWS is played by a stand-in on this machine, with tokens that live seconds instead of hours; the home folder is a
    temporary one, so nothing of yours is read or changed. The exit code is 0 only if no call failed that should not;
    with --shell it says nothing of the shell's last command.
    """
    if lifetime is not None and not shell:
        raise click.UsageError("--lifetime goes with --shell.")
    try:
        from credhelper.demo import open_shell, play  # noqa: PLC0415 - boto3's models and the rest
    except ImportError as error:
        raise CredhelperError(
            f"this installation lacks {error.name}, which the demo needs", "Install credhelper again"
        ) from error
    if shell:
        open_shell(keep=keep, lifetime=lifetime)
        return EXIT_OK
    board = play(keep=keep)
    return EXIT_FAILURE if board.problems else EXIT_OK
