"""The user's settings, `~/.config/credhelper/config.toml`, and what their own commands recorded of the network.

Nothing here comes from the environment of whoever woke the daemon: endpoints, proxy and CA bundle are either
written in the settings or were recorded (0600) by a command that the person typed.
"""

from __future__ import annotations

import json
import shlex
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from credhelper import files
from credhelper.endpoints import check_endpoint, check_proxy
from credhelper.errors import ConfigError, CredhelperError
from credhelper.model import WARN_BEFORE, Endpoints, Network
from credhelper.paths import Paths

# As botocore reads them through urllib: the name in lower case wins.
_PROXY_VARIABLES = {"https": ("https_proxy", "HTTPS_PROXY"), "http": ("http_proxy",)}
_NO_PROXY_VARIABLES = ("no_proxy", "NO_PROXY")
_BUNDLE_VARIABLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
# Identity Center allows 90 days at most; within half an hour of the cap a login makes a new session.
_SHORTEST_CAP, _LONGEST_CAP = 3600, 90 * 86400


@dataclass(frozen=True, slots=True)
class Settings:
    """The values in force.

    Attributes:
        warn_before: seconds before the end of what cannot be renewed, the largest first.
        wait_for_login: seconds that a helper call waits while a login is under way.
        endpoints: by session name; they replace AWS's own for that session's tokens.
        network: proxies and CA bundle.
        session_caps: seconds after a login at which AWS ends the session, by session name.
        browsers: the command line of the browser for a session's pages, by session name (read by
            `aws.browser.commands`).
    """

    warn_before: tuple[float, ...] = WARN_BEFORE
    wait_for_login: float = 4.0
    endpoints: Mapping[str, Endpoints] = field(default_factory=dict)
    network: Network = field(default_factory=Network)
    session_caps: Mapping[str, float] = field(default_factory=dict)
    browsers: Mapping[str, str] = field(default_factory=dict)


def load(paths: Paths) -> Settings:
    """Read the settings; a missing file means the defaults. Raises ConfigError with the place of the fault."""
    try:
        content = tomllib.loads(files.read_bytes(paths.settings).decode())
    except FileNotFoundError:
        content = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{paths.settings} is not valid TOML: {error}", "Correct it") from error
    except CredhelperError as error:
        raise ConfigError(error.message, error.remedy) from error
    try:
        return _interpret(content, recorded_network(paths))
    except (ConfigError, ValueError) as error:
        message = error.message if isinstance(error, ConfigError) else str(error)
        raise ConfigError(f"{paths.settings}: {message}", "Correct it") from error


def _interpret(content: Mapping[str, Any], recorded: Network) -> Settings:
    known = {"warn_before", "wait_for_login", "sessions", "network"}
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not a setting; there are {', '.join(sorted(known))}")
    warn_before = _take(content, "warn_before", _spans, WARN_BEFORE)
    sessions = _take(content, "sessions", _table, {})
    network = _take(content, "network", _table, {})
    return Settings(
        warn_before=tuple(sorted(warn_before, reverse=True)),
        wait_for_login=_take(content, "wait_for_login", _span, 4.0),
        endpoints={name: _endpoints(name, _table(value)) for name, value in sessions.items()},
        session_caps={
            name: _take(value, "session_cap", _cap, 0.0) for name, value in sessions.items() if "session_cap" in value
        },
        browsers={
            name: _take(value, "browser", _command, "") for name, value in sessions.items() if "browser" in value
        },
        network=Network(
            proxies=_proxies(network) or recorded.proxies,
            ca_bundle=_take(network, "ca_bundle", _string, recorded.ca_bundle),
            no_proxy=_take(network, "no_proxy", _string, recorded.no_proxy),
        ),
    )


