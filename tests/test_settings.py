from __future__ import annotations

import stat

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from credhelper import settings
from credhelper.errors import ConfigError
from credhelper.model import WARN_BEFORE, Endpoints, Network
from credhelper.paths import Paths
from credhelper.settings import Settings, load


def write(paths: Paths, text: str | bytes) -> None:
    paths.settings.parent.mkdir(parents=True, exist_ok=True)
    paths.settings.write_bytes(text.encode() if isinstance(text, str) else text)


@pytest.mark.parametrize("text", [None, "", "# nothing\n"])
def test_defaults(paths: Paths, text: str | None) -> None:
    if text is not None:
        write(paths, text)
    assert load(paths) == Settings(WARN_BEFORE, 4.0, {}, Network())


def test_everything(paths: Paths) -> None:
    write(
        paths,
        """
        warn_before = [0, 60, 3600.5]
        wait_for_login = 30

        [network]
        proxy = "http://proxy.corp:3128"
        no_proxy = "corp.example"
        ca_bundle = "/etc/ssl/corp.pem"

        [sessions.corp]
        oidc = "https://oidc.example"
        portal = "http://127.0.0.1:8080"

        [sessions."with space"]
        sts = "http://[::1]:1"
        session_cap = 28800
        browser = "firefox -P 'with space' %s"
        """,
    )
    assert load(paths) == Settings(
        warn_before=(3600.5, 60.0, 0.0),
        wait_for_login=30.0,
        endpoints={
            "corp": Endpoints(oidc="https://oidc.example", portal="http://127.0.0.1:8080"),
            "with space": Endpoints(sts="http://[::1]:1"),
        },
        network=Network(
            proxies={"https": "http://proxy.corp:3128", "http": "http://proxy.corp:3128"},
            ca_bundle="/etc/ssl/corp.pem",
            no_proxy="corp.example",
        ),
        session_caps={"with space": 28800.0},
        browsers={"with space": "firefox -P 'with space' %s"},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("= 1", "is not valid TOML"),
        (b"\xff\xfe", "is not valid TOML"),
        ("a = " + "[" * 100_000, "is not valid TOML"),
        ("warn_befor = [1]", "'warn_befor' is not a setting"),
        ("warn_before = 1", "warn_before: must be a list of seconds"),
        ("warn_before = [-1]", "warn_before: must be a number of seconds from 0 to 86400"),
        ("warn_before = [true]", "warn_before: must be a number"),
        ("wait_for_login = nan", "wait_for_login: must be a number"),
        ("wait_for_login = inf", "wait_for_login: must be a number"),
        ("wait_for_login = '4'", "wait_for_login: must be a number"),
        ("sessions = 1", "sessions: must be a table"),
        ("[sessions]\ncorp = 1", "must be a table"),
        ("[sessions.corp]\nsso = 'https://x'", "sessions.corp: 'sso' is not a setting"),
        ("[sessions.corp]\noidc = ''", "oidc: must be a text"),
        ("[sessions.corp]\noidc = 'http://attacker.example'", "neither https nor on this machine"),
        ("[sessions.corp]\noidc = 'http://127.0.0.1@attacker.example'", "neither https nor on this machine"),
        ("[sessions.corp]\noidc = 'http://[::1'", "neither https nor on this machine"),
        ("[sessions.corp]\nsession_cap = 3599", "session_cap: must be a number of seconds from 3600 to 7776000"),
        ("[sessions.corp]\nsession_cap = 7776001", "session_cap: must be a number of seconds"),
        ("[sessions.corp]\nsession_cap = nan", "session_cap: must be a number of seconds"),
        ("[sessions.corp]\nsession_cap = true", "session_cap: must be a number of seconds"),
        ("[sessions.corp]\nsession_cap = '8h'", "session_cap: must be a number of seconds"),
        ("[sessions.corp]\nbrowser = ''", "browser: must be a text"),
        ("[sessions.corp]\nbrowser = ['firefox']", "browser: must be a text"),
        ("[sessions.corp]\nbrowser = ' '", "browser: must be a command line"),
        ('[sessions.corp]\nbrowser = "firefox -P \'a"', "browser: must be a command line"),
        ('[sessions.corp]\nbrowser = "firefox\\u001b[2J"', "browser: must be a command line"),
        ("[network]\nproxies = 1", "network: 'proxies' is not a setting"),
        ("[network]\nproxy = 1", "proxy: must be a text"),
        ("[network]\nno_proxy = ['a']", "no_proxy: must be a text"),
    ],
)
def test_faults_are_named_with_their_place(paths: Paths, text: str | bytes, message: str) -> None:
    write(paths, text)
    with pytest.raises(ConfigError) as caught:
        load(paths)
    assert str(paths.settings) in caught.value.message
    assert message in caught.value.message
    assert caught.value.remedy


