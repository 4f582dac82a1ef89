"""`credhelper profiles add`: write one profile, asking for what is not said."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import click

from credhelper.cli import no_core_dumps
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE, UsageError
from credhelper.names import command_for
from credhelper.paths import Paths
from credhelper.profile_names import trouble
from credhelper.terminal import counted

if TYPE_CHECKING:
    from credhelper.aws.directory import Directory, KnownAccount

_ACCOUNT_ID = re.compile(r"[0-9]{12}")


@click.command(name="add")
@click.argument("name")
@click.option("--session", help="One that is there, or a name for a new one.")
@click.option("--start-url", help="Of the Identity Center: any address of its portal will do.")
@click.option("--sso-region", help="The Identity Center's own region.")
@click.option("--account-id", help="12 digits.")
@click.option("--role", help="The role's, that is the permission set's, name.")
@click.option("--region", help="Region of the profile; unasked: the Identity Center's own.")
@click.option("--output", help="Output format of the AWS CLI: json, text, table, yaml…")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(
    name: str,
    *,
    session: str | None,
    start_url: str | None,
    sso_region: str | None,
    account_id: str | None,
    role: str | None,
    region: str | None,
    output: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Write the profile NAME: its account and role, in one of your Identity Centers.

    At a terminal it asks for what is not said. Where accounts and roles were listed before (`credhelper profiles
    discover`) they can be picked.
    """
    from credhelper.aws.config.apply import plan_profiles  # noqa: PLC0415 - spares `--help` its imports
    from credhelper.aws.config.authoring import NewProfile  # noqa: PLC0415
    from credhelper.aws.directory import read_directory  # noqa: PLC0415
    from credhelper.cli.setup.center import Wanted, find_session  # noqa: PLC0415
    from credhelper.cli.setup.questions import can_ask  # noqa: PLC0415

    said = trouble(name)
    if said:
        raise UsageError(f"{name!r} cannot be a profile's name: {said}", "Choose another one")
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # config and credentials file may hold access keys
    plan_profiles(paths, os.environ)  # what is wrong with the config is said before the questions
    ask = not yes and can_ask(os.environ)
    chosen = find_session(Wanted(start_url, sso_region, session), paths, os.environ, ask=ask)
    directory = read_directory(paths, chosen)
    account_id = account_id or _account(directory, ask=ask)
    role = role or _role(directory, account_id, ask=ask)
    if ask:
        region = region if region is not None else click.prompt("Region of the profile", default=chosen.region)
        output = output if output is not None else click.prompt("Output format", default="json")
    profile = NewProfile(
        name,
        chosen,
        account_id,
        role,
        chosen.region if region is None else region or None,
        output or None,
        own_name=True,
    )
    plan = plan_profiles(paths, os.environ, add=[profile])
    if not carry_out(paths, plan, "Write", dry_run=dry_run, yes=yes, install=True):
        return EXIT_FAILURE
    if plan.changes and not dry_run:
        click.echo(f"Next: {command_for('use', name)}, which logs in where that is needed.")
    return outcome(plan, by_name=True)


def _account(directory: Directory | None, *, ask: bool) -> str:
    """The account's id. Raises UsageError where it cannot be asked for, click.Abort."""
    if not ask:
        raise UsageError("no account is given", "Say --account-id ID")
    from credhelper.cli.setup.questions import ask_text, pick  # noqa: PLC0415 - 0.2 s

    accounts = [account for account in directory.accounts if account.roles] if directory else []
    if accounts:
        return pick("Account:", [(_shown(account), account.account_id) for account in accounts])
    return ask_text("Account id:", _read_account)


def _role(directory: Directory | None, account_id: str, *, ask: bool) -> str:
    """The role's name. Raises UsageError where it cannot be asked for, click.Abort."""
    if not ask:
        raise UsageError("no role is given", "Say --role NAME")
    from credhelper.cli.setup.questions import ask_text, pick  # noqa: PLC0415

    known = [account for account in directory.accounts if account.account_id == account_id] if directory else []
    if known and known[0].roles:
        return pick("Role:", [(role, role) for role in known[0].roles])
    return ask_text("Role (permission set):", _read_role)


def _shown(account: KnownAccount) -> str:
    roles = counted(len(account.roles or ()), "role")
    return f"{account.name or account.email or '-'}  {account.account_id}  ({roles})"


def _read_account(text: str) -> str:
    digits = text.strip().replace("-", "")
    if not _ACCOUNT_ID.fullmatch(digits):
        raise UsageError(f"{text!r} is no account id", "It has 12 digits; the portal shows it beside the name")
    return digits


def _read_role(text: str) -> str:
    if not text.strip():
        raise UsageError("the role has no name", "The portal shows those that you have below each account")
    return text.strip()
