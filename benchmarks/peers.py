"""Obtain the programs that the helper is measured beside: `python -m benchmarks.peers`.

They are fixed to a version and lie in `peers` in the folder of the test parts, which git ignores. What is there
already is kept. Go's own client cannot install a module with replace directives as a program, so a module is
downloaded and built in a copy of its source.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Unusable
from tests.parts.aws_cli import parts_folder

GET = "get it by `python -m benchmarks.peers`"


@dataclass(frozen=True, slots=True)
class Go:
    """A program of a Go module; our own `keyring` has no module to be downloaded."""

    module: str
    version: str
    package: str = "."
    released: str = ""


@dataclass(frozen=True, slots=True)
class PyPI:
    """A program of a Python distribution."""

    distribution: str
    version: str
    released: str = ""


# Granted and aws-vault live on as other modules (fwdcloudsec/granted, byteness/aws-vault/v7), which the module proxy
# refused (403) when these were chosen; these are what it gives under their first names.
PEERS: dict[str, Go | PyPI] = {
    "aws-sso-util": PyPI("aws-sso-util", "4.33.0", "June 2024"),
    "granted": Go("github.com/common-fate/granted", "v0.38.0", "./cmd/granted", "February 2025"),
    "aws-vault": Go("github.com/99designs/aws-vault/v7", "v7.2.0", released="March 2023"),
    "aws-sso": Go("github.com/synfinatic/aws-sso-cli", "v1.17.0", "./cmd/aws-sso", "July 2024"),
    "keyring": Go("", "v1.2.2"),
}


def folder() -> Path:
    """Where they lie."""
    return parts_folder() / "peers"


def version(name: str) -> str:
    """The version of a program that is measured."""
    return PEERS[name].version.removeprefix("v")


def described(name: str) -> str:
    """What it is that is measured, and how old."""
    source = PEERS[name]
    origin = source.module if isinstance(source, Go) else source.distribution
    return f"{origin} {source.version}, of {source.released}"


def executable(name: str) -> Path:
    """A program that is there. Raises Unusable."""
    path = _place(name)
    if not path.is_file():
        raise Unusable(f"not here; {GET}")
    return path


def _place(name: str) -> Path:
    in_venv = isinstance(PEERS[name], PyPI)
    return folder() / (f"{name}-{version(name)}/bin/{name}" if in_venv else f"{name}-{version(name)}")


def obtain(name: str) -> Path:
    """Install a program if it is not there. Raises Unusable with what the registry or the compiler said."""
    place, source = _place(name), PEERS[name]
    if not place.is_file():
        folder().mkdir(parents=True, exist_ok=True)
        try:
            if isinstance(source, PyPI):
                _install(source, place)
            else:
                _build(source, place)
        except subprocess.CalledProcessError as error:
            lines = [line for line in (error.stderr or error.stdout or "").splitlines() if line.strip()]
            raise Unusable(" / ".join(lines[-2:]) or f"{error.cmd[0]}: exit {error.returncode}") from error
        except OSError as error:
            raise Unusable(str(error)) from error
    return place


def _install(source: PyPI, place: Path) -> None:
    venv = place.parent.parent
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(venv)])
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, f"{source.distribution}=={source.version}"])
    except BaseException:
        shutil.rmtree(venv, ignore_errors=True)
        raise


def _build(source: Go, place: Path) -> None:
    if shutil.which("go") is None:
        raise Unusable("there is no `go` to build it with")
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=place.parent) as name:
        work = Path(name)
        copy = work / "source"
        if source.module:
            (work / "go.mod").write_text("module peers\n\ngo 1.21\n")
            found = json.loads(_run(["go", "mod", "download", "-json", f"{source.module}@{source.version}"], work))
            shutil.copytree(found["Dir"], copy)
            for path in (copy, *copy.rglob("*")):
                path.chmod(path.stat().st_mode | 0o200)
        else:
            shutil.copytree(Path(__file__).with_name("keyring"), copy)
        _run(["go", "build", "-o", str(work / "program"), source.package], copy)
        (work / "program").rename(place)


def _run(command: list[str], cwd: Path | None = None) -> str:
    environ = {**os.environ, "CGO_ENABLED": "0"}
    return subprocess.run(command, cwd=cwd, env=environ, capture_output=True, text=True, check=True).stdout


def main() -> int:
    """The command; exit code 1 where one cannot be had."""
    failed = False
    for name in PEERS:
        try:
            print(obtain(name))
        except Unusable as error:
            failed = True
            print(f"{name} could not be obtained: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
