"""Which way of logging in fits the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from credhelper.aws.login.choice import Choice, choose
from credhelper.aws.login.flow import Method
from credhelper.surroundings import Surroundings

NONE = "from which no browser can be opened"


@pytest.fixture
def programs(home: Path) -> Path:
    """A folder for PATH with a browser in it."""
    folder = home / "bin"
    folder.mkdir()
    add(folder, "xdg-open")
    add(folder, "mine")
    return folder


def add(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(
    ("around", "environ", "method", "how"),
    [
        (Surroundings(display=True), {"DISPLAY": ":0"}, Method.PKCE, "in your browser"),
        (Surroundings(display=True), {"DISPLAY": ":0", "BROWSER": "mine"}, Method.PKCE, "in your browser"),
        (Surroundings(), {}, Method.DEVICE, "there is no display here to open a browser on"),
        (
            Surroundings(display=True),
            {"DISPLAY": ":0", "PATH": "/nowhere"},
            Method.DEVICE,
            "no browser was found here",
        ),
        (Surroundings(ssh=True), {"SSH_TTY": "/dev/pts/0"}, Method.DEVICE, f"this is an SSH session, {NONE}"),
        (
            Surroundings(ssh=True, display=True),
            {"SSH_TTY": "/dev/pts/0", "DISPLAY": "localhost:10.0"},
            Method.DEVICE,
            f"this is an SSH session, {NONE}",
        ),
        (
            Surroundings(ssh=True),
            {"SSH_TTY": "/dev/pts/0", "BROWSER": "mine"},
            Method.PKCE,
            "in the browser that $BROWSER names (mine)",
        ),
        (Surroundings(cloud="AWS Cloud9"), {"C9_PID": "1"}, Method.DEVICE, f"this is AWS Cloud9, {NONE}"),
        (Surroundings(container=True), {}, Method.DEVICE, f"this is a container, {NONE}"),
        (
            Surroundings(container=True),
            {"BROWSER": "mine"},
            Method.PKCE,
            "in the browser that $BROWSER names (mine)",
        ),
        (Surroundings(container=True, display=True), {"DISPLAY": ":0"}, Method.PKCE, "in your browser"),
        (
            Surroundings(container=True, display=True),
            {"DISPLAY": ":0", "BROWSER": "gone"},
            Method.PKCE,
            "in your browser",
        ),
        (Surroundings(wsl=True), {}, Method.DEVICE, f"this is WSL, {NONE}"),
        (Surroundings(wsl=True, ssh=True), {"SSH_TTY": "x"}, Method.DEVICE, f"this is an SSH session, {NONE}"),
    ],
)
def test_the_way_and_the_reason(
    programs: Path, around: Surroundings, environ: dict[str, str], method: Method, how: str
) -> None:
    found = choose({"PATH": str(programs), **environ}, around=around)
    assert found.method is method
    assert found.how.removeprefix("with a device code, because ") == how
    assert found.open_browser is (method is Method.PKCE)


@pytest.mark.parametrize("program", ["wslview", "rundll32.exe", "powershell.exe"])
def test_windows_opens_the_page_for_wsl(programs: Path, program: str) -> None:
    add(programs, program)
    found = choose({"PATH": str(programs)}, around=Surroundings(wsl=True))
    assert found == Choice(Method.PKCE, open_browser=True, how="in the browser of Windows")


@pytest.mark.parametrize("named", ["gone", "explorer.exe", "Explorer.exe %s"])
def test_windows_opens_it_where_what_the_variable_names_cannot(programs: Path, named: str) -> None:
    for program in ("explorer.exe", "Explorer.exe", "wslview"):
        add(programs, program)
    found = choose({"PATH": str(programs), "BROWSER": named}, around=Surroundings(wsl=True))
    assert found == Choice(Method.PKCE, open_browser=True, how="in the browser of Windows")


def test_wsl_whose_own_browser_is_the_only_one(programs: Path) -> None:
    environ = {"PATH": str(programs), "DISPLAY": ":0"}
    found = choose(environ, around=Surroundings(wsl=True, display=True))
    assert found == Choice(Method.PKCE, open_browser=True, how="in your browser")


@pytest.mark.parametrize("no_browser", [True, False])
@pytest.mark.parametrize("display", [True, False])
def test_a_device_code_by_wish(programs: Path, display: bool, no_browser: bool) -> None:
    environ = {"PATH": str(programs), **({"DISPLAY": ":0"} if display else {})}
    found = choose(environ, device=True, no_browser=no_browser)
    assert found == Choice(Method.DEVICE, open_browser=not no_browser, how="with a device code, as you asked")


def test_no_browser_by_wish(programs: Path) -> None:
    found = choose({"PATH": str(programs), "DISPLAY": ":0"}, no_browser=True)
    assert found == Choice(Method.PKCE, open_browser=False, how="at an address that you open yourself")


class TestOwnBrowser:
    """The settings name one for the session."""

    def test_it_is_used_everywhere(self, programs: Path) -> None:
        for around in (Surroundings(), Surroundings(ssh=True), Surroundings(wsl=True, display=True)):
            found = choose({"PATH": str(programs), "SSH_TTY": "x"}, own="mine -P x", around=around)
            how = "in the browser that your settings name for it (mine)"
            assert found == Choice(Method.PKCE, open_browser=True, how=how)

    def test_one_that_is_not_there(self, programs: Path) -> None:
        environ = {"PATH": str(programs), "DISPLAY": ":0", "BROWSER": "mine"}
        found = choose(environ, own="gone -P x", around=Surroundings(display=True))
        assert found.method is Method.DEVICE
        assert not found.open_browser
        assert found.how.endswith("the browser that your settings name for it cannot be used here: gone -P x")
