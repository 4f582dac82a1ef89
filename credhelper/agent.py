"""How our own commands speak to the daemon; the helper has its own, leaner way in `client.py`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from credhelper import client
from credhelper.errors import CredhelperError, DaemonUnavailable, LoginNeeded
from credhelper.model import Session
from credhelper.paths import Paths


def daemon_command() -> list[str]:
    """The command line that starts the daemon of this installation.

    `-P` keeps the current folder out of the import path; the environment is an allowlisted one anyway.
    """
    return [sys.executable, "-P", "-m", "credhelper", "daemon", "run"]


class Agent:
    """The daemon of one home folder, as seen by a command.

    Args:
        paths: of the home folder.
        environ: the command's environment.
    """

    def __init__(self, paths: Paths, environ: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environ is None else environ
        self._environ = {os.fsencode(name): os.fsencode(value) for name, value in variables.items()}
        self._environ[b"HOME"] = os.fsencode(paths.home)
        self._home = os.fsencode(paths.home)

    def start(self, timeout: float = 10.0) -> None:
        """Start the daemon where none runs, and return when it is ready. Raises DaemonUnavailable."""
        self._ask(b"ping", {}, timeout, start=True)

    def running(self, timeout: float = 2.0) -> bool:
        """Whether a daemon answers."""
        try:
            self._ask(b"ping", {}, timeout, start=False)
        except DaemonUnavailable:
            return False
        return True

    def call(self, verb: str, timeout: float = 5.0, *, start: bool = False, **fields: str) -> bytes:
        """Ask one thing; the answer is the payload.

        Raises DaemonUnavailable, and CredhelperError (or LoginNeeded) with the daemon's own words.
        """
        encoded = {name.encode(): os.fsencode(value) for name, value in fields.items()}
        status, payload = self._ask(verb.encode(), encoded, timeout, start=start)
        if status:
            raise _error(status, payload)
        return payload

    def follow(self, verb: str, heard: Callable[[bytes], None], silence: float = 30.0, **fields: str) -> bytes:
        """Ask for something that takes its time, starting the daemon where none runs; the answer is the payload.

        The daemon works on it only as long as this connection lasts. Where the daemon goes meanwhile (it is
        restarted), the next one is asked.

        Args:
            heard: called with each word about how it goes.
            silence: seconds within which the next word or the answer must come.

        Raises as `call` does.
        """
        encoded = {name.encode(): os.fsencode(value) for name, value in fields.items()}
        try:
            request = client.encode_request(verb.encode(), {b"home": self._home, **encoded})
        except ValueError as error:
            raise CredhelperError(str(error)) from error
        tries = 0
        words = set[bytes]()

        def word(payload: bytes) -> None:
            nonlocal tries
            if payload not in words:  # else a daemon that dies of what it is asked for would be started for ever
                words.add(payload)
                tries = 0
            heard(payload)

        while True:
            self.start()
            try:
                status, payload = self._follow(request, word, silence)
            except (client.Vanished, client.Absent) as error:
                tries += 1
                if tries > client.MOST_VANISHED:
                    message = "the daemon has gone without an answer, again and again"
                    raise DaemonUnavailable(message, "Run `credhelper daemon run` to see why") from error
            except client.Broken as error:
                raise _unavailable(error) from error
            else:
                if status:
                    raise _error(status, payload)
                return payload

    def _follow(self, request: bytes, heard: Callable[[bytes], None], silence: float) -> tuple[int, bytes]:
        for address in client.addresses(self._environ, self._home, os.geteuid()):
            try:
                sock = client.connect(address, os.geteuid(), time.monotonic() + silence)
            except client.Absent:
                continue
            with contextlib.closing(sock):
                client.send(sock, request, time.monotonic() + silence)
                while True:
                    status, payload = client.read_reply(sock, time.monotonic() + silence)
                    if status == client.WORD:
                        heard(payload)
                    elif status == client.OTHER_HOME:
                        break
                    else:
                        return status, payload
        raise client.Absent

    def status(self, timeout: float = 5.0) -> dict[str, Any]:
        """The daemon's `status` document. Raises DaemonUnavailable, CredhelperError."""
        try:
            document = json.loads(self.call("status", timeout))
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise DaemonUnavailable("the daemon's answer makes no sense", "Run `credhelper daemon restart`")
        if document.get("schema") != 1:
            raise _unavailable(client.Foreign())
        return document

    def known_of(self, session: Session, timeout: float = 5.0) -> dict[str, Any] | None:
        """What `status` says of one session; None where the daemon does not know it. Raises as `status` does."""
        for entry in self.status(timeout)["sessions"]:
            if (entry["name"], entry["start_url"]) == (session.name, session.start_url):
                return dict(entry)
        return None

    def listening_process(self) -> int | None:
        """The process id of the daemon whose socket it is, told by the kernel: it need not answer, and may hang.

        Looked at is the recorded address alone, or where the rule says if none is recorded: at that of the rule
        another home's daemon may listen.

        None where nobody of this user listens there, or it runs in another pid namespace (a container).
        """
        address = client.addresses(self._environ, self._home, os.geteuid())[0]
        try:
            with contextlib.closing(client.connect(address, os.geteuid(), time.monotonic() + 1.0)) as sock:
                return _peer_pid(sock) or None
        except (client.Absent, client.Broken, OSError):
            return None

    @contextlib.contextmanager
    def login_lease(self, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """Hold the lease on logging in to the session whose token file is named after `key`.

        Args:
            waiting: called once the daemon has said that another login has the lease.

        Yields True where it is ours until the block ends, False after another login on this machine has ended:
        then look whether there is anything left to do. Raises DaemonUnavailable, CredhelperError.
        """
        deadline = time.monotonic() + 5.0
        request = client.encode_request(b"login-lease", {b"home": self._home, b"key": os.fsencode(key)})
        sock = None
        try:
            for address in client.addresses(self._environ, self._home, os.geteuid()):
                with contextlib.suppress(client.Absent):
                    sock = client.connect(address, os.geteuid(), deadline)
                    break
            if sock is None:
                raise DaemonUnavailable("the daemon does not run", "Run `credhelper daemon start`")
            status, payload = client.exchange(sock, request, deadline, waiting)
            if status:
                raise _error(status, payload)
            yield payload == b"granted"
        except client.Broken as error:
            raise _unavailable(error) from error
        finally:
            if sock is not None:
                sock.close()

    def _ask(self, verb: bytes, fields: Mapping[bytes, bytes], timeout: float, *, start: bool) -> tuple[int, bytes]:
        uid = os.geteuid()
        deadline = time.monotonic() + timeout
        try:
            request = client.encode_request(verb, {b"home": self._home, **fields})
            if start:
                # A person can wait for a daemon that is still ending; the helper's own call cannot.
                command = [*daemon_command(), "--patience", f"{max(timeout - 1.0, 0.0):.1f}"]
                return client.ask_or_start(request, command, self._environ, uid, deadline)
            return client.ask(client.addresses(self._environ, self._home, uid), request, uid, deadline)
        except client.Absent as error:
            if not str(error):
                raise DaemonUnavailable("the daemon does not run", "Run `credhelper daemon start`") from error
            # What the daemon itself gave up for comes with what to do; else only a look at it helps.
            reason, _, remedy = str(error).partition(". ")
            raise DaemonUnavailable(
                f"the daemon cannot be started: {reason}", remedy or "Run `credhelper daemon run` to see why"
            ) from error
        except client.Broken as error:
            raise _unavailable(error) from error
        except ValueError as error:
            raise CredhelperError(str(error)) from error


def _peer_pid(sock: Any) -> int:
    """The process at the other end: for a listening socket the one that listens (SO_PEERCRED, LOCAL_PEERPID)."""
    if sys.platform == "linux":
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    else:
        raw = sock.getsockopt(0, 2, 4)
    return int.from_bytes(raw[:4], sys.byteorder)


def _unavailable(error: client.Broken) -> DaemonUnavailable:
    message, _, remedy = str(error).partition(". ")
    return DaemonUnavailable(message, remedy or None)


def _error(status: int, payload: bytes) -> CredhelperError:
    try:
        client.check_failure(status, payload)
    except client.Foreign as error:
        return _unavailable(error)
    text = payload.removeprefix(client.SAYS).decode("utf-8", "replace").strip()
    return LoginNeeded(text) if status == LoginNeeded.exit_code else CredhelperError(text)
