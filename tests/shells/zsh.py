"""How the tests of shell/credhelper.zsh start a zsh."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

from tests.shells.terminal import STARTED, Terminal, finished
from tests.shells.world import World

# The marks of the harness, the second one from the last precmd function: before the prompt itself zsh draws.
_MARKS = f"""\
unsetopt prompt_cr prompt_sp
PROMPT='$ '
preexec_functions+=(mark_start)
mark_start() {{ builtin printf {STARTED!r} }}
mark_end() {{ builtin printf {finished("%d")!r} $? }}
"""


class Zsh:
    """How a test's zsh starts: with a `.zshrc` of marks, `before`, the hook and `after`."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self.folder = folder / "work"
        self.folder.mkdir()
        self.env = world.env
        self.rc = world.home / ".zshrc"

    def write(self, before: str = "", after: str = "", *, how: str = "source {}") -> None:
        line = how.format(shlex.quote(str(self.world.hook("zsh"))))
        self.rc.write_text(f"{_MARKS}{before}\n{line}\n{after}\nprecmd_functions+=(mark_end)\n")

    def start(self, wrap: Callable[[list[str]], list[str]] = list, /, **variables: str) -> Terminal:
        if not self.rc.exists():
            self.write()
        return Terminal(wrap(["zsh", "-d", "-i"]), {**self.env, **variables}, self.folder)
