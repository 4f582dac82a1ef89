"""What credhelper itself needs: a home folder, room on the disk, its settings, its command, the helper."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from credhelper import __version__, resources, shell_files
from credhelper.aws import browser
from credhelper.aws.config.apply import plan_enable
from credhelper.aws.config.helper_line import parse_helper_line
from credhelper.aws.world import World
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene, exists
from credhelper.errors import EXIT_USAGE, CredhelperError
from credhelper.names import command_for, nearest

# Seconds within which the helper says how it is used.
_HELPER_WITHIN = 5.0
# Bytes without which neither a config nor a token can be replaced.
_LEAST_ROOM = 1 << 20
# Linux alone tells.
_NOEXEC = getattr(os, "ST_NOEXEC", 0)
_NAMES_TOLD = 5
_NAMES_TYPED = 10
_VERSION = re.compile(r"credhelper, version (\S{1,40})")
_COMMAND = re.compile(r"`([^`]+)`")


def program(scene: Scene) -> Iterator[Remark]:
    """Which version this is, and whether the person's shell would find it."""
    yield Well(f"credhelper {__version__}")
    try:
        own = Path(shell_files.own_command())
    except CredhelperError as error:
        yield Finding("command-missing", error.message, "The shell hooks run that command", Mend(words=error.remedy))
        return
    found = _on_path(scene.environ.get("PATH", ""))
    # What comes first may be a shim that leads here, as those of pyenv do.
    version = _version(found[0]) if found and not found[0].samefile(own) else __version__
    if version != __version__:
        yield Finding(
            "command-other",
            f"another credhelper comes first on the PATH: {scene.shown(found[0])}"
            + (f", version {version}" if version else ", which does not run"),
            f"This one is {scene.shown(own)}, version {__version__}; which of them is run depends on the PATH",
            Mend(words="Remove one of the two installations"),
            "hint",
        )


def home(scene: Scene) -> Iterator[Remark]:
    """Whether HOME is this user's, and its disk can be written."""
    try:
        scene.paths.check_owner()
    except CredhelperError as error:
        yield Finding(
            "home-owner",
            error.message,
            "Nothing is written to another user's home folder, and no daemon is started there",
            Mend(words=error.remedy),
        )
        return
    disk = os.statvfs(scene.paths.home)
    if disk.f_flag & os.ST_RDONLY:
        yield Finding(
            "disk-read-only",
            f"the home folder's disk is read-only: {scene.paths.home}",
            "A renewed token could not be written down",
            Mend(words="Mount it so that it can be written"),
        )
    # Some file systems of the network and of FUSE do not tell how large they are.
    elif disk.f_blocks and disk.f_bavail * disk.f_frsize < _LEAST_ROOM:
        yield Finding(
            "disk-full",
            f"the home folder's disk is full: {scene.paths.home}",
            "A renewed token could not be written down, and would be lost at the daemon's end",
            Mend(words="Free some space"),
        )


def own_settings(scene: Scene) -> Iterator[Remark]:
    """Whether the settings can be read."""
    problem = scene.settings_problem
    if problem is not None:
        yield Finding(
            "settings",
            problem.message,
            "Until it is corrected, the settings read before, or the defaults, stay in force",
            Mend(command=scene.edit(scene.paths.settings)),
        )
        return
    if exists(scene.paths.settings):
        yield Well(f"settings in {scene.shown(scene.paths.settings)}")
    edit = scene.edit(scene.paths.settings)
    for name, own in scene.settings.browsers.items():
        if not browser.named(scene.environ, own):
            yield Finding(
                "settings-browser",
                f"the browser of session {name} is not there: {own}",
                "No other one stands in for it, so its pages are opened nowhere",
                Mend(edit),
                "hint",
            )
    known = _session_names(scene)
    for name in scene.settings.endpoints:
        if known and name not in known:
            near = nearest(name, known)
            yield Finding(
                "settings-session",
                f"the settings speak of a session {name}, and there is none",
                f"It may be meant for {near[0]}" if near else "What they say of it has no effect",
                Mend(edit),
                "hint",
            )


def helper(scene: Scene) -> Iterator[Remark]:
    """Whether the helper is in place, ours, current, and runs."""
    path = scene.paths.helper
    if not scene.managed and not exists(path):
        return
    exposed = list(_exposed_folders(scene))
    yield from exposed
    anew = Mend(_restores(scene), action=lambda: _install(scene))
    if not exists(path) or (os.access(path, os.X_OK) and resources.helper_is_missing(scene.paths)):
        yield Finding(
            "helper-missing",
            f"the helper is gone, or a part of it: {scene.shown(path)}",
            "Every managed profile runs it, so no program gets credentials from them",
            anew,
        )
    elif not path.is_file():
        aside = scene.word(path.with_suffix(".old"))
        yield Finding(
            "helper-missing",
            f"something else is in the helper's place: {scene.shown(path)}",
            "Every managed profile runs it, so no program gets credentials from them",
            Mend(f"mv {scene.word(path)} {aside} && {_restores(scene)}"),
        )
    elif not os.access(path, os.X_OK):
        if os.statvfs(path).f_flag & _NOEXEC:
            yield Finding(
                "helper-noexec",
                f"the helper cannot be run: {scene.shown(path)} lies on a file system that is mounted noexec",
                "The kernel runs no program from there, and every managed profile needs that one",
                Mend(f"sudo mount -o remount,exec {scene.word(_mount_point(path))}"),
            )
        else:
            yield Finding(
                "helper-mode",
                f"the helper may not be run: {scene.shown(path)} has lost its mode",
                "A backup or a copy without modes does that; every managed profile needs it",
                anew,
            )
    else:
        yield from _running(scene, anew, mended=not exposed)


