"""Which addresses a token may travel to."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from credhelper.errors import ConfigError
from credhelper.model import Endpoints, Network


def is_loopback(url: str) -> bool:
    """Whether `url` names an address of this machine (127.0.0.0/8, [::1], localhost)."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def network_for(network: Network, *urls: str | None) -> Network:
    """How to reach these addresses: what is on this machine without a proxy, all else as `network` says."""
    named = [url for url in urls if url]
    if named and all(is_loopback(url) for url in named):
        return Network(proxies={}, ca_bundle=network.ca_bundle)
    return network


def check_endpoint(url: str) -> str:
    """Return `url` where a token may travel to it: https, or http on loopback. Raises ConfigError."""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme == "https" or (scheme == "http" and is_loopback(url)):
        return url
    raise ConfigError(f"the endpoint {url!r} is neither https nor on this machine", "Unset or correct it")


def check_proxy(url: str, what: str) -> str:
    """Return the proxy's address as given where botocore can use it: `http://host:port`, or without the scheme.

    Raises ConfigError, which names `what` and not the address: that may hold a password.
    """
    full = url if url.startswith(("http://", "https://")) else f"http://{url.removeprefix('//')}"
    try:
        parts = urlsplit(full)
        sound = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound or "://" in full.partition("://")[2] or not full.isprintable() or " " in full:
        raise ConfigError(f"{what} is no address of an HTTP proxy", "Correct it, for instance to http://HOST:PORT")
    return url


def endpoints_from_environment(environ: Mapping[str, str] | None = None) -> Endpoints:
    """The endpoint overrides in a person's own environment. Raises ConfigError for one that is not safe.

    Only commands that a person types read it; the daemon and the helper never do.
    """
    variables = os.environ if environ is None else environ
    if variables.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return Endpoints()

    def chosen(service: str) -> str | None:
        url = variables.get(f"AWS_ENDPOINT_URL_{service}") or variables.get("AWS_ENDPOINT_URL")
        return check_endpoint(url) if url else None

    return Endpoints(oidc=chosen("SSO_OIDC"), portal=chosen("SSO"), sts=chosen("STS"))
