"""What completion needs click for: verbs, options and fixed choices."""

from __future__ import annotations

from collections.abc import Iterable

import click
from click.shell_completion import ShellComplete

from credhelper import cli


def others(words: list[str], word: str) -> Iterable[tuple[str, str]]:
    """The values that may follow these words and begin with this one, each with its remark."""
    verb = next((other for other in words if not other.startswith("-")), None)
    if verb is None and not word.startswith("-"):
        return cli.VERBS.items()  # click would import them all
    if verb is not None and verb not in cli.VERBS:
        return []
    try:
        items = ShellComplete(cli.group, {}, "credhelper", "").get_completions(list(words), word)
    except click.ClickException:
        return []
    return [(item.value, " ".join((item.help or "").split())) for item in items if item.type == "plain"]
