"""How a shell in the demo's world reaches the demo itself: small commands that write into a named pipe.

A line is `open URL` (show a page in the person's own browser, which needs their real environment) or `end [SESSION]`
(let AWS end sessions). Who can write there owns the home folder.
"""

from __future__ import annotations

import os
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

_STOP = b"stop\n"


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
        # Open for both, so that it never ends when a writer goes.
        self._fd = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        self._thread.start()
        python = shlex.join([sys.executable, "-P"])
        pipe = shlex.quote(str(self._path))
        sessions = " ".join(PROFILES.values())
        self._write("credhelper", f'exec {python} -m credhelper "$@"')
        self._write("python", f'exec {python} "$@"')
        self._write("browser", f"printf 'open %s\\n' \"$1\" >{pipe}")
        self._write(
            "end-session",
            f'case "$#:$1" in 1:{"|1:".join(PROFILES.values())}) ;;',
            f"*) echo 'usage: end-session SESSION (one of: {sessions})' >&2; exit 2 ;; esac",
            f"printf 'end %s\\n' \"$1\" >{pipe} &&",
            'echo "AWS will refuse to renew $1 from now on, as it does after some hours. See: credhelper status"',
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.write(self._fd, _STOP)
        self._thread.join()
        os.close(self._fd)

    def _write(self, name: str, *lines: str) -> None:
        path = self.bin / name
        path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
        path.chmod(stat.S_IRWXU)

    def _serve(self) -> None:
        rest = b""
        while True:
            *lines, rest = (rest + os.read(self._fd, 4096)).split(b"\n")
            for line in lines:
                if line + b"\n" == _STOP:
                    return
                self._do(*line.decode("utf-8", "replace").partition(" ")[::2])

    def _do(self, verb: str, argument: str) -> None:
        if verb == "end" and argument in PROFILES.values():
            self._world.standin.end_sessions(self._world.start_url(argument))
        elif verb == "open":
            try:
                if not browser.open_page(argument, self._theirs, loopback=True):
                    visit(argument)
            except (CredhelperError, BrowserError):
                return  # the login goes on waiting, and has shown the address
