"""`credhelper demo --shell` as a person has it: real shells on a terminal."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pexpect
import psutil
import pytest

from credhelper.demo.controls import Controls
from credhelper.demo.schedule import Schedule
from credhelper.demo.shell import _has_aws_cli, choose_shell
from credhelper.demo.world import World
from credhelper.standin import write_browser_script
from docs.pictures.terminal import Terminal
from tests.demo.around import ASTRAY, HOME_PATH, READ, gone, processes_of
from tests.demo.around import terminal as terminal_environ
from tests.demo.ends import over
from tests.waiting import wait_until

PROMPT = "(credhelper demo) corp-dev $"
SHELL = [sys.executable, "-P", "-m", "credhelper", "demo", "--shell"]
# What could make a shell read or write the person's files.
FILES = {"HISTFILE": "{home}/history", "BASH_ENV": "{home}/.bashrc", "ENV": "{home}/.shrc", "ZDOTDIR": "{home}"}


class Visit:
    """One stay in the demo's shell."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.seen = ""

    def until(self, done: Callable[[str], Any], what: str) -> str:
        text = self.terminal.wait(done, 60.0, what)
        self.seen += f"{text}\n"
        return text

    def run(self, line: str) -> str:
        """What a command shows, up to the next prompt. No line may be run twice: its echo tells where it began."""
        self.terminal.type(line)
        echo = f"{PROMPT} {line}\n"
        text = self.until(lambda text: echo in text and text.endswith(PROMPT), f"`{line}` to end")
        return text.rpartition(echo)[2]

    def leave(self) -> int | None:
        self.terminal.type("exit")
        code = self.terminal.end(30.0)
        self.seen += self.terminal.text()
        return code


@contextmanager
def visiting(home: Path, shell: str | None, *arguments: str, **environ: str) -> Iterator[Visit]:
    """A shell of the demo, opened by somebody whose environment would lead it astray, at its first prompt."""
    if shell is None:
        pytest.skip("this shell is not installed")
    files = {name: value.format(home=home) for name, value in FILES.items()}
    variables = terminal_environ(**{**ASTRAY, **files, "SHELL": shell, **environ})
    with Terminal([*SHELL, *arguments], variables, columns=120, lines=50) as terminal:
        visit = Visit(terminal)
        visit.until(lambda text: text.endswith(PROMPT), "the prompt")
        yield visit


def test_a_visit_in_bash(before: None, home: Path, runtime_folder: Path) -> None:
    browser = write_browser_script(runtime_folder / "browser")  # plays the person's own
    with visiting(home, shutil.which("bash"), BROWSER=str(browser.path)) as visit:
        assert "nothing of yours is touched" in " ".join(visit.seen.split())
        assert re.search(r"credhelper login corp +your browser opens", visit.seen)
        folder = HOME_PATH.findall(visit.run("pwd; echo $AWS_PROFILE $HOME $HISTFILE"))
        assert len(set(folder)) == 1
        assert len(folder) == 3
        status = visit.run("credhelper status")
        assert re.search(r"corp +active +\d+ s +renews itself", status)
        assert re.search(r"client-prod +client +444455556666 +Audit", status)
        assert "account: 111122223333" in visit.run("credhelper whoami")
        told = visit.run("python -c 'import boto3; print(boto3.client(\"sts\").get_caller_identity())'")
        assert "'Account': '111122223333'" in told
        # Ctrl-C ends what runs in the shell, nothing else.
        visit.terminal.type("echo begun; sleep 1000")
        visit.until(lambda text: text.endswith("\nbegun"), "the command to begin")
        for _ in range(2):
            visit.terminal.press("\x03")
        visit.until(lambda text: text.endswith(f"^C\n{PROMPT}"), "the prompt after Ctrl-C")
        assert "logged out" in visit.run("credhelper logout corp").lower()
        assert "credhelper login corp" in visit.run("credhelper whoami corp-dev")
        assert browser.opened() == []
        assert "Logged in to corp" in visit.run("credhelper login corp")
        assert len(browser.opened()) == 1, "the person's own browser was opened"
        assert "usage: end-session" in visit.run("end-session nobody")
        assert "AWS will refuse to renew client" in visit.run("end-session client")
        visit.run("sleep 1000 & disown")
        assert any("sleep 1000" in line for line in processes_of(folder[0]))
        visit.run("false")
        assert visit.leave() == 0
    assert "nothing of it is left" in visit.seen
    assert READ not in visit.seen
    assert gone(visit.seen)


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_the_hook_is_in_place(name: str, before: None, home: Path) -> None:
    with visiting(home, shutil.which(name)) as visit:
        assert "credhelper use client-prod" in visit.seen
        assert "111122223333" in visit.run("credhelper whoami; pwd")
        told = visit.run("credhelper use client-prod; echo now $AWS_PROFILE; credhelper use -")
        assert told == f"now client-prod\n{PROMPT}"
        # Logged in just in time, by a program of the name that the hook knows.
        visit.run("printf '#!/bin/sh\\necho ran\\n' >bin/sam; chmod +x bin/sam")
        visit.run("credhelper logout corp")
        told = visit.run("sam deploy")
        assert re.search(r"(?s)credhelper: corp-dev needs a login to corp .*Logged in to corp.*\nran\n", told)
        assert visit.leave() == 0
    assert READ not in visit.seen
    assert gone(visit.seen)


def test_a_short_visit_in_sh(before: None, home: Path) -> None:
    with visiting(home, shutil.which("sh"), "--lifetime", "20") as visit:
        assert "credhelper use" not in visit.seen
        assert "A token lives 20 s here" in re.sub(r"\s+", " ", visit.seen)
        assert "111122223333" in visit.run("credhelper whoami; pwd")
        assert visit.leave() == 0
    assert READ not in visit.seen
    assert gone(visit.seen)


