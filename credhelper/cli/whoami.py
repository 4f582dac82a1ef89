"""`credhelper whoami`: who a profile is at AWS and for how long, or which of many causes keeps that unsaid."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import click

from credhelper.aws.choices import Choices
from credhelper.aws.directory import account_name
from credhelper.cli import complain, no_core_dumps
from credhelper.cli.desk import Desk
from credhelper.cli.identity import ENVIRONMENT, KEY_FILES, Identity, Keys, ask
from credhelper.cli.identity_causes import unset_keys
from credhelper.cli.standing import Standing, standing_of
from credhelper.core.report import date
from credhelper.errors import CredhelperError
from credhelper.model import Profile, Session
from credhelper.paths import Paths
from credhelper.terminal import local_time, printable


@click.command("whoami")
@click.argument("profile", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
def command(profile: str | None, *, as_json: bool) -> None:
    """Ask AWS which identity PROFILE has, and say for how long.

    Without PROFILE: which one programs have here, by keys in the environment, $AWS_PROFILE, or the profile `default`.

    Where there is no answer, it says why: not logged in, no access to the role, network, proxy, clock, or keys that
    come before the profile.
    """
    no_core_dumps()
    report = look(profile, os.environ)
    for said in report.in_the_way:
        complain(said)
    if as_json:
        click.echo(json.dumps(report.document(), indent=2))
        return
    for name, value in report.lines():
        click.echo(f"{name + ':':9}{printable(value) if value else '-'}")


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown of one profile.

    Attributes:
        account_name: None where it is not known.
        standing: of the session behind it; None where there is none.
        in_the_way: what else has a say in which credentials programs use, in a sentence each.
        now: by this machine's clock, in seconds since the epoch.
    """

    identity: Identity
    keys: Keys
    account_name: str | None
    standing: Standing | None
    in_the_way: tuple[str, ...]
    now: float

    def document(self) -> dict[str, str | None]:
        """For programs: dates as `YYYY-MM-DDTHH:MM:SSZ`, null for what is not known."""
        session = self.standing.fields() if self.standing else dict.fromkeys(SESSION_FIELDS)
        return {
            **asdict(self.identity),
            "account_name": self.account_name,
            "source": self.keys.source or None,
            "expires_at": date(self.keys.expires_at),
            **session,
        }

    def lines(self) -> Iterator[tuple[str, str | None]]:
        """For people."""
        found = self.identity
        yield "profile", found.profile or "none: these are the keys in the environment"
        yield "account", f"{found.account} ({self.account_name})" if self.account_name else found.account
        yield "role", found.role
        yield "person", found.person
        yield "until", self._until()
        if self.standing is not None:
            yield "session", f"{self.standing.name}, {self.standing.sentence}"
        yield "arn", found.arn

    def _until(self) -> str | None:
        from credhelper.cli.tables import span  # noqa: PLC0415 - rich is for people alone

        end = self.keys.expires_at
        if end is None:
            return "without end (an IAM user's keys)" if self.keys.lasting else None
        return f"{local_time(end, self.now)} ({span(end, self.now)} left)"


SESSION_FIELDS = ("session", "session_state", "session_ends_at")


def look(profile: str | None, environ: Mapping[str, str]) -> Report:
    """Ask AWS, and put together what else is known. Raises as `identity.ask` does."""
    identity, keys = ask(profile, environ)
    desk = Desk.of(Paths.of(environ), environ)
    behind, session = _behind(identity.profile, desk)
    return Report(
        identity,
        keys,
        account_name(desk.paths, session, identity.account) if session else None,
        standing_of(session, desk) if session else None,
        tuple(_in_the_way(identity, keys, behind, desk)),
        desk.clock.now(),
    )


def _behind(name: str | None, desk: Desk) -> tuple[Profile | None, Session | None]:
    """The profile whose credentials those of `name` come from, and the session that they need."""
    if name is not None:
        with contextlib.suppress(CredhelperError):
            choices = Choices.of(desk.paths, desk.environ)
            return choices.behind(name), choices.session(name)
    return None, None


def _in_the_way(identity: Identity, keys: Keys, behind: Profile | None, desk: Desk) -> Iterator[str]:
    """Keys that come before what the profile would give."""
    if keys.source == ENVIRONMENT:
        passed_over = _passed_over(desk)
        if passed_over is not None:
            yield f"the keys in the environment come before {passed_over}. {unset_keys(desk.environ)}."
    elif desk.environ.get("AWS_ACCESS_KEY_ID"):
        yield (
            "AWS_ACCESS_KEY_ID is set: programs that are not given this profile by name use those keys, also where "
            f"AWS_PROFILE is set. {unset_keys(desk.environ)}."
        )
    if keys.source in KEY_FILES and behind is not None and (behind.session or behind.managed):
        static = keys.source == KEY_FILES[0]
        path = desk.paths.credentials_file(desk.environ) if static else desk.paths.config_file(desk.environ)
        yield f"the keys of {identity.profile} in {path} come before its Identity Center session. Take them out."


def _passed_over(desk: Desk) -> str | None:
    """What would count were there no keys in the environment."""
    for variable in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        if desk.environ.get(variable):
            return f"{variable}={desk.environ[variable]}"
    with contextlib.suppress(CredhelperError):
        if "default" in Choices.of(desk.paths, desk.environ).names:
            return "the profile default"
    return None
