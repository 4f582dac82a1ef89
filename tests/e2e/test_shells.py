"""A person's day in a real shell with the hook installed: the daemon, the AWS CLI v2, a stand-in for AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from credhelper import board, files
from credhelper.agent import Agent
from credhelper.aws.tokens import TokenCache
from credhelper.dates import format_date
from tests.e2e.conftest import ACCOUNTS, LEGACY_URL, SESSIONS, Machine
from tests.shells.terminal import STARTED, Output, Terminal, finished
from tests.waiting import wait_until

SHELLS = ("bash", "zsh", "fish")
_CREDHELPER = Path(sys.executable).with_name("credhelper")
# The line editor's; fish marks the place where a program's last line would have no end.
_DRAWING = re.compile(r"\x1b\[2m⏎\x1b\(B\x1b\[m *\r⏎ \r\x1b\[K|\x1b\[[0-9;?]*[A-Za-z]|\x1b\(B|\r")
_LOGIN = re.compile(r"Logged in to (\S+) until ")

# What the tests themselves need of a shell: the marks of `Terminal`, and the hook's segment in the prompt.
_RC = {
    "bash": f"PS0='{STARTED}'\nPS1='\\[{finished('$?')}\\]${{CREDHELPER_SEGMENT-}}$ '\n",
    "zsh": f"setopt prompt_subst no_prompt_cr no_prompt_sp\npreexec() {{ print -rn -- '{STARTED}' }}\n"
    f"PROMPT='%{{{finished('%?')}%}}${{CREDHELPER_SEGMENT-}}$ '\n",
    "fish": "set -g fish_greeting\nfunction fish_title\nend\n"
    f"function __test_preexec --on-event fish_preexec\n    printf '%s' '{STARTED}'\nend\n"
    "function fish_prompt\n"
    f"    printf '\\e]7777;finished;%s\\a' $status\n    echo -n \"$CREDHELPER_SEGMENT\"'$ '\nend\n",
}


class Person(Terminal):
    """Sees the words of what is shown, and not how the line editor draws."""

    def prompt(self, limit: float = 60.0) -> Output:
        shown = super().prompt(limit)
        # fish draws its prompt a moment after the mark in it, and is confused by what is typed before that.
        self.wait_until(lambda screen: screen.endswith("$"))
        return Output(_DRAWING.sub("", shown.text), shown.status)

    def run(self, line: str, limit: float = 60.0) -> Output:
        return super().run(line, limit)

    def wait_for_prompt(self, text: str) -> None:
        """Until the screen's last line is a prompt that begins with this text."""
        self.wait_until(lambda screen: screen.rpartition("\n")[2].startswith(text))


