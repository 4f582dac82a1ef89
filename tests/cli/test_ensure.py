"""`credhelper ensure`: the login just before a program runs, and silence in all other cases."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from credhelper import board
from credhelper.agent import Agent
from credhelper.cli import ensure
from credhelper.standin import write_browser_script
from tests.cli.terminal import CHAINED, COMMAND, KEYS, LOST, Terminal, environment, spawn_for_hook
from tests.support import remove_at_once
from tests.waiting import wait_until

MORE = f"""{KEYS}{CHAINED}{LOST}
[profile circle]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = circle-too

[profile circle-too]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = circle
"""


@pytest.fixture
def terminal(terminal: Terminal) -> Terminal:
    return terminal.add(MORE)


def finish(child: pexpect.spawn[str]) -> tuple[int | None, str]:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus, str(child.before)


@pytest.mark.usefixtures("daemon")
class TestLogin:
    @pytest.mark.parametrize(
        ("arguments", "changes", "name"),
        [
            (["--profile", "dev"], {}, "dev"),
            (["--profile", "chained"], {"AWS_PROFILE": "keys"}, "chained"),
            ([], {"AWS_PROFILE": "dev"}, "dev"),
            ([], {"AWS_DEFAULT_PROFILE": "dev"}, "dev"),
            (["--profile", "dev"], {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}, "dev"),
        ],
    )
    def test_it_says_why_and_logs_in_with_nothing_on_stdout(
        self, terminal: Terminal, tmp_path: Path, arguments: list[str], changes: dict[str, str], name: str
    ) -> None:
        child = spawn_for_hook(tmp_path / "out", "ensure", *arguments, **changes)
        child.expect_exact(f"credhelper: {name} needs a login to corp (not logged in). Ctrl-C calls both off.")
        child.expect("Logged in to corp until")
        assert finish(child)[0] == 0
        assert (tmp_path / "out").read_text() == ""
        assert len(terminal.browser.opened()) == 1
        child = spawn_for_hook(tmp_path / "out", "ensure", *arguments, **changes)
        assert finish(child) == (0, "")
        assert len(terminal.browser.opened()) == 1

    def test_the_profile_default(self, terminal: Terminal, tmp_path: Path) -> None:
        terminal.config.write_text(terminal.config.read_text().replace("[profile dev]", "[default]"))
        child = spawn_for_hook(tmp_path / "out", "ensure")
        child.expect_exact("credhelper: default needs a login to corp")
        child.expect("Logged in to corp until")
        assert finish(child)[0] == 0

    @pytest.mark.parametrize("config", ["", "~/.aws/config"])
    @pytest.mark.usefixtures("terminal")
    def test_in_a_folder_that_is_gone(self, tmp_path: Path, config: str) -> None:
        line = f"mkdir gone && cd gone && rmdir ../gone && exec {shlex.join(COMMAND)} ensure --profile dev"
        environ = {**environment(), "AWS_CONFIG_FILE": config}
        child = pexpect.spawn("/bin/sh", ["-c", line], env=environ, cwd=str(tmp_path), encoding="utf-8", timeout=20)
        child.expect("Logged in to corp until")
        assert finish(child)[0] == 0

    @pytest.mark.usefixtures("terminal")
    def test_ctrl_c(self, tmp_path: Path) -> None:
        quiet = tmp_path / "quiet-browser"
        quiet.write_text("#!/bin/sh\n")
        quiet.chmod(0o700)
        child = spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev", BROWSER=str(quiet))
        child.expect(r"\d+:\d\d left")
        child.sendintr()
        finish(child)
        assert child.signalstatus == signal.SIGINT, "which a shell takes for 130, and for the end of the whole line"

    def test_ctrl_c_while_it_still_looks(self, terminal: Terminal) -> None:
        code = (
            "from credhelper import cli\nfrom credhelper.cli import ensure, need\n"
            "def interrupted(*_): raise KeyboardInterrupt\n"
            "ensure.find_need, need.can_ask = interrupted, lambda: True\n"
            "cli.main(['ensure', '--profile', 'dev'])\n"
        )
        done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"\n")
        assert terminal.browser.opened() == []

    @pytest.mark.usefixtures("terminal")
    def test_a_login_that_fails(self, tmp_path: Path) -> None:
        browser = write_browser_script(tmp_path / "deny", deny=True)
        child = spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev", BROWSER=str(browser.path))
        child.expect_exact("needs a login to corp")
        assert finish(child)[0] == 1
        assert (tmp_path / "out").read_text() == ""


@pytest.mark.usefixtures("daemon")
class TestSilence:
    @pytest.mark.parametrize(
        ("arguments", "changes"),
        [
            (["--profile", "keys"], {}),
            (["--profile", "nowhere"], {}),
            (["--profile", "circle"], {}),
            (["--profile", "lost"], {}),
            (["--profile", "-"], {}),
            ([], {}),
            ([], {"AWS_PROFILE": "dev", "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE"}),
            (["--profile", "dev"], {"AWS_CONFIG_FILE": "/nowhere/config"}),
            (["--profile", "dev"], {"AWS_CONFIG_FILE": "/"}),
            (["--profile", "dev"], {"HOME": "nowhere"}),
        ],
    )
    def test_where_no_login_helps(
        self, terminal: Terminal, tmp_path: Path, arguments: list[str], changes: dict[str, str]
    ) -> None:
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", *arguments, **changes)) == (0, "")
        assert (tmp_path / "out").read_text() == ""
        assert terminal.browser.opened() == []

    @pytest.mark.parametrize(
        "spoil", ["[profile dev\n[", "\0\xff", "[sso-session corp]\n= =\n[profile dev]\nsso_session=corp"]
    )
    def test_a_broken_config(self, terminal: Terminal, tmp_path: Path, spoil: str) -> None:
        terminal.config.write_text(spoil)
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")) == (0, "")

    def test_without_a_terminal(self, terminal: Terminal) -> None:
        result = terminal.call("ensure", "--profile", "dev")
        assert (result.code, result.out, result.err) == (0, "", "")

    @pytest.mark.parametrize("redirection", ["</dev/null", "2>err"])
    @pytest.mark.usefixtures("terminal")
    def test_where_one_end_is_no_terminal(self, tmp_path: Path, redirection: str) -> None:
        line = f"cd {tmp_path} && exec {' '.join(COMMAND)} ensure --profile dev {redirection}"
        child = pexpect.spawn("/bin/sh", ["-c", line], env=environment(), encoding="utf-8", timeout=20)
        assert finish(child) == (0, "")
        assert not (tmp_path / "err").exists() or (tmp_path / "err").read_text() == ""

    def test_in_the_background(self, terminal: Terminal) -> None:
        """No Ctrl-C would reach it, and nothing that is typed."""
        line = f"set -m; {' '.join(COMMAND)} ensure --profile dev & wait $!; echo code $?"
        child = pexpect.spawn("/bin/bash", ["-c", line], env=environment(), encoding="utf-8", timeout=20)
        child.expect("code 0")
        assert "login" not in str(child.before)
        child.expect(pexpect.EOF)
        child.close()
        assert terminal.browser.opened() == []


class TestWithoutDaemon:
    def test_what_lives_starts_it_so_that_the_hooks_need_not_ask_again(
        self, terminal: Terminal, tmp_path: Path
    ) -> None:
        terminal.seed()
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")) == (0, "")
        assert Agent(terminal.paths).running()
        wait_until(lambda: (entry := board.entry_of_profile(terminal.paths, "dev", {})) and entry.login == "no")

    def test_what_has_run_out_is_renewed(self, terminal: Terminal, tmp_path: Path) -> None:
        assert terminal.call("login", "corp").code == 0
        agent = Agent(terminal.paths)
        agent.call("stop")
        wait_until(lambda: not agent.running())
        remove_at_once(board.folder(terminal.paths))
        path = terminal.cache.path("corp")
        path.write_text(json.dumps({**json.loads(path.read_text()), "expiresAt": "2020-01-01T00:00:00Z"}))
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")) == (0, "")
        assert "2020" not in json.loads(path.read_text())["expiresAt"]

    @pytest.fixture
    def impossible(self, runtime_folder: Path) -> None:
        """No daemon can be started, or spoken to."""
        (runtime_folder / "credhelper").mkdir(0o755)
        (runtime_folder / "credhelper").chmod(0o777)

    @pytest.mark.usefixtures("impossible")
    def test_a_login_needs_none(self, terminal: Terminal, tmp_path: Path) -> None:
        child = spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")
        child.expect_exact("dev needs a login to corp (not logged in)")
        child.expect("Logged in to corp until")
        assert finish(child)[0] == 0
        assert terminal.cache.read("corp") is not None

    @pytest.mark.usefixtures("impossible")
    @pytest.mark.parametrize("expiry", [None, "2020-01-01T00:00:00Z"])
    def test_nor_is_one_in_the_way(self, terminal: Terminal, tmp_path: Path, expiry: str | None) -> None:
        terminal.seed(**({"expiresAt": expiry} if expiry else {}))
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")) == (0, "")
        assert terminal.browser.opened() == []


def test_a_daemon_that_hangs_is_not_in_the_way(terminal: Terminal, daemon: Agent, tmp_path: Path) -> None:
    terminal.seed()
    pid = daemon.status()["daemon"]["pid"]
    remove_at_once(board.folder(terminal.paths))
    os.kill(pid, signal.SIGSTOP)
    try:
        assert finish(spawn_for_hook(tmp_path / "out", "ensure", "--profile", "dev")) == (0, "")
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_surprise_of_ours_is_not_in_the_way(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Any:
        raise RuntimeError("a bug")

    monkeypatch.setattr(os, "isatty", lambda fd: True)
    monkeypatch.setattr(ensure, "find_need", fail)
    result = terminal.run("ensure", "--profile", "dev")
    assert (result.code, result.out, result.err) == (0, "", "")


def test_ctrl_c_before_anything_has_begun(home: Path) -> None:
    """Python would show a traceback, above the command that the person has just called off."""
    code = (
        "import os, signal, sys\nfrom credhelper import __main__ as program\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'credhelper.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "program.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


def test_it_is_hidden(terminal: Terminal) -> None:
    page = terminal.run("--help").out
    assert "ensure" not in page
    assert "aws-sso-login" not in page
    assert subprocess.run([*COMMAND, "ensure", "--help"], check=False, capture_output=True).returncode == 0
