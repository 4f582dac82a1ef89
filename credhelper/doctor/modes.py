"""Files that others may read or write though they hold secrets, or decide what is run."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from credhelper.aws.config.reader import STATIC_KEYS
from credhelper.aws.readable import exposed
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from credhelper.doctor.shared import on_windows
from credhelper.resources import is_private_group
from credhelper.terminal import counted

_OTHERS = 0o077
_OTHERS_WRITE = 0o022


def tokens(scene: Scene) -> Iterator[Remark]:
    """The caches of the AWS programs: access tokens, and role credentials of the AWS CLI."""
    for folder, what in ((scene.paths.token_cache, "tokens"), (scene.paths.cli_cache, "credentials")):
        open_files = [path for path in exposed(folder) if not on_windows(path)]
        if open_files:
            yield Finding(
                "modes-tokens",
                f"other users may read {counted(len(open_files), 'file')} in {scene.shown(folder)}, which may hold "
                f"{what}",
                "Whoever has them can work as you until they end",
                Mend(f"chmod 600 {scene.word(folder)}/*.json", action=_private(scene, open_files)),
            )
        elif folder.is_dir():
            yield Well(f"{scene.shown(folder)} is private")


def aws_folder(scene: Scene) -> Iterator[Remark]:
    """Whether others could put a config or a token there."""
    paths = scene.paths
    for folder in (paths.aws, paths.aws / "sso", paths.token_cache):
        status = _status(folder)
        if status is None or on_windows(folder):
            continue
        # Root writes everywhere; in a container it is the same person whose folder comes from the host.
        if os.geteuid() not in {0, status.st_uid}:
            yield Finding(
                "modes-folder",
                f"{scene.shown(folder)} belongs to another user (uid {status.st_uid})",
                "They could put a config there, which names programs that you run; you can keep no token there",
                Mend(f"sudo chown {os.geteuid()} {scene.word(folder)}"),
            )
        elif _others_write(status):
            yield Finding(
                "modes-folder",
                f"others can write to {scene.shown(folder)}",
                "They could put a config there, which names programs that you run",
                Mend(f"chmod go-w {scene.word(folder)}", action=_without_write(scene, [folder])),
            )


def aws_files(scene: Scene) -> Iterator[Remark]:
    """The config and the credentials file themselves, and our settings."""
    for path in dict.fromkeys((scene.config_path, scene.credentials_path, scene.paths.settings)):
        status = _status(path)
        if status is not None and _others_write(status) and not on_windows(path):
            yield Finding(
                "modes-writable",
                f"others can write to {scene.shown(path)}",
                "They could have programs of theirs run, or your tokens sent elsewhere",
                Mend(f"chmod go-w {scene.word(path)}", action=_without_write(scene, [path])),
            )
    for path, file in ((scene.config_path, scene.config), (scene.credentials_path, scene.credentials)):
        keys = any(values.get(STATIC_KEYS[1]) for values in file.profiles.values())
        mode = _mode(path)
        if keys and mode is not None and mode & 0o044 and not on_windows(path):
            yield Finding(
                "modes-keys",
                f"other users may read {scene.shown(path)}, which holds access keys",
                "Such keys have no end",
                Mend(f"chmod 600 {scene.word(path)}", action=_private(scene, [path])),
            )


def own_files(scene: Scene) -> Iterator[Remark]:
    """What we keep ourselves."""
    state = scene.paths.state
    loose = [path for path in (state, *_below(state)) if (_mode(path) or 0) & _OTHERS]
    if loose:
        yield Finding(
            "modes-state",
            f"other users may read or write {scene.shown(state)}, or {counted(len(loose), 'name')} in it",
            "It holds the log, the daemon's address and the way to the network, perhaps with a proxy's password",
            Mend(f"chmod -R go-rwx {scene.word(state)}", action=_private(scene, loose)),
        )
    elif state.is_dir():
        yield Well(f"{scene.shown(state)} is private")


def _below(folder: Path) -> Iterator[Path]:
    """Files and folders at any depth; no links, whose modes say nothing."""
    for top, names, others in os.walk(folder):
        yield from (path for name in [*names, *others] if not (path := Path(top, name)).is_symlink())


def _status(path: Path) -> os.stat_result | None:
    with contextlib.suppress(OSError, ValueError):
        status = path.stat()
        if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
            return status
    return None


def _mode(path: Path) -> int | None:
    status = _status(path)
    return None if status is None else stat.S_IMODE(status.st_mode)


def _others_write(status: os.stat_result) -> bool:
    """Whether somebody else can; a group of one's own, which comes with a umask of 002, is nobody else."""
    if status.st_mode & stat.S_IWOTH:
        return True
    return bool(status.st_mode & stat.S_IWGRP) and not is_private_group(status.st_gid)


def _private(scene: Scene, paths: Sequence[Path]) -> Callable[[], str]:
    return _changing(scene, paths, ~_OTHERS, "private now")


def _without_write(scene: Scene, paths: Sequence[Path]) -> Callable[[], str]:
    return _changing(scene, paths, ~_OTHERS_WRITE, "no longer writable by others")


def _changing(scene: Scene, paths: Sequence[Path], mask: int, outcome: str) -> Callable[[], str]:
    def change() -> str:
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                path.chmod(stat.S_IMODE(path.stat().st_mode) & mask)
        return f"{scene.shown(paths[0])} is {outcome}" if len(paths) == 1 else f"{len(paths)} files are {outcome}"

    return change


CHECKS: tuple[Check, ...] = (tokens, aws_folder, aws_files, own_files)
