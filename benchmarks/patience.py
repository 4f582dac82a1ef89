"""A helper that waits, where something else than its promise of 5 s is looked at."""

from __future__ import annotations

import re
from pathlib import Path

from credhelper.paths import Paths


def let_the_helper_wait(paths: Paths) -> None:
    """Give the installed helper a minute: on a machine that has other work besides, an interpreter or hundreds and a
    daemon may not all start within the 5 s that AWS clients are promised.

    It stays so: a daemon keeps its own helper current, but leaves one alone whose command is not its own.

    Raises ValueError where the helper is not as it is known here.
    """
    _change(paths.data / "lib" / "credhelper_client.py", r"^(DEADLINE|START_WITHIN) = [0-9.]+$", r"\1 = 60.0", 2)
    _change(paths.helper, r"^(main\(.*)'-P', ", r"\1'-P', '-u', ", 1)


def _change(path: Path, pattern: str, new: str, times: int) -> None:
    text, changed = re.subn(pattern, new, path.read_text(), flags=re.MULTILINE)
    if changed != times:
        raise ValueError(f"{path} is not as it is known here")
    path.write_text(text)
