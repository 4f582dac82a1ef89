from __future__ import annotations

from collections.abc import Iterator

import pytest

from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecord, LoginRecords
from credhelper.core.clock import Clock
from credhelper.errors import ConfigError
from credhelper.model import Endpoints, Network, Session, Token
from credhelper.paths import Paths
from credhelper.settings import Settings

URL = "https://d-1.awsapps.com/start"
SESSION = Session("corp", URL, "eu-west-1")
RECORDED = Endpoints(oidc="http://127.0.0.1:1", portal="http://127.0.0.1:2")
NAMED = Endpoints(oidc="http://127.0.0.1:3", portal="http://127.0.0.1:4")
TOKEN = Token("at", 2e9, URL, "eu-west-1", client_id="ours")
FOREIGN = Token("at", 2e9, URL, "eu-west-1", client_id="another client's")


class Wheel:
    """Centers whose settings a test can turn."""

    def __init__(self, paths: Paths) -> None:
        self.records = LoginRecords(paths.state / "logins")
        self.settings = Settings()
        self.centers = Centers(self.records, lambda: self.settings, Clock())

    def record(self, key: str, endpoints: Endpoints = RECORDED) -> None:
        self.records.write(key, LoginRecord.of(TOKEN, endpoints, 0.0))


@pytest.fixture
def wheel(paths: Paths) -> Iterator[Wheel]:
    wheel = Wheel(paths)
    yield wheel
    wheel.centers.close()


def test_aws_s_own_endpoints_are_the_default(wheel: Wheel) -> None:
    assert wheel.centers.endpoints(SESSION, TOKEN) == Endpoints()


def test_token_goes_where_its_login_was(wheel: Wheel) -> None:
    wheel.record("corp")
    wheel.settings = Settings(endpoints={"corp": NAMED})
    assert wheel.centers.endpoints(SESSION, TOKEN) == RECORDED


def test_token_of_another_client_goes_where_the_settings_say_else_to_aws(wheel: Wheel) -> None:
    wheel.record("corp")
    assert wheel.centers.endpoints(SESSION, FOREIGN) == Endpoints()
    wheel.settings = Settings(endpoints={"corp": NAMED, "lab": RECORDED})
    assert wheel.centers.endpoints(SESSION, FOREIGN) == NAMED


def test_token_of_a_legacy_login_goes_where_that_was(wheel: Wheel) -> None:
    wheel.record(URL)
    assert wheel.centers.endpoints(SESSION, TOKEN) == RECORDED
    assert wheel.centers.endpoints(SESSION, FOREIGN) == Endpoints()


def test_the_session_s_own_older_record_does_not_hide_the_legacy_login_s(wheel: Wheel) -> None:
    wheel.records.write("corp", LoginRecord.of(FOREIGN, NAMED, 0.0))
    wheel.record(URL)
    assert wheel.centers.endpoints(SESSION, TOKEN) == RECORDED


def test_login_at_aws_itself_is_not_redirected_by_settings(wheel: Wheel) -> None:
    wheel.record("corp", Endpoints())
    wheel.settings = Settings(endpoints={"corp": NAMED})
    assert wheel.centers.endpoints(SESSION, TOKEN) == Endpoints()


def test_clients_are_kept_for_each_place(wheel: Wheel) -> None:
    wheel.record("corp")
    first = wheel.centers.for_token(SESSION, TOKEN)
    assert wheel.centers.for_token(SESSION, TOKEN) is first
    assert wheel.centers.for_token(SESSION, FOREIGN) is not first
    assert wheel.centers.for_token(Session("lab", URL, "us-east-1"), TOKEN) is not first
    wheel.settings = Settings(network=Network(ca_bundle="/another"))
    assert wheel.centers.for_token(SESSION, TOKEN) is not first


def test_endpoint_that_is_not_safe_is_never_asked(wheel: Wheel) -> None:
    wheel.record("corp", Endpoints(portal="http://attacker.example"))
    with pytest.raises(ConfigError, match="neither https nor on this machine"):
        wheel.centers.for_token(SESSION, TOKEN).role_credentials("at", "1", "r")


@pytest.mark.parametrize(
    ("endpoints", "proxied"),
    [
        (RECORDED, False),
        (Endpoints(oidc="http://[::1]:1"), False),
        (Endpoints(oidc="http://127.0.0.1:1", portal="https://sso.example"), True),
        (Endpoints(), True),
    ],
)
def test_no_proxy_stands_before_this_machine(
    wheel: Wheel, endpoints: Endpoints, *, proxied: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Network] = []

    class Nothing:
        def __init__(self, _region: str, _endpoints: Endpoints, network: Network, *_: object) -> None:
            seen.append(network)

        def close(self) -> None:
            pass

    monkeypatch.setattr("credhelper.aws.centers.IdentityCenter", Nothing)
    wheel.record("corp", endpoints)
    wheel.settings = Settings(network=Network(proxies={"https": "http://proxy:1"}, ca_bundle="/ca"))
    wheel.centers.for_token(SESSION, TOKEN)
    assert seen == [Network(proxies={"https": "http://proxy:1"} if proxied else {}, ca_bundle="/ca")]


def test_clients_are_told_apart_by_proxy_and_no_password_is_shown(paths: Paths) -> None:
    settings = Settings()
    centers = Centers(LoginRecords(paths.state / "logins"), lambda: settings, Clock())
    kept = []
    for proxy in (None, "http://me:hunter2@proxy:1", "http://me:hunter3@proxy:1"):
        settings = Settings(network=Network(proxies=None if proxy is None else {"https": proxy}))
        kept.append(centers.for_token(SESSION, FOREIGN))
        assert kept[-1] is centers.for_token(SESSION, FOREIGN)
        assert "hunter" not in repr(settings)
    assert len(set(map(id, kept))) == 3
    centers.close()
