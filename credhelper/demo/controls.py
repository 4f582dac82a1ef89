"""How a shell in the demo's world reaches the demo itself: small commands that write into a named pipe.

A line is `open URL` (show a page in the person's own browser, which needs their real environment) or `end SESSION`
(let AWS end it). An empty one goes before it, lest somebody left half a line there. Who can write there owns the home
folder.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import stat
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from credhelper.aws import browser
from credhelper.demo.world import PROFILES, World
from credhelper.errors import CredhelperError
from credhelper.standin.browser import BrowserError, visit

# A line that is longer is none of our commands'.
_LONGEST = 16 * 1024


class Controls:
    """The pipe, a thread that reads it, and the commands, in a `bin` folder of the world. A context manager.

    Args:
        world: started.
        theirs: the environment of the person.
    """

    def __init__(self, world: World, theirs: Mapping[str, str]) -> None:
        self._world = world
        self._theirs = theirs
        self._path = world.home / "controls"
        self.own_browser = bool(browser.commands(theirs))
        self._fd = -1
        self._ended, self._end = -1, -1
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._serve, name="demo controls", daemon=True)

    @property
    def bin(self) -> Path:
        """The folder with the commands: `credhelper`, `python` (with boto3), `end-session`."""
        return self._world.home / "bin"

    @property
    def browser(self) -> str:
        """The value of $BROWSER there: the person's own where there is one, else one that presses Approve itself."""
        return str(self.bin / "browser") if self.own_browser else self._world.environment["BROWSER"]

    def __enter__(self) -> Self:
        self.bin.mkdir(mode=0o700)
        os.mkfifo(self._path, 0o600)
        # Open for both, so that it never ends when a writer goes. Somebody else may read there too: never wait in it.
        self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._ended, self._end = os.pipe()
        self._thread.start()
        # By this option the world knows what runs in it: commands that hold secrets hide their environment from us.
        python = shlex.join([sys.executable, "-X", self._world.mark, "-P"])
        pipe = shlex.quote(str(self._path))
        sessions = " ".join(PROFILES.values())
        self._write("credhelper", f'exec {python} -m credhelper "$@"')
        self._write("python", f'exec {python} "$@"')
        self._write("browser", f"printf '\\nopen %s\\n' \"$1\" >{pipe}")
        self._write(
            "end-session",
            f'case "$#:$1" in 1:{"|1:".join(PROFILES.values())}) ;;',
            f"*) echo 'usage: end-session SESSION (one of: {sessions})' >&2; exit 2 ;; esac",
            f"printf '\\nend %s\\n' \"$1\" >{pipe} &&",
            'echo "AWS will refuse to renew $1 from now on, as it does after some hours. See: credhelper status"',
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._end)
        self._thread.join()
        os.close(self._ended)
        os.close(self._fd)
        if self._failure is not None and error is None:
            raise self._failure

    def _write(self, name: str, *lines: str) -> None:
        path = self.bin / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(stat.S_IRWXU)

    def _serve(self) -> None:
        rest = b""
        while self._ended not in select.select([self._fd, self._ended], [], [])[0]:
            with contextlib.suppress(BlockingIOError):
                *lines, rest = (rest + os.read(self._fd, 4096)).split(b"\n")
                rest = rest[:_LONGEST]
                for line in lines:
                    self._try(*line.decode("utf-8", "replace").partition(" ")[::2])

    def _try(self, verb: str, argument: str) -> None:
        """Do one thing. What nobody foresaw is told at the end of the shell; the next line is heeded all the same."""
        try:
            self._do(verb, argument)
        except Exception as error:  # noqa: BLE001 - as the docstring says
            self._failure = self._failure or error

    def _do(self, verb: str, argument: str) -> None:
        if verb == "end" and argument in PROFILES.values():
            self._world.standin.end_sessions(self._world.start_url(argument))
        elif verb == "open":
            try:
                if not browser.open_page(argument, self._theirs, loopback=True):
                    visit(argument)
            except (CredhelperError, BrowserError):
                return  # the login goes on waiting, and has shown the address
