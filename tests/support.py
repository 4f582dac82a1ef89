"""What the fixtures of `conftest.py` hand to tests, for their annotations."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any, Protocol

from credhelper.standin import StandIn


def remove_at_once(folder: Path) -> None:
    """As `rmtree`, but at one stroke: a daemon that writes meanwhile finds the folder whole or gone, and what it then
    makes anew stays."""
    with tempfile.TemporaryDirectory(dir=folder.parent.parent) as bin_:
        folder.rename(Path(bin_) / folder.name)


class MakeStandIn(Protocol):
    """Starts a stand-in with these settings (see `credhelper.standin.Settings`)."""

    def __call__(self, **settings: Any) -> StandIn: ...


class Processes:
    """Child processes that end with the test, whatever happens in it."""

    def __init__(self) -> None:
        self._started: list[subprocess.Popen[Any]] = []

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[Any]:
        """`subprocess.Popen` in a process group of its own; stdin is /dev/null unless given."""
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("start_new_session", True)
        process = subprocess.Popen(command, **options)
        self._started.append(process)
        return process

    def python(self, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
        """Start this interpreter with these arguments."""
        return self.start([sys.executable, *arguments], **options)

    def end(self, timeout: float = 10.0) -> list[str]:
        """SIGTERM, then SIGKILL for those that do not heed it within `timeout`; the latter are returned."""
        killed = []
        for process in self._started:
            if process.poll() is None:
                process.terminate()
        for process in self._started:
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                killed.append(f"{process.args!r} (pid {process.pid}) ignored SIGTERM for {timeout:g} s")
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    if os.getpgid(process.pid) == process.pid:
                        os.killpg(process.pid, signal.SIGKILL)
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        self._started.clear()
        return killed


class ScriptedDaemon:
    """Answers each connection in turn with the next of these replies, in a thread."""

    def __init__(self, address: Path, replies: list[bytes]) -> None:
        self.requests: list[bytes] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(address))
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve, args=(replies,), daemon=True)
        self._thread.start()

    def _serve(self, replies: list[bytes]) -> None:
        for reply in replies:
            peer, _ = self._socket.accept()
            with peer, peer.makefile("rb") as file:
                self.requests.append(file.read(int.from_bytes(file.read(4), "big")))
                peer.sendall(reply)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


class Serve(Protocol):
    """Starts a daemon by script at `<runtime folder>/<name>`."""

    def __call__(self, name: str, *replies: bytes) -> ScriptedDaemon: ...
