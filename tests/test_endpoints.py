from __future__ import annotations

import pytest

from credhelper.endpoints import check_endpoint, endpoints_from_environment, is_loopback, network_for
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