def test_file_that_cannot_be_read(paths: Paths) -> None:
    paths.settings.mkdir(parents=True)
    with pytest.raises(ConfigError, match="not a regular file"):
        load(paths)


@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary()
    | st.from_regex(
        r"(warn_before|wait_for_login|network|sessions|\[network\]|\[sessions\.a\]|oidc)[ =\[\]0-9a-z'\n]*"
    )
)
def test_any_bytes_are_settings_or_a_config_error(paths: Paths, text: bytes | str) -> None:
    write(paths, text)
    try:
        loaded = load(paths)
    except ConfigError:
        return
    assert loaded.wait_for_login >= 0


# --- what a person's own command recorded of the network ------------------------------------------------------------


def test_nothing_to_record_leaves_no_file(paths: Paths) -> None:
    settings.record_network(paths, {"AWS_ENDPOINT_URL_SSO": "http://x", "HTTP_PROXY": "http://cgi.example"})
    assert not paths.state.exists()
    assert settings.recorded_network(paths) == Network()


def test_recorded_network(paths: Paths) -> None:
    settings.record_network(
        paths,
        {
            "https_proxy": "http://p:1",
            "HTTPS_PROXY": "http://no",
            "http_proxy": "http://p:2",
            "NO_PROXY": "corp.example,.internal",
            "AWS_CA_BUNDLE": "/ca",
            "REQUESTS_CA_BUNDLE": "/no",
        },
    )
    record = paths.state / "network.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.state.stat().st_mode) == 0o700
    expected = Network(
        proxies={"https": "http://p:1", "http": "http://p:2"}, ca_bundle="/ca", no_proxy="corp.example,.internal"
    )
    assert settings.recorded_network(paths) == expected
    assert load(paths).network == expected
    settings.record_network(paths, {})
    assert load(paths).network == Network()


@pytest.mark.parametrize(
    ("environ", "network"),
    [
        ({"REQUESTS_CA_BUNDLE": "/ca"}, Network(ca_bundle="/ca")),
        ({"AWS_CA_BUNDLE": "", "REQUESTS_CA_BUNDLE": "/ca"}, Network(ca_bundle="/ca")),
        ({"no_proxy": "a", "NO_PROXY": "b"}, Network(no_proxy="a")),
        ({"HTTPS_PROXY": "http://p:1"}, Network(proxies={"https": "http://p:1"})),
    ],
)
def test_each_variable_is_recorded(paths: Paths, environ: dict[str, str], network: Network) -> None:
    settings.record_network(paths, environ)
    assert settings.recorded_network(paths) == network


@pytest.mark.parametrize("address", ["http://u:secretpw@:x", "socks5://u:secretpw@p:1080", "http://"])
def test_proxy_that_cannot_be_one_is_not_recorded(paths: Paths, address: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY is no address of an HTTP proxy") as caught:
        settings.record_network(paths, {"HTTPS_PROXY": address})
    assert "secret" not in str(caught.value)
    assert not (paths.state / "network.json").exists()
    write(paths, f"[network]\nproxy = '{address}'\n")
    with pytest.raises(ConfigError, match=r"network\.proxy is no address of an HTTP proxy"):
        load(paths)


@pytest.mark.parametrize("https", [{}, {"https_proxy": "http://p:1"}])
def test_proxy_that_nobody_needs_is_left_out(paths: Paths, https: dict[str, str]) -> None:
    said = settings.record_network(
        paths, {"http_proxy": "socks5://u:secretpw@p:1080", "AWS_CA_BUNDLE": "/ca", **https}
    )
    assert said == ["http_proxy is no address of an HTTP proxy; it is left out"]
    proxies = {"https": "http://p:1"} if https else None
    assert settings.recorded_network(paths) == Network(proxies=proxies, ca_bundle="/ca")
    assert settings.record_network(paths, https) == []


def test_a_record_of_before_no_proxy_is_understood(paths: Paths) -> None:
    paths.state.mkdir(parents=True)
    (paths.state / "network.json").write_bytes(b'{"proxies": null, "ca_bundle": "/ca"}')
    assert settings.recorded_network(paths) == Network(ca_bundle="/ca")


def test_settings_win_over_the_record(paths: Paths) -> None:
    settings.record_network(paths, {"HTTPS_PROXY": "http://p:1", "AWS_CA_BUNDLE": "/ca"})
    write(paths, "[network]\nproxy = 'http://mine:1'\n")
    network = load(paths).network
    assert network.proxies == {"https": "http://mine:1", "http": "http://mine:1"}
    assert network.ca_bundle == "/ca"


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"proxies": 1, "ca_bundle": 2}',
        b'{"proxies": {"https": 1}}',
        b'{"no_proxy": ["a"]}',
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_damaged_record_is_none(paths: Paths, damage: bytes) -> None:
    paths.state.mkdir(parents=True)
    (paths.state / "network.json").write_bytes(damage)
    assert settings.recorded_network(paths) == Network()
    assert load(paths).network == Network()
