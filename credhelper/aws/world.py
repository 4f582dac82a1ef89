"""What the user's AWS config files say, as one picture that is read again when a file has changed."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from credhelper import files, resources
from credhelper.aws.choices import Choices
from credhelper.aws.config import ConfigFile, read_config, read_credentials, sessions_of
from credhelper.errors import ConfigError, CredhelperError
from credhelper.model import Profile, Session
from credhelper.paths import Paths, working_folder

_LOG = logging.getLogger(__name__)

_Signature = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class _File:
    """One config file as last understood."""

    signature: _Signature
    sessions: tuple[Session, ...] = ()
    profiles: tuple[Profile, ...] = ()
    needs: Mapping[str, Session] = field(default_factory=dict)
    problem: str | None = None


class World:
    """Sessions and profiles of all known config files.

    A file that cannot be read at the moment, or that has become empty or garbage, keeps what it last said: the AWS
    CLI truncates a config before it writes it again, and a daemon must survive both that and a full disk. One that
    was removed says nothing any more, unless its folder has gone with it. Safe for use by several threads.

    Attributes:
        generation: another number after each `refresh` that found something changed.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._files: dict[Path, _File] = {}
        self._folder = Path("/")
        self.generation = 0

    @classmethod
    def of(cls, paths: Paths, environ: Mapping[str, str]) -> World:
        """The picture that a command sees: the file that its environment names, then the other known ones.

        Raises CredhelperError where that file is meant from a working folder that is gone.
        """
        world = cls(paths)
        chosen = paths.config_file(environ)
        if not chosen.is_absolute():
            world._folder = working_folder()
            chosen = world._folder / chosen
        world._files[chosen] = world._read(chosen, world._signature(chosen))
        world.refresh()
        return world

    def refresh(self) -> bool:
        """Read again what has changed on disk; True where anything has."""
        found = dict(self._files)
        for path in dict.fromkeys([*found, *resources.known_configs(self._paths)]):
            if "\0" in str(path):
                continue  # a damaged list; no such file can exist
            signature = self._signature(path)
            known = found.get(path)
            # A mode that is mended shows in no signature.
            if known is None or known.signature != signature or known.problem:
                try:
                    found[path] = self._read(path, signature)
                except Exception as error:  # noqa: BLE001 - one file's surprise must harm no other
                    found[path] = self._still(
                        known, signature, f"{path} cannot be understood ({type(error).__name__})"
                    )
        changed = found != self._files
        self._files = found  # replaced, not changed: others may be going through the old one
        self.generation += changed
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

    def needs(self) -> dict[Path, Mapping[str, Session]]:
        """For each file the session that each profile needs to be logged in to: its own, or its source's."""
        return {path: file.needs for path, file in self._files.items()}

    def session_named(self, name: str, config: str | None = None, folder: str | None = None) -> Session | None:
        """The `[sso-session NAME]` that a caller means, or None where no known file has one.

        Args:
            name: of the section.
            config: the caller's AWS_CONFIG_FILE, as written there; None for the first file that has the section.
            folder: the caller's working folder, from which a relative `config` is meant.

        Raises ConfigError where `config` is not known and the others do not agree on what NAME is: a token of one
        organization must not serve a profile of another.
        """
        known = self._files
        if config:
            chosen = self._chosen(config, folder)
            for path, file in known.items():
                if _plain(path) == chosen:
                    for session in _named(name, [file]):
                        return session
        candidates = list(_named(name, known.values()))
        if config and len({session.same_start for session in candidates}) > 1:
            raise ConfigError(
                f"the AWS config {config} is not known to credhelper, and others disagree on [sso-session {name}]",
                "Run, with the same AWS_CONFIG_FILE: credhelper enable",
            )
        return next(iter(candidates), None)

    def _chosen(self, config: str, folder: str | None) -> Path:
        if config == "~" or config.startswith("~/"):
            return _plain(self._paths.home / config[2:])
        return _plain(Path(folder or self._folder) / config)

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
        if known is not None and (known.sessions or known.profiles) and _says_nothing(config):
            if signature[0]:
                return self._still(known, signature, f"{path} has become empty or unreadable")
            if not files.is_folder(path.parent):
                # Nobody takes profiles away like that: a network home is gone, or a dotfile manager at work.
                return self._still(known, signature, f"the folder {path.parent} has gone")
        try:
            credentials = read_credentials(self._credentials)
        except CredhelperError:
            credentials = ConfigFile()
        if known is not None and known.problem:
            _LOG.info("%s can be read again", path)
        choices = Choices(path, config, credentials, self._paths.helper)
        needs = {name: session for name in choices.names if (session := choices.session(name)) is not None}
        return _File(signature, tuple(sessions_of(config)), tuple(choices.profiles), needs)

    @staticmethod
    def _still(known: _File | None, signature: _Signature, problem: str) -> _File:
        if known is None or known.problem != problem:
            _LOG.warning("%s; what it said before still counts", problem)
        old = known or _File(signature)
        return _File(signature, old.sessions, old.profiles, old.needs, problem)


def _named(name: str, files: Iterable[_File]) -> Iterator[Session]:
    for file in files:
        for session in file.sessions:
            if session.name == name and not session.legacy:
                yield session


def _plain(path: Path) -> Path:
    return Path(os.path.normpath(path))


def _says_nothing(config: ConfigFile) -> bool:
    return not config.profiles and not config.sessions and not config.inherited
