"""What a person types while a login waits: the pasted address, the keys that end it."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import termios

import pexpect
import pytest

from credhelper.agent import Agent
from tests.aws.login.people import redirect_address
from tests.cli.terminal import COMMAND, Terminal, environment, page_of, spawn
from tests.support import Processes


@pytest.mark.usefixtures("daemon")
def test_an_address_pasted_through_a_pipe(terminal: Terminal, processes: Processes) -> None:
    process = processes.start(
        [*COMMAND, "login", "--no-browser"],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    page = page_of(process)
    assert process.stdin is not None
    process.stdin.write(redirect_address(page) + "\n")
    process.stdin.flush()
    assert process.wait(20) == 0
    assert terminal.cache.read("corp") is not None


@pytest.mark.usefixtures("daemon")
def test_an_address_longer_than_a_line_of_the_terminal_pasted_there(terminal: Terminal) -> None:
    with spawn("login", "--no-browser") as child:
        child.expect(r"  (http://\S+)\r\n")
        assert isinstance(child.match, re.Match)
        page = str(child.match[1])
        child.expect(r"\d+:\d\d left")
        child.send("nonsense\n")
        child.expect("That is not the address")
        address = redirect_address(page) + "&filler=" + "x" * 6000
        for start in range(0, len(address), 500):
            child.send(address[start : start + 500])
        child.expect("characters pasted")
        child.send("\x7f\n")
        child.expect("Logged in to corp")
        assert "oauth/callback?code=" not in str(child.before)
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0
    assert terminal.cache.read("corp") is not None


@pytest.mark.usefixtures("daemon")
def test_ctrl_d_calls_the_login_off(terminal: Terminal) -> None:
    with spawn("login", "--no-browser") as child:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        child.send("half an address\x04")  # in the midst of a line it ends nothing
        child.expect("characters pasted")
        child.send("\x15\x04")
        child.expect("credhelper: the login was called off by Ctrl-D")
        child.expect("Run the same command again")
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
    assert child.exitstatus == 1
    assert terminal.cache.read("corp") is None


@pytest.mark.usefixtures("daemon")
def test_ctrl_c_leaves_nothing_behind(terminal: Terminal) -> None:
    with spawn("login", "--no-browser") as child:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        assert not termios.tcgetattr(child.child_fd)[3] & termios.ICANON
        child.sendintr()
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
    assert child.exitstatus == 130
    assert terminal.cache.read("corp") is None
    # The lease is free again.
    with Agent(terminal.paths).login_lease("corp") as mine:
        assert mine


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
@pytest.mark.usefixtures("daemon")
def test_a_signal_that_ends_it_gives_the_terminal_back(terminal: Terminal, number: signal.Signals) -> None:
    with spawn("login", "--no-browser") as child:
        before = termios.tcgetattr(child.child_fd)[3] | termios.ICANON | termios.ECHO
        child.expect(r"\d+:\d\d left")
        assert not termios.tcgetattr(child.child_fd)[3] & termios.ECHO
        child.kill(number)
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd)[3] == before
        assert "Traceback" not in str(child.before)
    assert child.exitstatus == 128 + number
    assert terminal.cache.read("corp") is None


@pytest.mark.usefixtures("daemon")
def test_in_the_background_what_is_typed_for_others_makes_no_storm(terminal: Terminal) -> None:
    child = pexpect.spawn(
        "/bin/bash",
        ["--norc", "-i"],
        env={**environment(), "TERM": "xterm-256color", "PS1": "ready> "},
        encoding="utf-8",
        dimensions=(40, 100),
        timeout=20,
    )
    with child:
        child.expect("ready> ")
        child.sendline(f"{shlex.join([*COMMAND, 'login', '--no-browser'])} & sleep 1000")
        child.expect(r"\d+:\d\d left")
        child.sendline("for the next command")
        child.expect(r"(\d+:\d\d) left")
        seen: list[str] = []
        while len(set(seen)) < 4:
            child.expect(r"(\d+:\d\d) left")
            assert isinstance(child.match, re.Match)
            seen.append(str(child.match[1]))
        assert len(seen) < 40, "a few for each second, not thousands"
        child.sendintr()
        child.expect("ready> ")
        child.sendline("kill %1; wait; exit")
        child.expect(pexpect.EOF)
    assert terminal.cache.read("corp") is None
