"""How `setup` asks: a line of text, one of a list, yes or no. Giving up at any of them is `click.Abort`."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import click

from credhelper.cli import complain, lists, tell
from credhelper.errors import UsageError
from credhelper.terminal import is_terminal, paragraph, printable, size

_Value = TypeVar("_Value")
# As the lists have it (`cli.lists`), for any ground.
_STYLE = [("qmark", "fg:ansidefault bold"), ("question", "bold"), ("answer", "fg:ansidefault nobold")]


def can_ask(environ: Mapping[str, str]) -> bool:
    """Whether a person is there, at a terminal that can show lists, and in the foreground."""
    try:
        here = is_terminal() and sys.stdout.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
    return here and (environ.get("TERM") or "dumb") != "dumb"


def ask_text(question: str, read: Callable[[str], _Value]) -> _Value:
    """Ask for a line until `read` makes something of it: its UsageError is shown, and the question comes again."""
    import questionary  # noqa: PLC0415 - 0.2 s

    while True:
        try:
            answer = questionary.text(
                question, style=questionary.Style(_STYLE), output=lists.output_on(sys.stdout)
            ).unsafe_ask()
        except (KeyboardInterrupt, EOFError):
            raise click.Abort from None
        try:
            return read(answer)
        except UsageError as error:
            complain(error.message)
            if error.remedy:
                tell(f"  {paragraph(error.remedy, '  ')}")


def pick(question: str, options: Sequence[tuple[str, _Value]]) -> _Value:
    """Let one of these be chosen by what is shown of it; the first is pointed at from the beginning.

    Raises click.Abort.
    """
    shown, value = options[lists.pick(question, ("",), [(printable(text),) for text, _ in options])]
    say(f"{question} {shown}")
    return value


def confirm(question: str, *, default: bool = True) -> bool:
    """Ask yes or no. Raises click.Abort."""
    return ask_letter(question, {"y": True, "yes": True, "n": False, "no": False}, "y" if default else "n")


def ask_letter(question: str, answers: Mapping[str, _Value], default: str, shown: str = "") -> _Value:
    """Ask for one of these words; Enter alone is the default. Raises click.Abort.

    Not by `input()`: a Ctrl-C that comes while that sets itself up is heard with the next key only.
    """
    choices = shown or ("[Y/n]" if default == "y" else "[y/N]")

    def read(text: str) -> _Value:
        word = text.strip().lower() or default
        if word not in answers:
            raise UsageError("that is no answer to this", f"Answer with one of {choices.strip('[]')}")
        return answers[word]

    return ask_text("\n".join(folded(f"{question} {choices}", room=4)), read)


def say(text: str) -> None:
    """Sentences for a person, broken between words."""
    for line in folded(text):
        click.echo(line)


def folded(text: str, room: int = 0) -> list[str]:
    """The lines of a text, harmless, for the terminal that there is; the last leaves this much room."""
    columns = size()[0] - 1 - room if sys.stdout.isatty() else 10_000
    return textwrap.wrap(printable(text), max(columns, 20), break_long_words=False, break_on_hyphens=False) or [""]
