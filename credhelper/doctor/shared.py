"""AWS files that another system reads too: a container, Windows, another host."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from credhelper.aws.config.apply import shared_with
from credhelper.doctor.remarks import Check, Finding, Mend, Remark
from credhelper.doctor.scene import Scene, exists
from credhelper.errors import ConfigError
from credhelper.surroundings import is_wsl, look

_WINDOWS = re.compile(r"/mnt/[a-z]/")
_OCTAL = re.compile(r"\\([0-7]{3})")


def config(scene: Scene) -> Iterator[Remark]:
    """Whether a managed profile may be read where its helper is not."""
    path = scene.config_path
    if not exists(path) or not scene.managed:
        return
    home = str(scene.paths.home)
    real = path.resolve()
    mount = next((place for place in mounts() if place != Path("/") and real.is_relative_to(place)), None)
    apart = (
        mount is not None and mount.is_relative_to(scene.paths.home.resolve()) and mount != scene.paths.home.resolve()
    )
    if on_windows(path):
        yield Finding(
            "shared-windows",
            f"{scene.shown(path)} lies on Windows: {real}",
            f"Programs of Windows read it too, and find no helper at {home}; file modes mean nothing there",
            Mend(words="Give Linux a config of its own: copy it into ~/.aws, and unset AWS_CONFIG_FILE"),
            "hint",
        )
    elif apart and look(scene.environ).container:
        yield Finding(
            "shared-container",
            f"{mount} comes from outside of this container",
            "The host reads the same config, and finds there only what lies at the same paths; tokens are shared, "
            "the daemon is not",
            Mend(words="Install credhelper on the host under the same home folder, or mount a copy of the config"),
            "hint",
        )
    else:
        reason = None
        with contextlib.suppress(ConfigError):
            reason = shared_with(scene.paths, path)
        if reason is not None:
            yield Finding(
                "shared-config",
                reason,
                f"Another system may read it and find no helper at {scene.shown(scene.paths.helper)}; the managed "
                "profiles then fail there",
                Mend("credhelper disable --all --dry-run", "Only where that system has no credhelper"),
                "hint",
            )


def on_windows(path: Path) -> bool:
    """Whether a file lies on a disk of Windows, where modes and owners are made up. Raises nothing."""
    with contextlib.suppress(OSError, RuntimeError, ValueError):
        return is_wsl() and _WINDOWS.match(f"{path.resolve()}/") is not None
    return False


def mounts(table: Path = Path("/proc/self/mountinfo")) -> list[Path]:
    """The mount points of this process, the innermost first; none where the kernel does not tell."""
    try:
        lines = table.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return []
    fields = [line.split(" ") for line in lines]
    found = [_OCTAL.sub(lambda code: chr(int(code[1], 8)), parts[4]) for parts in fields if len(parts) > 4]
    return sorted(map(Path, found), key=lambda path: len(path.parts), reverse=True)


CHECKS: tuple[Check, ...] = (config,)
