"""`credhelper console`: the AWS console at the account and role of a profile, by the portal's shortcut link.

The link holds no secret and needs no login of ours: the portal asks for its own in the browser where there is none.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import click

from credhelper import console, settings
from credhelper.aws import browser
from credhelper.aws.choices import Choices
from credhelper.aws.targets import unknown
from credhelper.cli import complain, tell
from credhelper.cli.desk import Desk
from credhelper.cli.overrides import endpoints_of
from credhelper.endpoints import endpoints_from_environment, is_loopback
from credhelper.errors import EXIT_FAILURE, EXIT_OK, ConfigError, CredhelperError, UsageError
from credhelper.model import Profile, Session
from credhelper.names import command_for
from credhelper.paths import Paths, chosen_profile
from credhelper.settings import Settings
from credhelper.surroundings import look
from credhelper.terminal import printable

# As the AWS CLI and the SDKs read them; boto3 knows the second alone.
_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


@click.command("console")
@click.argument("profile", required=False)
@click.option("--service", metavar="NAME", help="Go to this service's page: s3, ec2, lambda …")
@click.option("--region", metavar="REGION", help="Go to this region (default: $AWS_REGION, then the profile's).")
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open nothing.")
def command(profile: str | None, *, service: str | None, region: str | None, only_print: bool) -> int:
    """Open the AWS console at the account and role of PROFILE (default: $AWS_PROFILE, else `default`).

    The page is the access portal's own link, so it can be bookmarked, or sent to somebody who has that role too.
    """
    paths = Paths.of()
    choices = Choices.of(paths, os.environ)
    chosen, session = profile_for(profile, choices, paths, os.environ)
    known = settings.load(paths)
    loopback = _is_loopback(session, known, Desk.of(paths, os.environ))
    browser.check_start_url(session.start_url, session.name, loopback=loopback)
    link = link_for(chosen, session, service, _region(region, chosen, session, os.environ))
    browser.check_page(link, loopback=loopback)
    meant = console.guess(service) if service else None
    if meant is not None:
        complain(
            f"{service!r} is no service that credhelper knows; did you mean {meant!r}? The link names what you typed"
        )
    if only_print:
        click.echo(link)
        return EXIT_OK
    if loopback:
        # The page would be somebody else's portal, of the same name.
        tell(f"The Identity Center of {printable(session.name)} is on this machine, which has no console. The link:")
        click.echo(link)
        return EXIT_OK
    return _open(link, chosen, session, known.browsers.get(session.name))


def profile_for(
    name: str | None, choices: Choices, paths: Paths, environ: Mapping[str, str]
) -> tuple[Profile, Session]:
    """The profile that is meant, with its session.

    Raises UsageError where there is none of this name, or none is named and nobody is there to pick one; ConfigError
    and CredhelperError where no portal leads to it.
    """
    meant = name or chosen_profile(environ) or ("default" if "default" in choices else None)
    if meant is None:
        from credhelper.cli.picker import pick  # noqa: PLC0415

        meant = pick(choices, paths, environ)
    if meant not in choices:
        raise unknown("profile" if name else "profile (from AWS_PROFILE)", meant, choices.names)
    source = choices.behind(meant)
    if source is not None and source.name != meant:
        raise CredhelperError(
            f"the profile {meant!r} assumes its role by way of {source.name!r}; the portal has no link to such roles",
            f"Run `{printable(command_for('console', source.name))}`, then switch the role in the console",
        )
    found = next((profile for profile in choices.profiles if profile.name == meant), Profile(meant))
    if found.session is None:
        named = choices.session_named_by(meant)
        if named:
            raise ConfigError(
                f"the profile {meant!r} names the session {named!r}, which the AWS config does not have in full",
                "Write it: aws configure sso-session",
            )
        raise CredhelperError(
            f"the profile {meant!r} uses no Identity Center session, so no portal leads to its account",
            "Name another profile",
        )
    return found, found.session


def link_for(profile: Profile, session: Session, service: str | None, region: str | None) -> str:
    """The portal's link for the profile. Raises ConfigError, UsageError."""
    for value, key in ((profile.account_id, "sso_account_id"), (profile.role_name, "sso_role_name")):
        if not value:
            raise ConfigError(
                f"the profile {profile.name!r} does not say which {key} it means", "Add it to the AWS config"
            )
    destination = console.page(service, region, session.region)
    return console.link(
        session.start_url, session.region, profile.account_id or "", profile.role_name or "", destination
    )


def _region(asked: str | None, profile: Profile, session: Session, environ: Mapping[str, str]) -> str | None:
    """Where to look: as asked, else as programs would that use the profile. Raises UsageError."""
    home = console.partition_of(session.region)
    if asked is not None:
        if not console.is_region(asked):
            raise UsageError(f"{asked[:40]!r} is no region", "Give one like eu-west-1")
        if console.partition_of(asked) != home:
            raise UsageError(
                f"{asked} is a region of another partition than {session.region}, where {session.name} logs in",
                "Name a region of the same partition, or another profile",
            )
        return asked
    likely = (*(environ.get(name) for name in _REGION_VARIABLES), profile.region)
    return next(
        (name for name in likely if name and console.is_region(name) and console.partition_of(name) == home), None
    )


def _is_loopback(session: Session, known: Settings, desk: Desk) -> bool:
    """Whether the Identity Center in use is on this machine: a stand-in's, as in the demo."""
    portal = endpoints_from_environment(desk.environ).portal or endpoints_of(session, desk, known).portal
    return is_loopback(portal or "")


def _open(link: str, profile: Profile, session: Session, own: str | None) -> int:
    if browser.open_page(link, os.environ, own=own):
        where = f"account {profile.account_id}, role {profile.role_name}"
        click.echo(f"Opening the console in the browser: {printable(where)}.")
        return EXIT_OK
    if own is None:
        place = look(os.environ).place
        tell(f"No browser can be opened {f'in {place}' if place else 'here'}. The link, for one elsewhere:")
    else:
        complain(f"the browser that the settings name for {session.name} cannot be started: {own}")
        tell("  Correct `browser` there. The link:")
    click.echo(link)
    return EXIT_OK if own is None else EXIT_FAILURE
