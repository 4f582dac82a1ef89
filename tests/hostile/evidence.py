"""Everything that a search for secrets looks through: processes while they live, output, files."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterable
from pathlib import Path

# The fields that the AWS clients put into a token file or a registration's file.
_ALLOWED_FIELDS = {
    "startUrl",
    "region",
    "accessToken",
    "expiresAt",
    "refreshToken",
    "clientId",
    "clientSecret",
    "registrationExpiresAt",
    "scopes",
    "grantTypes",
}
# So much of a secret is enough to find it cut short.
_PART = 24


class Watch:
    """Looks at every process of a home folder, again and again, in a thread: what `/proc` shows of it.

    Attributes:
        seen: (what, text) for command lines, environments, and the names of open files and mappings.
        processes: the command lines of those that were looked at.
    """

    def __init__(self, home: Path) -> None:
        self.seen: set[tuple[str, bytes]] = set()
        self.processes: set[bytes] = set()
        self._mark = b"HOME=" + os.fsencode(home) + b"\0"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.02):
            for name in os.listdir("/proc"):  # noqa: PTH208 - many times a second
                if name.isdecimal() and int(name) != os.getpid():
                    with contextlib.suppress(OSError):
                        self._look(Path("/proc", name))

    def _look(self, process: Path) -> None:
        environ = (process / "environ").read_bytes()
        if self._mark not in environ + b"\0":
            return
        line = (process / "cmdline").read_bytes()
        self.processes.add(line)
        self.seen |= {("environ", environ), ("cmdline", line), ("comm", (process / "comm").read_bytes())}
        for number in os.listdir(process / "fd"):  # noqa: PTH208 - as above
            with contextlib.suppress(OSError):
                self.seen.add(("fd", os.fsencode(os.readlink(process / "fd" / number))))  # noqa: PTH115 - as above
        for mapping in (process / "maps").read_bytes().splitlines():
            self.seen.add(("maps", mapping.partition(b"/")[2]))

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Search:
    """Knows the secrets, and finds them: whole, or their beginnings and ends."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._parts: set[bytes] = set()
        for secret in secrets:
            raw = secret.encode()
            self._parts |= {raw[:_PART], raw[-_PART:]}

    def finds(self, data: bytes) -> bool:
        """Whether a secret is in `data`."""
        return any(part in data for part in self._parts)

    def files(self, top: Path) -> list[str]:
        """Files below `top` that hold a secret, or should not be where they are: one line each.

        Only token and registration files in `~/.aws/sso/cache` may hold some, in known fields, for their owner alone.
        """
        wrong = []
        for path in sorted(top.rglob("*")):
            if self.finds(os.fsencode(path.name)):
                wrong.append(f"the name of {path}")
            if not path.is_file() or path.is_symlink():
                continue
            data = path.read_bytes()
            if path.parent == top / ".aws" / "sso" / "cache":
                wrong += self._cache_file(path, data)
            elif self.finds(data):
                wrong.append(str(path))
        return wrong

    def _cache_file(self, path: Path, data: bytes) -> list[str]:
        status = path.stat()
        wrong = [] if status.st_mode & 0o777 == 0o600 else [f"{path} has the mode {status.st_mode & 0o777:o}"]
        if path.suffix != ".json":
            return [*wrong, f"{path} is no token file"]
        fields = json.loads(data)
        if set(fields) - _ALLOWED_FIELDS:
            wrong.append(f"{path} has the fields {sorted(set(fields) - _ALLOWED_FIELDS)}")
        open_fields = {name: value for name, value in fields.items() if name not in _SECRET_FIELDS}
        if self.finds(json.dumps(open_fields).encode()):
            wrong.append(f"{path} holds a secret in a field that is none")
        return wrong


_SECRET_FIELDS = {"accessToken", "refreshToken", "clientSecret"}
