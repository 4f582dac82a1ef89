"""`credhelper profiles discover`: write profiles for the accounts and roles that a session opens."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from credhelper.cli import no_core_dumps
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE, EXIT_OK, ConfigError, UsageError
from credhelper.paths import Paths
from credhelper.terminal import counted, paragraph, printable

if TYPE_CHECKING:
    from credhelper.aws.profile_styles import Style
    from credhelper.aws.proposal import Proposal
    from credhelper.model import Session

_MOST = 5


@click.command(name="discover")
@click.argument("session", required=False)
@click.option("--template", help="Names, as in '{account_name|slug}.{role}' (see above).")
@click.option("--region", help="Region of the profiles; the first time: the Identity Center's own.")
@click.option("--output", help="Output format of the AWS CLI: json, text, table, yaml…")
@click.option("--include", multiple=True, metavar="GLOB", help="Only what this fits; may be given several times.")
@click.option("--exclude", multiple=True, metavar="GLOB", help="Not what this fits; may be given several times.")
@click.option("--prune", is_flag=True, help="Remove profiles of roles that you do not have any more.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    session: str | None,
    *,
    template: str | None,
    region: str | None,
    output: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    prune: bool,
    dry_run: bool,
    yes: bool,
) -> int:
    """Write profiles for the accounts and roles that you have.

    SESSION is a session, else a profile; default: AWS_PROFILE's, then the only one. What was asked for the last time
    counts again where nothing else is said: the template, the region, the globs. Profiles that are there keep their
    names until another template is given; what you wrote or changed yourself is never touched.

    Fields of a template: {account_name} {account_id} {account_email} {role} {session}; filters behind a bar: slug,
    dashed, lower, upper, before_at, after_at, before_plus, after_plus, before_dot, remove:TEXT, first:N, last:N, as
    in {session}-{account_email|before_at} or {account_name|slug}.{role|remove:AWS|dashed}. Globs are compared with
    the account's name, id and mail address, the role, and the profile's name.
    """
    from credhelper.aws.config.apply import plan_profiles  # noqa: PLC0415 - spares `--help` its imports
    from credhelper.aws.config.authoring import wrong_defaults  # noqa: PLC0415
    from credhelper.aws.config.reader import read_config, read_credentials  # noqa: PLC0415
    from credhelper.aws.profile_styles import Style, remember_style, remembered_style  # noqa: PLC0415
    from credhelper.aws.proposal import propose  # noqa: PLC0415
    from credhelper.aws.targets import resolve_session  # noqa: PLC0415
    from credhelper.cli.desk import Desk  # noqa: PLC0415
    from credhelper.cli.setup.center import check_region  # noqa: PLC0415
    from credhelper.cli.walking import walk  # noqa: PLC0415
    from credhelper.profile_names import Template  # noqa: PLC0415

    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # config and credentials file may hold access keys
    meant = resolve_session(session, os.environ, paths)
    before = remembered_style(paths, meant)
    style = _style(
        before or Style(region=meant.region),
        template=template,
        region=region,
        output=output,
        include=include,
        exclude=exclude,
    )
    # What is wrong with the flags or the config is said before the long walk.
    Template.parse(style.template)
    if region:
        check_region(region)
    said = wrong_defaults(style.region, style.output)
    if said:
        raise UsageError(said, "Write them as in eu-west-1 and json")
    plan_profiles(paths, os.environ)
    directory = walk(Desk.of(paths, os.environ), meant)
    static: Collection[str] = ()
    with contextlib.suppress(ConfigError):  # `plan_profiles` has warned of it
        static = read_credentials(paths.credentials_file(os.environ)).profiles
    proposal = propose(
        directory,
        meant,
        read_config(paths.config_file(os.environ)).data,
        style,
        taken=static,
        rename=template is not None and (before is None or before.template != template),
        set_region=region is not None,
        set_output=output is not None,
    )
    _tell_style(style, before, region)
    _tell(proposal, meant, prune=prune)
    gone = [*proposal.renamed, *(proposal.lost if prune else ())]
    plan = plan_profiles(paths, os.environ, add=proposal.add, remove=gone)
    if not carry_out(paths, plan, "Write", dry_run=dry_run, yes=yes, install=True):
        return EXIT_FAILURE
    if dry_run:
        return EXIT_OK
    held_back = {name for name, _ in plan.edit.refused}.intersection(proposal.renamed.values())
    if style != before and not held_back:  # else the next time would not try again
        remember_style(paths, meant, style)
    return outcome(plan, by_name=True)


def _style(
    last: Style,
    *,
    template: str | None,
    region: str | None,
    output: str | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
) -> Style:
    """The last one with what is said anew; empty texts take back what was said before."""
    if template is not None:
        last = replace(last, template=template)
    if region is not None:
        last = replace(last, region=region or None)
    if output is not None:
        last = replace(last, output=output or None)
    if include:
        last = replace(last, include=tuple(filter(None, include)))
    if exclude:
        last = replace(last, exclude=tuple(filter(None, exclude)))
    return last


def _tell_style(style: Style, before: Style | None, region: str | None) -> None:
    """What counts that was not said this time."""
    if before is None:
        if region is None:
            click.echo(f"Region of the profiles: {style.region}, the Identity Center's own; --region sets another.")
        return
    same = []
    for option, value in (("--template", style.template), ("--region", style.region), ("--output", style.output)):
        if value:
            same += [option, value]
    for option, globs in (("--include", style.include), ("--exclude", style.exclude)):
        for glob in globs:
            same += [option, glob]
    if style == before:
        click.echo(f"As the last time: {printable(shlex.join(same))}")


def _tell(proposal: Proposal, session: Session, *, prune: bool) -> None:
    if not proposal.add and not proposal.left_out:
        click.echo(f"AWS lists no account with a role for you in {printable(session.name)}.")
    if proposal.left_out:
        click.echo(f"Left out by the globs: {counted(proposal.left_out, 'role')}.")
    if prune and proposal.why_kept:
        click.echo(f"Mind: nothing is removed, because {paragraph(proposal.why_kept)}.")
    if proposal.lost and not prune:
        listed = ", ".join(map(printable, proposal.lost[:_MOST]))
        more = len(proposal.lost) - _MOST
        click.echo(
            f"Mind: you do not have the roles of {counted(len(proposal.lost), 'profile')} any more: {listed}"
            f"{f' and {more} more' if more > 0 else ''}. --prune removes them."
        )
