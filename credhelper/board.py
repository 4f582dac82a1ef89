"""The board: what the shell hooks read at each prompt, as small files that need neither a fork nor a parser.

The daemon writes it, so that the hooks ask nobody. It lies in `~/.local/state/credhelper/board`:

- `session/NAME`: what there is to know of one session, in one line of six fields (see `Entry`). The file's date is
  the end until which the line may be believed, for shells that have a quicker way to a file's age than to the time.
- `profile/CONFIG/NAME`: a link to the file of the session that a profile uses; CONFIG tells the AWS config file.
- `default-profile`: the profile of new shells, which `credhelper use --default` chose.

All names are those of `credhelper.names`, so no shell gives any of their characters a meaning. What else begins with
`~` is ours: a file in the making, or a name that cannot be a file's. A line is believed only until its own end: a
daemon that was killed takes nothing back. Whatever else lies there is nobody's, and is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import time
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, cast

from credhelper.errors import CredhelperError
from credhelper.files import is_unwritable, make_private_folder, read_bytes
from credhelper.names import decode_name, encode_name
from credhelper.paths import Paths
from credhelper.private import NEW, inner_folder, private_folder, put_file, put_link, signature, sweep

Login = Literal["yes", "soon", "no"]

_FORMAT = "1"
_LINE = re.compile(rb"([0-9]+) ([a-z_]+) ([0-9]{1,10}) (yes|soon|no) ([0-9]{1,10}) ([A-Za-z0-9._+-]+)\n", re.ASCII)
# The longest name of an entry and of a config file's folder; file systems end at 255 bytes.
_LONGEST_NAME = 250
_LONGEST_CONFIG = 200
# The latest end that is written down (the year 2100): any shell can reckon with it, and file systems know the date.
_LATEST = 4_102_444_800
# The date of a line that says nothing of time.
_LONG_AGO = 1
_DEFAULT_CONFIG = "default"
_DEFAULT_PROFILE = "default-profile"
# A folder's date tells of changes only where its clock has gone on since: two changes within one tick look like one.
# The longest ticks are FAT's, of two seconds.
_TICK_NS = 2_500_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What the board says of one session.

    Attributes:
        session: its name, as a person gives it to `credhelper login`.
        state: as in `status --json`.
        login: `yes` where only a person can go on; `soon` where the session ends and cannot be renewed; `no` where it
            renews itself.
        ends: seconds since the epoch until which the line may be believed, the token's expiry; 0 where nothing lives.
        shown: the moment whose distance a prompt shows, or 0 where it shows none.
    """

    session: str
    state: str
    login: Login
    ends: int = 0
    shown: int = 0

    def line(self) -> bytes:
        """The file's content."""
        ends, shown = (str(max(0, min(moment, _LATEST))) for moment in (self.ends, self.shown))
        return f"{_FORMAT} {self.state} {ends} {self.login} {shown} {encode_name(self.session)}\n".encode("ascii")

    @classmethod
    def parse(cls, data: bytes) -> Entry:
        """The reverse. Raises ValueError for whatever `line` would not give."""
        found = _LINE.fullmatch(data)
        if found is None or found[1] != _FORMAT.encode():
            raise ValueError("not a line of the board")
        _, state, ends, login, shown, session = (part.decode("ascii") for part in found.groups())
        return cls(decode_name(session), state, cast(Login, login), int(ends), int(shown))

    def needs_nothing(self, now: float) -> bool:
        """Whether no login is needed now, as far as this line may be believed."""
        return self.login != "yes" and now < self.ends


@dataclass(frozen=True, slots=True)
class Content:
    """All that the board is to say.

    Attributes:
        sessions: by the name of its file, which `session_file` gives.
        profiles: for each config folder, which `config_folder` names, the session file of each profile by the
            profile's plain name. A mapping that is given twice has not changed.
    """

    sessions: Mapping[str, Entry] = field(default_factory=dict)
    profiles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


# --- names ----------------------------------------------------------------------------------------------------------


def folder(paths: Paths) -> Path:
    """Where the board is."""
    return paths.state / "board"


def session_file(name: str, identity: str = "", taken: Container[str] = ()) -> str:
    """The name of a session's file.

    Args:
        name: the session's.
        identity: what tells it from others of this name.
        taken: the files of others.
    """
    encoded = entry_name(name)
    if encoded is None or encoded in taken:
        import hashlib  # noqa: PLC0415 - for few names, and the shells wait for those that read

        return "~" + hashlib.sha256(f"{name}\n{identity}".encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return encoded


def entry_name(name: str) -> str | None:
    """The name of a profile's or session's entry; None where it cannot have one (empty, `.`, `..`, too long)."""
    if not name:
        return None
    encoded = encode_name(name)
    return None if encoded in {".", ".."} or len(encoded) > _LONGEST_NAME else encoded


def config_folder(paths: Paths, config: str | Path | None) -> str | None:
    """The name of the folder that holds the profiles of one AWS config file.

    Args:
        config: as AWS_CONFIG_FILE has it; None or nothing where that is not set.

    None for one that has no folder: a relative path, or one that is too long.
    """
    text = os.fspath(config) if config else ""
    if text == "~" or text.startswith("~/"):
        text = os.fspath(paths.home) + text[1:]
    if not text or text == os.fspath(paths.aws / "config"):
        return _DEFAULT_CONFIG
    encoded = encode_name(text)
    return encoded if text.startswith("/") and len(encoded) <= _LONGEST_CONFIG else None


# --- reading --------------------------------------------------------------------------------------------------------


def entry_of_profile(paths: Paths, profile: str, environ: Mapping[str, str]) -> Entry | None:
    """What the board says of the session that a profile uses; None where it says nothing, or nothing sensible."""
    config, name = config_folder(paths, environ.get("AWS_CONFIG_FILE")), entry_name(profile)
    if config is None or name is None:
        return None
    return _read_entry(folder(paths) / "profile" / config / name)


def session_names(paths: Paths) -> list[str]:
    """The names of all sessions, each once and in no order; none where there is no board."""
    path = folder(paths) / "session"
    try:
        files = os.listdir(path)  # noqa: PTH208 - names are mostly all we need
    except OSError:
        return []
    found: dict[str, None] = {}
    for file in files:
        if not file.startswith("~"):
            with contextlib.suppress(ValueError):
                found[decode_name(file)] = None
        elif not file.startswith(NEW) and (entry := _read_entry(path / file)) is not None:
            found[entry.session] = None
    return list(found)


def default_profile(paths: Paths) -> str | None:
    """The profile of new shells, or None where none was chosen."""
    try:
        return decode_name(read_bytes(folder(paths) / _DEFAULT_PROFILE).decode("ascii").removesuffix("\n"))
    except (FileNotFoundError, CredhelperError, ValueError):
        return None


def _read_entry(path: Path) -> Entry | None:
    try:
        return Entry.parse(read_bytes(path))
    except (FileNotFoundError, CredhelperError, ValueError):
        return None


# --- writing --------------------------------------------------------------------------------------------------------


def set_default_profile(paths: Paths, profile: str | None) -> None:
    """Choose the profile of new shells; None for none. Raises CredhelperError."""
    with _open_board(paths) as root:
        if profile is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_DEFAULT_PROFILE, dir_fd=root)
        elif default_profile(paths) != profile:
            put_file(root, _DEFAULT_PROFILE, encode_name(profile).encode("ascii") + b"\n")


class Board:
    """The board of one home folder, for the daemon. One thread at a time may use it.

    It remembers how it left each folder and file, so that to find everything in its place costs a few calls.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._files: dict[str, tuple[bytes, tuple[int, ...] | None]] = {}
        self._folders: dict[str, tuple[object, tuple[int, ...] | None]] = {}
        self._problem: CredhelperError | None = None

    def write(self, content: Content) -> bool:
        """Make the board say this and nothing else; whether anything had to be changed.

        Raises CredhelperError where a part of that was not possible; the rest is done as far as it can be.
        """
        self._problem, changed = None, False
        with _open_board(self._paths) as root:
            with inner_folder(root, "session") as at:
                changed |= self._write_sessions(at, content.sessions)
            with inner_folder(root, "profile") as at:
                changed |= self._write_profiles(at, content.profiles)
            changed |= sweep(root, {"session", "profile", _DEFAULT_PROFILE}, only_new=True)
        if self._problem is not None:
            raise self._problem
        return changed

    def _write_sessions(self, at: int, sessions: Mapping[str, Entry]) -> bool:
        changed = False
        for gone in self._files.keys() - sessions.keys():
            del self._files[gone]
        for name, entry in sessions.items():
            with self._going_on("session", name):
                changed |= self._write_session(at, name, entry)
        if not self._is_as_left(at, "session", None):
            changed |= sweep(at, sessions)
            self._note(at, "session", None)
        return changed

    def _write_session(self, at: int, name: str, entry: Entry) -> bool:
        line, date = entry.line(), min(entry.ends, _LATEST) or _LONG_AGO
        left, there = self._files.pop(name, None), signature(at, name)
        if left is None and there is not None:
            # At the start nothing is known of how it was left; a file that says the same is not written again.
            as_left = there[0] == date * 10**9 and _content(at, name) == line
        else:
            as_left = there is not None and left == (line, there)
        if not as_left:
            put_file(at, name, line, date)
            there = signature(at, name)
        self._files[name] = line, there
        return not as_left

    def _write_profiles(self, at: int, profiles: Mapping[str, Mapping[str, str]]) -> bool:
        changed = False
        for config, wanted in profiles.items():
            with self._going_on("profile", config), inner_folder(at, config) as inner:
                if not self._is_as_left(inner, f"profile/{config}", wanted):
                    changed |= self._write_links(inner, config, wanted)
                    self._note(inner, f"profile/{config}", wanted)
        # Who names the default config file by its path means the same.
        alias = encode_name(os.fspath(self._paths.aws / "config"))
        names = set(profiles)
        if _DEFAULT_CONFIG in profiles and len(alias) <= _LONGEST_CONFIG:
            names.add(alias)
            with self._going_on("profile", alias):
                changed |= put_link(at, alias, _DEFAULT_CONFIG)
        return changed | sweep(at, names)

    def _write_links(self, at: int, config: str, wanted: Mapping[str, str]) -> bool:
        links = {name: session for profile, session in wanted.items() if (name := entry_name(profile)) is not None}
        changed = False
        for name, session in links.items():
            with self._going_on("profile", config, name):
                changed |= put_link(at, name, f"../../session/{session}")
        return changed | sweep(at, links)

    def _is_as_left(self, at: int, name: str, content: object) -> bool:
        left = self._folders.get(name)
        return left is not None and left[0] is content and left[1] == signature(at)

    def _note(self, at: int, name: str, content: object) -> None:
        """Remember how this folder is left, where its date will tell of the next change."""
        now = signature(at)
        if now is not None and self._problem is None and time.time_ns() - now[0] > _TICK_NS:
            self._folders[name] = content, now
        else:
            self._folders.pop(name, None)

    @contextlib.contextmanager
    def _going_on(self, *parts: str) -> Iterator[None]:
        """Go on with the next where this one cannot be written; give up where none can."""
        try:
            yield
        except OSError as error:
            if is_unwritable(error):
                raise
            self._problem = self._problem or _failed(folder(self._paths).joinpath(*parts), error)


@contextlib.contextmanager
def _open_board(paths: Paths) -> Iterator[int]:
    """The board's own folder, made where it is not there. Raises CredhelperError, also for an OSError within."""
    try:
        make_private_folder(paths.state)
        parent = os.open(paths.state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with private_folder(parent, folder(paths)) as root:
                yield root
        finally:
            os.close(parent)
    except OSError as error:
        raise _failed(folder(paths), error) from error


def _content(at: int, name: str) -> bytes | None:
    """What a regular file in the folder `at` begins with."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except OSError:
        return None
    try:
        return os.read(fd, 65536) if stat.S_ISREG(os.fstat(fd).st_mode) else None
    finally:
        os.close(fd)


def _failed(path: Path, error: OSError) -> CredhelperError:
    failed = CredhelperError(
        f"{path} cannot be written: {error.strerror}", "Check its folder's owner, mode and disk space"
    )
    failed.__cause__ = error
    return failed
