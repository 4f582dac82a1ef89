"""`credhelper profiles remove`: take profiles out of the AWS config."""

from __future__ import annotations

import os

import click

from credhelper.aws.config.apply import plan_profiles
from credhelper.aws.config.authoring import written_profiles
from credhelper.aws.config.reader import read_config
from credhelper.cli import no_core_dumps
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE, EXIT_OK, UsageError
from credhelper.names import command_for
from credhelper.paths import Paths


@click.command(name="remove")
@click.argument("profiles", metavar="[PROFILE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that credhelper wrote and nobody changed.")
@click.option("--force", is_flag=True, help="Also profiles that you wrote or changed yourself.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(profiles: tuple[str, ...], *, everything: bool, force: bool, dry_run: bool, yes: bool) -> int:
    """Remove profiles from the AWS config.

    Those that credhelper wrote, and nobody changed since; with --force any. An [sso-session] that was added for
    them alone goes with them. Nobody is logged out.
    """
    if everything == bool(profiles):
        raise UsageError("name profiles, or say --all", "`credhelper profiles` lists them")
    if everything and force:
        raise UsageError("--all and --force contradict each other", "Name the profiles")
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # a config may hold access keys
    names = list(profiles)
    if everything:
        names = list(written_profiles(read_config(paths.config_file(os.environ)).data))
        if not names:
            click.echo("credhelper wrote no profile here.")
            return EXIT_OK
    plan = plan_profiles(paths, os.environ, remove=names, force=force)
    if not carry_out(paths, plan, "Remove", dry_run=dry_run, yes=yes, install=False):
        return EXIT_FAILURE
    if plan.edit.refused and not force:
        refused = [name for name, _ in plan.edit.refused]
        click.echo(f"To remove them all the same: {command_for('profiles remove --force', *refused)}")
    return outcome(plan, by_name=True)
