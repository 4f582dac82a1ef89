from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from credhelper import client, resources
from credhelper.paths import Paths
from tests.support import Serve


@pytest.fixture
def helper(paths: Paths, runtime_folder: Path) -> str:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    resources.install_helper(paths)
    return shlex.quote(os.fspath(paths.helper))


@pytest.mark.parametrize(
    ("where", "reason"),
    [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor"), ("2>&- >/dev/full", None)],
)
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="other OS: no /dev/full")
def test_output_that_cannot_be_written(helper: str, serve: Serve, where: str, reason: str | None) -> None:
    serve("credhelper/agent.sock", client.encode_reply(0, b'{"Version": 1}'))
    done = subprocess.run(["sh", "-c", f"{helper} corp 1 role {where}"], check=False, capture_output=True, timeout=30)
    assert done.returncode == 1
    assert done.stdout == b""
    expected = f"credhelper: the output cannot be written: {reason}\n" if reason else ""
    assert done.stderr.decode() == expected


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&-"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="other OS: no /dev/full")
def test_message_that_cannot_be_written(helper: str, serve: Serve, where: str) -> None:
    serve("credhelper/agent.sock", client.encode_reply(3, b"credhelper: log in\n"))
    done = subprocess.run(["sh", "-c", f"{helper} corp 1 role {where}"], check=False, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")
