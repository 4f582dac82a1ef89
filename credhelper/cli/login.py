"""`credhelper login`: log in to a session, unless that is not needed."""

from __future__ import annotations

import contextlib
import enum
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from credhelper import resources, settings
from credhelper.aws import browser
from credhelper.aws.centers import Centers
from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.login.choice import choose
from credhelper.aws.login.failures import explain
from credhelper.aws.login.flow import log_in, renewable, suffices
from credhelper.aws.login.turn import turn
from credhelper.aws.renewal import renew
from credhelper.aws.targets import is_left_out, resolve_session
from credhelper.aws.tokens import Found
from credhelper.cli import complain, no_core_dumps, styled
from credhelper.cli.desk import Desk
from credhelper.cli.person import person
from credhelper.endpoints import endpoints_from_environment, is_loopback, network_for
from credhelper.errors import CredhelperError, LoginNeeded, TokenUnreadable, UpstreamError
from credhelper.model import Endpoints, Session
from credhelper.names import command_for, login_command
from credhelper.paths import Paths, chosen_profile
from credhelper.terminal import duration, flowed, local_time, printable

# Other logins to the same session that we wait for before we give up on them.
_JOINS = 3


@click.command("login")
@click.argument("name", required=False)
@click.option("--device", is_flag=True, help="Use a device code: for machines without a browser.")
@click.option(
    "--no-browser", is_flag=True, help="Only print the page's address; the address at its end may be pasted."
)
@click.option("--force", is_flag=True, help="Log in although the session can still be used.")
def command(name: str | None, *, device: bool, no_browser: bool, force: bool) -> None:
    """Log in to the session NAME, or to the one that the profile NAME uses.

    Without NAME: the session of $AWS_PROFILE, else the only session there is.

    In your browser where one can be opened here, else (over SSH, in a container) with a code for any other device.
    """
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()
    session = resolve_session(name, os.environ, paths)
    Login(session, paths, os.environ).run(device=device, no_browser=no_browser, force=force)
    chosen = name or chosen_profile(os.environ)
    if chosen and chosen != session.name:
        tell_if_left_out(chosen, session, paths, os.environ)


def tell_if_left_out(profile: str, session: Session, paths: Paths, environ: Mapping[str, str]) -> None:
    """After a login to the session: say where the AWS programs do not find it for this profile."""
    if not session.legacy and is_left_out(profile, paths, environ):
        enable = printable(command_for("enable", profile))
        text = (
            f"The AWS CLI does not find this login for the profile {printable(profile)}, which names no sso_session; "
            f"enable it so that it uses this login: {enable}"
        )
        click.echo(flowed(text, enable))


class _Lease(enum.Enum):
    """What the daemon says to a login."""

    HELD = enum.auto()  # it is ours
    ENDED = enum.auto()  # another login had it, and has ended
    LOST = enum.auto()  # another login had it when the daemon went away
    NONE = enum.auto()  # there is no daemon to ask


