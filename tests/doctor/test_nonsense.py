"""Whatever lies in the places that are looked at: the doctor ends, and no check of its own fails."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from credhelper.doctor.examination import THEMES
from tests.doctor.clinic import Clinic

PLACES = [
    ".aws",
    ".aws/config",
    ".aws/credentials",
    ".aws/sso",
    ".aws/sso/cache",
    ".aws/sso/cache/TOKEN",
    ".aws/cli",
    ".bashrc",
    ".config/credhelper/config.toml",
    ".local/share/credhelper",
    ".local/share/credhelper/credential-process",
    ".local/share/credhelper/lib/credhelper_client.py",
    ".local/share/credhelper/shell/credhelper.bash",
    ".local/state/credhelper",
    ".local/state/credhelper/configs",
    ".local/state/credhelper/network.json",
    ".local/state/credhelper/daemon.log",
]


def nothing(path: Path) -> None:
    assert not path.exists()


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def circle(path: Path) -> None:
    path.symlink_to(path)


def zeros(path: Path) -> None:
    path.write_bytes(b"\0" * 100)


def garbage(path: Path) -> None:
    path.write_bytes(b"\xff\xfe[profile \x1b[2J\n = \r\n{[\xc3\x28 \xe2\x80\xae #!/\nmain(sys.argv[1:], [")


def nested(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def wrong_types(path: Path) -> None:
    path.write_bytes(b'{"proxies": {"https": 7}, "ca_bundle": [], "accessToken": {}, "expiresAt": -1}')


@pytest.mark.parametrize("make", [nothing, folder, pipe, circle, zeros, garbage, nested, wrong_types])
def test_in_the_place_of_each_file(clinic: Clinic, make: Callable[[Path], None]) -> None:
    paths = clinic.paths
    paths.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [paths.home / place.replace("TOKEN", clinic.machine.token_file.name) for place in PLACES]
    everything = [title for title in THEMES if title != "Network"]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(path.name + ".aside")
        there = path.exists()
        if there:
            path.rename(aside)
        make(path)
        # Of the network only what needs no answer; whatever it is, some endpoint of AWS's own is not to be asked.
        findings = clinic.look(*everything)
        broken = [finding for finding in findings if finding.check == "doctor"]
        assert broken == [], path
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # still empty: to look makes nothing
        else:
            path.unlink(missing_ok=True)
        if there:
            aside.rename(path)
    assert [finding.check for finding in clinic.look(*everything)] == ["daemon-absent"]


@pytest.mark.parametrize("value", ["\x1b[2J", "//[", "x" * 5000, "\udcff\n"])
def test_in_the_environment(clinic: Clinic, value: str) -> None:
    everything = [title for title in THEMES if title != "Network"]
    for name, titles in {
        "AWS_PROFILE": everything,
        "AWS_CONFIG_FILE": everything,
        "AWS_SHARED_CREDENTIALS_FILE": everything,
        "AWS_CA_BUNDLE": ["Network"],
        "AWS_ENDPOINT_URL_SSO": [*everything, "Network"],
        "HTTPS_PROXY": ["Network"],
        "CREDHELPER_SOCKET": ["Daemon"],
        "EDITOR": everything,
        "PATH": everything,
        "SHELL": everything,
        "ZDOTDIR": ["Shell"],
    }.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, value)
            broken = [finding for finding in clinic.look(*titles) if finding.check == "doctor"]
            assert broken == [], name
