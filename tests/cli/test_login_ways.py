"""The ways to log in: which browser, a device code where there is none, and what follows where a way is closed."""

from __future__ import annotations

import functools
import re

import pexpect
import pytest

from credhelper.aws.login.flow import Pace, log_in
from credhelper.cli import login as verb
from credhelper.cli.person import Person
from credhelper.standin import Fault, write_browser_script
from credhelper.standin.browser import visit
from credhelper.surroundings import Surroundings
from tests.aws.login.conftest import Time
from tests.aws.login.people import redirect_address
from tests.cli.terminal import Terminal, spawn, without_display


def _approve_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person approves each code elsewhere, and the time between polls passes at once."""
    shown = Person.show_code

    def show_code(self: Person, code: str, page: str, complete: str) -> None:
        shown(self, code, page, complete)
        visit(complete)

    clock = Time()
    monkeypatch.setattr(Person, "show_code", show_code)
    monkeypatch.setattr(verb, "log_in", functools.partial(log_in, pace=Pace(clock.sleep, clock.monotonic)))


@pytest.mark.usefixtures("alone")
@without_display
def test_a_device_code_where_there_is_no_browser(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("credhelper.aws.login.choice.look", lambda environ: Surroundings())
    _approve_codes(monkeypatch)
    result = terminal.run("login")
    assert result.code == 0
    assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)
    assert "\x1b" not in result.out  # no terminal, no drawing
    assert "with a device code, because there is no display here to open a browser on.\n" in result.out


@pytest.mark.usefixtures("alone")
@without_display
def test_a_browser_that_cannot_be_started_gives_way_to_a_code(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = terminal.paths.home / "broken"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setattr("credhelper.aws.browser._EARLY_END", 60.0)  # on a busy machine it may end late
    monkeypatch.setenv("BROWSER", str(broken))
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    _approve_codes(monkeypatch)
    result = terminal.run("login")
    assert result.code == 0
    assert "No browser could be opened here; a device code follows." in result.out
    assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)


@pytest.mark.usefixtures("alone")
def test_the_browser_that_the_settings_name(terminal: Terminal) -> None:
    own = write_browser_script(terminal.paths.home / "own browser")
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text(f"[sessions.corp]\nbrowser = \"'{own.path}' %s\"\n")
    result = terminal.run("login")
    assert result.code == 0
    assert "in the browser that your settings name for it (own browser)." in result.out
    assert (len(own.opened()), terminal.browser.opened()) == (1, [])


@pytest.mark.usefixtures("alone")
def test_one_that_is_not_there_is_named(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal.paths.settings.parent.mkdir(parents=True)
    terminal.paths.settings.write_text('[sessions.corp]\nbrowser = "no-such-browser -P corp"\n')
    _approve_codes(monkeypatch)
    result = terminal.run("login")
    assert result.code == 0
    assert "your settings name for it cannot be used here: no-such-browser -P corp.\n" in result.out
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("alone")
def test_a_device_code_where_it_was_asked_for(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    _approve_codes(monkeypatch)
    result = terminal.run("login", "--device", "--no-browser")
    assert result.code == 0
    assert terminal.browser.opened() == []


@pytest.mark.usefixtures("alone")
def test_a_device_code_is_shown_with_its_address_even_where_a_browser_opens(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    _approve_codes(monkeypatch)
    result = terminal.run("login", "--device")
    assert result.code == 0
    assert len(terminal.browser.opened()) == 1
    assert re.search(r"Your code: [A-Z]{4}-[A-Z]{4}", result.out)
    assert f"\n  {terminal.standin.url}/device?user_code=" in result.out
    assert f"Or type the code in at {terminal.standin.url}/device\n" in result.out


@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("arguments", [[], ["--device"]])
@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("AccessDeniedException", "Run `credhelper login --no-browser` at a terminal"),
        ("InvalidRequestException", "Check the session's start URL and region, or run `credhelper login --no"),
    ],
)
def test_where_codes_are_blocked_and_nobody_can_paste_no_job_waits(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: str, remedy: str
) -> None:
    monkeypatch.delenv("BROWSER")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.1 50000 203.0.113.2 22")
    terminal.standin.fault("StartDeviceAuthorization", Fault.error(code, status=400))
    result = terminal.run("login", *arguments)
    assert result.code == 1
    assert "AWS takes no device code here, and no browser can be opened" in result.err
    assert remedy in result.err
    assert "/authorize" not in result.out


@pytest.mark.usefixtures("daemon")
def test_over_ssh_with_device_codes_blocked_the_address_is_pasted(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was asked for but `login`: both turns are its own."""
    monkeypatch.delenv("BROWSER")
    monkeypatch.setenv("SSH_CONNECTION", "203.0.113.1 50000 203.0.113.2 22")
    terminal.standin.fault("StartDeviceAuthorization", Fault.error("AccessDeniedException", status=400))
    with spawn("login", columns=200) as child:
        child.expect("with a device code, because this is an SSH session, from which no browser can be opened")
        child.expect("AWS takes no device code here, so the login goes on in a browser")
        child.expect(r"  (http://\S+)\r\n")
        assert isinstance(child.match, re.Match)
        page = str(child.match[1])
        child.expect("paste the address of that page here")
        child.expect(r"\d+:\d\d left")
        child.send(redirect_address(page) + "\n")
        child.expect("Logged in to corp")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0
    assert terminal.cache.read("corp") is not None


def _plain(text: object) -> str:
    return re.sub(r"\r?\x1b\[[0-9;]*[mK]", "", str(text))


@pytest.mark.usefixtures("daemon")
@pytest.mark.parametrize("columns", [100, 80, 40, 15])
@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--no-browser", "it ends at a page of 127.0.0.1 that it cannot show: paste the address of that page here."),
        ("--device", "Open this address on any device and check that it shows the code below:"),
    ],
)
def test_texts_are_broken_between_words_and_the_time_left_is_kept(
    terminal: Terminal, option: str, sentence: str, columns: int
) -> None:
    with spawn("login", option, columns=columns, rows=15, BROWSER="", SSH_CONNECTION="1 2 3 4") as child:
        child.expect(r"\r\x1b\[K([^\r\x1b]*)(?=\r)")
        assert isinstance(child.match, re.Match)
        said, waiting = _plain(child.before), child.match[1]
        if option == "--no-browser":
            found = re.search(r"^  (http://\S+)\r$", said, re.MULTILINE)
            assert found is not None
            child.send(redirect_address(found[1]) + "\n")
            child.expect(pexpect.EOF)
            said += _plain(child.before).rpartition("left")[2]
            sentence = f"{sentence} Logged in to corp until"
        else:
            child.sendintr()
            child.expect(pexpect.EOF)
    assert sentence in " ".join(said.split())
    for line in said.splitlines():
        assert len(line) <= columns or " " not in line.strip(), said
    assert re.search(r"\d:\d\d left$", waiting)
    assert len(waiting) < columns
    assert waiting.startswith("Waiting for your login" if columns > 40 else "Waiting, " if columns == 40 else "9:")
