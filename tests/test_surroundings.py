"""Where a command runs, told by its environment and the machine's own files."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from credhelper.surroundings import Surroundings, is_wsl, look

HOST_MOUNTS = (
    "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
    "90 22 0:40 / /var/lib/docker/containers/0a1b/mounts/shm rw - tmpfs shm rw\n"
)
CONTAINER_MOUNTS = (
    "600 500 0:50 / / rw,relatime - overlay overlay rw\n"
    "611 600 8:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/0a1b/hostname /etc/hostname rw - ext4 /d\n"
)


def machine(root: Path, **files: str) -> Path:
    """A machine's files: `proc__1__cgroup` for `/proc/1/cgroup`."""
    for name, content in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def test_a_plain_machine(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__1__cgroup="0::/init.scope\n", proc__self__mountinfo=HOST_MOUNTS)
    found = look({"PATH": "/bin"}, "linux", root=root)
    assert found == Surroundings()
    assert found.place is None
    assert look({}, "linux", root=tmp_path / "nothing to read") == Surroundings()


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_screen(tmp_path: Path, variable: str) -> None:
    assert look({variable: ":0"}, "linux", root=tmp_path) == Surroundings(display=True)
    assert look({variable: ""}, "linux", root=tmp_path) == Surroundings()


def test_a_mac_always_has_one(tmp_path: Path) -> None:
    assert look({}, "darwin", root=machine(tmp_path, **{".dockerenv": ""})) == Surroundings(display=True)


@pytest.mark.parametrize("variable", ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"])
def test_over_ssh(tmp_path: Path, variable: str) -> None:
    found = look({variable: "10.0.0.1 1 10.0.0.2 22"}, "linux", root=tmp_path)
    assert found == Surroundings(ssh=True)
    assert found.place == "an SSH session"


@pytest.mark.parametrize(
    ("environ", "cloud"),
    [
        ({"C9_PID": "2781", "C9_HOSTNAME": "203.0.113.1"}, "AWS Cloud9"),
        ({"C9_PROJECT": "work"}, "AWS Cloud9"),
        ({"AWS_EXECUTION_ENV": "CloudShell"}, "AWS CloudShell"),
        ({"AWS_EXECUTION_ENV": "AWS_Lambda_python3.12"}, None),
        ({"CODESPACES": "true"}, "GitHub Codespaces"),
        ({"GITPOD_WORKSPACE_ID": "x"}, "Gitpod"),
        ({"C9_PID": "2781", "SSH_TTY": "/dev/pts/1"}, "AWS Cloud9"),
    ],
)
def test_terminals_of_clouds(tmp_path: Path, environ: dict[str, str], cloud: str | None) -> None:
    found = look(environ, "linux", root=tmp_path)
    assert found.cloud == cloud
    assert found.place == cloud


@pytest.mark.parametrize(
    "files",
    [
        {".dockerenv": ""},
        {"run__.containerenv": ""},
        {"proc__1__cgroup": "12:memory:/docker/0a1b\n"},
        {"proc__1__cgroup": "5:cpu:/kubepods/besteffort/pod1/0a1b\n"},
        {"proc__self__mountinfo": CONTAINER_MOUNTS},
    ],
    ids=["docker", "podman", "docker's cgroup", "Kubernetes' cgroup", "containerd without a cgroup of its own"],
)
def test_containers_by_their_files(tmp_path: Path, files: dict[str, str]) -> None:
    found = look({}, "linux", root=machine(tmp_path, **files))
    assert found == Surroundings(container=True)
    assert found.place == "a container"


@pytest.mark.parametrize("environ", [{"container": "podman"}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}])
def test_containers_by_their_environment(tmp_path: Path, environ: dict[str, str]) -> None:
    assert look(environ, "linux", root=tmp_path) == Surroundings(container=True)


def test_wsl(tmp_path: Path) -> None:
    root = machine(tmp_path, proc__sys__kernel__osrelease="5.15.153.1-microsoft-standard-WSL2\n")
    found = look({}, "linux", root=root)
    assert found == Surroundings(wsl=True)
    assert found.place == "WSL"


def test_is_wsl_knows_this_machine() -> None:
    if sys.platform == "darwin":
        assert not is_wsl()
    else:
        assert is_wsl() == ("microsoft" in Path("/proc/sys/kernel/osrelease").read_text().lower())


def test_files_that_are_not_text(tmp_path: Path) -> None:
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/cgroup").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "proc/self/mountinfo").mkdir(parents=True)
    assert look({}, "linux", root=tmp_path) == Surroundings()
