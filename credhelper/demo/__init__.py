"""`credhelper demo`: the whole of credhelper at work in a world of its own, in about a minute.

`world` is the stage and may be used by itself, `story` what happens on it, `observer` and `board` what is known of
it, `view` how it is shown; `shell` and `controls` let a person onto the stage.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from types import FrameType

import click

from credhelper.demo import shell
from credhelper.demo.board import Board
from credhelper.demo.schedule import Schedule
from credhelper.demo.story import Story, StoryBroken
from credhelper.demo.view import choose_view, summarize
from credhelper.demo.world import World


def play(
    *,
    keep: bool = False,
    schedule: Schedule | None = None,
    environ: Mapping[str, str] | None = None,
    prepare: Callable[[World], None] | None = None,
) -> Board:
    """Play the demo and print its summary.

    Args:
        keep: leave the temporary home folder behind.
        schedule: the timing.
        environ: of the person.
        prepare: called with the world before the story begins, to put trouble into it.

    Returns:
        The board at the end; with `problems` where something was not as it should be.

    Raises CredhelperError where the world cannot be made or a command fails in it, and KeyboardInterrupt.
    """
    environ = os.environ if environ is None else environ
    _let_every_sign_be_shown()
    view = choose_view(environ)
    try:
        with _world(schedule or Schedule(), environ, keep=keep) as world:
            if prepare is not None:
                prepare(world)
            story = Story(world, view)
            with view, contextlib.suppress(StoryBroken):
                story.tell()
    except KeyboardInterrupt:
        click.echo(f"Interrupted. The demo's world has ended{'' if keep else ', and nothing of it is left'}.")
        raise
    summarize(story.board, environ)
    return story.board


def open_shell(
    *, keep: bool = False, lifetime: float | None = None, environ: Mapping[str, str] | None = None
) -> None:
    """Open the person's shell in a world in which they are logged in; returns when it has ended and all is removed.

    Args:
        keep: leave the temporary home folder behind.
        lifetime: of tokens and role credentials, in seconds; default a minute.
        environ: of the person.

    Raises CredhelperError where there is no terminal, the world cannot be made, or a command fails in it.
    """
    shell.check_terminal()
    environ = os.environ if environ is None else environ
    _let_every_sign_be_shown()
    with _world(shell.schedule(lifetime or shell.LIFETIME), environ, keep=keep) as world:
        shell.open_shell(world, environ)
    click.echo("The demo's world has ended." if keep else "The demo's world has ended, and nothing of it is left.")


def _let_every_sign_be_shown() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a locale that lacks a sign must not end the demo


@contextlib.contextmanager
def _world(schedule: Schedule, environ: Mapping[str, str], *, keep: bool) -> Iterator[World]:
    world = World(schedule, environ, keep=keep)
    try:
        with _ended_in_order(), world:
            yield world
    finally:
        if keep and world.made:
            click.echo(f"The temporary home folder is kept: {world.home}")


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let a request to end (a closed terminal, a service manager) clean up as Ctrl-C does."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = {number: signal.signal(number, leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
