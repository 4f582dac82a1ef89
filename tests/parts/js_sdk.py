"""Obtain the AWS SDK for JavaScript and the tests' program with it: `python -m tests.parts.js_sdk [--folder DIR]`.

Needs `node` 18 or newer and `npm` (Debian: nodejs, npm); the lock file beside the program pins every package.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.parts import building

_SOURCES = [
    building.CLIENTS / "js" / name for name in ("identity.mjs", "package.json", "package-lock.json", ".npmrc")
]


def executable(folder: Path | None = None) -> Path:
    """Where the program is, once it has been obtained; node runs it."""
    return building.home_of("js-sdk", _SOURCES, folder) / "identity.mjs"


def obtain(folder: Path | None = None) -> Path:
    """Install the SDK beside the program if it is not there. Raises OSError, ValueError."""
    target = executable(folder)
    if target.is_file():
        return target
    node = building.tool("node")
    with building.unfinished(target.parent) as work:
        for source in _SOURCES:
            shutil.copy(source, work)
        building.run([building.tool("npm"), "ci"], work)
        building.run([node, target.name, "--version"], work)
    return target


if __name__ == "__main__":
    sys.exit(building.main("the AWS SDK for JavaScript", __doc__, obtain))
