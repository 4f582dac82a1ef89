"""`credhelper enable`: let profiles get their credentials through the helper."""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from credhelper.aws.config.apply import plan_enable
from credhelper.cli import no_core_dumps
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE, UsageError
from credhelper.paths import Paths, chosen_profile


@click.command(name="enable")
@click.argument("profiles", metavar="[PROFILE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All profiles that use Identity Center.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also where a profile has another credential_process.")
def command(profiles: tuple[str, ...], *, everything: bool, dry_run: bool, yes: bool, force: bool) -> int:
    """Let profiles get their credentials through credhelper.

    Their sso_* lines in the AWS config become comments, and a credential_process line takes their place;
    `credhelper disable` gives the same file back. Without PROFILE the one that AWS_PROFILE names is meant.
    """
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # config and credentials file may hold access keys
    names = chosen_names(profiles, os.environ, everything=everything)
    plan = plan_enable(paths, os.environ, names, force=force)
    if not carry_out(paths, plan, "Enable", dry_run=dry_run, yes=yes, install=True):
        return EXIT_FAILURE
    if plan.changes and not dry_run:
        click.echo("Next: `credhelper login`, where `credhelper status` says that a session needs it.")
        click.echo(
            "From now on `aws sso login --profile NAME` fails for these profiles; "
            "use `credhelper login NAME`, or `aws sso login --sso-session SESSION`."
        )
    return outcome(plan, by_name=names is not None)


def chosen_names(profiles: tuple[str, ...], environ: Mapping[str, str], *, everything: bool) -> list[str] | None:
    """The profiles meant, or None for all. Raises UsageError where that is not clear."""
    if everything:
        if profiles:
            raise UsageError("--all and names of profiles contradict each other", "Give one of them")
        return None
    if profiles:
        return list(profiles)
    chosen = chosen_profile(environ)
    if chosen:
        return [chosen]
    raise UsageError("no profile is named", "Name one or more, or say --all, or set AWS_PROFILE")
