"""A planned edit of the AWS config: shown, asked about, written, reported; for all commands that make one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from credhelper.aws.config.apply import Plan, diff, shared_with, write
from credhelper.aws.config.edit import Edit
from credhelper.cli import show_diff
from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError
from credhelper.paths import Paths
from credhelper.terminal import counted, is_terminal, printable

_VERBS = {"is": "are", "has": "have", "does": "do"}
# A longer diff is shown in part where a person is to answer below it.
_MOST_LINES = 200
# More profiles of which the same is said are counted.
_MOST_NAMED = 5
_DONE = {"Enable": "enabled", "Disable": "disabled", "Write": "written", "Remove": "removed"}


def carry_out(paths: Paths, plan: Plan, verb: str, *, dry_run: bool, yes: bool, install: bool) -> bool:
    """Show, ask, write. Returns False where the answer was no.

    Raises CredhelperError where there is nobody to ask, and FileChanged where another program wrote the file.
    """
    if plan.changes and (dry_run or not yes):
        lines = list(diff(plan))
        some = lines if dry_run or len(lines) <= _MOST_LINES + 1 else lines[:_MOST_LINES]
        show_diff(some)
        if len(some) < len(lines):
            click.echo(f"… and {len(lines) - len(some):,} more lines; --dry-run shows all of them.")
    if plan.changes and not dry_run and not yes and not _confirmed(paths, plan, verb):
        click.echo("Nothing was written.")
        return False
    restored = not dry_run and _write(paths, plan, install=install)
    _report(plan, verb, dry_run=dry_run)
    if restored:
        click.echo(f"The helper was missing and is in place again: {printable(str(paths.helper))}")
    elif not plan.changes:
        click.echo("Nothing to change.")
    return True


def outcome(plan: Plan, *, by_name: bool) -> int:
    """The exit code: a profile that was asked for by name and refused is a failure."""
    return EXIT_FAILURE if by_name and plan.edit.refused else EXIT_OK


def _write(paths: Paths, plan: Plan, *, install: bool) -> bool:
    """Returns whether enabled profiles had been without the helper, and have it again."""
    from credhelper import resources  # noqa: PLC0415 - spares `--help` and `--dry-run` its imports

    enabled = any("already" in reason for _, reason in plan.edit.unchanged)
    managed = plan.changes or enabled
    restored = install and enabled and resources.helper_is_missing(paths)
    if install and managed:
        resources.install_helper(paths)
    if plan.changes:
        write(plan)
    if install and managed:
        resources.remember_config(paths, plan.path)
    return restored


def _confirmed(paths: Paths, plan: Plan, verb: str) -> bool:
    if not is_terminal():
        raise CredhelperError("there is no terminal to ask on, and nothing was written", "Say --yes")
    reason = shared_with(paths, plan.path)
    if reason and not click.confirm(f"{printable(reason)}; another system may share it. Go on?", default=False):
        return False
    return click.confirm(f"{_what(plan, verb)} in {printable(str(plan.path))}?", default=True)


def _what(plan: Plan, verb: str) -> str:
    """What is to be done, as the beginning of a sentence."""
    revised = {name for name, _ in plan.edit.revised}
    new = [name for name in plan.edit.changed if name not in revised]
    parts = [f"{verb} {_profiles(new)}"] if new else []
    if revised:
        parts.append(f"{'change' if parts else 'Change'} {counted(len(revised), 'profile')}")
    if plan.edit.removed:
        parts.append(f"{'remove' if parts else 'Remove'} {_profiles(plan.edit.removed)}")
    return ", ".join([*parts[:-2], " and ".join(parts[-2:])])


def _report(plan: Plan, verb: str, *, dry_run: bool) -> None:
    edit = plan.edit
    for line in _said("Refused", edit.refused):
        click.echo(line)
    for warning in edit.warnings:
        click.echo(f"Mind: {printable(warning)}")
    _report_unchanged(plan)
    for line in revisions(edit):
        click.echo(line)
    revised = [name for name, _ in edit.revised]
    others = set(revised)
    new = [name for name in edit.changed if name not in others]
    for names, done in ((new, _DONE[verb]), (revised, "changed"), (edit.removed, "removed")):
        if names:
            text = f"{_profiles(names)} {'would be ' if dry_run else ''}{done}"
            listed = ", ".join(printable(name) for name in names[:20])
            more = len(names) - 20
            click.echo(f"{text}: {listed}{f' and {more} more' if more > 0 else ''}.")


def revisions(edit: Edit) -> Iterator[str]:
    """What becomes different in profiles of ours that were there, a line each."""
    return _said("Changed", edit.revised)


def _said(what: str, said: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Lines on profiles and what is said of them, harmless; many of which the same is said are counted."""
    for text, names in _by_reason(said).items():
        for who in [_profiles(names)] if len(names) > _MOST_NAMED else names:
            yield printable(f"{what}: {who}: {text}")


def _report_unchanged(plan: Plan) -> None:
    for reason, names in _by_reason(plan.edit.unchanged).items():
        if len(names) == 1:
            click.echo(f"Left as it is: {printable(names[0])}: {printable(reason)}")
        else:
            click.echo(f"Left as they are: {_profiles(names)}: {printable(_of_several(reason))}")


def _by_reason(said: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Names by what is said of them."""
    found: dict[str, list[str]] = {}
    for name, reason in said:
        found.setdefault(reason, []).append(name)
    return found


def _of_several(reason: str) -> str:
    """A reason that begins with `it is`, `it has`… as one of several profiles."""
    subject, _, rest = reason.partition(" ")
    verb, _, rest = rest.partition(" ")
    if subject != "it":
        return reason
    return f"they {_VERBS.get(verb, verb.removesuffix('s'))} {rest}".replace("of its own", "of their own")


def _profiles(names: Sequence[str]) -> str:
    return counted(len(names), "profile")
