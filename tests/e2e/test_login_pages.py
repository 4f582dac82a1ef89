"""The pages of a login in a real browser: what a person sees and presses, in light and dark, and what comes of it."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from credhelper.aws.login import page
from credhelper.aws.login.listener import Listener
from credhelper.aws.tokens import TokenCache
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault, StandIn
from tests.e2e.chromium import ARGUMENTS, Chromium, DriverError, programs
from tests.e2e.legible import look_at
from tests.support import Processes

MISSING = "no Chromium with its driver: on Debian `apt install chromium chromium-driver`"
APPROVE, DENY = "button[value=approve]", "button[value=deny]"
CONFIG = "".join(
    f"[sso-session {name}]\nsso_start_url = {url}\nsso_region = {DEFAULT_REGION}\n"
    "sso_registration_scopes = sso:account:access\n\n"
    for name, url in (("corp", DEFAULT_START_URL), ("client", "https://client.awsapps.com/start"))
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """One browser for all tests here, at whose end it must have spoken to this machine alone."""
    found = programs()
    if found is None:
        pytest.skip(MISSING)
    folder = Path(tempfile.mkdtemp(prefix="ch-", dir=os.path.realpath("/tmp")))  # noqa: S108 - made by mkdtemp
    try:
        try:
            made = Chromium(*found, folder)
        except DriverError as error:  # a driver of another version, or a browser that may not write into the folder
            pytest.skip(f"{found[0]} cannot be driven: {error}")
        with made:
            yield made
        assert made.addresses() == {"127.0.0.1"}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def browser(chromium: Chromium) -> Chromium:
    """The browser with one empty tab."""
    chromium.forget_tabs()
    return chromium


class Login:
    """`credhelper login`, which waits for a browser.

    Attributes:
        page: the address of the page at which it waits.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.said = ""
        self.page = ""
        assert process.stdout is not None
        for line in process.stdout:
            self.said += line
            if line.startswith("  http"):
                self.page = line.strip()
                return
        raise AssertionError(f"no address was shown: {self.said}")

    @property
    def redirect(self) -> str:
        """Where the page sends the browser in the end, without the answer."""
        return parse_qs(urlsplit(self.page).query)["redirect_uri"][0]

    @property
    def waits(self) -> bool:
        return self.process.poll() is None

    def end(self) -> tuple[int, str]:
        """The exit code, and all that it said."""
        code = self.process.wait(20)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            self.said += pipe.read()
        return code, self.said


StartLogin = Callable[..., Login]


@pytest.fixture
def start_login(standin: StandIn, paths: Paths, processes: Processes) -> StartLogin:
    """Start `credhelper login`, for the session `corp` unless others are named."""
    paths.aws.mkdir()
    (paths.aws / "config").write_text(CONFIG)
    options: dict[str, Any] = {
        "env": {**os.environ, **standin.environment},
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }

    def start(session: str = "corp", *arguments: str) -> Login:
        command = ["-P", "-m", "credhelper", "login", session, *(arguments or ("--no-browser",))]
        return Login(processes.start([sys.executable, *command], **options))

    return start


def is_logged_in(paths: Paths, session: str = "corp") -> bool:
    return TokenCache(paths.token_cache, paths.locks).read(session) is not None