def _take(content: Mapping[str, Any], name: str, convert: Callable[[Any], Any], default: Any) -> Any:
    if name not in content:
        return default
    try:
        return convert(content[name])
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _span(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86400:
        raise ValueError("must be a number of seconds from 0 to 86400")
    return float(value)


def _cap(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _SHORTEST_CAP <= value <= _LONGEST_CAP:
        raise ValueError(f"must be a number of seconds from {_SHORTEST_CAP} to {_LONGEST_CAP}")
    return float(value)


def _spans(value: Any) -> list[float]:
    if not isinstance(value, list):
        raise ValueError("must be a list of seconds")  # noqa: TRY004 - one kind of error for a bad file
    return [_span(item) for item in value]


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")  # noqa: TRY004
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be a text")
    return value


def _command(value: Any) -> str:
    line = _string(value)
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if not words or not line.isprintable():
        raise ValueError("must be a command line, quoted as for a shell")
    return line


def _endpoints(name: str, table: Mapping[str, Any]) -> Endpoints:
    known = {"browser", "oidc", "portal", "session_cap", "sts"}
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"sessions.{name}: {unknown[0]!r} is not a setting; there are {', '.join(sorted(known))}")
    return Endpoints(
        **{key: check_endpoint(_take(table, key, _string, None)) for key in ("oidc", "portal", "sts") if key in table}
    )


def _proxies(table: Mapping[str, Any]) -> dict[str, str] | None:
    unknown = sorted(set(table) - {"proxy", "no_proxy", "ca_bundle"})
    if unknown:
        raise ValueError(f"network: {unknown[0]!r} is not a setting; there are proxy, no_proxy, ca_bundle")
    proxy = _take(table, "proxy", _string, None)
    if proxy is None:
        return None
    check_proxy(proxy, "network.proxy")
    return {"https": proxy, "http": proxy}


def record_network(paths: Paths, environ: Mapping[str, str]) -> list[str]:
    """Keep the proxy and CA bundle of a person's own environment for the daemon.

    Returns what is to be said of it: a proxy for plain http that cannot be one is left out; AWS is asked by https.

    Raises ConfigError for a proxy for https that cannot be one, CredhelperError where nothing can be written.

    Loopback endpoints are reached directly whatever is recorded here. A proxy's address may hold a password.
    """

    known, left_out = network_of(environ)
    content = {
        "proxies": None if known.proxies is None else dict(known.proxies),
        "ca_bundle": known.ca_bundle,
        "no_proxy": known.no_proxy,
    }
    data = json.dumps(content).encode()
    record = paths.state / "network.json"
    try:
        if files.read_bytes(record) == data:
            return left_out
    except FileNotFoundError:
        if not any(content.values()):
            return left_out
    files.replace(record, data)
    return left_out


def network_of(environ: Mapping[str, str]) -> tuple[Network, list[str]]:
    """Proxies and CA bundle of an environment, and what is to be said of it, as for `record_network`.

    Raises ConfigError for a proxy for https that cannot be one.
    """

    def first(names: tuple[str, ...]) -> str | None:
        return next((environ[name] for name in names if environ.get(name)), None)

    proxies, left_out = {}, []
    for scheme, names in _PROXY_VARIABLES.items():
        name = next((name for name in names if environ.get(name)), None)
        if name is None:
            continue
        try:
            proxies[scheme] = check_proxy(environ[name], name)
        except ConfigError as error:
            if scheme == "https":
                raise
            left_out.append(f"{error.message}; it is left out")
    return Network(proxies or None, first(_BUNDLE_VARIABLES), first(_NO_PROXY_VARIABLES)), left_out


def recorded_network(paths: Paths) -> Network:
    """What `record_network` kept; damage counts as nothing recorded."""
    try:
        content = json.loads(files.read_bytes(paths.state / "network.json"))
        proxies, bundle, direct = content.get("proxies"), content.get("ca_bundle"), content.get("no_proxy")
    except (OSError, CredhelperError, ValueError, AttributeError, RecursionError):
        return Network()
    if not isinstance(proxies, dict) or not all(isinstance(value, str) for value in proxies.values()):
        proxies = None
    return Network(
        proxies=proxies,
        ca_bundle=bundle if isinstance(bundle, str) else None,
        no_proxy=direct if isinstance(direct, str) else None,
    )
