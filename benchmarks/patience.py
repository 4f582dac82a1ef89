"""A helper that waits, where something else than its promise of 5 s is looked at."""

from __future__ import annotations

import re

from credhelper.agent import daemon_command
from credhelper.paths import Paths


def let_the_helper_wait(paths: Paths) -> None:
    """Give the installed helper a minute: on a machine that has other work besides, an interpreter or hundreds and a
    daemon may not all start within the 5 s that AWS clients are promised.

    It stays so: a daemon keeps its own helper current, but leaves one alone whose command is not its own.

    Raises ValueError where the helper is not as it is known here.
    """
    module = paths.data / "lib" / "credhelper_client.py"
    text, changed = re.subn(r"(?m)^(DEADLINE|START_WITHIN) = [0-9.]+$", r"\1 = 60.0", module.read_text())
    if changed != 2:
        raise ValueError(f"{module} has other deadlines than are known here")
    module.write_text(text)
    command = daemon_command()
    launcher = paths.helper.read_text()
    paths.helper.write_text(launcher.replace(repr(command), repr([command[0], "-u", *command[1:]])))
