"""`credhelper status`: sessions and profiles with the time left, and what the daemon does next."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import click

from credhelper import client, resources
from credhelper.agent import Agent
from credhelper.aws.readable import check_config
from credhelper.cli import complain, no_core_dumps
from credhelper.cli.notices import notices
from credhelper.errors import EXIT_LOGIN_NEEDED, EXIT_OK, CredhelperError, DaemonUnavailable
from credhelper.names import command_for
from credhelper.paths import Paths
from credhelper.terminal import paragraph, width

# Names that a line tells; more would say no more.
_MOST = 5


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For programs; see the documentation for the schema.")
@click.option("--watch", is_flag=True, help="Show it anew every second until Ctrl-C.")
@click.option("--exit-code", is_flag=True, help="Exit with 3 where a session needs a login.")
def command(as_json: bool, watch: bool, exit_code: bool) -> int:
    """Show sessions and profiles with the time left."""
    paths = Paths.of()
    if watch and as_json:
        raise click.UsageError("--watch and --json exclude each other.")
    no_core_dumps()  # without the daemon it reads the tokens itself
    document = gather(paths)
    if watch:
        _watch(paths, document)
    if as_json:
        for notice in _notices(paths, document):
            complain(notice)
        click.echo(json.dumps(document, indent=2))
    else:
        _print(document, remarks(paths, document))
    needed = any(session["state"] in {"expired", "logged_out"} for session in document["sessions"])
    return EXIT_LOGIN_NEEDED if exit_code and (needed or not document["sessions"]) else EXIT_OK


def gather(paths: Paths) -> dict[str, Any]:
    """The document of `--json`: the daemon's, or what the files alone say where none runs.

    Raises ConfigError where the config cannot be read, CredhelperError where a daemon is there but cannot be used.
    """
    check_config(paths, os.environ)
    document = None
    try:
        document = Agent(paths).status()
    except DaemonUnavailable as error:
        if not isinstance(error.__cause__, client.Absent):
            raise
    # The daemon has read all that it knows of, the default config first.
    if document is not None and paths.config_file(os.environ) == paths.aws / "config":
        return document
    from credhelper.aws.survey import seen_from, survey  # noqa: PLC0415 - the daemon has mostly done this work

    found = survey(paths, os.environ)
    return found if document is None else seen_from(document, found)


def remarks(paths: Paths, document: dict[str, Any]) -> list[str]:
    """What is wrong around the tables, each in one line, made harmless for a terminal."""
    return [f"Mind: {paragraph(said)}" for said in (*_shadows(paths, document), *_notices(paths, document))]


def _notices(paths: Paths, document: dict[str, Any]) -> Iterator[str]:
    """What is said beside `--json` too."""
    managed = [profile["name"] for profile in document["profiles"] if profile["managed"]]
    if managed and resources.helper_is_missing(paths):
        yield (
            f"the helper {paths.helper} is not there, so no program gets credentials from it. "
            f"Run: {command_for('enable', managed[0])}"
        )
    yield from _without_session(paths, document)
    yield from notices(paths, os.environ)


def _without_session(paths: Paths, document: dict[str, Any]) -> Iterator[str]:
    """For each session that profiles name and that cannot be used: what is wrong with it, and which those are."""
    if not any(profile["session"] is None for profile in document["profiles"]):
        return
    from credhelper.aws.config.complaints import without_session  # noqa: PLC0415 - hardly ever needed
    from credhelper.aws.config.reader import read_config  # noqa: PLC0415

    with contextlib.suppress(CredhelperError):  # what cannot be read is said elsewhere
        for reason, names in without_session(read_config(paths.config_file(os.environ))).items():
            listed = ", ".join(names[:_MOST]) + (f" and {len(names) - _MOST} more" if len(names) > _MOST else "")
            yield f"{reason}, and {listed} cannot do without it. Write it: aws configure sso-session"


def _shadows(paths: Paths, document: dict[str, Any]) -> Iterator[str]:
    """For each profile whose helper line does not count everywhere: what wins over it, and what to do."""
    if not any(profile["shadowed"] for profile in document["profiles"]):
        return
    from credhelper.aws.world import World  # noqa: PLC0415 - hardly ever needed

    for profile in World.of(paths, os.environ).profiles():
        if not profile.shadowed_by:
            continue
        keys, live = ", ".join(profile.shadowed_by), [key for key in profile.shadowed_by if key.startswith("sso_")]
        yield f"{profile.name} is shadowed: {keys} wins over its helper line in some programs. " + (
            f"Run: {command_for('enable', profile.name)}"
            if live
            else "Take the access key out of the AWS config or credentials file"
        )


def _watch(paths: Paths, first: dict[str, Any]) -> NoReturn:
    """`first` is what the first look has found already."""
    from rich.console import Console  # noqa: PLC0415 - 40 ms that only a table needs
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from credhelper.cli.tables import Report  # noqa: PLC0415

    found = iter([first])
    console = Console(width=width())
    lasting = width() is None
    over = console.is_terminal and not console.is_dumb_terminal  # what was shown before can be written over

    def look() -> Any:
        try:
            document = next(found, None) or gather(paths)
            said = remarks(paths, document)
            return Report(document, said, height=console.height) if over else Report(document, said, whole=lasting)
        except CredhelperError as error:
            return Text(paragraph(str(error)))

    if not over:
        while True:
            console.print(time.strftime("%Y-%m-%d %H:%M:%S"))
            console.print(look(), soft_wrap=lasting)
            time.sleep(1.0)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(look(), refresh=True)
            time.sleep(1.0)


def _print(document: dict[str, Any], said: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from credhelper.cli.tables import REMARK, Report  # noqa: PLC0415

    columns = width()
    console = Console(width=columns)
    console.print(Report(document, whole=columns is None), soft_wrap=columns is None)
    for line in said:
        console.print(Text(line, REMARK), soft_wrap=True)  # commands in it can be copied whole