def helper_lines(scene: Scene) -> Iterator[Remark]:
    """Whether the managed profiles name the helper that is here."""
    lost: dict[str, list[str]] = {}
    for profile in scene.managed:
        line = parse_helper_line(
            scene.config.profiles[profile.name].get("credential_process", ""), str(scene.paths.helper)
        )
        if line is not None and not os.access(line.helper, os.X_OK) and Path(line.helper) != scene.paths.helper:
            lost.setdefault(line.helper, []).append(profile.name)
    for path, names in lost.items():
        ours = set(plan_enable(scene.paths, scene.environ, names).edit.changed)
        by_hand = Mend(
            scene.edit(scene.config_path),
            f"The line was written by hand, so nobody changes it for you; let it name {scene.paths.helper}",
        )
        for found in ([name for name in names if name in ours], [name for name in names if name not in ours]):
            if found:
                yield Finding(
                    "helper-path",
                    f"{listed(found)} {_name(found)} a helper that is not there: {path}",
                    "The home folder has moved, or another system that shares this config wrote the line",
                    enabling(found) if found[0] in ours else by_hand,
                )


def listed(names: Sequence[str]) -> str:
    """The first few names."""
    more = len(names) - _NAMES_TOLD
    return ", ".join(names[:_NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def enabling(names: Sequence[str]) -> Mend:
    """`enable` these profiles again. A command of a thousand names would be no pleasure to copy."""
    command = command_for("enable", *names) if len(names) <= _NAMES_TYPED else "credhelper doctor --fix"
    return Mend(command, verb=("enable", "--", *names))


def _name(names: Sequence[str]) -> str:
    return "names" if len(names) == 1 else "name"


def _running(scene: Scene, anew: Mend, *, mended: bool) -> Iterator[Remark]:
    path = scene.paths.helper
    programs = resources.helper_programs(scene.paths)
    gone = [program for program in programs or [] if not os.access(program, os.X_OK)]
    if programs is None or gone:
        yield Finding(
            "helper-upgrade",
            f"the helper {'is damaged' if programs is None else f'needs {gone[0]}, which is gone'}",
            "An upgrade or a removed virtual environment leaves it like that; it is written anew from this version",
            anew,
        )
        return
    said = _use(path)
    if said is not None:
        yield Finding(
            "helper-fails",
            f"the helper does not run: {said}",
            "Every managed profile needs it",
            anew,
        )
    elif not resources.helper_is_ours(scene.paths):
        yield Finding(
            "helper-other",
            "the helper belongs to another installation of credhelper",
            f"It works, and starts the daemon of {programs[0]}",
            Mend(_restores(scene), "To let this installation have it", action=lambda: _install(scene)),
            "hint",
        )
    elif not resources.helper_is_current(scene.paths):
        yield Finding(
            "helper-older",
            "the helper is of another version",
            "The daemon brings it up to date when it starts",
            anew,
            "hint",
        )
    elif mended:
        yield Well("the helper is in place and runs")


def _use(path: Path) -> str | None:
    """Call the helper without arguments, which it must refuse with its usage; else what is wrong."""
    try:
        done = subprocess.run(
            [path], stdin=subprocess.DEVNULL, capture_output=True, timeout=_HELPER_WITHIN, check=False
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_HELPER_WITHIN:.0f} s"
    except OSError as error:
        return error.strerror or type(error).__name__
    if done.returncode == EXIT_USAGE and b"usage" in done.stderr:
        return None
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:200] if lines else f"it ends with code {done.returncode}"


def _session_names(scene: Scene) -> set[str]:
    """Of all configs that we know of; none where that cannot be told."""
    with contextlib.suppress(CredhelperError):
        return {session.name for session in World.of(scene.paths, scene.environ).sessions()}
    return set()


def _version(program: Path) -> str | None:
    """What `--version` says; None where it does not run, or is none of ours."""
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_HELPER_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = _VERSION.search(done.stdout)
    return said[1] if said else None


def _exposed_folders(scene: Scene) -> Iterator[Finding]:
    data = scene.paths.data
    folders = [(folder, False) for folder in (data, data / "lib", data / "lib" / "__pycache__", data / "shell")]
    folders += [(data.parent, True), (data.parent.parent, True)]
    for folder, shared in folders:
        try:
            resources.check_ours(folder, shared=shared)
        except CredhelperError as error:
            command = _COMMAND.search(error.remedy or "")
            yield Finding(
                "helper-exposed",
                error.message,
                "Every AWS call of this user runs what lies there, so nothing is installed until that is mended",
                Mend(command[1], action=lambda folder=folder: _close(scene, folder))  # type: ignore[misc]
                if command
                else Mend(words=error.remedy),
            )


def _close(scene: Scene, folder: Path) -> str:
    folder.chmod(folder.stat().st_mode & 0o7755)
    return f"others cannot write to {scene.shown(folder)} any more"


def _install(scene: Scene) -> str:
    resources.install_helper(scene.paths)
    return f"the helper is in place: {scene.shown(scene.paths.helper)}"


def _restores(scene: Scene) -> str:
    """What puts the helper back: whoever enables a profile again, or starts the daemon."""
    return command_for("enable", scene.managed[0].name) if scene.managed else "credhelper daemon restart"


def _on_path(path: str) -> list[Path]:
    found = [Path(folder) / "credhelper" for folder in path.split(os.pathsep) if folder]
    return [program for program in found if os.access(program, os.X_OK) and program.is_file()]


def _mount_point(path: Path) -> Path:
    return next(folder for folder in path.parents if folder.is_mount())


CHECKS: tuple[Check, ...] = (program, home, helper, helper_lines, own_settings)
