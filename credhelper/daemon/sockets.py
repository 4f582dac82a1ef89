"""Where the daemon listens: a socket of its own, or one that the service manager passes in."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from credhelper import client, files
from credhelper.errors import CredhelperError

BACKLOG = 4096
# A second home folder of the same user has its own daemon, and the rule's address may be taken by the first one's.
_ALTERNATIVES = 9
_LISTEN_FDS_START = 3
# Another daemon of this user holds the folder's lock for the length of a few system calls.
_FOLDER_WITHIN = 2.0
# The folders that the rule names where there is no runtime folder.
_LAST_RESORT = "/tmp/credhelper-"  # noqa: S108 - a name, as in `client.default_address`


class Listener:
    """The listening socket and what must be taken away again at the end.

    Args:
        inode: of the socket's name; None where that belongs to a service manager.
        environ: what the rule for the address went by.
    """

    def __init__(
        self, sock: socket.socket, address: str, inode: tuple[int, int] | None, environ: Mapping[str, str]
    ) -> None:
        self.sock = sock
        self.address = address
        self._inode = inode
        self._environ = environ

    def still_there(self) -> bool:
        """Whether callers can still find the socket (a cleaner of /tmp, the end of a login session)."""
        return self._inode is None or _inode(self.address) == self._inode

    def in_its_place(self) -> bool:
        """Whether the rule still leads to the folder that it is in. One that was away may have come back."""
        return self._inode is None or Path(self.address).parent == _rule(self._environ).parent

    def close(self) -> None:
        """Stop listening; the name goes too if it is still ours, and so does a folder of ours below /tmp."""
        if self._inode is not None and self.still_there():
            with contextlib.suppress(OSError):
                Path(self.address).unlink()
        if self._inode is not None and self.address.startswith(_LAST_RESORT):
            with contextlib.suppress(OSError):
                Path(self.address).parent.rmdir()
        self.sock.close()


def passed_in(environ: Mapping[str, str]) -> Listener | None:
    """The socket that systemd (or launchd's like) passed in, or None (sd_listen_fds(3)).

    Raises CredhelperError where what was passed is no listening Unix socket.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or not environ.get("LISTEN_FDS", "").isdecimal():
        return None
    if int(environ["LISTEN_FDS"]) < 1:
        return None
    try:
        sock = socket.socket(fileno=_LISTEN_FDS_START)
        address = sock.getsockname()
        sock.listen(BACKLOG)
        os.set_inheritable(_LISTEN_FDS_START, False)
    except OSError as error:
        raise CredhelperError(f"the socket that was passed in cannot be used: {error.strerror}") from error
    if sock.family != socket.AF_UNIX or not isinstance(address, str) or not address:
        sock.close()
        raise CredhelperError("the socket that was passed in is not a Unix socket with a name")
    return Listener(sock, address, None, environ)


def bind(environ: Mapping[str, str]) -> Listener:
    """Bind where the rule says (`client.default_address`), beside it if another home's daemon listens there.

    Raises CredhelperError where that folder cannot be made or is not ours alone.
    """
    uid = os.geteuid()
    rule = _rule(environ)
    with contextlib.suppress(OSError):
        rule.parent.mkdir(mode=0o700)
    if _is_no_socket(rule):
        raise CredhelperError(f"{rule} is there and is no socket", "Move it away, or set CREDHELPER_SOCKET")
    try:
        client.check_folder(os.fsencode(rule), uid)
    except client.Broken as error:
        message, _, remedy = str(error).partition(". ")
        raise CredhelperError(message, remedy or None) from error
    except client.Absent as error:
        raise CredhelperError(
            f"the folder {rule.parent} for the socket cannot be made", "Set CREDHELPER_SOCKET"
        ) from error
    if len(os.fsencode(rule)) > client.MAX_SOCKET_PATH - 2:
        raise CredhelperError(f"the socket's path {rule} is too long", "Set CREDHELPER_SOCKET to a shorter one")
    with _folder_locked(rule.parent):
        names = [rule, *(rule.with_stem(f"{rule.stem}-{number}") for number in range(2, _ALTERNATIVES + 1))]
        for path in names:
            if not _is_no_socket(path) and not _somebody_listens(path):
                return _bind(path, environ)
    raise CredhelperError(
        f"daemons of other home folders hold all addresses in {rule.parent}",
        "Set CREDHELPER_SOCKET to a path in another folder",
    )


def _rule(environ: Mapping[str, str]) -> Path:
    """Where the rule wants the socket to be."""
    variables = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
    return Path(os.fsdecode(client.default_address(variables, os.geteuid())))


@contextlib.contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Between the probe and the bind nobody else may decide that an address is free. Raises CredhelperError."""
    try:
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise CredhelperError(f"the folder {folder} for the socket cannot be opened: {error.strerror}") from error
    try:
        files.flock_within(
            fd,
            folder,
            _FOLDER_WITHIN,
            CredhelperError(f"another process keeps the folder {folder} locked", "End it, or set CREDHELPER_SOCKET"),
        )
        yield
    finally:
        os.close(fd)


def _is_no_socket(path: Path) -> bool:
    """Whether there is something that is not ours to remove; a connection to a plain file is refused as well."""
    try:
        return not stat.S_ISSOCK(path.lstat().st_mode)
    except OSError:
        return False


def _somebody_listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True  # a full backlog, for instance
    return True


def _bind(path: Path, environ: Mapping[str, str]) -> Listener:
    sock = socket.socket(socket.AF_UNIX)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        # Not by the umask, which is the whole process's: other threads make files. Linux gives the name the mode that
        # the socket has; elsewhere it gets it afterwards, and nobody else can enter the folder.
        with contextlib.suppress(OSError):
            os.fchmod(sock.fileno(), 0o600)
        sock.bind(os.fspath(path))
        sock.listen(BACKLOG)
        path.chmod(0o600)
    except OSError as error:
        sock.close()
        raise CredhelperError(f"the socket {path} cannot be made: {error.strerror}") from error
    return Listener(sock, os.fspath(path), _inode(os.fspath(path)), environ)


def _inode(path: str) -> tuple[int, int] | None:
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
