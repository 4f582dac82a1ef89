"""The clients of the end-to-end tests as programs: the AWS CLI, and one like another for each SDK."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.parts import aws_cli, go_sdk, js_sdk

SDKS = ("boto3", "js", "go")
CLIENTS = ("aws", *SDKS)
# The SDK for JavaScript with a provider of the program's choice in place of its own chain of them.
FROM_INI = "js fromIni"

# Found here and now: in a test, the environment does not say where the parts lie.
_AWS, _JS, _GO = aws_cli.executable(), js_sdk.executable(), go_sdk.executable()
_BOTO3 = Path(__file__).with_name("identity_program.py")


def part(path: Path, what: str, module: str) -> str:
    """The path of a real part; without it the test is skipped, or fails on CI."""
    if not path.is_file():
        message = f"no {what}: run `python -m {module}`"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    return str(path)


def command(client: str) -> list[str]:
    """What runs a client; the arguments of an SDK's program are PROFILE [COUNT], see `identity_program.py`."""
    match client:
        case "aws":
            return [part(_AWS, "AWS CLI v2", aws_cli.__name__)]
        case "js":
            node = Path(shutil.which("node") or "node")
            return [
                part(node, "node", js_sdk.__name__),
                part(_JS, "AWS SDK for JavaScript", js_sdk.__name__),
            ]
        case "js fromIni":
            return [*command("js"), "--from-ini"]
        case "go":
            return [part(_GO, "AWS SDK for Go", go_sdk.__name__)]
        case "boto3":
            return [sys.executable, str(_BOTO3)]
    raise ValueError(client)


def ask_once(client: str, profile: str) -> list[str]:
    """The command with which a client asks once who it is."""
    arguments = ["sts", "get-caller-identity", "--profile", profile] if client == "aws" else [profile, "1"]
    return [*command(client), *arguments]


def version(client: str) -> str:
    """A client's version as it says it itself."""
    done = subprocess.run(
        [*command(client.partition(" ")[0]), "--version"], check=True, capture_output=True, text=True, timeout=60
    )
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    assert found, done.stdout
    return found[0]


class Steady:
    """An SDK's program that runs on with one client and asks when it is told to."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def ask(self) -> str:
        """The account, or the failure in quotation marks; empty where the program has ended."""
        _pipe(self.process.stdin).write("\n")
        _pipe(self.process.stdin).flush()
        return _pipe(self.process.stdout).readline().rstrip("\n")

    def end(self) -> int:
        """Let it end by itself; its exit code."""
        _pipe(self.process.stdin).close()
        return self.process.wait(10)


def _pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream
