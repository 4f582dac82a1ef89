"""What the user's AWS config files say, as one picture that is read again when a file has changed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from credhelper import resources
from credhelper.aws.config import ConfigFile, profiles_of, read_config, read_credentials, sessions_of
from credhelper.errors import CredhelperError
from credhelper.model import Profile, Session
from credhelper.paths import Paths

_LOG = logging.getLogger(__name__)

_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """One config file as last understood."""

    signature: _Signature
    sessions: tuple[Session, ...] = ()
    profiles: tuple[Profile, ...] = ()
    problem: str | None = None


class World:
    """Sessions and profiles of all known config files.

    A file that cannot be read at the moment, or that has become empty or garbage, keeps what it last said: the AWS
    CLI truncates a config before it writes it again, and a daemon must survive both that and a full disk. One that
    was removed says nothing any more. Safe for use by several threads.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._files: dict[Path, _File] = {}

    @classmethod
    def of(cls, paths: Paths, environ: Mapping[str, str]) -> World:
        """The picture that a command sees: the file that its environment names, then the other known ones."""
        world = cls(paths)
        chosen = paths.config_file(environ)
        if not chosen.is_absolute():
            chosen = Path.cwd() / chosen
        world._files[chosen] = world._read(chosen, world._signature(chosen))
        world.refresh()
        return world

    def refresh(self) -> bool:
        """Read again what has changed on disk; True where anything has."""
        files = dict(self._files)
        for path in dict.fromkeys([*files, *resources.known_configs(self._paths)]):
            if "\0" in str(path):
                continue  # a damaged list; no such file can exist
            signature = self._signature(path)
            known = files.get(path)
            if known is None or known.signature != signature:
                files[path] = self._read(path, signature)
        changed = files != self._files
        self._files = files  # replaced, not changed: others may be going through the old one
        return changed

    @property
    def files(self) -> list[Path]:
        """The config files, the default one first."""
        return list(self._files)

    @property
    def problems(self) -> dict[Path, str]:
        """Files that could not be read at the last try, and why."""
        return {path: file.problem for path, file in self._files.items() if file.problem}

    def sessions(self) -> list[Session]:
        """Each session once, in the order of the files."""
        found: dict[str, Session] = {}
        for file in self._files.values():
            for session in file.sessions:
                found.setdefault(session.id, session)
        return list(found.values())

    def profiles(self) -> list[Profile]:
        """Each profile name once; where two files have it, the first file's."""
        found: dict[str, Profile] = {}
        for file in self._files.values():
            for profile in file.profiles:
                found.setdefault(profile.name, profile)
        return list(found.values())

    def session_named(self, name: str, config: str | None = None) -> Session | None:
        """The `[sso-session NAME]` that a caller means: of the file `config` if that is known, else the first."""
        files = self._files
        if config:
            chosen = files.get(Path(config))
            if chosen is not None:
                for session in chosen.sessions:
                    if session.name == name and not session.legacy:
                        return session
        for session in self._all_sessions():
            if session.name == name and not session.legacy:
                return session
        return None

    def _all_sessions(self) -> Iterator[Session]:
        for file in self._files.values():
            yield from file.sessions

    def _signature(self, config: Path) -> _Signature:
        def of(path: Path) -> tuple[int, int, int] | None:
            try:
                status = path.stat()
            except OSError:
                return None
            return (status.st_mtime_ns, status.st_size, status.st_ino)

        return of(config), of(self._credentials)

    @property
    def _credentials(self) -> Path:
        return self._paths.aws / "credentials"

    def _read(self, path: Path, signature: _Signature) -> _File:
        known = self._files.get(path)
        try:
            config = read_config(path)
        except CredhelperError as error:
            return self._still(known, signature, error.message)
        if known is not None and (known.sessions or known.profiles) and _says_nothing(config) and signature[0]:
            return self._still(known, signature, f"{path} has become empty or unreadable")
        try:
            static: Mapping[str, Mapping[str, str]] = read_credentials(self._credentials).profiles
        except CredhelperError:
            static = {}
        return _File(
            signature,
            tuple(sessions_of(config)),
            tuple(profiles_of(config, static, self._paths.helper)),
        )

    @staticmethod
    def _still(known: _File | None, signature: _Signature, problem: str) -> _File:
        if known is None or known.problem != problem:
            _LOG.warning("%s; what it said before still counts", problem)
        old = known or _File(signature)
        return _File(signature, old.sessions, old.profiles, problem)


def _says_nothing(config: ConfigFile) -> bool:
    return not config.profiles and not config.sessions and not config.inherited
