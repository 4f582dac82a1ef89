"""`credhelper status`: sessions and profiles with the time left, and what the daemon does next."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import click

from credhelper import client
from credhelper.agent import Agent
from credhelper.aws.readable import check_config
from credhelper.cli import complain, no_core_dumps
from credhelper.cli.notices import notices
from credhelper.dates import moment_of
from credhelper.errors import EXIT_LOGIN_NEEDED, EXIT_OK, CredhelperError, DaemonUnavailable
from credhelper.names import command_for, login_command
from credhelper.paths import Paths
from credhelper.terminal import paragraph, printable

_REMARK = "yellow"
_COLOURS = {
    "active": "green",
    "renewing": "yellow",
    "offline": "yellow",
    "expiring": "yellow",
    "expired": "red",
    "logged_out": "red",
}


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
    if watch:
        _watch(paths)
    document = gather(paths)
    if as_json:
        for notice in notices(paths, os.environ):
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
    return [f"Mind: {paragraph(said)}" for said in (*_shadows(paths, document), *notices(paths, os.environ))]


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


def _watch(paths: Paths) -> NoReturn:
    from rich.console import Console, Group  # noqa: PLC0415 - 40 ms that only a table needs
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    def look() -> Any:
        try:
            document = gather(paths)
            return Group(render(document), *(Text(said, _REMARK) for said in remarks(paths, document)))
        except CredhelperError as error:
            return Text(paragraph(str(error)))

    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:  # nothing there can be written over
        while True:
            console.print(time.strftime("%Y-%m-%d %H:%M:%S"), look())
            time.sleep(1.0)
    with Live(console=console, auto_refresh=False, screen=True) as live:
        while True:
            live.update(look(), refresh=True)
            time.sleep(1.0)


def _print(document: dict[str, Any], said: Sequence[str]) -> None:
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    console = Console()
    console.print(render(document))
    for line in said:
        console.print(Text(line, _REMARK), soft_wrap=True)  # commands in it can be copied whole


def render(document: dict[str, Any], now: float | None = None) -> Any:
    """The tables, as a rich renderable. `now` in seconds since the epoch, default this moment."""
    from rich import box  # noqa: PLC0415
    from rich.console import Group  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    now = time.time() if now is None else now
    parts: list[Any] = []
    daemon = document["daemon"]
    sessions = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=None)
    for title in ("session", "state", "left", "next"):
        sessions.add_column(title, overflow="fold")
    for session in document["sessions"]:
        state = session["state"]
        sessions.add_row(
            Text(printable(session["name"])),
            Text(state.replace("_", " "), style=_COLOURS.get(state, "")),
            span(_moment(session["expires_at"]), now),
            Text(printable(_next(session, now, running=daemon["running"]))),
        )
    parts.append(sessions if document["sessions"] else Text("No session in the AWS config.\n"))
    if document["profiles"]:
        profiles = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for title in ("profile", "session", "account", "role", "credentials"):
            profiles.add_column(title, overflow="fold")
        for profile in document["profiles"]:
            profiles.add_row(
                *(Text(printable(profile[field] or "-")) for field in ("name", "session", "account_id", "role_name")),
                _credentials(profile, now),
            )
        parts.append(profiles)
    if daemon["running"]:
        parts.append(Text(f"The daemon {daemon['version']} runs (pid {daemon['pid']}).", style="dim"))
    else:
        parts.append(
            Text(
                "The daemon does not run; `credhelper daemon start` starts it, and so does the next call.",
                style="yellow",
            )
        )
    return Group(*parts)


def _next(session: dict[str, Any], now: float, *, running: bool) -> str:
    if session["state"] in {"expiring", "expired", "logged_out"}:
        return f"{session['reason']}; run: {login_command(session['name'])}"
    at = _moment(session["next_action_at"])
    if session["next_action"] == "renew":
        if not running:
            return "renews itself once the daemon runs"
        when = "now" if at is None or at < now + 1 else f"in {span(at, now)}"
        return f"renews itself {when}" if session["reason"] == "renews itself" else f"{session['reason']} ({when})"
    return str(session["reason"])


def _credentials(profile: dict[str, Any], now: float) -> str:
    if profile["shadowed"]:
        return "shadowed"
    if not profile["managed"]:
        return "not managed"
    expiry = _moment(profile["expires_at"])
    return "on demand" if expiry is None or expiry <= now else f"in memory, {span(expiry, now)}"


def _moment(date: str | None) -> float | None:
    return None if date is None else moment_of(date)


def span(moment: float | None, now: float) -> str:
    """Time left in the two largest units: `7 h 59 min`, `12 min`, `40 s`; `-` where there is none."""
    if moment is None:
        return "-"
    left = int(moment - now)
    if left <= 0:
        return "none"
    if left < 100:
        return f"{left} s"
    minutes = left // 60
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes:02} min"
