"""Which accounts and roles get a profile, and what the profiles are called."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

import click

from credhelper.aws.config import ConfigFile, profiles_of
from credhelper.aws.config.authoring import NewProfile, written_profiles
from credhelper.aws.directory import Directory
from credhelper.aws.left_out import Target
from credhelper.aws.proposal import Proposal
from credhelper.cli.lists import choose, cut
from credhelper.cli.setup.questions import ask_text, pick, say
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Subject, Template
from credhelper.terminal import printable, size

_HEADINGS = ("account", "id", "role", "has a profile")
# Offered beside the one in use; each is shown by what it makes of the first profile.
_STYLES = (
    DEFAULT_TEMPLATE,
    "{account_name|slug}-{role|dashed}",
    "{role}.{account_name|slug}",
    "{session}.{account_name|slug}.{role}",
    "{account_id}.{role}",
)
_SHOWN = 10
# Columns beside a name that are worth being written into.
_LEAST = 20


@dataclass(frozen=True, slots=True)
class Candidate:
    """One account and role that the person has.

    Attributes:
        profile: what would be written for it.
        ours: the name of the profile that was written for it.
        others: names of profiles of the person's own for it.
    """

    subject: Subject
    profile: NewProfile
    ours: str | None = None
    others: tuple[str, ...] = ()

    @property
    def target(self) -> Target:
        return self.subject.account_id, self.subject.role

    @property
    def account(self) -> str:
        """What people call it."""
        return self.subject.account_name or self.subject.account_id


def candidates(
    directory: Directory, proposal: Proposal, session: Session, config: ConfigFile, paths: Paths
) -> list[Candidate]:
    """What the proposal wants, by the account's name and the role's, with the profiles that are there already."""
    wanted = {(profile.account_id, profile.role_name): profile for profile in proposal.add}
    written = {
        name: profile for name, profile in written_profiles(config.data).items() if profile.session == session.name
    }
    old = {new: name for name, new in proposal.renamed.items()}
    others: dict[tuple[str | None, str | None], list[str]] = {}
    for found in profiles_of(config, {}, paths.helper):
        if found.name not in written and found.session is not None and _same(found.session, session):
            others.setdefault((found.account_id, found.role_name), []).append(found.name)
    made = []
    for account in directory.accounts:
        for role in account.roles or ():
            profile = wanted.get((account.account_id, role))
            if profile is not None:
                name = old.get(profile.name, profile.name)
                subject = Subject(session.name, account.account_id, account.name, account.email, role)
                own = tuple(others.get((account.account_id, role), ()))
                made.append(Candidate(subject, profile, name if name in written else None, own))

    def order(one: Candidate) -> tuple[str, str, str]:
        return one.account.casefold(), one.subject.account_id, one.subject.role

    return sorted(made, key=order)


def _same(one: Session, other: Session) -> bool:
    return (one.same_start, one.region) == (other.same_start, other.region)


def preselected(offered: Sequence[Candidate], left: Container[Target]) -> set[int]:
    """Places of those that are taken unless the person says otherwise.

    What has a profile of ours keeps it. Of the rest, all are taken but those that the person left out the last time,
    and those for which they have a profile of their own.
    """
    return {at for at, one in enumerate(offered) if one.ours or not (one.others or one.target in left)}


def choose_candidates(offered: Sequence[Candidate], left: Container[Target]) -> list[Candidate]:
    """Those that the person wants profiles for. Raises click.Abort."""
    rows = []
    for one in offered:
        has = ", ".join(filter(None, (one.ours, *one.others)))
        account, number, role = map(printable, (one.account, one.subject.account_id, one.subject.role))
        rows.append((account, number, role, printable(has)))
    # The id alone tells accounts of one name apart.
    same = len({one.account for one in offered}) < len({one.subject.account_id for one in offered})
    spare = ("has a profile",) if same else ("has a profile", "id")
    click.echo()
    places = choose("Accounts and roles:", _HEADINGS, rows, preselected(offered, left), spare=spare)
    click.echo(f"Chosen: {len(places):,} of {len(offered):,}")
    return [one for at, one in enumerate(offered) if at in places]


def pick_template(current: str, first: Subject) -> str | None:
    """Another template for the names, or None where the person likes them as they are. Raises click.Abort.

    Args:
        first: by which each template is shown.
    """
    options: list[tuple[str, str | None]] = [
        ("These are good", None),
        *((f"Rather like {Template.parse(text).render(first)}", text) for text in _STYLES if text != current),
        ("By a template of my own", ""),
    ]
    while True:
        picked = pick("Names of the profiles:", options)
        if picked != "":
            return picked
        say(
            "A template has the fields {account_name} {account_id} {account_email} {role} {session}, with filters "
            "if you like: {account_email|before_at}, {account_name|slug}, {role|remove:AWS|lower}"
        )
        text = ask_text("Template (Enter alone goes back):", _read_template)
        if text:
            return text


def _read_template(text: str) -> str:
    return Template.parse(text.strip()).text if text.strip() else ""


def show_names(chosen: Sequence[Candidate]) -> None:
    """The first of the names, new ones before those that are there, each with what it is for."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    columns = size()[0] - 1
    click.echo()
    click.echo("The profiles will be:")
    shown = sorted(chosen, key=lambda one: one.ours == one.profile.name)[:_SHOWN]
    width = max((cell_len(one.profile.name) for one in shown), default=0)
    for one in shown:
        name = one.profile.name
        what = printable(f"{one.account}, {one.subject.role}")
        mark = "  as now" if one.ours == name else ""
        if width + _LEAST > columns:
            click.echo(f"  {name}{mark}")  # a name is never cut
        else:
            click.echo(cut(f"  {set_cell_size(name, width)}{mark}  {what}", columns))
    if len(chosen) > _SHOWN:
        click.echo(f"  and {len(chosen) - _SHOWN:,} more")
