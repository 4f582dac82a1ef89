"""Core dumps: whether this machine makes some, and letting a process make one."""

from __future__ import annotations

import resource
from pathlib import Path

_PATTERN = Path("/proc/sys/kernel/core_pattern")


def allow(pid: int = 0) -> bool:
    """Allow a core of the process `pid` (this one) as far as we may: not every root (of a container) may raise a hard
    limit. Whether it may now be of any size."""
    infinite = resource.RLIM_INFINITY
    try:
        resource.prlimit(pid, resource.RLIMIT_CORE, (infinite, infinite))
    except (PermissionError, ValueError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_CORE)
        resource.prlimit(pid, resource.RLIMIT_CORE, (hard, hard))
        return False
    return True


def are_files() -> bool:
    """Whether the kernel writes cores itself; it may also hand them to a program, which may not be there."""
    return not _PATTERN.read_text().startswith("|")


def found(*folders: Path) -> set[tuple[Path, int]]:
    """The cores in these folders, with the times of their last change, by which a new one can be told."""
    return {(path, path.stat().st_mtime_ns) for folder in folders for path in folder.glob("core*")}
