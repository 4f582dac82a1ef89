"""Which accounts and roles get a profile, and what the profiles are called."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import click

from credhelper.aws.config import ConfigFile, profiles_of
from credhelper.aws.config.authoring import written_profiles
from credhelper.aws.directory import Directory
from credhelper.cli.multiselect import choose
from credhelper.cli.setup.questions import ask_text, pick
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Selection, Subject, Template, assign
from credhelper.terminal import printable

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


@dataclass(frozen=True, slots=True)
class Candidate:
    """One account and role that the person has.

    Attributes:
        ours: the name of the profile that was written for it.
        others: names of profiles of the person's own for it.
    """

    subject: Subject
    ours: str | None = None
    others: tuple[str, ...] = ()


def candidates(directory: Directory, session: Session, config: ConfigFile, paths: Paths) -> list[Candidate]:
    """All accounts and roles, by the account's name and the role's, with the profiles that they have already."""
    written = {
        name: profile for name, profile in written_profiles(config.data).items() if profile.session == session.name
    }
    ours: dict[tuple[str, str], str] = {}
    for name, profile in written.items():
        ours.setdefault((profile.account_id, profile.role_name), name)
    others: dict[tuple[str | None, str | None], list[str]] = {}
    for found in profiles_of(config, {}, paths.helper):
        same = found.session is not None and (found.session.same_start, found.session.region) == (
            session.same_start,
            session.region,
        )
        if same and found.name not in written:
            others.setdefault((found.account_id, found.role_name), []).append(found.name)
    made = [
        Candidate(
            Subject(session.name, account.account_id, account.name, account.email, role),
            ours.get((account.account_id, role)),
            tuple(others.get((account.account_id, role), ())),
        )
        for account in directory.accounts
        for role in account.roles or ()
    ]

    def order(one: Candidate) -> tuple[str, str, str]:
        return one.subject.account_name.casefold(), one.subject.account_id, one.subject.role

    return sorted(made, key=order)


def preselected(offered: Sequence[Candidate], before: Directory | None) -> set[int]:
    """Places of those that are taken unless the person says otherwise.

    What has a profile of ours keeps it. Of the rest, all are taken by the first run, and by a later one those that
    were not to be had then: the others were left out on purpose. For what has a profile of the person's own, none is
    written unasked.
    """
    again = any(one.ours for one in offered)
    seen = {
        (account.account_id, role)
        for account in (before.accounts if before is not None else ())
        for role in account.roles or ()
    }
    return {
        at
        for at, one in enumerate(offered)
        if one.ours
        or (not one.others and not (again and (before is None or (one.subject.account_id, one.subject.role) in seen)))
    }


def choose_candidates(offered: Sequence[Candidate], before: Directory | None) -> list[Candidate]:
    """Those that the person wants profiles for. Raises click.Abort."""
    rows = [
        tuple(
            map(
                printable,
                (
                    one.subject.account_name or one.subject.account_id,
                    one.subject.account_id,
                    one.subject.role,
                    ", ".join(filter(None, (one.ours, *one.others))),
                ),
            )
        )
        for one in offered
    ]
    chosen = choose(
        "Which accounts and roles shall have a profile?",
        _HEADINGS,
        rows,
        preselected(offered, before),
        spare=("id", "has a profile"),
    )
    click.echo(f"Chosen: {len(chosen):,} of {len(offered):,}")
    return [one for at, one in enumerate(offered) if at in chosen]


def named(
    chosen: Sequence[Candidate], template: Template, taken: Collection[str], *, keep: bool
) -> dict[Candidate, str]:
    """A name for each; with `keep`, those that have a profile of ours keep its name."""
    known = {one.subject: one.ours for one in chosen if one.ours is not None and keep}
    free = [name for name in taken if keep or name not in {one.ours for one in chosen}]
    names = assign([one.subject for one in chosen], template, set(free) - set(known.values()), known)
    return {one: names[one.subject] for one in chosen}


def choose_names(chosen: Sequence[Candidate], template: Template, taken: Collection[str]) -> dict[Candidate, str]:
    """Show the names, and let the person have others. Raises click.Abort."""
    keep = True
    while True:
        names = named(chosen, template, taken, keep=keep)
        show_names(names)
        other = _pick_style(chosen[0], template)
        if other is None:
            return names
        template, keep = other, False


def _pick_style(first: Candidate, template: Template) -> Template | None:
    styles = [style for style in _STYLES if style != template.text]
    options: list[tuple[str, str | None]] = [
        ("These are good", ""),
        *((f"Rather like {Template.parse(style).render(first.subject)}", style) for style in styles),
        ("By a template of my own", None),
    ]
    picked = pick("Names of the profiles:", options)
    if picked is None:
        click.echo("A template has fields such as {account_name} {account_id} {account_email} {role} {session},")
        click.echo("each with filters: {account_email|before_at}, {account_name|slug}, {role|lower|remove:aws}")
        return ask_text("Template:", Template.parse)
    return Template.parse(picked) if picked else None


def show_names(names: Mapping[Candidate, str]) -> None:
    """The first of the names, each with what it is for."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415

    click.echo("The profiles will be:")
    columns = shutil.get_terminal_size().columns - 1
    shown = list(names.items())[:_SHOWN]
    width = max((cell_len(name) for _, name in shown), default=0)
    for one, name in shown:
        what = printable(f"{one.subject.account_name or one.subject.account_id}, {one.subject.role}")
        mark = " (as now)" if one.ours == name else ""
        line = f"  {set_cell_size(name, width)}  {what}{mark}"
        click.echo(line if cell_len(line) <= columns else f"  {name}")
    if len(names) > _SHOWN:
        click.echo(f"  and {len(names) - _SHOWN:,} more")


def selected(offered: Sequence[Candidate], selection: Selection, names: Mapping[Candidate, str]) -> list[Candidate]:
    """Those that the globs take."""
    return [one for one in offered if selection.takes(one.subject, names[one])]
