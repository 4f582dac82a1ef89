"""`credhelper profiles add`: write one profile, asking for what is not said."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from credhelper.cli import no_core_dumps
from credhelper.cli.planned import carry_out, outcome
from credhelper.errors import EXIT_FAILURE, UsageError
from credhelper.names import command_for, nearest
from credhelper.paths import Paths
from credhelper.profile_names import trouble
from credhelper.terminal import counted, printable

if TYPE_CHECKING:
    from credhelper.aws.directory import Directory, KnownAccount

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
# Roles that are named where another one was given.
_MOST = 5


@click.command(name="add")
@click.argument("name")
@click.option("--session", help="One that is there, or a name for a new one.")
@click.option("--start-url", help="Of the Identity Center: any address of its portal will do.")
@click.option("--sso-region", help="The Identity Center's own region.")
@click.option("--account-id", help="12 digits, with or without dashes.")
@click.option("--role", help="The role's, that is the permission set's, name.")
@click.option("--region", help="Region of the profile; a new one's by default: the Identity Center's own.")
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
    from credhelper.aws.config.authoring import NewProfile, written_profiles  # noqa: PLC0415
    from credhelper.aws.directory import read_directory  # noqa: PLC0415
    from credhelper.cli.setup.center import Wanted, find_session  # noqa: PLC0415
    from credhelper.cli.setup.questions import ask_text, can_ask  # noqa: PLC0415

    said = trouble(name)
    if said:
        raise UsageError(f"{name!r} cannot be a profile's name: {said}", "Choose another one")
    account_id = _read_account(account_id) if account_id else None
    role = _read_role(role) if role else None
    region = _read_region(region) if region else region
    output = _read_output(output) if output else output
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()  # config and credentials file may hold access keys
    now = plan_profiles(paths, os.environ)  # what is wrong with the config is said before the questions
    ask = not yes and can_ask(os.environ)
    chosen = find_session(Wanted(start_url, sso_region, session), paths, os.environ, ask=ask)
    directory = read_directory(paths, chosen)
    account_id = account_id or _account(directory, ask=ask)
    role = role or _role(directory, account_id, ask=ask)
    there = written_profiles(now.old).get(name)
    if region is None:
        region = there.region if there else chosen.region
        if ask:
            region = ask_text(f"Region of the profile [{region or 'none'}]:", _or(region, _read_region))
    if output is None:
        output = there.output if there else None
        if ask:
            output = output or "json"
            output = ask_text(f"Output format [{output}]:", _or(output, _read_output))
    profile = NewProfile(name, chosen, account_id, role, region or None, output or None, own_name=True)
    unknown = _unlisted(directory, account_id, role)
    if unknown:
        click.echo(f"Mind: {printable(unknown)}.")
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


def _unlisted(directory: Directory | None, account_id: str, role: str) -> str | None:
    """What speaks against this account and role, as far as they were listed."""
    account = next((one for one in directory.accounts if one.account_id == account_id), None) if directory else None
    if account is None:
        known = directory is not None and directory.complete
        return f"when your accounts were listed, {account_id} was not among them" if known else None
    if not account.roles or role in account.roles:
        return None
    near = nearest(role, account.roles)
    also = f"did you mean {near[0]}?" if near else f"there were {', '.join(account.roles[:_MOST])}"
    return f"when your accounts were listed, you had no role {role} in {account_id}; {also}"


def _read_account(text: str) -> str:
    digits = text.strip().replace("-", "")
    if not _ACCOUNT_ID.fullmatch(digits):
        raise UsageError(f"{text!r} is no account id", "It has 12 digits; the portal shows it beside the name")
    return digits


def _read_role(text: str) -> str:
    from credhelper.aws.config.authoring import wrong_role  # noqa: PLC0415

    said = wrong_role(text.strip())
    if said:
        raise UsageError(said, "The portal shows those that you have below each account")
    return text.strip()


def _read_region(text: str) -> str:
    from credhelper.cli.setup.center import check_region  # noqa: PLC0415

    check_region(text.strip())
    return text.strip()


def _read_output(text: str) -> str:
    from credhelper.aws.config.authoring import wrong_defaults  # noqa: PLC0415

    said = wrong_defaults(None, text.strip())
    if said:
        raise UsageError(said, "The AWS CLI has json, text, table, yaml, yaml-stream and off")
    return text.strip()


def _or(default: str | None, read: Callable[[str], str]) -> Callable[[str], str | None]:
    """What reads an answer, where Enter alone says the default."""
    return lambda text: read(text) if text.strip() else default
