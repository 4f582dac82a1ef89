"""Which pages are opened, and by what."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from credhelper.aws import browser
from credhelper.errors import ConfigError, CredhelperError
from tests.waiting import wait_until

AWS_PAGES = [
    "https://d-93670bd35a.awsapps.com/start/#/device?user_code=ABCD-EFGH",
    "https://start.us-gov-home.awsapps.com/directory/d-1",
    "https://start.home.awsapps.cn/directory/d-1",
    "https://ssoins-1.portal.eu-central-1.app.aws",
    "https://ssoins-1.eu-west-1.portal.amazonaws.com/",
    "https://identitycenter.amazonaws.com/ssoins-1",
    "https://identitycenter.us-gov.amazonaws.com/ssoins-1",
    "https://oidc.eu-west-1.amazonaws.com/authorize?response_type=code&scopes=sso%3Aaccount%3Aaccess",
    "https://oidc.us-gov-west-1.amazonaws.com/authorize?x=y",
    "https://oidc.cn-north-1.amazonaws.com.cn/authorize?x=y",
    "https://oidc.eusc-de-east-1.amazonaws.eu/authorize?x=y",
    "https://oidc.eu-west-1.api.aws/authorize?x=y",
    "https://oidc-fips.us-east-1.amazonaws.com/authorize",
    "https://device.sso.us-east-1.amazonaws.com/?user_code=ABCD-EFGH",
    "https://D-1.AWSAPPS.COM/start",
    "https://d-1.awsapps.com:443/start",
    "https://signin.aws.amazon.com/federation?Action=login",
    "https://eu-west-1.console.aws.amazon.com/s3/home",
]

OTHER_PAGES = [
    "http://d-1.awsapps.com/start",
    "https://d-1.awsapps.com:8443/start",
    "https://evil.example/",
    "https://awsapps.com.evil.example/start",
    "https://evilawsapps.com/start",
    "https://d-1.awsapps.com@evil.example/",
    "https://evil.example\\@d-1.awsapps.com/",
    "https://evil.example#@d-1.awsapps.com/",
    "https://evil.example/?https://d-1.awsapps.com/",
    "https://bucket.s3.amazonaws.com/page.html",
    "https://abc.execute-api.eu-west-1.amazonaws.com/x",
    "https://x.eu-west-1.elb.amazonaws.com/",
    "https://oidc.evil.s3.amazonaws.com/",
    "https://oidc.eu-west-1.amazonaws.com.evil.example/",
    "https://x.oidc.eu-west-1.amazonaws.com/",
    "https://device.sso.eu-west-1.evil.com/",
    "https://amazonaws.com/",
    "https://d-1.awsapps.com./start",
    "https://d-1.awsapps.com/start\n",
    "https://d-1.awsapps.com/\x1b[31m",
    "https://d-1.awsapps.com/a b",
    "https://d-1.awsapps.com/'$(id)'",
    "https://d-1.awsapps.com/;id",
    'https://d-1.awsapps.com/"',
    "https://d-1.awsapps.com\t.evil.example/",
    "https://d-1.аwsapps.com/",  # a Cyrillic letter
    "https:d-1.awsapps.com/",
    "https:///d-1.awsapps.com/",
    "//d-1.awsapps.com/",
    "javascript:alert(1)//.awsapps.com",
    "file:///etc/passwd",
    "-profile",
    "",
    "https://d-1.awsapps.com/" + "x" * 9000,
]

LOOPBACK = [
    "http://127.0.0.1:8080/authorize?x=y",
    "http://localhost:1/",
    "http://[::1]:1/device",
    "https://127.0.0.1/",
]


@pytest.mark.parametrize("url", AWS_PAGES)
def test_pages_of_aws(url: str) -> None:
    assert browser.is_aws_page(url)
    assert browser.check_page(url) == url


@pytest.mark.parametrize("url", OTHER_PAGES)
def test_other_pages(url: str) -> None:
    assert not browser.is_aws_page(url)
    for loopback in (False, True):
        with pytest.raises(CredhelperError) as refusal:
            browser.check_page(url, loopback=loopback)
        assert str(refusal.value).isprintable()
        assert len(str(refusal.value)) < 400


@pytest.mark.parametrize("url", LOOPBACK)
def test_loopback_pages_need_a_loopback_endpoint(url: str) -> None:
    assert browser.check_page(url, loopback=True) == url
    with pytest.raises(CredhelperError):
        browser.check_page(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1.evil.example/", "http://localhost@evil.example/", "http://10.0.0.1/"]
)
def test_what_only_looks_like_loopback(url: str) -> None:
    with pytest.raises(CredhelperError):
        browser.check_page(url, loopback=True)


@pytest.fixture
def programs(home: Path) -> Path:
    """A folder for PATH."""
    folder = home / "bin"
    folder.mkdir()
    return folder


def add(folder: Path, name: str, script: str = "") -> str:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def commands(programs: Path, platform: str = "linux", **environ: str) -> list[list[str]]:
    return browser.commands({"PATH": str(programs), **environ}, platform, wsl=False)


def test_no_display_and_no_variable_is_no_browser(programs: Path) -> None:
    add(programs, "xdg-open")
    assert commands(programs) == []
    assert commands(programs, BROWSER="no-such-browser") == []
    assert commands(programs, BROWSER=os.pathsep) == []


@pytest.mark.parametrize("variable", ["DISPLAY", "WAYLAND_DISPLAY"])
def test_a_display_brings_the_desktops_own(programs: Path, variable: str) -> None:
    expected = [[add(programs, "xdg-open"), "%s"], [add(programs, "firefox"), "%s"]]
    assert commands(programs, **{variable: ":0"}) == expected


def test_the_variable_comes_first_and_is_a_list(programs: Path) -> None:
    first, second, third = add(programs, "first"), add(programs, "sec ond"), add(programs, "xdg-open")
    value = os.pathsep.join(["missing", "first --new %s", second, "first 'a b'", "first --url=%s &"])
    assert commands(programs, BROWSER=value, DISPLAY=":0") == [
        [first, "--new", "%s"],
        [second, "%s"],
        [first, "a b", "%s"],
        [first, "--url=%s"],
        [third, "%s"],
    ]


@pytest.mark.parametrize("value", ["first 'unbalanced", "%s", " ", "'' %s"])
def test_a_variable_that_makes_no_sense_is_passed_over(programs: Path, value: str) -> None:
    add(programs, "first")
    assert commands(programs, BROWSER=value) == []


def test_browsers_in_the_terminal_are_none(programs: Path) -> None:
    for name in ("lynx", "w3m"):
        add(programs, name)
    assert commands(programs, BROWSER="lynx:w3m %s") == []


def test_macos(programs: Path) -> None:
    expected = [[add(programs, "open"), "%s"]]
    assert commands(programs, "darwin") == expected
    assert commands(programs, "darwin", SSH_CONNECTION="10.0.0.1 1 10.0.0.2 22") == []


def test_wsl(programs: Path) -> None:
    windows = add(programs, "rundll32.exe")
    environ = {"PATH": str(programs)}
    assert browser.commands(environ, "linux", wsl=True) == [[windows, "url.dll,FileProtocolHandler", "%s"]]
    assert browser.commands({**environ, "SSH_TTY": "/dev/pts/1"}, "linux", wsl=True) == []


def test_wsl_with_all_that_can_open_a_page(programs: Path) -> None:
    names = ("wslview", "rundll32.exe", "powershell.exe", "firefox")
    view, windows, powershell, firefox = (add(programs, name) for name in names)
    assert browser.commands({"PATH": str(programs), "DISPLAY": ":0"}, "linux", wsl=True) == [
        [view, "%s"],
        [windows, "url.dll,FileProtocolHandler", "%s"],
        [powershell, "-NoProfile", "-NonInteractive", "-Command", "Start-Process '%s'"],
        [firefox, "%s"],
    ]


def test_wsl_where_windows_is_not_on_the_path(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    powershell = add(programs, "powershell.exe")
    monkeypatch.setattr(browser, "_WINDOWS", {"powershell.exe": powershell, "rundll32.exe": "/no/such/file"})
    found = browser.commands({"PATH": "/nowhere"}, "linux", wsl=True)
    assert [command[0] for command in found] == [powershell]


@pytest.mark.parametrize("display", [":0", "localhost:10.0"])
def test_over_ssh_only_the_variable_counts(programs: Path, display: str) -> None:
    add(programs, "firefox")
    mine = add(programs, "mine")
    ssh = {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22", "DISPLAY": display}
    assert commands(programs, **ssh) == []
    assert commands(programs, **ssh, BROWSER="mine") == [[mine, "%s"]]


class TestOwnBrowser:
    """The one that the settings name for a session."""

    def test_it_is_the_only_one(self, programs: Path) -> None:
        for name in ("xdg-open", "other"):
            add(programs, name)
        mine = add(programs, "mine")
        environ = {"PATH": str(programs), "DISPLAY": ":0", "BROWSER": "other", "SSH_TTY": "/dev/pts/1"}
        own = "mine -P 'the customer' --new-tab"
        assert browser.commands(environ, "linux", own=own) == [[mine, "-P", "the customer", "--new-tab", "%s"]]
        assert browser.commands(environ, "linux", own="mine --url=%s") == [[mine, "--url=%s"]]

    def test_a_colon_parts_nothing(self, programs: Path) -> None:
        mine = add(programs, "mine")
        assert browser.commands({"PATH": str(programs)}, own="mine a:b") == [[mine, "a:b", "%s"]]

    def test_below_the_home_folder(self, home: Path) -> None:
        mine = add(home, "mine")
        assert browser.commands({"PATH": "/nowhere"}, own="~/mine -x") == [[mine, "-x", "%s"]]

    @pytest.mark.parametrize("own", ["missing", "lynx", "explorer.exe"])
    def test_no_other_stands_in_for_it(self, programs: Path, home: Path, own: str) -> None:
        for name in ("lynx", "explorer.exe"):
            add(programs, name)
        add(programs, "other", f"touch {home}/started")
        environ = {"PATH": f"{programs}:{os.environ['PATH']}", "BROWSER": "other"}
        assert browser.commands(environ, own=own) == []
        assert not browser.open_page("https://d-1.awsapps.com/start", environ, own=own)
        assert not (home / "started").exists()

    def test_it_opens_the_page(self, programs: Path, home: Path) -> None:
        out = home / "out"
        add(programs, "mine", f'printf "%s\\n" "$@" >{out}.new; mv {out}.new {out}')
        environ = {"PATH": f"{programs}:{os.environ['PATH']}"}
        assert browser.open_page("https://d-1.awsapps.com/start", environ, own="mine -P 'the customer'")
        wait_until(out.exists)
        assert out.read_text().splitlines() == ["-P", "the customer", "https://d-1.awsapps.com/start"]


URL = "https://d-1.awsapps.com/start/#/device?user_code=A%s&x=1"


def test_the_address_is_one_argument_and_stdio_is_not_ours(programs: Path, home: Path) -> None:
    out = home / "out"
    add(
        programs,
        "mine",
        f'printf "%s\\n" "$#" "$2" >{out}.new; readlink /proc/self/fd/0 /proc/self/fd/1 >>{out}.new 2>&1; '
        f"ps -o sid= -p $$ >>{out}.new; mv {out}.new {out}",
    )
    url = URL.replace("%s", "%25s")
    assert browser.open_page(url, {"PATH": f"{programs}:{os.environ['PATH']}", "BROWSER": "mine --flag %s"})
    wait_until(out.exists)
    lines = out.read_text().splitlines()
    assert lines[:2] == ["2", url]
    assert lines[-1].strip() != str(os.getsid(0))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser that ends is seen to end, however busy this machine is."""
    monkeypatch.setattr(browser, "_EARLY_END", 60.0)


