"""What the parts that are built from sources in this checkout have in common."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.parts.aws_cli import parts_folder

CLIENTS = Path(__file__).resolve().parents[1] / "e2e" / "clients"


def home_of(name: str, sources: Iterable[Path], folder: Path | None = None) -> Path:
    """The folder of a part among the test parts: another one whenever its sources change."""
    digest = hashlib.sha256()
    for source in sorted(sources):
        digest.update(b"%s\0%s\0" % (source.name.encode(), source.read_bytes()))
    return (folder or parts_folder()) / f"{name}-{digest.hexdigest()[:12]}"


@contextlib.contextmanager
def unfinished(home: Path) -> Iterator[Path]:
    """A folder to build in; it becomes `home` when the block ends well, and those of older sources go."""
    parts = home.parent
    parts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=parts) as name:
        work = Path(name, "part")
        work.mkdir()
        yield work
        try:
            work.rename(home)
        except OSError:
            if not home.is_dir():  # else another run was quicker
                raise
    for older in parts.glob(f"{home.name.rpartition('-')[0]}-*"):
        if older != home:
            shutil.rmtree(older, ignore_errors=True)


def tool(name: str, *elsewhere: str) -> str:
    """The path of a program that builds or runs a part; first on PATH. Raises FileNotFoundError."""
    found = shutil.which(name) or next((path for path in elsewhere if Path(path).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"no {name} on PATH")
    return found


def run(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> str:
    """Run a build step in `folder` and return its output. Raises OSError; ValueError with what it said."""
    done = subprocess.run(command, check=False, cwd=folder, env=environ, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command)}: exit {done.returncode}\n{done.stderr or done.stdout}")
    return done.stdout


def main(what: str, description: str, obtain: Callable[[Path | None], Path]) -> int:
    """The command of a part; exit code 1 with the reason on stderr where it cannot be had."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the test parts lie (default: .parts in the project)")
    options = parser.parse_args()
    try:
        print(obtain(options.folder and options.folder.absolute()))
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"{what} could not be obtained: {error}", file=sys.stderr)
        return 1
    return 0