def test_the_terminal_is_closed(before: None, home: Path) -> None:
    with visiting(home, "/bin/sh") as visit:
        visit.run("sleep 1000 & pwd")
    assert gone(visit.seen)


def test_kept(home: Path) -> None:
    with visiting(home, "/bin/sh", "--keep") as visit:
        visit.run("echo here >made-by-me")
        assert visit.leave() == 0
    folder = Path(HOME_PATH.findall(visit.seen)[-1])
    try:
        assert f"The temporary home folder is kept: {folder}" in visit.seen
        assert (folder / "made-by-me").read_text() == "here\n"
        assert processes_of(str(folder)) == []
    finally:
        shutil.rmtree(folder)


# Its parts


def test_the_controls(home: Path, runtime_folder: Path) -> None:
    mine = runtime_folder / "mine"
    mine.write_text(f'#!/bin/sh\nprintf "%s %s\\n" "$HOME" "$1" >>{runtime_folder}/opened\n')
    mine.chmod(0o700)
    theirs = {"HOME": str(home), "PATH": "/usr/bin:/bin", "BROWSER": str(mine)}

    def opened() -> list[str]:
        path = runtime_folder / "opened"
        return path.read_text().splitlines() if path.exists() else []

    with World(Schedule(), theirs) as world, Controls(world, theirs) as controls:
        assert controls.own_browser
        for url in ("https://evil.example/", "file:///etc/passwd", f"{world.standin.url}/"):
            pexpect.run(f"{controls.bin}/browser {url}")
        wait_until(opened)
        assert opened() == [f"{home} {world.standin.url}/"], "with the person's own home, and pages of here alone"


def test_a_browser_that_fails_is_played(home: Path) -> None:
    theirs = {"HOME": str(home), "PATH": "/usr/bin:/bin", "BROWSER": "/bin/false"}
    with World(Schedule(), theirs) as world, Controls(world, theirs) as controls:
        pexpect.run(f"{controls.bin}/browser {world.standin.url}/")
        assert world.standin.wait_for("IndexPage")[0].caller == "browser"


def test_no_browser_and_no_desktop() -> None:
    with World(Schedule(), {"PATH": "/usr/bin:/bin"}) as world, Controls(world, {}) as controls:
        assert not controls.own_browser
        assert controls.browser == world.environment["BROWSER"]


def test_half_a_line_in_the_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    with World(Schedule()) as world, Controls(world, {}) as controls:
        monkeypatch.setattr(world.standin, "end_sessions", ended.append)
        subprocess.run(["/bin/sh", "-c", f"printf x >{world.home}/controls"], check=True, timeout=20)
        assert subprocess.run([f"{controls.bin}/end-session", "client"], check=True, timeout=20).returncode == 0
        wait_until(lambda: ended)
        subprocess.run(["/bin/sh", "-c", f"printf x >{world.home}/controls"], check=True, timeout=20)
        folder = world.home
    assert ended == ["https://client.awsapps.com/start"]
    assert not folder.exists()


def test_what_nobody_foresaw_is_told_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fail(start_url: str) -> None:
        calls.append(start_url)
        raise LookupError(start_url)

    world = World(Schedule())
    monkeypatch.setattr(world.standin, "end_sessions", fail)

    def visit() -> None:
        with world, Controls(world, {}) as controls:
            for session in ("corp", "client"):
                subprocess.run([f"{controls.bin}/end-session", session], check=True, timeout=20)
            wait_until(lambda: len(calls) == 2)

    with pytest.raises(LookupError, match="corp"):
        visit()
    assert not world.home.exists()


def test_a_command_in_the_background_that_hides_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As `login` and `status --watch` do from all but root."""

    def refuse(process: psutil.Process) -> dict[str, str]:
        raise psutil.AccessDenied(process.pid)

    with World(Schedule()) as world, Controls(world, {}) as controls:
        command = subprocess.Popen(
            [f"{controls.bin}/credhelper", "status", "--watch"], env=world.environment, stdout=subprocess.PIPE
        )
        assert command.stdout is not None
        command.stdout.readline()
        monkeypatch.setattr(psutil.Process, "environ", refuse)
    with command.stdout:
        assert over(command.pid)
    command.wait(20)


@pytest.mark.parametrize("wanted", ["/usr/bin/tcsh", "", "/nonexistent/zsh", "/bin/false"])
def test_another_shell(wanted: str) -> None:
    with World(Schedule()) as world:
        assert Path(choose_shell(world, {"SHELL": wanted}).command[0]).name in {"bash", "sh"}


@pytest.mark.parametrize(
    ("version", "good"),
    [
        ("aws-cli/2.38.5 Python/3.14 Linux", True),
        ("aws-cli/2.13.0 Python/3.11", True),
        ("aws-cli/2.9.19 Python/3.11", False),
        ("aws-cli/1.29.0 Python/3.11", True),
        ("aws-cli/1.22.34 Python/3.10", False),
        ("something else", False),
    ],
)
def test_which_aws_cli_is_named(version: str, good: bool, tmp_path: Path) -> None:
    program = tmp_path / "aws"
    program.write_text(f"#!/bin/sh\necho '{version}'\n")
    program.chmod(0o700)
    assert _has_aws_cli({"PATH": f"{tmp_path}:/usr/bin:/bin"}) is good
    program.unlink()
    assert not _has_aws_cli({"PATH": str(tmp_path)})
