"""`credhelper profiles list`, and `profiles` alone: the table of all profiles."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import click

from credhelper.aws.choices import Choices
from credhelper.aws.config.authoring import WrittenProfile, marked_profiles
from credhelper.aws.config.reader import read_config
from credhelper.aws.directory import read_directory
from credhelper.cli import no_core_dumps
from credhelper.errors import EXIT_OK
from credhelper.model import Profile
from credhelper.paths import Paths
from credhelper.terminal import printable, width

_TITLES = ("profile", "account", "account name", "role", "session", "region", "credentials", "written by")
# What goes first where there is no room for all.
_SHED = ("written by", "region", "session", "account", "account name", "role")


@click.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="For programs; see the documentation for the schema.")
def command(*, as_json: bool) -> int:
    """List the profiles.

    Those of the AWS config and credentials file, each with its account and role, and where its credentials come from.
    """
    return show(as_json=as_json)


def show(*, as_json: bool) -> int:
    """Print all profiles, as a table or as JSON. Raises ConfigError."""
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
