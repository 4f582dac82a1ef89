from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from credhelper.standin import Settings, StandIn

ACCOUNT = "100000000001"
ROLE = "AWSAdministratorAccess"


@dataclass
class Clock:
    """A clock that moves only when told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Clients:
    """botocore clients of one stand-in, private as the daemon's are."""

    standin: StandIn
    opened: list[Any] = field(default_factory=list)

    def make(self, service: str, read_timeout: float = 10, **options: Any) -> Any:
        session = botocore.session.Session()
        config = Config(retries={"total_max_attempts": 1}, read_timeout=read_timeout, max_pool_connections=20)
        if not options:
            config = config.merge(Config(signature_version=UNSIGNED))
        client = session.create_client(
            service,
            region_name="eu-west-1",
            endpoint_url=self.standin.url,
            config=config,
            **options,
        )
        self.opened.append(client)
        return client

    @cached_property
    def oidc(self) -> Any:
        return self.make("sso-oidc")

    @cached_property
    def sso(self) -> Any:
        return self.make("sso")

    def sts(self, role: dict[str, Any]) -> Any:
        return self.make(
            "sts",
            aws_access_key_id=role["accessKeyId"],
            aws_secret_access_key=role["secretAccessKey"],
            aws_session_token=role["sessionToken"],
        )

    def role(self, access_token: str, account: str = ACCOUNT, role: str = ROLE) -> dict[str, Any]:
        answer = self.sso.get_role_credentials(accountId=account, roleName=role, accessToken=access_token)
        found: dict[str, Any] = answer["roleCredentials"]
        return found

    def refresh(self, token: dict[str, str]) -> dict[str, Any]:
        answer: dict[str, Any] = self.oidc.create_token(
            grantType="refresh_token",
            clientId=token["clientId"],
            clientSecret=token["clientSecret"],
            refreshToken=token["refreshToken"],
        )
        return answer


@pytest.fixture(autouse=True)
def no_aws_config(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(empty))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(empty))
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_CA_BUNDLE", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def start() -> Iterator[Callable[..., StandIn]]:
    """Starts a stand-in with some settings; all are stopped at the end."""
    started: list[StandIn] = []

    def one(**settings: Any) -> StandIn:
        started.append(StandIn(Settings(**settings)).start())
        return started[-1]

    yield one
    for standin in started:
        standin.stop()


@pytest.fixture
def standin(start: Callable[..., StandIn], clock: Clock) -> StandIn:
    """A stand-in on the clock that moves only when told to."""
    return start(clock=clock)


@pytest.fixture
def aws() -> Iterator[Callable[[StandIn], Clients]]:
    made: list[Clients] = []

    def one(standin: StandIn) -> Clients:
        made.append(Clients(standin))
        return made[-1]

    yield one
    for clients in made:
        for client in clients.opened:
            client.close()


@pytest.fixture
def clients(aws: Callable[[StandIn], Clients], standin: StandIn) -> Clients:
    return aws(standin)


@pytest.fixture
def refused() -> Callable[[Callable[[], Any]], tuple[str, int]]:
    """Runs a call that must be refused; returns the error's code and the HTTP status."""

    def run(call: Callable[[], Any]) -> tuple[str, int]:
        with pytest.raises(ClientError) as caught:
            call()
        response: Any = caught.value.response
        return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]

    return run
