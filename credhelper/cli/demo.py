"""`credhelper demo`: the whole thing on a local stand-in."""

from __future__ import annotations

import click

from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError


@click.command("demo")
@click.option("--keep", is_flag=True, help="Leave the temporary home folder behind, for looking at it.")
def command(keep: bool) -> int:
    """Show credhelper at work in less than a minute. No AWS account is needed.

    AWS is played by a stand-in on this machine, with tokens that live seconds instead of hours; the home folder is a
    temporary one, so nothing of yours is read or changed. The exit code is 0 only if no call failed that should not.
    """
    try:
        from credhelper.demo import play  # noqa: PLC0415 - boto3's models and the rest, for this verb alone
    except ImportError as error:
        raise CredhelperError(
            f"this installation lacks {error.name}, which the demo needs", "Install credhelper again"
        ) from error
    board = play(keep=keep)
    return EXIT_FAILURE if board.problems else EXIT_OK
