"""`enable`, `disable` and the writing of profiles on the user's file: what would change, and the writing of it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from credhelper import files
from credhelper.aws.config.authoring import (
    NewProfile,
    WrittenProfile,
    add_profiles,
    remove_profiles,
    written_profiles,
)
from credhelper.aws.config.complaints import complaints, unparsable
from credhelper.aws.config.disabling import disable
from credhelper.aws.config.edit import Edit
from credhelper.aws.config.enabling import enable
from credhelper.aws.config.reader import STATIC_KEYS, ConfigFile, parse_config, read_bytes_of, read_credentials
from credhelper.aws.readable import check_config
from credhelper.errors import ConfigError
from credhelper.paths import Paths

# What a diff's context may bring along, and what no terminal's scrollback should hold.
_SECRET = re.compile(r"(?i)^(.\s*(?:aws_secret_access_key|aws_session_token|aws_security_token)\s*[=:]\s*).*")


@dataclass(frozen=True, slots=True)
class Plan:
    """An edit of one file that is not written yet.

    Attributes:
        path: the config file, as the environment names it.
        old: the bytes that the edit is of.
        edit: its outcome.
    """

    path: Path
    old: bytes
    edit: Edit

    @property
    def changes(self) -> bool:
        return self.edit.data != self.old


def plan_enable(
    paths: Paths, environ: Mapping[str, str], names: Sequence[str] | None, *, force: bool = False
) -> Plan:
    """What enabling these profiles (None: all) comes to. Writes nothing.

    Raises ConfigError where there is no config or it cannot be read, UsageError for a name that it lacks.
    """
    path, old = _config(paths, environ)
    credentials, note = _credentials(paths, environ)
    edit = enable(old, names, helper=str(paths.helper), credentials=credentials, force=force)
    edit.warnings[:0] = complaints(old)
    if note:
        edit.warnings.append(note)
    return Plan(path, old, edit)


def plan_disable(paths: Paths, environ: Mapping[str, str], names: Sequence[str] | None) -> Plan:
    """What disabling these profiles (None: all) comes to. Writes nothing; raises as `plan_enable`."""
    path, old = _config(paths, environ)
    edit = disable(old, names)
    edit.warnings[:0] = complaints(old)
    return Plan(path, old, edit)


def plan_profiles(
    paths: Paths,
    environ: Mapping[str, str],
    *,
    add: Sequence[NewProfile] = (),
    remove: Sequence[str] = (),
    managed: bool = True,
    force: bool = False,
) -> Plan:
    """What taking profiles out and then writing others comes to, also where there is no config yet. Writes nothing.

    One that is taken out for another of the same account and role stays where that other one is refused.

    Args:
        managed: whether new ones get the helper line, or live `sso_*` lines.
        force: also take out profiles that the user wrote or changed.

    Raises ConfigError where the config cannot be read, UsageError for a name to remove that it lacks.
    """
    path, old = _config(paths, environ, must_exist=False)
    credentials, note = _credentials(paths, environ)
    kept: set[str] = set()
    while True:
        gone = [name for name in remove if name not in kept]
        edit = remove_profiles(old, gone, force=force) if gone else Edit(old)
        wanted = [profile for profile in add if profile.name not in kept]
        if wanted:
            edit = joined(edit, add_profiles(edit.data, wanted, helper=str(paths.helper), managed=managed))
        refused = {name for name, _ in edit.refused} | kept
        more = _without_successor(old, gone, [profile for profile in add if profile.name in refused])
        if not more:
            break
        kept |= more
    edit.refused += [(one.name, "a profile of that name stays") for one in add if one.name in kept]
    edit.warnings += [f"{name} stays, because what was to replace it is refused" for name in sorted(kept)]
    if add:
        for name in edit.changed:
            if any(key in credentials.profiles.get(name, {}) for key in STATIC_KEYS[:2]):
                edit.warnings.append(
                    f"{name}: the credentials file holds an access key for this name, which clients take instead"
                )
        if note:
            edit.warnings.append(note)
    edit.warnings[:0] = complaints(old)
    return Plan(path, old, edit)


def write(plan: Plan) -> None:
    """Write the edit. Raises FileChanged where the file is no longer the one planned for, CredhelperError else."""
    files.replace(plan.path, plan.edit.data, expected=plan.old)


def diff(plan: Plan) -> Iterator[str]:
    """The edit as lines of a unified diff, without ends of line; secret values in its context are masked."""
    old, new = (_texts(data) for data in (plan.old, plan.edit.data))
    for line in difflib.unified_diff(old, new, str(plan.path), str(plan.path), lineterm=""):
        yield _SECRET.sub(r"\1…", line)


def shared_with(paths: Paths, path: Path) -> str | None:
    """Why a change of this file may reach another system than this home folder, or None where it will not.

    Raises ConfigError where that cannot be found out. A file that is not there yet will lie in its folder.
    """
    real, home = Path(os.path.realpath(path)), Path(os.path.realpath(paths.home))
    if not real.is_relative_to(home):
        return f"{path} really is {real}, outside of your home folder"
    try:
        there = next(place for place in (real, *real.parents) if place.exists())
        if there.stat().st_dev != home.stat().st_dev:
            return f"{path} lies on another file system than your home folder"
    except OSError as error:
        raise ConfigError(f"{path} cannot be examined: {error.strerror}") from error
    return None


def joined(first: Edit, second: Edit) -> Edit:
    """Two edits, one after the other, as one."""
    back = set(second.added_sessions)
    return Edit(
        second.data,
        changed=[*first.changed, *second.changed],
        revised=[*first.revised, *second.revised],
        removed=[name for name in first.removed if name not in second.changed],
        unchanged=[*first.unchanged, *second.unchanged],
        refused=[*first.refused, *second.refused],
        warnings=[*first.warnings, *second.warnings],
        added_sessions=[name for name in second.added_sessions if name not in first.removed_sessions],
        removed_sessions=[name for name in first.removed_sessions if name not in back],
    )


def _without_successor(data: bytes, gone: Sequence[str], refused: Sequence[NewProfile]) -> set[str]:
    """Those of the profiles to take out that would leave their account and role without any."""
    targets = {(profile.account_id, profile.role_name) for profile in refused}
    if not targets:
        return set()
    written = written_profiles(data)
    return {name for name in gone if name in written and _target(written[name]) in targets}


def _target(profile: WrittenProfile) -> tuple[str, str]:
    return profile.account_id, profile.role_name


def _credentials(paths: Paths, environ: Mapping[str, str]) -> tuple[ConfigFile, str | None]:
    """The credentials file, and what is to be said where it cannot be read.

    It is read for warnings only; a config can be edited without them.
    """
    try:
        return read_credentials(paths.credentials_file(environ)), None
    except ConfigError as error:
        return ConfigFile(), f"{error.message}; access keys in it would win over the helper"


def _config(paths: Paths, environ: Mapping[str, str], *, must_exist: bool = True) -> tuple[Path, bytes]:
    path = paths.config_file(environ)
    check_config(paths, environ)
    data = read_bytes_of(path) if path.is_file() else b""
    if not data and not path.is_file():
        if not must_exist and not path.exists():  # else a device, which could only swallow it
            return path, b""
        raise ConfigError(f"there is no AWS config at {path}", "Write one with `credhelper setup`")
    if not parse_config(data).profiles:
        reason = unparsable(data)
        if reason:  # a file of another kind, perhaps
            raise ConfigError(f"{path} cannot be read as an AWS config: {reason}", "Mend it, or move it away")
    return path, data


def _texts(data: bytes) -> list[str]:
    """Lines for people, without their ends."""
    found = []
    for raw in data.splitlines(keepends=True):
        body = raw.decode("utf-8", "surrogateescape").rstrip("\r\n")
        found.append(body)
    return found