@pytest.mark.usefixtures("patient")
def test_a_browser_that_fails_at_once_gives_way_to_the_next(programs: Path, home: Path) -> None:
    out = home / "out"
    add(programs, "broken", "exit 3")
    add(programs, "good", f'echo "$1" >{out}')
    environ = {"PATH": f"{programs}:{os.environ['PATH']}", "BROWSER": "broken:good"}
    assert browser.open_page("https://d-1.awsapps.com/start", environ)
    assert out.read_text() == "https://d-1.awsapps.com/start\n"


@pytest.mark.usefixtures("patient")
def test_no_browser_that_works(programs: Path) -> None:
    add(programs, "broken", "exit 3")
    (programs / "not-a-program").write_bytes(b"\x7fELF nonsense")
    (programs / "not-a-program").chmod(0o755)
    environ = {"PATH": str(programs), "BROWSER": "broken:not-a-program"}
    assert not browser.open_page("https://d-1.awsapps.com/start", environ)


def test_a_refused_page_starts_nothing(programs: Path, home: Path) -> None:
    add(programs, "mine", f"touch {home}/started")
    with pytest.raises(CredhelperError):
        browser.open_page("https://evil.example/", {"PATH": os.environ["PATH"], "BROWSER": str(programs / "mine")})
    assert not (home / "started").exists()


def test_a_browser_that_stays_is_not_waited_for(programs: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "_EARLY_END", 0.01)
    stop = home / "stop"
    os.mkfifo(stop)
    add(programs, "mine", f"read line <{stop}")
    assert browser.open_page("https://d-1.awsapps.com/start", {"PATH": str(programs), "BROWSER": "mine"})
    stop.write_text("go\n")


@pytest.mark.parametrize("url", ["https://d-1.awsapps.com/start/#/", "HTTPS://d-1.AwsApps.com/start"])
def test_start_urls(url: str) -> None:
    browser.check_start_url(url, "corp")


def test_start_url_of_this_machine() -> None:
    browser.check_start_url("http://127.0.0.1:8080/start", "corp", loopback=True)
    with pytest.raises(ConfigError, match=r"the start URL of corp is no https address of AWS's: http://127"):
        browser.check_start_url("http://127.0.0.1:8080/start", "corp")


@pytest.mark.parametrize("url", ["", "://", "nonsense", *OTHER_PAGES])
def test_start_urls_of_others(url: str) -> None:
    with pytest.raises(ConfigError, match=r"Correct sso_start_url in the AWS config"):
        browser.check_start_url(url, "corp", loopback=True)