def test_approved(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    browser.open(login.page)
    assert browser.text("h1") == "Allow access?"
    look_at(browser, "authorize")
    browser.complaints()
    browser.press(APPROVE)
    assert browser.title == "You are logged in · credhelper"
    assert "credhelper is logged in to corp." in browser.text()
    assert login.end()[0] == 0
    assert is_logged_in(paths)
    assert browser.complaints() == []
    look_at(browser, "logged-in")


def test_denied(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    browser.open(login.page)
    browser.complaints()
    browser.press(DENY)
    assert browser.text("h1") == "You are not logged in"
    assert "The request was denied in the browser." in browser.text()
    code, said = login.end()
    assert code == 1
    assert "the request was denied in the browser" in said
    assert not is_logged_in(paths)
    assert browser.complaints() == []
    look_at(browser, "denied")


def test_an_answer_with_the_wrong_state(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    for query in ("code=stolen&state=wrong", "code=stolen", "error=access_denied&state=wrong", ""):
        browser.open(f"{login.redirect}?{query}")
        assert browser.text("h1") == "Not part of this login"
        assert login.waits
    look_at(browser, "wrong-state")
    browser.open(login.page)
    browser.press(APPROVE)
    assert browser.text("h1") == "You are logged in"
    assert login.end()[0] == 0
    assert is_logged_in(paths)


def test_other_pages_knock_at_the_listener(
    browser: Chromium, start_login: StartLogin, standin: StandIn, paths: Paths
) -> None:
    """Any page of any site can send requests to 127.0.0.1; none may end the login, or keep the right one out."""
    login = start_login()
    browser.open(standin.url)
    knocks = """
    const [redirect] = arguments, base = new URL(redirect).origin;
    const send = (path, options) =>
        fetch(base + path, {mode: "no-cors", ...options}).then(() => "answered", () => "failed");
    const image = new Image();
    image.src = base + "/favicon.ico";
    const frame = document.createElement("iframe");
    frame.src = redirect + "?code=x&state=y";
    document.body.append(frame);
    return Promise.all([
        send("/"), send("/robots.txt", {method: "HEAD"}), send("/oauth/callback?" + "x".repeat(70000)),
        send("/oauth/callback?code=x&state=y"), send("/oauth/callback", {method: "POST", body: "code=x&state=y"}),
        ...Array.from({length: 20}, (_, i) => send("/oauth/callback?code=" + i + "&state=" + i)),
    ]);
    """
    assert browser.run(knocks, login.redirect).count("answered") >= 20
    assert login.waits
    browser.open(login.page)
    browser.press(APPROVE)
    assert browser.text("h1") == "You are logged in"
    assert login.end()[0] == 0
    assert is_logged_in(paths)


def test_no_page_may_read_or_frame_what_the_listener_answers(
    browser: Chromium, start_login: StartLogin, standin: StandIn
) -> None:
    login = start_login()
    browser.open(standin.url)
    reads = "return fetch(arguments[0]).then(answer => answer.text(), () => 'refused')"
    assert browser.run(reads, login.redirect) == "refused"
    frames = """
    const frame = document.createElement("iframe");
    const loaded = new Promise(done => { frame.onload = done });
    frame.src = arguments[0]; document.body.append(frame);
    return loaded.then(() => { try { return frame.contentDocument.body.textContent } catch { return "refused" } });
    """
    assert browser.run(frames, login.redirect) in {"refused", None, ""}
    assert any("frame-ancestors" in complaint for complaint in browser.complaints())
    login.process.send_signal(signal.SIGINT)
    login.end()


def test_after_the_login_nobody_listens(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    browser.open(login.page)
    browser.press(APPROVE)
    assert login.end()[0] == 0
    at = browser.url
    assert at.startswith(login.redirect)
    token = TokenCache(paths.token_cache, paths.locks).path("corp").read_bytes()
    for address in (at, f"{login.redirect}?code=x&state=y"):
        with pytest.raises(DriverError, match="ERR_CONNECTION_REFUSED"):
            browser.open(address)
    assert TokenCache(paths.token_cache, paths.locks).path("corp").read_bytes() == token


def test_a_login_that_was_called_off(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    browser.open(login.page)
    login.process.send_signal(signal.SIGINT)
    assert login.end()[0] == 130
    browser.press(APPROVE)
    assert browser.run("return document.querySelector('#main-frame-error') !== null"), "Chromium's own error page"
    assert not is_logged_in(paths)


def test_the_same_page_in_two_tabs(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    login = start_login()
    browser.open(login.page)
    first = browser.tab
    browser.new_tab()
    browser.open(login.page)
    browser.press(APPROVE)
    assert browser.text("h1") == "You are logged in"
    assert login.end()[0] == 0
    token = TokenCache(paths.token_cache, paths.locks).path("corp").read_bytes()
    browser.turn_to(first)
    assert browser.text("h1") == "Allow access?"
    browser.press(APPROVE)  # too late: the other tab's was taken
    assert browser.run("return document.querySelector('#main-frame-error') !== null")
    assert TokenCache(paths.token_cache, paths.locks).path("corp").read_bytes() == token


def test_two_logins_in_two_tabs(browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
    logins = {name: start_login(name) for name in ("corp", "client")}
    tabs = {}
    for name, login in logins.items():
        tabs[name] = browser.new_tab()
        browser.open(login.page)
    browser.turn_to(tabs["client"])
    # The one's answer at the other's door is nobody's.
    state = parse_qs(urlsplit(logins["client"].page).query)["state"][0]
    browser.open(f"{logins['corp'].redirect}?code=x&state={state}")
    assert browser.text("h1") == "Not part of this login"
    browser.back()
    for name in ("client", "corp"):
        browser.turn_to(tabs[name])
        browser.press(APPROVE)
        assert f"credhelper is logged in to {name}." in browser.text()
        assert logins[name].end()[0] == 0
        assert is_logged_in(paths, name)


def test_a_code_that_aws_does_not_take(
    browser: Chromium, start_login: StartLogin, standin: StandIn, paths: Paths
) -> None:
    standin.fault("CreateToken", Fault.error("InternalServerException"))
    login = start_login()
    browser.open(login.page)
    browser.press(APPROVE)
    assert browser.text("h1") == "You are not logged in"
    assert "IAM Identity Center has trouble." in browser.text()
    assert login.end()[0] == 1
    assert not is_logged_in(paths)
    look_at(browser, "trouble")


class TestDeviceCode:
    @pytest.fixture
    def standin(self, make_standin: Callable[..., StandIn]) -> StandIn:
        return make_standin(device_interval=1)

    def test_approved(self, browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
        login = start_login("corp", "--device", "--no-browser")
        browser.open(login.page)
        code = browser.text("code")
        look_at(browser, "device")
        browser.press(APPROVE)
        assert browser.text("h1") == "Request approved"
        look_at(browser, "device-approved")
        ended, said = login.end()
        assert (ended, f"Your code: {code}" in said) == (0, True)
        assert is_logged_in(paths)

    def test_typed_in_and_denied(self, browser: Chromium, start_login: StartLogin, paths: Paths) -> None:
        login = start_login("corp", "--device", "--no-browser")
        address, _, code = login.page.partition("?user_code=")
        browser.open(address)
        look_at(browser, "device-entry")
        browser.type("#user_code", "XXXX-XXXX")
        browser.press("button")
        assert browser.text("h1") == "No sign-in waits for this code"
        look_at(browser, "device-wrong-code")
        browser.back()
        browser.run("document.querySelector('#user_code').value = ''")
        browser.type("#user_code", code.lower())
        browser.press("button")
        browser.press(DENY)
        assert browser.text("h1") == "Request denied"
        ended, said = login.end()
        assert (ended, "the request was denied in the browser" in said) == (1, True)
        assert not is_logged_in(paths)


@contextlib.contextmanager
def browsers_below(folder: Path) -> Iterator[None]:
    """End, at the end, what runs with a profile in this folder: our commands wait for no browser."""
    try:
        yield
    finally:
        ours = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any(str(folder) in word for word in process.info["cmdline"] or ())
        ]
        for process in ours:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(ours, timeout=10)
        shutil.rmtree(folder, ignore_errors=True)  # some 10 MB


@pytest.mark.usefixtures("chromium")
def test_each_session_in_its_own_browser(make_standin: Callable[..., StandIn], paths: Paths, tmp_path: Path) -> None:
    """As the settings name them; our command starts them, and they press Approve by themselves."""
    found = programs()
    assert found is not None
    standin = make_standin(auto_approve=True)
    paths.aws.mkdir()
    (paths.aws / "config").write_text(CONFIG)
    paths.settings.parent.mkdir(parents=True)
    lines = {
        name: shlex.join([found[0], *ARGUMENTS, "--remote-debugging-port=0", f"--user-data-dir={tmp_path / name}"])
        for name in ("corp", "client")
    }
    paths.settings.write_text(
        "".join(f"[sessions.{name}]\nbrowser = {json.dumps(line)}\n" for name, line in lines.items())
    )
    sockets = paths.home / "sockets"  # which would stay in /tmp, for these browsers are killed; their paths are short
    sockets.mkdir()
    environ = {**os.environ, **standin.environment, "BROWSER": "/bin/false", "TMPDIR": str(sockets)}
    with browsers_below(tmp_path):
        for names in (["corp"], ["corp", "client"]):
            done = subprocess.run(
                [sys.executable, "-P", "-m", "credhelper", "login", names[-1]],
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert "in the browser that your settings name for it" in done.stdout
            assert is_logged_in(paths, names[-1])
            assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("hostile", page.success("<script>document.title='taken'</script><img src=x onerror=alert(1)>")),
        ("long", page.success("a-very-long-name-without-a-single-blank-" * 4)),
        ("reason", page.failure("AWS said yes, but the token could not be kept on this machine")),
    ],
)
def test_names_and_reasons_on_a_page(browser: Chromium, name: str, content: bytes) -> None:
    """Whole answers, from the listener itself: a browser may open connections on which it says nothing."""
    with Listener("state") as listener, ThreadPoolExecutor(1) as pool:

        def answer() -> None:
            assert listener.wait(60)[0] is not None
            listener.finish(content)

        answered = pool.submit(answer)
        browser.open(f"{listener.redirect_uri}?code=x&state=state")
        answered.result()
    assert browser.title.endswith("· credhelper")
    assert browser.complaints() == []
    look_at(browser, name)
