"""fish in a terminal, with our hook in its config.fish."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.shells.terminal import STARTED, Output, Terminal, finished
from tests.shells.world import Forks, World

# What fish itself writes around each command: its colours put back, and the mark of a line without an end.
_AROUND = re.compile(r"\x1b\[2m⏎\x1b\(B\x1b\[m *\r⏎ \r\x1b\[K|\x1b\[30m\x1b\(B\x1b\[m\r?")

_CONFIG = """\
set -g fish_greeting
function fish_title; end
function fish_prompt; printf '{finished}' $status; end
function __tests_started --on-event fish_preexec; printf '{started}'; end
{before}
{hook}
{after}
"""


class Fish(Terminal):
    """An interactive fish at its first prompt.

    Args:
        world: whose home folder has the config.fish, which is written here.
        before: lines of config.fish that stand before the hook.
        after: lines that stand behind it.
        hook: the line that loads it; None for `source …/credhelper.fish`.
        env: additions to the world's environment.
        forks: where the processes are to be counted.
    """

    def __init__(
        self,
        world: World,
        *,
        before: str = "",
        after: str = "",
        hook: str | None = None,
        env: Mapping[str, str] | None = None,
        forks: Forks | None = None,
    ) -> None:
        if not shutil.which("fish"):
            pytest.skip("no fish on this machine")
        write_config(world, before=before, after=after, hook=hook)
        argv = ["fish"] if forks is None else forks.trace(["fish"])
        super().__init__(argv, {**world.env, **(env or {})}, world.home)
        try:
            self.first = self.prompt()
        except BaseException:
            self.end()
            raise

    def prompt(self, limit: float = 20.0) -> Output:
        output = super().prompt(limit)
        return replace(output, text=_AROUND.sub("", output.text))

    def prompt_after_enter(self) -> Output:
        """Run what stands on the line already."""
        self.type("\r")
        return self.prompt()

    def segment(self) -> str:
        """What the variable CREDHELPER_SEGMENT holds before the next prompt."""
        self.run("")
        return self.run("echo $CREDHELPER_SEGMENT").text.removesuffix("\n")


def write_config(world: World, *, before: str = "", after: str = "", hook: str | None = None) -> Path:
    """Write the config.fish of this home folder."""
    config = world.home / ".config/fish/config.fish"
    # In a home folder without these, fish makes them by other programs, and reads all manual pages.
    for name in (".config/fish/conf.d", ".config/fish/completions", ".config/fish/functions"):
        (world.home / name).mkdir(parents=True, exist_ok=True)
    (world.home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
    config.write_text(
        _CONFIG.format(
            finished=finished("%s").replace("\x1b", "\\e").replace("\x07", "\\a"),
            started=STARTED.replace("\x1b", "\\e").replace("\x07", "\\a"),
            before=before,
            hook=f"source {quote(str(world.hook('fish')))}" if hook is None else hook,
            after=after,
        )
    )
    return config


def quote(text: str) -> str:
    """Quote for fish; its single quotes know two escapes."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
