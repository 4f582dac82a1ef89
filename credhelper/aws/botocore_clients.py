"""The botocore clients that `identity_center` calls by: private ones, and none reads an answer without an end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from credhelper import __version__
from credhelper.endpoints import check_endpoint
from credhelper.model import Network

# No answer of these services is a tenth as long; more is somebody else's, and is not read into memory.
_MAX_BODY = 4 * 1024 * 1024


def proxies_for(url: str, network: Network) -> Mapping[str, str] | None:
    """The proxies to reach `url` by; none for a host that `no_proxy` names.

    The rule is urllib's, and so botocore's: `*`, or names of hosts or of domains above them, with or without a port.
    """
    if not network.proxies or not network.no_proxy:
        return network.proxies
    parts = urlsplit(url)
    hosts = {f".{parts.netloc.lower()}", f".{parts.hostname or ''}"}
    for entry in network.no_proxy.lower().split(","):
        name = entry.strip().lstrip(".")
        if name == "*" or (name and any(host.endswith(f".{name}") for host in hosts)):
            return {}
    return network.proxies


class TooLong(Exception):
    """An answer that no service would give."""


class _Body:
    """The body of an answer that was read, as botocore asks for it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data


def _bounded(http_session: Any) -> Callable[..., Any]:
    """A handler of botocore's event `before-send`, which sends by itself: botocore would read any body to its end."""
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError  # noqa: PLC0415
    from urllib3.exceptions import HTTPError  # noqa: PLC0415
    from urllib3.exceptions import ReadTimeoutError as TooLate  # noqa: PLC0415

    def send(request: Any, **_: Any) -> Any:
        request.stream_output = True
        response = http_session.send(request)
        body = bytearray()
        try:
            for part in response.raw.stream():
                body += part
                if len(body) > _MAX_BODY:
                    raise TooLong
            promised = response.headers.get("content-length", "")
            if promised.isdecimal() and len(body) < int(promised):
                raise ConnectionClosedError(endpoint_url=request.url)
        except TooLate as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except (HTTPError, OSError) as error:
            raise ConnectionClosedError(endpoint_url=request.url) from error
        finally:
            if len(body) > _MAX_BODY:
                response.raw.close()  # what is left of it must not be taken for the next answer
            response.raw.release_conn()
        return AWSResponse(response.url, response.status_code, response.headers, _Body(bytes(body)))

    return send


def make_client(service: str, region: str, url: str | None, network: Network, timeout: float) -> Any:
    """A client that reads no config or credentials file and no endpoint variable, and signs nothing.

    Args:
        service: `sso-oidc` or `sso`.
        url: in place of AWS's own endpoint.
        timeout: seconds to wait for a connection, and again for the whole of an answer.

    Raises ConfigError where `url` is not a safe one, TooLong in calls whose answer has no end.
    """
    import botocore.session  # noqa: PLC0415 - costs 0.1 s and 20 MB, so only once it is needed
    from botocore import UNSIGNED, configprovider  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    from credhelper.aws import deadlines  # noqa: PLC0415

    # Each entry is (name in the config, environment variable, default, conversion): neither is looked at.
    defaults = configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES
    session = botocore.session.Session(
        session_vars={
            **{name: (None, None, entry[2], entry[3]) for name, entry in defaults.items() if name != "ca_bundle"},
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    session.user_agent_name = "credhelper"
    session.user_agent_version = __version__
    client = session.create_client(
        service,
        region_name=region,
        endpoint_url=check_endpoint(url) if url else None,
        verify=network.ca_bundle,
        config=Config(
            signature_version=UNSIGNED,
            ignore_configured_endpoint_urls=True,  # type: ignore[call-arg] # missing in the stubs
            proxies=None if network.proxies is None else dict(network.proxies),
            connect_timeout=min(timeout, 5.0),
            read_timeout=timeout,
            retries={"total_max_attempts": 1},
            max_pool_connections=20,
        ),
    )
    made: Any = client
    http_session = made._endpoint.http_session
    deadlines.impose(http_session)
    made.meta.events.register("before-send", _bounded(http_session))
    return made
