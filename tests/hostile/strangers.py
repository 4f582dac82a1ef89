"""Another user of the machine: real processes of another uid."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from credhelper import client
from tests.support import Processes

NOBODY = 65534

# What each of their scripts begins with. All is imported first: another user may not be able to read the interpreter.
_BECOME = """
import base64, contextlib, errno, fcntl, json, os, pathlib, socket, stat, sys, time
os.setgroups([]); os.setgid({uid}); os.setuid({uid})
argument = json.loads({argument!r})
def tell(what):
    print(json.dumps(what), flush=True)
"""

# Listens at `argument["at"]` and tells what it is sent; its answer is what a caller hopes for.
_LISTEN = """
listener = socket.socket(socket.AF_UNIX)
listener.bind(argument["at"])
os.chmod(argument["at"], 0o777)
listener.listen(64)
tell("ready")
while True:
    peer, _ = listener.accept()
    got = b""
    peer.settimeout(2)
    with contextlib.suppress(OSError):
        peer.sendall(bytes.fromhex(argument["answer"]))
        while part := peer.recv(65536):
            got += part
    peer.close()
    if got == b"last":
        break
    tell(got.hex())
"""

_ANSWER = {
    "Version": 1,
    "AccessKeyId": "ASIAPLANTED",
    "SecretAccessKey": "planted",
    "SessionToken": "planted",
    "Expiration": "2099-01-01T00:00:00Z",
}


def need_root() -> None:
    """Skip where this process cannot become another user."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")


def script(text: str, argument: Any = None, uid: int = NOBODY) -> list[str]:
    """The arguments of an interpreter that runs `text` as another user; `argument` and `tell` are there for it."""
    return ["-I", "-S", "-c", _BECOME.format(uid=uid, argument=json.dumps(argument)) + text]


def run(processes: Processes, text: str, argument: Any = None, uid: int = NOBODY, **options: Any) -> Any:
    """Run `text` as another user; returns what it told last."""
    process = processes.python(*script(text, argument, uid), stdout=subprocess.PIPE, text=True, **options)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    return json.loads(output.splitlines()[-1])


class Planted:
    """A listening socket of another user. `stop` returns what each connection sent."""

    def __init__(self, processes: Processes, at: Path) -> None:
        self._at = str(at)
        answer = client.encode_reply(0, json.dumps(_ANSWER).encode() + b"\n")
        arguments = script(_LISTEN, {"at": self._at, "answer": answer.hex()})
        self._process = processes.python(*arguments, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == '"ready"\n'

    def stop(self) -> list[bytes]:
        """End it, after all who came before; the bytes that each connection sent."""
        with socket.socket(socket.AF_UNIX) as last:
            last.connect(self._at)
            last.sendall(b"last")
            last.shutdown(socket.SHUT_WR)
            output, _ = self._process.communicate(timeout=20)
        assert self._process.returncode == 0
        return [bytes.fromhex(json.loads(line)) for line in output.splitlines()]
