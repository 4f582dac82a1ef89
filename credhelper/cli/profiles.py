"""`credhelper profiles [add|discover|list|remove]`: what profiles there are, and writing them."""

from __future__ import annotations

import importlib

import click

from credhelper.errors import EXIT_OK
from credhelper.names import nearest

SUBCOMMANDS = {
    "add": "Write one profile.",
    "discover": "Write profiles for the accounts and roles that you have.",
    "list": "List the profiles, as it is done without a command.",
    "remove": "Remove profiles that credhelper wrote.",
}


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
            hint = " Write it behind `list`." if ctx.invoked_subcommand == "list" else ""
            raise click.UsageError(f"--json is for the list of profiles.{hint}", ctx)
        return EXIT_OK
    from credhelper.cli.profiles_list import show  # noqa: PLC0415 - spares `profiles --help` its imports

    return show(as_json=as_json)


__all__ = ["SUBCOMMANDS", "command"]