class Shell:
    """One kind of shell on the machine, with the hook installed as a person installs it."""

    def __init__(self, name: str, machine: Machine, top: Path, aws_cli: str) -> None:
        self.name = name
        self.machine = machine
        programs = top / "bin"
        programs.mkdir()
        (programs / "aws").symlink_to(aws_cli)
        (programs / "credhelper").symlink_to(_CREDHELPER)
        home = machine.paths.home
        system = os.confstr("CS_PATH") or os.defpath
        self._environ = {
            **machine.environ,
            "HOME": str(home),
            "PATH": f"{programs}:{system}",
            "SHELL": shutil.which(name) or name,
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "AWS_PAGER": "",
            "NO_COLOR": "1",
            "INPUTRC": os.devnull,
        }
        rc = {"bash": home / ".bashrc", "zsh": home / ".zshrc", "fish": home / ".config/fish/config.fish"}[name]
        rc.parent.mkdir(parents=True, exist_ok=True)
        rc.write_text(_RC[name])
        # Where this folder is missing fish fills it, in a process that outlives it.
        (home / ".local/share/fish/generated_completions").mkdir(parents=True)
        machine.credhelper("hook", name, "--install", "--yes")

    @contextmanager
    def open(self, **environ: str) -> Iterator[Person]:
        """A new one, at its first prompt, at which nothing was said."""
        with self.open_and_read(**environ) as (terminal, said):
            assert said.text == ""
            yield terminal

    @contextmanager
    def open_and_read(self, **environ: str) -> Iterator[tuple[Person, Output]]:
        """A new one, at its first prompt, and what was said by then."""
        options = {"bash": ["--noprofile", "-i"], "zsh": ["-d", "-i"], "fish": ["-i"]}[self.name]
        command = [self._environ["SHELL"], *options]
        with Person(command, {**self._environ, **environ}, self.machine.paths.home) as terminal:
            yield terminal, terminal.prompt()

    def hide(self, program: str) -> None:
        """Let it be on no PATH, on which all others stay."""
        first, *system = self._environ["PATH"].split(":")
        others = Path(first).with_name("others")
        others.mkdir()
        for folder in system:
            for found in Path(folder).iterdir():
                if found.name != program and not (others / found.name).exists():
                    (others / found.name).symlink_to(found)
        self._environ["PATH"] = f"{first}:{others}"

    def wait_for_board(self, profile: str, login: str) -> board.Entry:
        """Until the board says of the profile's session whether it needs a login."""

        def look() -> board.Entry | None:
            entry = board.entry_of_profile(self.machine.paths, profile, {})
            return entry if entry is not None and entry.login == login else None

        found = wait_until(look, 20, f"the board to say {login!r} of {profile}")
        assert found is not None
        return found


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, machine: Machine, aws_cli: str, runtime_folder: Path) -> Shell:
    """Each kind of shell; nobody has logged in, nothing is enabled."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} on this machine")
    return Shell(request.param, machine, runtime_folder, aws_cli)


def run_out(machine: Machine, profile: str) -> None:
    """AWS ends the session of a profile, and the token runs out."""
    machine.standin.end_sessions()
    name = SESSIONS[profile]
    path = token_file(machine, name)
    files.replace(path, json.dumps({**json.loads(path.read_text()), "expiresAt": format_date(1e9)}).encode())
    machine.agent.call("reload")
    wait_until(lambda: machine.session(name)["state"] == "expired", 20, "the session to be expired")


def token_file(machine: Machine, session: str) -> Path:
    return TokenCache(machine.paths.token_cache, machine.paths.locks).path(session)


def account(output: Output) -> Any:
    """Of the JSON that the AWS CLI has shown, after whatever was said before it."""
    return json.loads(output.text[output.text.index("{") :])["Account"]


def test_login_just_in_time(shell: Shell, enabled: Machine, tmp_path: Path) -> None:
    run_out(enabled, "modern")
    shell.wait_for_board("modern", "yes")
    with shell.open() as terminal:
        answer = tmp_path / "answer"
        said = terminal.run(f"aws sts get-caller-identity --profile modern --output json >{answer}")
        assert said.status == 0, said.text
        assert said.text.startswith("credhelper: modern needs a login to corp (AWS has ended the session).")
        assert _LOGIN.findall(said.text) == ["corp"]
        assert json.loads(answer.read_text())["Account"] == ACCOUNTS["modern"], "nothing else is on stdout"
        assert len(enabled.browser.opened()) == 3
        # From now on nothing is said.
        shell.wait_for_board("modern", "no")
        again = terminal.run("aws sts get-caller-identity --profile=modern --output text --query Account")
        assert again == Output(f"{ACCOUNTS['modern']}\n", 0)
        assert len(enabled.browser.opened()) == 3


def test_ctrl_c_gives_up_on_both(shell: Shell, machine: Machine, daemon: Agent) -> None:
    machine.credhelper("enable", "modern", "--yes")
    shell.wait_for_board("modern", "yes")
    with shell.open(AWS_PROFILE="modern", BROWSER="/bin/true") as terminal:  # nobody approves
        terminal.type("aws sts get-caller-identity; echo after\r")
        terminal.wait_for("Opened the login page")
        terminal.interrupt()
        given_up = terminal.prompt()
        assert given_up.status == 130, given_up.text
        assert "after" not in given_up.text.splitlines()
        assert terminal.run("echo on") == Output("on\n", 0)
    assert machine.standin.calls("GetRoleCredentials") == machine.standin.calls("GetCallerIdentity") == []


def test_login_just_in_time_in_a_pipeline(shell: Shell, enabled: Machine) -> None:
    run_out(enabled, "modern")
    shell.wait_for_board("modern", "yes")
    with shell.open(AWS_PROFILE="modern") as terminal:
        line = "aws sts get-caller-identity --output text --query Account"
        done = terminal.run(f"{line} | sed s/^/account=/")
        assert done.status == 0, done.text
        assert _LOGIN.findall(done.text) == ["corp"], done.text
        assert done.text.endswith(f"account={ACCOUNTS['modern']}\n")
        assert len(enabled.browser.opened()) == 3


def test_the_old_habit(shell: Shell, machine: Machine, daemon: Agent) -> None:
    machine.credhelper("enable", "legacy", "--yes")
    with shell.open() as terminal:
        done = terminal.run("aws sso login --profile legacy")
        assert done.status == 0, done.text
        assert _LOGIN.findall(done.text) == [SESSIONS["legacy"]]
        assert machine.aws_identity("legacy")["Account"] == ACCOUNTS["legacy"]
        # A profile that is not ours logs in as ever.
        done = terminal.run("aws sso login --profile modern")
        assert done.status == 0, done.text
        assert "Successfully logged into Start URL" in done.text
        assert len(machine.browser.opened()) == 2


def test_use(shell: Shell, machine: Machine, daemon: Agent) -> None:
    machine.credhelper("enable", "--all", "--yes")
    shell.wait_for_board("modern", "yes")
    with shell.open() as terminal:
        used = terminal.run("credhelper use modern")
        assert used.status == 0, used.text
        assert _LOGIN.findall(used.text) == ["corp"]
        assert terminal.run("echo $AWS_PROFILE") == Output("modern\n", 0)
        shell.wait_for_board("modern", "no")
        done = terminal.run("aws sts get-caller-identity --output text --query Account")
        assert done == Output(f"{ACCOUNTS['modern']}\n", 0)
        terminal.wait_for_prompt("modern$")
        wrong = terminal.run("credhelper use modren")
        assert wrong.status == 2
        assert "modern" in wrong.text
        assert terminal.run("credhelper use legacy").status == 0
        assert terminal.run("credhelper use -").status == 0
        assert terminal.run("echo $AWS_PROFILE") == Output("modern\n", 0)
        assert len(machine.browser.opened()) == 2
        # A shell inside has the profile, and goes back to it on its own.
        assert terminal.run("credhelper use --default legacy").status == 0
    with shell.open() as terminal:
        assert terminal.run("echo $AWS_PROFILE") == Output("legacy\n", 0)


@pytest.mark.parametrize("picker", ["fzf", "questionary"])
def test_pick(shell: Shell, machine: Machine, daemon: Agent, picker: str) -> None:
    if picker == "fzf" and shutil.which("fzf") is None:
        pytest.skip("no fzf on this machine")
    if picker == "questionary":
        shell.hide("fzf")
    with shell.open() as terminal:
        terminal.start("credhelper use")
        terminal.wait_for("AWSReadOnlyAccess")
        terminal.interrupt()
        assert terminal.prompt().status == 130
        assert terminal.run("env | grep ^AWS_PROFILE=") == Output("", 1)
        terminal.start("credhelper use")
        terminal.wait_for("AWSReadOnlyAccess")
        terminal.type("modern")
        terminal.wait_until(lambda screen: "legacy" not in screen)
        terminal.type("\r")
        assert terminal.prompt().status == 0
        assert terminal.run("echo $AWS_PROFILE") == Output("modern\n", 0)
        assert len(machine.browser.opened()) == 1


def test_a_warning_at_the_prompt(shell: Shell, machine: Machine, daemon: Agent) -> None:
    """A login of the old kind cannot be renewed; its end is seen to come."""
    machine.endpoints_in_settings()
    machine.credhelper("enable", "legacy", "--yes")
    token = machine.standin.seed_session(LEGACY_URL, "eu-west-1", scopes=())
    path = token_file(machine, LEGACY_URL)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(0o600)
    path.write_text(json.dumps({**token, "expiresAt": format_date(time.time() + 12.5 * 60)}))
    machine.agent.call("reload")
    shell.wait_for_board("legacy", "soon")
    with shell.open_and_read(AWS_PROFILE="legacy") as (terminal, said):
        name = SESSIONS["legacy"]
        assert re.fullmatch(
            rf"credhelper: session {name} ends in 12 min\. Run: credhelper login {name}\n", said.text
        ), said.text
        terminal.wait_for_prompt("legacy 12m$")
        assert terminal.run("echo on") == Output("on\n", 0), "once, not at each prompt"
        assert terminal.run("aws sts get-caller-identity --output text --query Account") == Output(
            f"{ACCOUNTS['legacy']}\n", 0
        )
        done = terminal.run(f"credhelper login {name}")
        assert done.status == 0, done.text
        shell.wait_for_board("legacy", "no")
        assert terminal.run(":") == Output("", 0)
        terminal.wait_for_prompt("legacy$")
    assert len(machine.browser.opened()) == 1


def test_the_daemon_is_dead(shell: Shell, enabled: Machine) -> None:
    """What the board said last holds until its end; then the next command asks, and the session is renewed."""
    shell.wait_for_board("modern", "no")
    killed = psutil.Process(enabled.agent.status()["daemon"]["pid"])
    killed.kill()
    wait_until(lambda: not enabled.agent.running(), 10, "the daemon's end")
    with shell.open(AWS_PROFILE="modern") as terminal:
        asked = "aws sts get-caller-identity --output text --query Account"
        assert terminal.run(asked) == Output(f"{ACCOUNTS['modern']}\n", 0)
        enabled.credhelper("daemon", "stop")
        # The board's end has come: nobody wrote another.
        path = token_file(enabled, "corp")
        past = time.time() - 60
        content = {**json.loads(path.read_text()), "expiresAt": format_date(past)}
        files.replace(path, json.dumps(content).encode())
        line = board.folder(enabled.paths) / "session" / "corp"
        entry = board.Entry.parse(line.read_bytes())
        files.replace(line, board.Entry("corp", entry.state, "no", int(past), 0).line())
        os.utime(line, (past, past))
        renewals = len(enabled.standin.calls("CreateToken", detail="refresh_token"))
        assert terminal.run(asked) == Output(f"{ACCOUNTS['modern']}\n", 0)
        assert len(enabled.standin.calls("CreateToken", detail="refresh_token")) == renewals + 1
    assert len(enabled.browser.opened()) == 2, "nobody had to log in"


def test_the_prompt_follows_renewals(shell: Shell, machine: Machine, daemon: Agent) -> None:
    machine.standin.configure(token_lifetime=6, role_lifetime=60)
    machine.credhelper("enable", "modern", "--yes")
    machine.credhelper("login", "corp")
    with shell.open(AWS_PROFILE="modern") as terminal:
        first = shell.wait_for_board("modern", "no").ends
        wait_until(lambda: time.time() > first, 20, "the end of the first token")
        assert shell.wait_for_board("modern", "no").ends > first
        assert terminal.run(":") == Output("", 0)
        terminal.wait_for_prompt("modern$")
        machine.standin.end_sessions()
        shell.wait_for_board("modern", "yes")
        said = terminal.run(":")
        assert "credhelper login corp" in said.text
        terminal.wait_for_prompt("modern expired$")
