"""What the tests of the login flows share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.login.flow import Method, Pace, log_in
from credhelper.aws.login.ui import Ui
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.model import Network, Session, Token
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, StandIn


@dataclass
class Time:
    """A clock that moves when somebody sleeps."""

    now: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.slept.append(seconds)
        self.now += seconds

    def monotonic(self) -> float:
        return self.now


@dataclass
class Desk:
    """Everything a login needs, for one home folder and one stand-in."""

    standin: StandIn
    session: Session
    cache: TokenCache
    records: LoginRecords
    center: IdentityCenter
    clock: Clock
    time: Time = field(default_factory=Time)

    def log_in(
        self, ui: Ui, method: Method = Method.PKCE, *, session: Session | None = None, pace: Pace | None = None
    ) -> Token:
        if pace is None and method is Method.DEVICE:
            pace = Pace(self.time.sleep, self.time.monotonic)
        return log_in(
            session or self.session,
            cache=self.cache,
            records=self.records,
            center=self.center,
            clock=self.clock,
            method=method,
            ui=ui,
            pace=pace,
        )


@pytest.fixture
def desk(paths: Paths, standin: StandIn) -> Iterator[Desk]:
    clock = Clock()
    center = IdentityCenter(DEFAULT_REGION, standin.endpoints, Network(proxies={}), clock)
    yield Desk(
        standin,
        Session("corp", DEFAULT_START_URL, DEFAULT_REGION),
        TokenCache(paths.token_cache, paths.locks),
        LoginRecords(paths.state / "logins"),
        center,
        clock,
    )
    center.close()
