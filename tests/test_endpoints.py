from __future__ import annotations

import pytest

from credhelper.endpoints import check_endpoint, check_proxy, endpoints_from_environment, is_loopback, network_for
from credhelper.errors import ConfigError
from credhelper.model import Endpoints, Network


@pytest.mark.parametrize("url", ["http://127.0.0.1:80", "http://127.9.9.9", "http://[::1]:1", "http://localhost:1"])
def test_loopback(url: str) -> None:
    assert is_loopback(url)
    assert check_endpoint(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://127.0.0.1.example.com",
        "http://127.0.0.1@example.com",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "http://[",
        "ftp://127.0.0.1",
        "127.0.0.1",
        "",
    ],
)
def test_endpoint_that_is_not_safe(url: str) -> None:
    with pytest.raises(ConfigError, match="neither https nor on this machine"):
        check_endpoint(url)


@pytest.mark.parametrize(
    "url",
    ["http://p:1", "https://u:pw@p.example:8080/", "p.example:3128", "//p:1", "p", "http://[::1]:3128", "10.0.0.1:8"],
)
def test_proxy(url: str) -> None:
    assert check_proxy(url, "HTTPS_PROXY") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://u:secretpw@:x",
        "http://u:secretpw@",
        "http://",
        "http://p:x",
        "http://p:0",
        "http://p:65536",
        "socks5://u:secretpw@p:1080",
        "http://[",
        "http://a b:1",
        "p\x1b:1",
    ],
)
def test_proxy_that_cannot_be_one(url: str) -> None:
    with pytest.raises(ConfigError, match="HTTPS_PROXY is no address of an HTTP proxy") as caught:
        check_proxy(url, "HTTPS_PROXY")
    assert "secret" not in f"{caught.value} {caught.value.remedy}"


def test_what_is_on_this_machine_is_reached_without_the_proxy() -> None:
    network = Network({"https": "http://proxy.example"}, "/ca.pem", "internal.example")
    direct = Network(proxies={}, ca_bundle="/ca.pem")
    assert network_for(network) == network_for(network, None) == network
    assert network_for(network, "https://oidc.example", "http://127.0.0.1:1") == network
    assert network_for(network, "http://localhost:1", None) == direct


def test_endpoints_from_environment() -> None:
    assert endpoints_from_environment({}) == Endpoints()
    general = {"AWS_ENDPOINT_URL": "https://a"}
    assert endpoints_from_environment(general) == Endpoints("https://a", "https://a", "https://a")
    one = {**general, "AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:1"}
    assert endpoints_from_environment(one) == Endpoints("https://a", "http://127.0.0.1:1", "https://a")
    assert endpoints_from_environment({**one, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "TRUE"}) == Endpoints()
    with pytest.raises(ConfigError):
        endpoints_from_environment({"AWS_ENDPOINT_URL_STS": "http://example.com"})
