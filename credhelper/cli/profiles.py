"""`credhelper profiles [add|discover|remove]`: what profiles there are, and writing them."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from credhelper.cli import no_core_dumps
from credhelper.errors import EXIT_OK
from credhelper.names import nearest
from credhelper.paths import Paths
from credhelper.terminal import printable, width

if TYPE_CHECKING:
    from credhelper.aws.config.authoring import WrittenProfile

SUBCOMMANDS = {
    "add": "Write one profile.",
    "discover": "Write profiles for the accounts and roles that you have.",
    "remove": "Remove profiles that credhelper wrote.",
}
_TITLES = ("profile", "account", "account name", "role", "session", "region", "credentials", "written by")
# What goes first where there is no room for all.
_SHED = ("written by", "region", "session", "account", "account name", "role")


class _Group(click.Group):
    """Its commands live in `credhelper.cli.profiles_NAME`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in SUBCOMMANDS:
            return None
        command: click.Command = importlib.import_module(f"credhelper.cli.profiles_{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = nearest(args[0], SUBCOMMANDS)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl(list(SUBCOMMANDS.items()))


@click.group(cls=_Group, invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="For programs; see the documentation for the schema.")
@click.pass_context
def command(ctx: click.Context, *, as_json: bool) -> int:
    """List the profiles, or write some.

    Without a command: the profiles of the AWS config and credentials file, each with its account and role, and
    where its credentials come from.
    """
    if ctx.invoked_subcommand is not None:
        if as_json:
            raise click.UsageError("--json is for the list of profiles.", ctx)
        return EXIT_OK
    paths = Paths.of()
    no_core_dumps()  # config and credentials file may hold access keys
    profiles = list(_profiles(paths))
    if as_json:
        click.echo(json.dumps({"schema": 1, "profiles": profiles}, indent=2))
    elif profiles:
        _print(profiles)
    else:
        click.echo(
            f"There is no profile in {printable(str(paths.config_file(os.environ)))}. Write some: credhelper setup"
        )
    return EXIT_OK


def _profiles(paths: Paths) -> Iterator[dict[str, Any]]:
    """As `--json` has them, in the order of the files, the config first."""
    from credhelper.aws.choices import Choices  # noqa: PLC0415 - spares `profiles --help` its imports
    from credhelper.aws.config.authoring import marked_profiles  # noqa: PLC0415
    from credhelper.aws.config.reader import read_config  # noqa: PLC0415
    from credhelper.aws.directory import read_directory  # noqa: PLC0415
    from credhelper.model import Profile  # noqa: PLC0415

    choices = Choices.of(paths, os.environ)
    written = marked_profiles(read_config(choices.path).data)
    names: dict[str, dict[str, str]] = {}
    of_config = {profile.name: profile for profile in choices.profiles}
    for name in choices.names:
        profile = of_config.get(name) or Profile(name)
        behind = choices.behind(name)
        session = profile.session
        if session is not None and session.id not in names:
            known = read_directory(paths, session)
            names[session.id] = {account.account_id: account.name for account in known.accounts} if known else {}
        account = choices.account(name) or None
        named = choices.session_named_by(name) if behind == profile else None
        yield {
            "name": name,
            "source": behind.name if behind is not None and behind.name != name else None,
            "session": session.name if session else None,
            "session_missing": session is None and (profile.managed or named is not None),
            "account_id": account,
            "account_name": names[session.id].get(account or "") or None if session else None,
            "role_name": choices.role(name) or None,
            "region": profile.region,
            "output": profile.output,
            "managed": profile.managed,
            "shadowed": bool(profile.managed and profile.shadowed_by),
            "written": _writer(written.get(name)),
        }


def _writer(written: WrittenProfile | None) -> str | None:
    """`credhelper`, `edited` for what it wrote and somebody changed, None for what it did not write."""
    if written is None:
        return None
    return "credhelper" if written.untouched else "edited"


def _print(profiles: list[dict[str, Any]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - 40 ms that only a table needs

    from credhelper.cli.columns import Columns  # noqa: PLC0415

    rows = [
        (
            profile["name"],
            profile["account_id"] or "-",
            profile["account_name"] or "-",
            profile["role_name"] or "-",
            profile["session"] or "-",
            profile["region"] or "-",
            _credentials(profile),
            {"credhelper": "credhelper", "edited": "credhelper, changed"}.get(profile["written"] or "", "you"),
        )
        for profile in profiles
    ]
    columns = width()
    console = Console(width=columns)
    console.print(Columns(_TITLES, rows, _SHED, whole=columns is None), soft_wrap=columns is None)


def _credentials(profile: dict[str, Any]) -> str:
    if profile["shadowed"]:
        return "shadowed"
    if profile["session_missing"]:
        return "no session"
    if profile["managed"]:
        return "credhelper"
    if profile["source"]:
        return f"from {profile['source']}"
    return "sso, not enabled" if profile["session"] else "other"


__all__ = ["SUBCOMMANDS", "command"]
