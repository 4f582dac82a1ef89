"""Keeps what a process holds in memory out of core dumps and away from other processes of the same user."""

from __future__ import annotations

import contextlib
import resource
import sys


def seclude(*, for_good: bool) -> None:
    """No core dumps of this process, and no debugger or `/proc/PID/mem` for others of the same user (Linux).

    The limit alone would not do: where core dumps are piped to a program (systemd-coredump, apport), the kernel does
    not heed it. What this process starts by `exec` can be dumped and debugged as ever.

    Args:
        for_good: take the hard limit away too, also from the programs that this process starts.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0 if for_good else hard))
    if sys.platform == "linux":
        pr_set_dumpable = 4
        # MemoryError: a hardened system lets no memory be made executable, as ctypes wants it.
        with contextlib.suppress(ImportError, OSError, AttributeError, MemoryError):
            import ctypes  # noqa: PLC0415 - Linux only, and not in every Python

            ctypes.CDLL(None).prctl(pr_set_dumpable, 0, 0, 0, 0)