class Login:
    """One run of the command for one session."""

    def __init__(self, session: Session, paths: Paths, environ: Mapping[str, str]) -> None:
        self._session = session
        self._shown = printable(session.name)
        self._desk = Desk.of(paths, environ)
        self._told = False
        # Whether there is one to ask; one that hangs would take its time at each question.
        self._daemon = True

    def run(self, *, device: bool = False, no_browser: bool = False, force: bool = False) -> None:
        """Log in where that is needed, and say how things stand. Raises CredhelperError.

        Args:
            device: by a device code.
            no_browser: open no browser, and take a pasted address from stdin even where that is no terminal.
            force: also where the session can still be used.
        """
        for notice in settings.record_network(self._desk.paths, self._desk.environ):
            complain(notice)
        self._remember_config()
        self._start_daemon()
        if not force and self._is_logged_in():
            return
        for _ in range(_JOINS):
            with self._lease() as lease:
                if lease is not _Lease.ENDED:
                    with turn(self._turn_path, waiting=self._say_waiting) as waited:
                        if waited or lease is _Lease.LOST:
                            force = False
                            if self._has_joined():
                                return
                        # Another login may have ended between the look above and the lease.
                        elif not force and self._is_logged_in():
                            return
                        self._log_in(device=device, no_browser=no_browser)
                    return
            force = False
            if self._has_joined():
                return
        raise CredhelperError(f"other logins to {self._shown} are in the way", "Wait for them, then try again")

    def _has_joined(self) -> bool:
        """Whether the other login, which has ended, was for us too. Raises LoginNeeded where nobody can be asked."""
        click.echo(flowed(f"Another login to {self._shown} has ended."))
        if self._is_logged_in():
            return True
        if not sys.stdin.isatty():
            # Fifty jobs that waited for one login must not open fifty pages when it fails.
            raise LoginNeeded(
                f"the other login to {self._shown} came to nothing", f"Run `{login_command(self._session.name)}`"
            )
        return False

    @property
    def _turn_path(self) -> Path:
        return self._desk.paths.locks / f"{self._desk.cache.path(self._session.cache_key).stem}.login"

    def _say_waiting(self) -> None:
        if not self._told:
            self._told = True
            click.echo(flowed(f"Another login to {self._shown} is under way; waiting for it to end."))

    def _log_in(self, *, device: bool, no_browser: bool) -> None:
        center = self._center()
        environ = self._desk.environ
        own = settings.load(self._desk.paths).browsers.get(self._session.name)
        choice = choose(environ, device=device, no_browser=no_browser, own=own)
        try:
            browser.check_start_url(
                self._session.start_url, self._session.name, loopback=is_loopback(center.authorize_endpoint())
            )
            click.echo(flowed(f"Logging in to {self._shown} ({printable(self._session.start_url)}) {choice.how}."))
            with person(open_browser=choice.open_browser, read_stdin=no_browser, environ=environ, own=own) as someone:
                token = log_in(
                    self._session,
                    cache=self._desk.cache,
                    records=self._desk.records,
                    center=center,
                    clock=self._desk.clock,
                    method=choice.method,
                    ui=someone,
                )
        finally:
            center.close()
        if self._desk.paths.helper.exists():
            with contextlib.suppress(CredhelperError):
                resources.install_helper(self._desk.paths)
        if self._daemon:
            with contextlib.suppress(CredhelperError):
                self._desk.agent.call("reload")
        now = self._desk.clock.now()
        until = local_time(token.expires_at, now)
        ending = "and renews itself" if token.refreshable(now) else "and cannot be renewed"
        done = f"Logged in to {self._shown} until {until}, {ending}."
        click.echo(styled(flowed(done), None if self._desk.environ.get("NO_COLOR") else "green"))

    def _is_logged_in(self) -> bool:
        """Whether nothing needs to be done, after a silent renewal where that helps; says so."""
        found = self._find()
        if renewable(found, self._desk.clock.now()) and not suffices(found, self._desk.clock.now()):
            # The daemon's word saves a person the seconds that a refused renewal takes.
            if self._is_refused():
                return False
            found = self._renewed(found)
        now = self._desk.clock.now()
        cap_at = self._cap_at(found)
        if found is None or not suffices(found, now, cap_at=cap_at):
            return False
        if self._is_refused() if renewable(found, now) else self._is_over():
            return False
        left = duration(found.token.expires_at - now)
        until = local_time(found.token.expires_at, now)
        ending = "renews itself" if renewable(found, now) else "cannot be renewed; --force logs in anew"
        if cap_at is not None and renewable(found, now):
            ending += f" until {local_time(cap_at, now)}"
        click.echo(flowed(f"Already logged in to {self._shown} until {until} ({left} left; {ending})."))
        return True

    def _cap_at(self, found: Found | None) -> float | None:
        """When AWS ends the session: known where the settings name its cap and the token is of a login of ours."""
        cap = settings.load(self._desk.paths).session_caps.get(self._session.name)
        return None if found is None or cap is None else self._desk.records.cap_at(found.key, found.token, cap)

    def _is_refused(self) -> bool:
        """Whether AWS refuses to renew a token that looks renewable: the daemon knows, the file does not say so."""
        return self._state_is({"expiring", "expired"})

    def _is_over(self) -> bool:
        """Whether AWS no longer accepts a token whose date lies ahead: the daemon knows, once a call was refused."""
        return self._state_is({"expired"})

    def _state_is(self, states: set[str]) -> bool:
        if not self._daemon:
            return False
        with contextlib.suppress(CredhelperError):
            known = self._desk.agent.known_of(self._session)
            return known is not None and known["state"] in states
        return False

    def _renewed(self, found: Found | None) -> Found | None:
        """The token after a try to renew it without the person. Where AWS refuses, a login follows.

        Raises LoginFailed where AWS cannot be reached.
        """
        centers = Centers(self._desk.records, lambda: settings.load(self._desk.paths), self._desk.clock)
        with contextlib.closing(centers):
            try:
                renew(
                    self._session,
                    cache=self._desk.cache,
                    records=self._desk.records,
                    center_for=centers.for_token,
                    clock=self._desk.clock,
                    stays=False,
                )
            except UpstreamError as error:
                if error.code in {UpstreamError.OFFLINE, UpstreamError.PORTAL}:
                    raise explain(error) from error  # the browser would not get any further
                return found
            except CredhelperError:
                return found
        return self._find()

    def _find(self) -> Found | None:
        try:
            return self._desk.cache.find(self._session, self._desk.clock.now())
        except TokenUnreadable:
            return None  # the login replaces it

    def _remember_config(self) -> None:
        """Let the daemon know the config that this environment names; else it would not renew what we log in to."""
        config = self._desk.paths.config_file(self._desk.environ)
        if config.exists():
            with contextlib.suppress(CredhelperError):
                resources.remember_config(self._desk.paths, config)

    def _start_daemon(self) -> None:
        try:
            self._desk.agent.start()
        except CredhelperError as error:
            self._daemon = False
            complain(f"{error} (the login goes on without it)")

    @contextlib.contextmanager
    def _lease(self) -> Iterator[_Lease]:
        """Hold the daemon's lease on this session, by which helpers know that a login is under way.

        Where no daemon grants it, the lock alone decides whose turn it is.
        """
        self._told = False
        with contextlib.ExitStack() as stack:
            lease = _Lease.NONE
            if self._daemon:
                try:
                    granted = self._desk.agent.login_lease(self._session.cache_key, self._say_waiting)
                    lease = _Lease.HELD if stack.enter_context(granted) else _Lease.ENDED
                except CredhelperError as error:
                    # A daemon that went away while we waited had given the lease to another login.
                    lease = _Lease.LOST if self._told and error.__cause__ is not None else _Lease.NONE
            yield lease

    def _center(self) -> IdentityCenter:
        """The service as the person's own environment and settings lead to it."""
        theirs = endpoints_from_environment(self._desk.environ)
        known = settings.load(self._desk.paths)
        named = known.endpoints.get(self._session.name, Endpoints())
        endpoints = Endpoints(
            oidc=theirs.oidc or named.oidc, portal=theirs.portal or named.portal, sts=theirs.sts or named.sts
        )
        # With what this environment says, just recorded: the daemon's is the same.
        network = network_for(known.network, endpoints.oidc)
        return IdentityCenter(self._session.region, endpoints, network, self._desk.clock)
