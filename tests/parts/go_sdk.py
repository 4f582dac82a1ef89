"""Build the tests' program with the AWS SDK for Go v2: `python -m tests.parts.go_sdk [--folder DIR]`.

Needs Go (Debian: golang-go). Go 1.24 and newer build it with a recent SDK (`go.mod`), older ones from 1.19 on with
the last SDK that they can build (`go-1.19.mod`).
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from tests.parts import building

_FOLDER = building.CLIENTS / "go"
_SOURCES = [
    _FOLDER / name for name in ("main.go", "go.mod", "go.sum", "go-1.19.mod", "go-1.19.sum")
]  # fmt: skip
_RECENT = (1, 24)


def executable(folder: Path | None = None) -> Path:
    """Where the program is, once it has been built."""
    return building.home_of("go-sdk", _SOURCES, folder) / "identity"


def obtain(folder: Path | None = None) -> Path:
    """Build the program if it is not there. Raises OSError, ValueError."""
    target = executable(folder)
    if target.is_file():
        return target
    go = building.tool("go", "/usr/local/go/bin/go")
    # What a person has set for builds of their own must not reach this one.
    environ = {name: value for name, value in os.environ.items() if name not in {"GOFLAGS", "GOOS", "GOARCH"}}
    environ |= {"CGO_ENABLED": "0", "GOWORK": "off", "GOTOOLCHAIN": "local", "GO111MODULE": "on"}
    module = (
        "go.mod" if _version(building.run([go, "env", "GOVERSION"], _FOLDER, environ)) >= _RECENT else "go-1.19.mod"
    )
    with building.unfinished(target.parent) as work:
        output = str(work / target.name)
        flags = ["-mod=readonly", "-buildvcs=false", f"-modfile={module}", "-trimpath", "-ldflags=-s -w"]
        building.run([go, "build", *flags, "-o", output, "."], _FOLDER, environ)
        building.run([output, "--version"], work)
    return target


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"go(\d+)\.(\d+)", text)
    if found is None:
        raise ValueError(f"go calls itself {text.strip()!r}")
    return int(found[1]), int(found[2])


if __name__ == "__main__":
    sys.exit(building.main("the AWS SDK for Go", __doc__, obtain))
