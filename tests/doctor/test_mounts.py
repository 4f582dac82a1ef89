"""Disks that are in the way, really mounted, where only the doctor sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.terminal import environment
from tests.doctor.clinic import Clinic

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec"]
DOCTOR = f"exec {sys.executable} -m credhelper doctor --json"


def examine(clinic: Clinic, mount: str, **changes: str) -> dict[str, str]:
    """The findings, by name, of a doctor that runs where this script has mounted something; each with its text."""
    try:
        subprocess.run([*NAMESPACE, "mount -t tmpfs none /mnt"], check=True, capture_output=True, timeout=30)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("other OS: nobody may mount anything here")
    done = subprocess.run(
        [*NAMESPACE, f"{mount}\n{DOCTOR}"],
        env={**environment(), "AWS": str(clinic.paths.aws), "DATA": str(clinic.paths.data), **changes},
        cwd=os.sep,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stderr
    return {
        finding["check"]: finding["text"]
        for theme in json.loads(done.stdout)["themes"]
        for finding in theme["findings"]
        if finding["check"] != "daemon-absent"
    }


def test_a_folder_that_is_mounted_noexec(clinic: Clinic) -> None:
    found = examine(clinic, 'mount --bind "$DATA" "$DATA"; mount -o remount,bind,noexec "$DATA"')
    assert list(found) == ["helper-noexec"]
    assert "mounted noexec" in found["helper-noexec"]


def test_a_home_that_is_read_only(clinic: Clinic) -> None:
    assert list(examine(clinic, 'mount --bind "$HOME" "$HOME"; mount -o remount,bind,ro "$HOME"')) == [
        "disk-read-only"
    ]


def test_a_home_that_is_full(clinic: Clinic) -> None:
    fill = """\
mount -t tmpfs none /mnt
cp -a "$HOME/." /mnt
mount -t tmpfs -o size=3m,mode=700 none "$HOME"
cp -a /mnt/. "$HOME"
dd if=/dev/zero of="$HOME/much" bs=1k 2>/dev/null || true"""
    assert list(examine(clinic, fill)) == ["disk-full"]


def test_the_hosts_files_in_a_container(clinic: Clinic) -> None:
    assert list(examine(clinic, 'mount --bind "$AWS" "$AWS"', container="podman")) == ["shared-container"]
