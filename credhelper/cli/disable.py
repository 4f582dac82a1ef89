"""`credhelper disable`: give profiles back as they were."""

from __future__ import annotations

import os

import click

from credhelper.aws.config.apply import plan_disable
from credhelper.cli import no_core_dumps
from credhelper.cli.enable import chosen_names
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE
from credhelper.paths import Paths


@click.command(name="disable")
@click.argument("profiles", metavar="[PROFILE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All profiles that are enabled.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(profiles: tuple[str, ...], *, everything: bool, dry_run: bool, yes: bool) -> int:
    """Give profiles back exactly as they were before `credhelper enable`.

    What was changed by other means in between stays. Without PROFILE the one that AWS_PROFILE names is meant.
    """
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # a config may hold access keys
    names = chosen_names(profiles, os.environ, everything=everything)
    plan = plan_disable(paths, os.environ, names)
    if not carry_out(paths, plan, "Disable", dry_run=dry_run, yes=yes, install=False):
        return EXIT_FAILURE
    return outcome(plan, by_name=names is not None)
