"""`credhelper setup`: from a start URL and nothing else to profiles that work, in one command."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import click

from credhelper.aws.config import read_config, read_credentials
from credhelper.aws.config.apply import Plan, plan_profiles
from credhelper.aws.config.authoring import wrong_defaults
from credhelper.aws.directory import Directory
from credhelper.aws.left_out import Target, left_out, remember_left_out
from credhelper.aws.profile_styles import Style, remember_style, remembered_style
from credhelper.aws.proposal import Proposal, propose
from credhelper.cli import no_core_dumps, tell
from credhelper.cli.desk import Desk
from credhelper.cli.login import Login
from credhelper.cli.notices import why_unparsable
from credhelper.cli.setup import ending, writing
from credhelper.cli.setup.center import Wanted, check_region, find_session, say_network
from credhelper.cli.setup.choosing import Candidate, candidates, choose_candidates, pick_template, show_names
from credhelper.cli.setup.questions import can_ask, confirm, say
from credhelper.cli.setup.writing import listed
from credhelper.cli.walking import walk
from credhelper.errors import EXIT_FAILURE, EXIT_OK, ConfigError, CredhelperError, UsageError
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Template
from credhelper.terminal import counted


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, as far as it speaks of accounts, names and files; None where it says nothing."""

    include: tuple[str, ...]
    exclude: tuple[str, ...]
    template: str | None
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
    no_core_dumps()  # config and credentials file may hold access keys
    if template is not None:
        Template.parse(template)  # what is wrong with it is said before all else
    options = Options(
        include,
        exclude,
        template,
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
    _check_config(paths, os.environ)
    if region:
        check_region(region)
    wrong = wrong_defaults(None, output)
    if wrong:
        raise UsageError(wrong, "The AWS CLI has json, text, table, yaml and yaml-stream")
    try:
        chosen = find_session(Wanted(start_url, sso_region, session), paths, os.environ, ask=ask)
        click.echo()
        Login(chosen, paths, os.environ).run(device=device, no_browser=no_browser)
        directory = walk(Desk.of(paths, os.environ), chosen)
        run = _Setup(paths, os.environ, chosen, options)
        plan = run.plan(directory)
    except (click.Abort, KeyboardInterrupt):
        tell("\nStopped; your AWS config is as it was.")
        raise
    if plan is None or dry_run:
        return EXIT_OK if dry_run else EXIT_FAILURE
    try:
        first = run.write(plan)
    except (click.Abort, KeyboardInterrupt):
        tell("\nStopped in the middle of writing; `credhelper setup` goes on from there.")
        raise
    return EXIT_OK if first is None else _end(paths, os.environ, first, options)


def _check_config(paths: Paths, environ: Mapping[str, str]) -> None:
    """Raise ConfigError, before all questions, where the config cannot be read by us or by the AWS programs."""
    plan_profiles(paths, environ)
    path = paths.config_file(environ)
    reason = why_unparsable(path)
    if reason:
        raise ConfigError(f"the AWS CLI and boto3 cannot read {path}: {reason}", "Correct it, or move it away")


class _Setup:
    """One run, once it is known which session it is about."""

    def __init__(self, paths: Paths, environ: Mapping[str, str], session: Session, options: Options) -> None:
        self._paths = paths
        self._environ = environ
        self._session = session
        self._options = options
        self._config = read_config(paths.config_file(environ))
        self._last = remembered_style(paths, session)
        self._style = _style(self._last or Style(region=session.region), options)
        self._names: list[str] = []
        # What a person who was asked did not choose; a profile of their own is reason enough.
        self._left: set[Target] | None = None
        # Names that are there change only where another template is asked for.
        self._rename = options.template is not None and self._style.template != (self._last or Style()).template

    def plan(self, directory: Directory) -> Plan | None:
        """All questions, up to the last: whether to write it. None where the answer is no. Raises click.Abort."""
        options = self._options
        proposal = self._propose(directory)
        offered = self._offered(directory, proposal)
        if options.yes:
            chosen = [one for one in offered if one.ours or not one.others]
            left = []
        else:
            before = left_out(self._paths, self._session)
            chosen = choose_candidates(offered, before)
            unwanted = {one.target for one in offered if one not in chosen and not one.others}
            self._left = (before - {one.target for one in offered}) | unwanted
            left = [one.ours for one in offered if one.ours is not None and one not in chosen]
        if not chosen and not left:
            say("Nothing is chosen, so there is nothing to write.")
            return None
        chosen = self._with_names(directory, chosen)
        self._tell_lost(proposal)
        enabled = self._to_enable()
        renamed = [one.ours for one in chosen if one.ours is not None and one.ours != one.profile.name]
        plan = writing.make_plan(
            self._paths,
            self._environ,
            add=[one.profile for one in chosen],
            remove={*left, *renamed},
            enabled=enabled,
        )
        if not writing.agreed(self._paths, plan, yes=options.yes, dry_run=options.dry_run):
            tell("Nothing was written.")
            return None
        self._names = [*(one.profile.name for one in chosen), *enabled]
        self._names += [name for one in offered for name in one.others]
        return plan

    def write(self, plan: Plan) -> str | None:
        """Write what was agreed to; the name of the first profile, None where there is none. Raises FileChanged."""
        writing.carry_out(self._paths, plan)
        # Before all that may fail: names that are there hang on it.
        if self._style != self._last:
            remember_style(self._paths, self._session, self._style)
        if self._left is not None:
            remember_left_out(self._paths, self._session, self._left)
        writing.announce(self._paths, plan, Desk.of(self._paths, self._environ).agent)
        return next((name for name in self._names if name not in dict(plan.edit.refused)), None)

    def _propose(self, directory: Directory) -> Proposal:
        static: Collection[str] = ()
        with contextlib.suppress(ConfigError):  # the plan warns of it
            static = read_credentials(self._paths.credentials_file(self._environ)).profiles
        return propose(
            directory,
            self._session,
            self._config.data,
            self._style,
            taken=static,
            rename=self._rename,
            set_region=self._options.region is not None,
            set_output=self._options.output is not None,
        )

    def _offered(self, directory: Directory, proposal: Proposal) -> list[Candidate]:
        """What --include and --exclude leave. Raises CredhelperError where that is nothing."""
        offered = candidates(directory, proposal, self._session, self._config, self._paths)
        if not offered and proposal.left_out:
            raise UsageError(
                "--include and --exclude leave no account and role", "They are globs, as in --include 'prod-*'"
            )
        if not offered:
            raise CredhelperError(
                "there is no account and role for you in this Identity Center", "Ask whoever invited you for access"
            )
        if proposal.left_out:
            given = [("--include", glob) for glob in self._style.include]
            given += [("--exclude", glob) for glob in self._style.exclude]
            shown = " ".join(f"{option} {shlex.quote(glob)}" for option, glob in given)
            remembered = not (self._options.include or self._options.exclude)
            as_before = ", as the last time" if remembered else ""
            say(f"Left out by {shown}{as_before}: {counted(proposal.left_out, 'role')}.")
            if remembered:
                say("To take all: --include '*' --exclude ''")
        return offered

    def _with_names(self, directory: Directory, chosen: list[Candidate]) -> list[Candidate]:
        """The chosen ones with the names that the person likes; asked where any is new and no template was given."""
        asked = self._options.yes or self._options.template is not None
        while chosen:
            show_names(chosen)
            if asked or all(one.ours == one.profile.name for one in chosen):
                break
            template = pick_template(self._style.template, chosen[0].subject)
            if template is None:
                break
            self._style = replace(self._style, template=template)
            self._rename = True
            chosen = self._renamed(directory, chosen)
        return chosen

    def _renamed(self, directory: Directory, chosen: list[Candidate]) -> list[Candidate]:
        """The same ones by the template that was just picked. A glob that fitted the names before takes none away."""
        style, wanted = self._style, {one.subject for one in chosen}
        self._style = replace(style, include=(), exclude=())
        everything = candidates(directory, self._propose(directory), self._session, self._config, self._paths)
        found = [one for one in everything if one.subject in wanted]
        if all(style.selection.takes(one.subject, one.profile.name) for one in found):
            self._style = style
        else:  # such a glob would hide them the next time: what it left out is remembered one by one
            unwanted = {one.target for one in everything if one.subject not in wanted and not one.others}
            self._left = (self._left or set()) | unwanted
        return found

    def _tell_lost(self, proposal: Proposal) -> None:
        """Say which profiles of ours the person has no access for any more."""
        if proposal.lost:
            number = counted(len(proposal.lost), "profile")
            say(f"You do not have the roles of {number} any more: {listed(proposal.lost)}.")
            say("To remove those: credhelper profiles discover --prune")

    def _to_enable(self) -> list[str]:
        """The person's own profiles of this session that are to be served too. Raises click.Abort."""
        found = writing.unserved(self._config, self._session, self._paths)
        if not found or self._options.enable is False:
            return []
        if self._options.enable is None and not self._options.yes:
            say(f"The config has {counted(len(found), 'profile')} of your own for this session: {listed(found)}.")
            if not confirm("Let credhelper serve them too? (`credhelper disable` undoes it)"):
                return []
        return found


def _style(last: Style, options: Options) -> Style:
    """The last one with what the command line says anew."""
    return Style(
        options.template if options.template is not None else last.template,
        options.region or last.region,
        options.output or last.output,
        tuple(filter(None, options.include)) if options.include else last.include,
        tuple(filter(None, options.exclude)) if options.exclude else last.exclude,
    )


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
