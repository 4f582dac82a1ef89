"""Which endpoints a token may be sent to, and the clients for them."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable

from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.records import LoginRecords
from credhelper.core.clock import Clock
from credhelper.endpoints import network_for
from credhelper.model import Endpoints, Network, Session, Token
from credhelper.settings import Settings

# Region, endpoints, proxies, and the rest of the network's settings; unlike these, a dict of proxies has no hash.
_Key = tuple[str, Endpoints, frozenset[tuple[str, str]] | None, Network]


class Centers:
    """Makes and keeps an `IdentityCenter` for each region and set of endpoints. Thread-safe.

    A token goes to the endpoints recorded at its own login; a token without a record (another client logged in)
    to those that the user's settings name for its session; else to AWS's own.
    """

    def __init__(
        self,
        records: LoginRecords,
        settings: Callable[[], Settings],
        clock: Clock,
        timeout: float = 10.0,
    ) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock
        self._timeout = timeout
        self._kept: dict[_Key, IdentityCenter] = {}
        self._lock = threading.Lock()

    def endpoints(self, session: Session, token: Token) -> Endpoints:
        """Where `token` may be sent."""
        # The second one is of a legacy login, whose token file is named after the start URL.
        for key in (session.cache_key, token.start_url):
            record = self._records.read(key) if key is not None else None
            if record is not None and record.matches(token):
                return record.endpoints
        return self._settings().endpoints.get(session.name, Endpoints())

    def for_token(self, session: Session, token: Token) -> IdentityCenter:
        """The client to use with `token`. Raises ConfigError where its endpoint is not a safe one."""
        endpoints = self.endpoints(session, token)
        network = self._settings().network
        proxies = None if network.proxies is None else frozenset(network.proxies.items())
        key = (session.region, endpoints, proxies, dataclasses.replace(network, proxies=None))
        with self._lock:
            center = self._kept.get(key)
            if center is None:
                direct = network_for(network, endpoints.oidc, endpoints.portal)
                center = IdentityCenter(session.region, endpoints, direct, self._clock, self._timeout)
                self._kept[key] = center
            return center

    def close(self) -> None:
        """Close all clients."""
        with self._lock:
            for center in self._kept.values():
                center.close()
            self._kept.clear()
