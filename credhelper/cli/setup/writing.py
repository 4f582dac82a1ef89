"""What `setup` changes in the AWS config: one plan, one diff, one question, one write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import click

from credhelper import resources
from credhelper.agent import Agent
from credhelper.aws.config import ConfigFile, enable, profiles_of, read_credentials
from credhelper.aws.config.apply import Plan, diff, joined, plan_profiles, shared_with, write
from credhelper.aws.config.authoring import NewProfile
from credhelper.cli import show_diff
from credhelper.cli.planned import revisions
from credhelper.cli.setup.questions import ask_letter, confirm, say
from credhelper.errors import ConfigError, CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.terminal import counted

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
    *,
    add: Sequence[NewProfile],
    remove: Collection[str],
    enabled: Sequence[str],
) -> Plan:
    """All that is to change. Writes nothing.

    Args:
        remove: profiles of ours to take out.
        enabled: the person's own ones that we are to serve from now on.

    Raises ConfigError where the config cannot be read.
    """
    plan = plan_profiles(paths, environ, add=add, remove=sorted(remove))
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
        say(f"Refused: {name}: {reason}")
    for warning in plan.edit.warnings:
        say(f"Mind: {warning}")
    for line in revisions(plan.edit):
        say(line)
    if not plan.changes:
        say(f"{plan.path} is as it should be; nothing to change.")
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
    if shared and not confirm(f"{shared}; another system may share it. Go on?", default=False):
        return False
    question = f"Write this to {plan.path}?"
    if left <= 0:
        return confirm(question)
    answers = {"y": "yes", "yes": "yes", "n": "no", "no": "no", "a": "all", "all": "all"}
    while (answer := ask_letter(f"{question} (a shows all of it)", answers, "y", "[Y/n/a]")) == "all":
        show_diff(lines)
    return answer == "yes"


def carry_out(paths: Paths, plan: Plan) -> None:
    """Write the plan, and put the helper in its place. Raises FileChanged, CredhelperError."""
    resources.install_helper(paths)
    if plan.changes:
        write(plan)


def announce(paths: Paths, plan: Plan, agent: Agent) -> None:
    """Let the daemon and the person know what was written. Raises CredhelperError."""
    resources.remember_config(paths, plan.path)
    try:
        agent.start()
        agent.call("reload")
    except CredhelperError as error:
        say(f"Mind: the daemon did not take notice: {error.message}")
    edit = plan.edit
    for done, names in (("written", edit.changed), ("removed", edit.removed)):
        if names:
            say(f"{counted(len(names), 'profile')} {done}: {listed(names)}.")


def listed(names: Sequence[str]) -> str:
    """The first of these names, and how many more there are."""
    shown = ", ".join(names[:5])
    more = len(names) - 5
    return f"{shown} and {more:,} more" if more > 0 else shown
