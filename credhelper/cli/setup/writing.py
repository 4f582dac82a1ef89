"""What `setup` changes in the AWS config: one plan, one diff, one question, one write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import click

from credhelper import resources
from credhelper.agent import Agent
from credhelper.aws.config import ConfigFile, enable, profiles_of, read_credentials
from credhelper.aws.config.apply import Plan, diff, joined, plan_profiles, shared_with, write
from credhelper.aws.config.authoring import NewProfile, marked_profiles
from credhelper.cli import show_diff
from credhelper.cli.setup.choosing import Candidate
from credhelper.cli.setup.questions import confirm
from credhelper.errors import ConfigError, CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.terminal import counted, printable

# A longer diff is shown in part unless the person wants all of it.
_MOST_LINES = 60


def unserved(config: ConfigFile, session: Session, paths: Paths) -> list[str]:
    """The person's own profiles of this session that log in by themselves, and that `enable` would let us serve."""
    return [
        profile.name
        for profile in profiles_of(config, {}, paths.helper)
        if profile.session is not None
        and (profile.session.same_start, profile.session.region) == (session.same_start, session.region)
        and profile.account_id
        and profile.role_name
        and not profile.managed
        and profile.other_process is None
    ]


def make_plan(
    paths: Paths,
    environ: Mapping[str, str],
    session: Session,
    config: ConfigFile,
    names: Mapping[Candidate, str],
    *,
    gone: Collection[str],
    enabled: Sequence[str],
    region: str | None,
    output: str | None,
) -> Plan:
    """All that is to change. Writes nothing.

    Args:
        config: the file as it was when the candidates were found.
        gone: profiles of ours to take out.
        enabled: the person's own ones that we are to serve from now on.
        region, output: of the profiles; None leaves written ones as they are, and new ones have the session's region.

    Raises ConfigError where the config cannot be read.
    """
    written = marked_profiles(config.data)
    add = []
    for one, name in names.items():
        now = written.get(one.ours or "")
        add.append(
            NewProfile(
                name,
                session,
                one.subject.account_id,
                one.subject.role,
                region or (now.region if now is not None else session.region),
                output or (now.output if now is not None else None),
            )
        )
    renamed = {one.ours for one, name in names.items() if one.ours is not None and one.ours != name}
    plan = plan_profiles(paths, environ, add=add, remove=sorted({*gone, *renamed}))
    if not enabled:
        return plan
    try:
        credentials = read_credentials(paths.credentials_file(environ))
    except ConfigError:
        credentials = ConfigFile()  # it is read for warnings only
    further = enable(plan.edit.data, list(enabled), helper=str(paths.helper), credentials=credentials)
    return Plan(plan.path, plan.old, joined(plan.edit, further))


def agreed(paths: Paths, plan: Plan, *, yes: bool, dry_run: bool) -> bool:
    """Show what would change, and ask. Raises click.Abort."""
    for name, reason in plan.edit.refused:
        click.echo(f"Refused: {printable(name)}: {printable(reason)}")
    for warning in plan.edit.warnings:
        click.echo(f"Mind: {printable(warning)}")
    if not plan.changes:
        click.echo(f"{printable(str(plan.path))} is as it should be; nothing to change.")
        return True
    if dry_run:
        show_diff(diff(plan))
        return True
    if yes:
        return True
    lines = list(diff(plan))
    click.echo()
    show_diff(lines[:_MOST_LINES])
    left = len(lines) - _MOST_LINES
    if left > 0:
        click.echo(f"… and {counted(left, 'line')} more")
    click.echo()
    shared = shared_with(paths, plan.path)
    if shared and not confirm(f"{printable(shared)}; another system may share it. Go on?", default=False):
        return False
    question = f"Write this to {printable(str(plan.path))}?"
    if left <= 0:
        return confirm(question)
    while True:
        answer = str(
            click.prompt(f"{question} (a shows all)", default="y", prompt_suffix=" [Y/n/a]: ", show_default=False)
        )
        if answer.lower() in {"a", "all"}:
            show_diff(lines)
        elif answer.lower() in {"y", "yes", "n", "no"}:
            return answer.lower() in {"y", "yes"}


def carry_out(paths: Paths, plan: Plan, agent: Agent) -> None:
    """Write the plan, put the helper in its place, and let the daemon know. Raises FileChanged, CredhelperError."""
    resources.install_helper(paths)
    if plan.changes:
        write(plan)
    resources.remember_config(paths, plan.path)
    agent.start()
    try:
        agent.call("reload")
    except CredhelperError as error:
        click.echo(f"Mind: the daemon did not take notice: {printable(error.message)}")
    edit = plan.edit
    for done, names in (("written", edit.changed), ("removed", edit.removed)):
        if names:
            click.echo(f"{counted(len(names), 'profile')} {done}: {listed(names)}.")


def listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    shown = ", ".join(printable(name) for name in names[:5])
    more = len(names) - 5
    return f"{shown} and {more:,} more" if more > 0 else shown
