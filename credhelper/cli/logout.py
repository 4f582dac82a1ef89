"""`credhelper logout`: end sessions here and on the server."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence

import click

from credhelper import settings
from credhelper.aws.centers import Centers
from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.logout import Farewell, forget_cli_credentials, log_out, log_out_of_rest
from credhelper.aws.targets import resolve_session
from credhelper.aws.world import World
from credhelper.cli import complain, no_core_dumps
from credhelper.cli.desk import Desk
from credhelper.endpoints import network_for
from credhelper.errors import CredhelperError
from credhelper.model import Endpoints, Profile, Session
from credhelper.paths import Paths
from credhelper.terminal import counted, printable


@click.command("logout")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All sessions, and every other token in the AWS cache.")
def command(names: tuple[str, ...], *, everything: bool) -> None:
    """Log out of the sessions NAME…, or of those that the profiles NAME… use.

    Without NAME: of the session of $AWS_PROFILE, else of the only session there is. The server is told, token files
    are removed, credentials are forgotten. Programs that hold role credentials keep them until they end.
    """
    if names and everything:
        raise click.UsageError("Give names or --all, not both.")
    paths = Paths.of()
    paths.check_owner()
    no_core_dumps()
    Logout(paths, os.environ).run(names, everything=everything)


class Logout:
    """One run of the command."""

    def __init__(self, paths: Paths, environ: Mapping[str, str]) -> None:
        self._desk = Desk.of(paths, environ)
        known = self._settings()
        self._network = known.network
        self._centers = Centers(self._desk.records, lambda: known, self._desk.clock)

    def _settings(self) -> settings.Settings:
        """The settings; a fault in them must not keep anybody logged in."""
        try:
            return settings.load(self._desk.paths)
        except CredhelperError as error:
            complain(f"{error.message} (the logout goes on with the defaults)")
            return settings.Settings(network=settings.recorded_network(self._desk.paths))

    def run(self, names: Sequence[str], *, everything: bool) -> None:
        """Log out and say what happened. Raises CredhelperError where the server could not be told."""
        world = World.of(self._desk.paths, self._desk.environ)
        if everything:
            for problem in world.problems.values():
                complain(f"{problem} (its sessions are known by their tokens alone)")
            sessions = world.sessions()
        else:
            resolved = [resolve_session(name, self._desk.environ, self._desk.paths) for name in (names or (None,))]
            sessions = list({session.id: session for session in resolved}.values())
        farewells = [self._leave(session) for session in sessions]
        if everything:
            rest = log_out_of_rest(cache=self._desk.cache, records=self._desk.records, center_for=self._center)
            if rest.removed:
                click.echo(f"Removed {counted(rest.removed, 'more token file')} of sessions that no config names.")
            farewells.append(rest)
        entries = forget_cli_credentials(
            self._desk.paths.cli_cache, None if everything else _profiles_of(world.profiles(), sessions)
        )
        if entries:
            click.echo(f"Removed {counted(entries, 'file')} with role credentials from the AWS CLI's cache.")
        if everything:
            self._forget("")
        if not entries and not any(done.removed or done.stuck for done in farewells):
            shown = "any session" if everything else " or ".join(printable(session.name) for session in sessions)
            click.echo(f"Not logged in to {shown}; there was nothing to do.")
        _complain(farewells)

    def _leave(self, session: Session) -> Farewell:
        done = log_out(
            session,
            cache=self._desk.cache,
            records=self._desk.records,
            endpoints_for=self._centers.endpoints,
            center_for=self._center,
            gone=lambda: self._forget(session.cache_key),
        )
        if done.removed and not done.stuck:
            suffix = "" if not done.untold else ", on this machine only"
            click.echo(f"Logged out of {printable(session.name)}{suffix}.")
        return done

    def _forget(self, key: str) -> None:
        """Let the daemon drop its credentials of `key` (empty: all); without a daemon there are none."""
        with contextlib.suppress(CredhelperError):
            self._desk.agent.call("forget", key=key)

    def _center(self, region: str, endpoints: Endpoints) -> IdentityCenter:
        network = network_for(self._network, endpoints.portal)
        return IdentityCenter(region, endpoints, network, self._desk.clock, timeout=5.0)


def _profiles_of(profiles: Sequence[Profile], sessions: Sequence[Session]) -> list[Profile]:
    ids = {session.id for session in sessions}
    return [profile for profile in profiles if profile.session is not None and profile.session.id in ids]


def _complain(farewells: Sequence[Farewell]) -> None:
    stuck = [reason for done in farewells for reason in done.stuck]
    if stuck:
        raise CredhelperError(printable(stuck[0]), "Remove the file yourself, then log out again")
    untold = list(dict.fromkeys(reason for done in farewells for reason in done.untold))
    if untold:
        raise CredhelperError(
            f"the token files are gone, but the server could not be told: {printable('; '.join(untold))}",
            "Its side of the session ends by itself; to end it now, sign out in the access portal",
        )
