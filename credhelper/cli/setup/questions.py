"""How `setup` asks: a line of text, one of a list, yes or no. Giving up at any of them is `click.Abort`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from credhelper.cli import complain, tell
from credhelper.errors import UsageError
from credhelper.terminal import is_terminal, paragraph, printable

_Value = TypeVar("_Value")
# Lists as long as this are not searched, and letters do nothing in them.
_SHORT = 5


def can_ask(environ: Mapping[str, str]) -> bool:
    """Whether a person is there, at a terminal that can show lists, and in the foreground."""
    try:
        here = is_terminal() and sys.stdout.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (OSError, ValueError):
        return False
    return here and environ.get("TERM", "dumb") != "dumb"


def ask_text(question: str, read: Callable[[str], _Value], hint: str = "") -> _Value:
    """Ask for a line until `read` makes something of it: its UsageError is shown, and the question comes again."""
    import questionary  # noqa: PLC0415 - 0.2 s

    while True:
        asked = questionary.text(question, instruction=hint or None, output=_output())
        answer = _answer(asked)
        try:
            return read(answer)
        except UsageError as error:
            complain(error.message)
            if error.remedy:
                tell(f"  {paragraph(error.remedy, '  ')}")


def pick(question: str, options: Sequence[tuple[str, _Value]]) -> _Value:
    """Let one of these be chosen by what is shown of it; the first is pointed at from the beginning."""
    import questionary  # noqa: PLC0415

    searched = len(options) > _SHORT
    output = _output()
    width = output.get_size().columns - 4
    asked = questionary.select(
        question,
        choices=[questionary.Choice(_cut(printable(text), width), value=at) for at, (text, _) in enumerate(options)],
        use_search_filter=searched,
        use_jk_keys=False,
        instruction="(type to search, Enter takes it)" if searched else "(arrows, Enter takes it)",
        output=output,
    )
    at: int = _answer(asked)
    return options[at][1]


def confirm(question: str, *, default: bool = True) -> bool:
    """Ask yes or no. Raises click.Abort."""
    return click.confirm(question, default=default)


def _answer(asked: Any) -> Any:
    try:
        answer = asked.unsafe_ask()
    except (KeyboardInterrupt, EOFError):
        raise click.Abort from None
    if answer is None:
        raise click.Abort
    return answer


def _output() -> Any:
    from prompt_toolkit.output.vt100 import Vt100_Output  # noqa: PLC0415

    output = Vt100_Output.from_pty(sys.stdout)
    output.enable_cpr = False  # terminals that do not answer would be waited for
    return output


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(width - 1, 1)]}…"
