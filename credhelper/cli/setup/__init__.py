"""`credhelper setup`: from a start URL and nothing else to profiles that work, in one command."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import click

from credhelper.aws.config import read_config
from credhelper.aws.config.authoring import written_profiles
from credhelper.aws.directory import Directory, read_directory
from credhelper.aws.world import World
from credhelper.cli import no_core_dumps, tell
from credhelper.cli.desk import Desk
from credhelper.cli.login import Login
from credhelper.cli.setup import ending, writing
from credhelper.cli.setup.center import Wanted, find_session, say_network
from credhelper.cli.setup.choosing import (
    Candidate,
    candidates,
    choose_candidates,
    choose_names,
    named,
    selected,
    show_names,
)
from credhelper.cli.setup.questions import can_ask, confirm
from credhelper.cli.setup.writing import listed
from credhelper.cli.walking import walk
from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError, UsageError
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Selection, Template
from credhelper.terminal import counted


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, as far as it speaks of accounts, names and files; None where it says nothing."""

    selection: Selection
    template: Template | None
    region: str | None
    output: str | None
    enable: bool | None
    hook: str | None
    dry_run: bool
    yes: bool


@click.command(name="setup")
@click.option("--start-url", metavar="URL", help="Any address of your access portal, or its directory id.")
@click.option("--sso-region", metavar="REGION", help="The Identity Center's region; mostly found by itself.")
@click.option("--session", metavar="NAME", help="A session of the config, or a name for the new one.")
@click.option("--device", is_flag=True, help="Log in with a device code.")
@click.option("--no-browser", is_flag=True, help="Log in at an address that is only printed.")
@click.option("--include", metavar="GLOB", multiple=True, help="Only accounts, roles or names that this fits.")
@click.option("--exclude", metavar="GLOB", multiple=True, help="No accounts, roles or names that this fits.")
@click.option("--template", metavar="TEXT", help=f"Names of profiles, as in '{DEFAULT_TEMPLATE}'.")
@click.option("--region", metavar="REGION", help="Of the profiles; default: the Identity Center's.")
@click.option("--output", metavar="FORMAT", help="Of the profiles, as in json.")
@click.option("--enable/--no-enable", default=None, help="Serve your own profiles of the session too, or not.")
@click.option(
    "--hook",
    type=click.Choice(["bash", "zsh", "fish", "powershell", "none"]),
    help="The shell to install the hook for; default: yours.",
)
@click.option("--dry-run", is_flag=True, help="Log in and look, show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="Ask nothing, and take all.")
def command(
    *,
    start_url: str | None,
    sso_region: str | None,
    session: str | None,
    device: bool,
    no_browser: bool,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    template: str | None,
    region: str | None,
    output: str | None,
    enable: bool | None,
    hook: str | None,
    dry_run: bool,
    yes: bool,
) -> int:
    """Set everything up: log in, choose accounts and roles, write their profiles.

    It asks for the start URL (the address of your AWS access portal) and shows what it would change before anything
    is written. Run it again to add what is new, or for another Identity Center.
    """
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()
    options = Options(
        Selection(include, exclude),
        Template.parse(template) if template is not None else None,
        region,
        output,
        enable,
        hook,
        dry_run,
        yes,
    )
    ask = not yes
    if ask and not can_ask(os.environ):
        raise UsageError(
            "there is no terminal to ask on", "Say --yes, and --start-url URL where the config has no session yet"
        )
    say_network(paths, os.environ)
    try:
        chosen = find_session(Wanted(start_url, sso_region, session), paths, os.environ, ask=ask)
        before = read_directory(paths, chosen)
        Login(chosen, paths, os.environ).run(device=device, no_browser=no_browser)
        directory = walk(Desk.of(paths, os.environ), chosen)
        first = _Setup(paths, os.environ, chosen, options).write_profiles(directory, before)
    except (click.Abort, KeyboardInterrupt):
        tell("\nStopped; your AWS config is as it was.")
        raise
    if first is None:
        return EXIT_OK if dry_run else EXIT_FAILURE
    return _end(paths, os.environ, first, options)


class _Setup:
    """One run, once it is known which session it is about."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], session: Session, options: Options) -> None:
        self._paths = paths
        self._environ = environ
        self._session = session
        self._options = options
        self._config = read_config(paths.config_file(environ))
        self._taken = {*self._config.profiles, *(profile.name for profile in World.of(paths, environ).profiles())}
        self._template = options.template or Template.parse(DEFAULT_TEMPLATE)
        # A template on the command line is for all names, else those that are there stay.
        self._keep = options.template is None

    def write_profiles(self, directory: Directory, before: Directory | None) -> str | None:
        """Everything up to the written file; the name of the first profile, None where nothing was written."""
        options = self._options
        everything = candidates(directory, self._session, self._config, self._paths)
        offered = self._selected(everything)
        chosen = self._chosen(offered, before)
        names = self._names(chosen) if chosen else {}
        gone = (
            {one.ours for one in offered if one.ours is not None and one not in chosen} if not options.yes else set()
        )
        self._tell_lost(everything)
        enabled = self._to_enable()
        plan = writing.make_plan(
            self._paths,
            self._environ,
            self._session,
            self._config,
            names,
            gone=gone,
            enabled=enabled,
            region=options.region,
            output=options.output,
        )
        if not writing.agreed(self._paths, plan, yes=options.yes, dry_run=options.dry_run):
            tell("Nothing was written.")
            return None
        if options.dry_run:
            return None
        writing.carry_out(self._paths, plan, Desk.of(self._paths, self._environ).agent)
        return next(iter([*names.values(), *enabled, *_profiles_of(offered)]), None)

    def _selected(self, everything: list[Candidate]) -> list[Candidate]:
        """What --include and --exclude leave. Raises CredhelperError where that is nothing."""
        if not everything:
            raise CredhelperError(
                "there is no account and role for you in this Identity Center", "Ask whoever invited you for access"
            )
        names = named(everything, self._template, self._taken, keep=self._keep)
        offered = selected(everything, self._options.selection, names)
        if not offered:
            raise UsageError(
                "--include and --exclude leave no account and role", "They are globs, as in --include 'prod-*'"
            )
        return offered

    def _chosen(self, offered: list[Candidate], before: Directory | None) -> list[Candidate]:
        if self._options.yes:
            return [one for one in offered if one.ours or not one.others]
        return choose_candidates(offered, before)

    def _names(self, chosen: list[Candidate]) -> dict[Candidate, str]:
        """The names, with a question where any is new and no template was given."""
        names = named(chosen, self._template, self._taken, keep=self._keep)
        if self._options.yes or not self._keep or all(one.ours == name for one, name in names.items()):
            show_names(names)
            return names
        return choose_names(chosen, self._template, self._taken)

    def _tell_lost(self, everything: list[Candidate]) -> None:
        """Say which profiles of ours the person has no access for any more."""
        written = written_profiles(self._config.data)
        ours = {name for name, profile in written.items() if profile.session == self._session.name}
        lost = sorted(ours - {one.ours for one in everything})
        if lost:
            click.echo(f"You have no access any more with {counted(len(lost), 'profile')}: {listed(lost)}.")
            click.echo("  To remove what has no access: credhelper profiles discover --prune")

    def _to_enable(self) -> list[str]:
        """The person's own profiles of this session that are to be served too. Raises click.Abort."""
        found = writing.unserved(self._config, self._session, self._paths)
        if not found or self._options.enable is False:
            return []
        if self._options.enable is None and not self._options.yes:
            click.echo(
                f"The config has {counted(len(found), 'profile')} of your own for this session: {listed(found)}."
            )
            if not confirm("Let credhelper serve them too (credhelper disable undoes it)?"):
                return []
        return found


def _profiles_of(offered: list[Candidate]) -> list[str]:
    return [name for one in offered for name in (one.ours, *one.others) if name is not None]


def _end(paths: Paths, environ: Mapping[str, str], first: str, options: Options) -> int:
    try:
        ending.install_hook(paths, environ, options.hook, yes=options.yes)
        ending.offer_service(paths, environ)
        code = ending.show_identity(first)
    except (click.Abort, KeyboardInterrupt):
        tell("\nStopped; the profiles are written and work.")
        raise
    if code == EXIT_OK:
        ending.say_what_next(first)
    return code
