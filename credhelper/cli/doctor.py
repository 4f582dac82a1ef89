"""`credhelper doctor`: look for everything that goes wrong in practice, and mend what can be mended safely."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from credhelper.cli import complain, group, no_core_dumps, tell
from credhelper.cli.doctor_view import show, show_finding, show_text, summary
from credhelper.doctor.examination import THEMES, Theme, examine
from credhelper.doctor.remarks import Finding
from credhelper.doctor.scene import Scene
from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError, UsageError
from credhelper.paths import Paths
from credhelper.terminal import is_terminal, paragraph, printable

SCHEMA = 1
# Those of our commands that show what they would do, and ask.
_ASKING = {"enable", "hook"}
# Takes seconds where there is no network, and is asked again only where something about it was changed.
_SLOW = "Network"


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Mend what can be mended safely, one thing after the other.")
@click.option("--yes", is_flag=True, help="With --fix: do not ask.")
@click.option("--verbose", is_flag=True, help="Tell all that was looked at, too.")
@click.option("--json", "as_json", is_flag=True, help="For programs; see the documentation for the schema.")
def command(*, fix: bool, yes: bool, verbose: bool, as_json: bool) -> int:
    """Look for everything that goes wrong in practice.

    Says of each finding why it is one and what mends it. Nothing is changed without --fix. Exit code 1 where there is
    a problem; hints alone are none.
    """
    if yes and not fix:
        raise UsageError("--yes is for --fix", "Say --fix too")
    if fix and not yes and (as_json or not is_terminal()):
        raise UsageError("--fix asks before it changes anything, and there is nobody to ask", "Say --yes")
    paths = Paths.of()
    if fix:
        paths.check_owner()
    no_core_dumps()  # tokens are read, and sent to the endpoints of their login
    with _looking():
        scene = _scene(paths)
        themes = examine(scene)
    told, mended = _findings(themes), []
    if fix:
        if not as_json:
            show(themes, verbose=verbose)
        with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
            mended = _mend(themes, yes=yes)
        if mended:
            with _looking():
                themes = _look_again(scene, themes, mended)
    if as_json:
        click.echo(json.dumps(_document(themes, mended), indent=2))
    elif not fix:
        show(themes, verbose=verbose)
        show_text(summary(themes))
    else:
        if mended:
            click.echo()
            show(_news(themes, told, mended), verbose=False, only_findings=True)
        show_text(summary(themes, mended=len(mended)))
    return EXIT_FAILURE if any(finding.kind == "problem" for finding in _findings(themes)) else EXIT_OK


def _scene(paths: Paths) -> Scene:
    return Scene(paths, os.environ, interactive=is_terminal() and sys.stdout.isatty())


def _findings(themes: Sequence[Theme]) -> list[Finding]:
    return [finding for theme in themes for finding in theme.findings]


def _mend(themes: Sequence[Theme], *, yes: bool) -> list[tuple[Finding, str]]:
    """Mend what can be mended; what was tried with success, each with what was done."""
    mended: list[tuple[Finding, str]] = []
    done: set[object] = set()
    for finding in _findings(themes):
        mend = finding.mend
        # Two mends may share a command and not be the same: `enable` would do all that each of them does a part of.
        key = mend.verb or (finding.check, mend.command)
        if not mend.can_be_done or key in done:
            continue
        asks = bool(mend.verb) and mend.verb[0] in _ASKING
        click.echo()
        show_finding(finding)
        if not yes and not asks and not click.confirm("Mend it?", default=True):
            continue
        done.add(key)
        try:
            outcome = _do(finding, yes=yes)
        except CredhelperError as error:
            complain(error.message)
            if error.remedy:
                tell(f"  {paragraph(error.remedy, '  ')}")
        except OSError as error:
            complain(f"it cannot be mended: {error.strerror}")
        else:
            if outcome is not None:
                mended.append((finding, outcome))
    return mended


def _do(finding: Finding, *, yes: bool) -> str | None:
    """Do what mends it; in a few words what was done, or None where the person said no."""
    mend = finding.mend
    outcome = f"ran `credhelper {' '.join(mend.verb)}`"
    if mend.verb:
        name, *rest = mend.verb
        arguments = [name, "--yes", *rest] if yes and name in _ASKING else list(mend.verb)
        if group.main(arguments, prog_name="credhelper", standalone_mode=False) not in {None, EXIT_OK}:
            return None
    if mend.action is not None:
        outcome = mend.action()
        click.echo(f"Done: {printable(outcome)}.")
    return outcome


def _look_again(old: Scene, before: Sequence[Theme], mended: Sequence[tuple[Finding, str]]) -> list[Theme]:
    touched = {theme.title for theme in before for finding, _ in mended if finding in theme.findings}
    scene, titles = _scene(old.paths), set(THEMES)
    if _SLOW not in touched:
        titles.remove(_SLOW)
        scene.refused = old.refused
    fresh = {theme.title: theme for theme in examine(scene, titles)}
    return [fresh.get(theme.title, theme) for theme in before]


def _news(themes: Sequence[Theme], told: Sequence[Finding], mended: Sequence[tuple[Finding, str]]) -> list[Theme]:
    """What the second look has found that nobody has read yet, and what is there still though it was mended."""
    read = [finding for finding in told if finding not in [done for done, _ in mended]]
    return [
        Theme(theme.title, [], [finding for finding in theme.findings if finding not in read]) for theme in themes
    ]


def _document(themes: Sequence[Theme], mended: Sequence[tuple[Finding, str]]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "well": not any(finding.kind == "problem" for finding in _findings(themes)),
        "themes": [
            {
                "title": theme.title,
                "well": [well.text for well in theme.wells],
                "findings": [_entry(finding) for finding in theme.findings],
            }
            for theme in themes
        ],
        "mended": [{"check": finding.check, "text": finding.text, "done": outcome} for finding, outcome in mended],
    }


def _entry(finding: Finding) -> dict[str, Any]:
    return {
        "check": finding.check,
        "kind": finding.kind,
        "text": finding.text,
        "cause": finding.cause,
        "command": finding.mend.command,
        "words": finding.mend.words,
        "fixable": finding.mend.can_be_done,
    }


@contextlib.contextmanager
def _looking() -> Iterator[None]:
    """Tell a person who waits what for."""
    live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if live:
        click.echo("Looking at everything, and asking AWS …", err=True, nl=False)
    try:
        yield
    finally:
        if live:
            click.echo("\r\x1b[K", err=True, nl=False)
