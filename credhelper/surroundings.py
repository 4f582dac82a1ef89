"""Where a command runs, as far as it matters for opening a page: over SSH, in a cloud shell, a container, WSL."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# Mounted over the image's own by docker, podman and Kubernetes alike; no machine of its own has mounts there. With
# version 2 of cgroups the container's own cgroup says nothing any more.
_MOUNTED = {"/etc/hostname", "/etc/hosts"}
_GROUPS = ("docker", "kubepods", "containerd", "libpod", "lxc")
# What a program runs in, by the variables that it sets (AWS's and GitHub's documentation).
_CLOUDS = (
    ("AWS Cloud9", ("C9_PID", "C9_PROJECT", "C9_USER")),
    ("GitHub Codespaces", ("CODESPACES",)),
    ("Gitpod", ("GITPOD_WORKSPACE_ID",)),
)
_CLOUD_SHELL = "CloudShell"  # AWS_EXECUTION_ENV there


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a command.

    Attributes:
        ssh: it was typed on another machine, so a page opened here would be on a screen far away.
        cloud: the cloud's own terminal that it runs in, by its name.
        container: it runs in a container.
        wsl: in Linux inside Windows.
        display: there is a screen to open windows on; forwarded over SSH too.
    """

    ssh: bool = False
    cloud: str | None = None
    container: bool = False
    wsl: bool = False
    display: bool = False

    @property
    def place(self) -> str | None:
        """What is special about the place, for a sentence (`an SSH session`); None for a plain machine."""
        if self.cloud:
            return self.cloud
        if self.ssh:
            return "an SSH session"
        if self.container:
            return "a container"
        return "WSL" if self.wsl else None


def look(environ: Mapping[str, str], platform: str = sys.platform, *, root: Path = Path("/")) -> Surroundings:
    """What is around a command with this environment. Never raises.

    Args:
        root: where the machine's files begin.
    """
    return Surroundings(
        ssh=is_remote(environ),
        cloud=_cloud(environ),
        container=platform == "linux" and _is_container(environ, root),
        wsl=platform == "linux" and is_wsl(root),
        display=platform == "darwin" or has_display(environ),
    )


def is_remote(environ: Mapping[str, str]) -> bool:
    """Whether this is an SSH session."""
    return any(environ.get(name) for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"))


def has_display(environ: Mapping[str, str]) -> bool:
    """Whether X or Wayland is there, perhaps by way of SSH."""
    return bool(environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"))


def is_wsl(root: Path = Path("/")) -> bool:
    """Whether this is Linux inside Windows."""
    return "microsoft" in _read(root / "proc/sys/kernel/osrelease").lower()


def _cloud(environ: Mapping[str, str]) -> str | None:
    if environ.get("AWS_EXECUTION_ENV") == _CLOUD_SHELL:
        return "AWS CloudShell"
    return next((name for name, variables in _CLOUDS if any(environ.get(v) for v in variables)), None)


def _is_container(environ: Mapping[str, str], root: Path) -> bool:
    # podman, LXC and systemd-nspawn set the variable, Kubernetes the other.
    if environ.get("container") or environ.get("KUBERNETES_SERVICE_HOST"):
        return True
    if any((root / name).exists() for name in (".dockerenv", "run/.containerenv")):
        return True
    if any(group in _read(root / "proc/1/cgroup") for group in _GROUPS):
        return True
    mounts = (line.split(" ") for line in _read(root / "proc/self/mountinfo").splitlines())
    return any(len(words) > 4 and words[4] in _MOUNTED for words in mounts)


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "replace")
    except OSError:
        return ""
