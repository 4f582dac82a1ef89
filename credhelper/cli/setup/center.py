"""Which Identity Center `setup` is about: one of the config's sessions, or a start URL and its region."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from credhelper import settings
from credhelper.aws.config import read_config, sessions_of
from credhelper.aws.portal_page import region_of_portal
from credhelper.aws.regions import every_region, regions
from credhelper.aws.start_urls import StartUrl, read_start_url
from credhelper.aws.targets import unknown
from credhelper.aws.world import World
from credhelper.cli import complain
from credhelper.cli.setup.questions import ask_text, pick, say
from credhelper.endpoints import endpoints_from_environment
from credhelper.errors import CredhelperError, UsageError
from credhelper.model import Session, normalize_start_url
from credhelper.names import nearest
from credhelper.paths import Paths

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line says of it; None where it says nothing."""

    start_url: str | None = None
    region: str | None = None
    session: str | None = None


def find_session(wanted: Wanted, paths: Paths, environ: Mapping[str, str], *, ask: bool) -> Session:
    """The session to set up; it need not stand in the config yet, and nothing is written.

    Args:
        ask: whether a person may be asked for what is missing.

    Raises UsageError for what makes no sense or is missing and cannot be asked for, click.Abort, ConfigError.
    """
    if wanted.region is not None:
        check_region(wanted.region)
    if wanted.session is not None and not _NAME.fullmatch(wanted.session):
        raise UsageError(
            f"{wanted.session!r} cannot be a session's name", "Letters, digits and . _ - can stand in it"
        )
    config = read_config(paths.config_file(environ))
    known = sessions_of(config)
    chosen = _known_session(wanted, known, ask=ask)
    if chosen is not None:
        say(f"Identity Center: {chosen.start_url} in {chosen.region}")
        return dataclasses.replace(chosen, legacy=False)
    start = read_start_url(wanted.start_url) if wanted.start_url is not None else _ask_start_url()
    same = [session for session in known if session.same_start == normalize_start_url(start.start_url)]
    for session in same:
        if wanted.region in {None, session.region}:
            if wanted.session not in {None, session.name}:
                say(f"It is in the config already, as the session {session.name}; that name stays.")
            say(f"Identity Center: {session.start_url} in {session.region}")
            return dataclasses.replace(session, legacy=False)
    say(f"Identity Center: {start.start_url}")
    region = _region(start, wanted, paths, environ, ask=ask)
    # A name that a profile refers to is not free either: the profile would all at once have that session.
    elsewhere = (session.name for session in World.of(paths, environ).sessions())
    taken = {*config.sessions, *config.referenced, *(session.name for session in known), *elsewhere}
    return Session(_free_name(start, wanted, taken), start.start_url, region)


def _known_session(wanted: Wanted, known: list[Session], *, ask: bool) -> Session | None:
    """The session of the config that is meant; None where a start URL is to be found out. Raises UsageError."""
    if wanted.start_url is not None:
        return None
    if wanted.session is not None:
        for session in known:
            if session.name == wanted.session:
                return _checked(session, wanted)
        if not ask:
            if known:
                raise unknown("session", wanted.session, [session.name for session in known])
            raise _no_start_url()
        return None
    if ask:
        if not known:
            return None
        options: list[tuple[str, Session | None]] = [
            (f"{session.name}  {session.start_url}", session) for session in known
        ]
        chosen = pick("Which Identity Center?", [*options, ("another one, whose start URL I have", None)])
        return None if chosen is None else _checked(chosen, wanted)
    if len(known) == 1:
        return _checked(known[0], wanted)
    if known:
        names = ", ".join(session.name for session in known)
        raise UsageError(f"there are several sessions: {names}", "Say --session NAME, or --start-url URL")
    raise _no_start_url()


def _checked(session: Session, wanted: Wanted) -> Session:
    if wanted.region not in {None, session.region}:
        raise UsageError(
            f"the session {session.name!r} is in {session.region}, not in {wanted.region}",
            "Leave --sso-region out, or correct sso_region in the AWS config",
        )
    return session


def _no_start_url() -> UsageError:
    return UsageError(
        "no start URL is given", "Say --start-url URL; it looks like https://d-1234567890.awsapps.com/start"
    )


def _ask_start_url() -> StartUrl:
    say("The start URL is the address of your AWS access portal; any page of it will do.")
    return ask_text("Start URL:", read_start_url)


def _region(start: StartUrl, wanted: Wanted, paths: Paths, environ: Mapping[str, str], *, ask: bool) -> str:
    """The Identity Center's own region: given, in the address, on the portal's page, or asked for."""
    if wanted.region is not None:
        return wanted.region
    if start.region is not None:
        say(f"Region: {start.region}, as the address says")
        return start.region
    try:
        network = settings.load(paths).network
        region = region_of_portal(start, network, portal=endpoints_from_environment(environ).portal)
    except CredhelperError as error:
        if not ask:
            raise UsageError(f"the region is not known: {error.message}", "Say --sso-region REGION") from error
        say(f"The region has to be asked for: {error.message}.")
    else:
        say(f"Region: {region}, as the portal says")
        return region
    say("It is that of your Identity Center, not of your work; who invited you knows it.")
    listed = regions(start.partition, environ)
    return pick("Region:", [(f"{region.name:15} {region.place}", region.name) for region in listed])


def _free_name(start: StartUrl, wanted: Wanted, taken: Collection[str]) -> str:
    """A name for a new session. Raises UsageError where the one that was asked for is another's."""
    if wanted.session is not None:
        if wanted.session in taken:
            raise UsageError(
                f"the session {wanted.session!r} is there already, with another start URL or region",
                "Choose another name",
            )
        return wanted.session
    name, number = start.session_name, 1
    while name in taken:
        number += 1
        name = f"{start.session_name}-{number}"
    return name


def check_region(name: str) -> None:
    """Raise UsageError for what is no region, as far as botocore knows them."""
    known = every_region()
    if name not in known:
        near = nearest(name, known)
        raise UsageError(
            f"there is no region {name!r}",
            f"Did you mean {near[0]}?" if near else "Write it as in eu-west-1",
        )


def say_network(paths: Paths, environ: Mapping[str, str]) -> None:
    """Keep what this environment says of proxy and CA bundle, as `login` does; the portal is asked by it too."""
    for notice in settings.record_network(paths, environ):
        complain(notice)
