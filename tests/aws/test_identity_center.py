from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from credhelper.aws.botocore_clients import proxies_for
from credhelper.aws.identity_center import (
    GRANT_CODE,
    GRANT_DEVICE,
    GRANT_REFRESH,
    DeviceAuthorization,
    IdentityCenter,
    Registration,
    TokenGrant,
)
from credhelper.core.clock import Clock
from credhelper.errors import ConfigError, UpstreamError
from credhelper.model import Endpoints, Network
from credhelper.standin import DEFAULT_START_URL, Fault, StandIn
from tests.support import MakeStandIn

REGION = "eu-west-1"
ACCOUNT, ROLE = "100000000001", "AWSReadOnlyAccess"
SCOPES = ("sso:account:access",)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def center(standin: StandIn, clock: Clock) -> Iterator[IdentityCenter]:
    made = IdentityCenter(REGION, standin.endpoints, Network(proxies={}), clock, timeout=10.0)
    yield made
    made.close()


def register(center: IdentityCenter, scopes: tuple[str, ...] = SCOPES) -> Registration:
    return center.register_client(
        grant_types=[GRANT_CODE, GRANT_REFRESH, GRANT_DEVICE],
        redirect_uris=["http://127.0.0.1/oauth/callback"],
        issuer_url=DEFAULT_START_URL,
        scopes=scopes,
    )


def registration_of(token: dict[str, str]) -> Registration:
    return Registration(token["clientId"], token["clientSecret"], 0.0)


# --- what works -----------------------------------------------------------------------------------------------------


def test_register_and_start(center: IdentityCenter, standin: StandIn) -> None:
    registration = register(center)
    assert registration.expires_at > standin.now()
    authorization = center.start_device_authorization(registration, DEFAULT_START_URL)
    assert authorization.verification_uri.startswith(standin.url)
    assert authorization.interval == 1
    with pytest.raises(UpstreamError) as pending:
        center.redeem_device_code(registration, authorization.device_code)
    assert pending.value.code == "AuthorizationPendingException"


def test_refresh_and_role_credentials(center: IdentityCenter, standin: StandIn) -> None:
    token = standin.seed_session()
    grant = center.refresh(registration_of(token), token["refreshToken"])
    assert grant.expires_in == 3600
    credentials = center.role_credentials(grant.access_token, ACCOUNT, ROLE)
    assert credentials.access_key_id.startswith("A")
    assert 3590 < credentials.lifetime <= 3601


def test_reply_without_refresh_token(make_standin: MakeStandIn) -> None:
    standin = make_standin(refresh_reply_has_refresh_token=False)
    token = standin.seed_session()
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}))
    assert center.refresh(registration_of(token), token["refreshToken"]).refresh_token is None
    center.close()


def test_pages_are_followed(make_standin: MakeStandIn) -> None:
    standin = make_standin(accounts=7, page_size=2)
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}))
    token = standin.seed_session()["accessToken"]
    found, after = center.accounts(token)
    while after is not None:
        page, after = center.accounts(token, after)
        found += page
    assert len({account.account_id for account in found}) == 7
    assert center.account_roles(token, ACCOUNT) == (["AWSAdministratorAccess", "AWSReadOnlyAccess"], None)
    assert len(standin.calls("ListAccounts")) == 4
    center.close()


def test_logout(center: IdentityCenter, standin: StandIn) -> None:
    token = standin.seed_session()["accessToken"]
    center.logout(token)
    with pytest.raises(UpstreamError) as caught:
        center.role_credentials(token, ACCOUNT, ROLE)
    assert (caught.value.code, caught.value.status) == ("UnauthorizedException", 401)


def test_program_names_itself(center: IdentityCenter, standin: StandIn) -> None:
    register(center)
    assert "credhelper" in (standin.calls()[0].caller or "")


def test_calls_from_many_threads(center: IdentityCenter, standin: StandIn) -> None:
    token = standin.seed_session()["accessToken"]
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(center.role_credentials(token, ACCOUNT, ROLE).access_key_id))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(answers) == 10


# --- what fails -----------------------------------------------------------------------------------------------------

Act = Callable[[IdentityCenter, dict[str, str]], Any]
CALLS: dict[str, Act] = {
    "RegisterClient": lambda center, _: register(center),
    "StartDeviceAuthorization": lambda center, token: center.start_device_authorization(
        registration_of(token), DEFAULT_START_URL
    ),
    "CreateToken": lambda center, token: center.refresh(registration_of(token), token["refreshToken"]),
    "GetRoleCredentials": lambda center, token: center.role_credentials(token["accessToken"], ACCOUNT, ROLE),
    "ListAccounts": lambda center, token: center.accounts(token["accessToken"]),
    "ListAccountRoles": lambda center, token: center.account_roles(token["accessToken"], ACCOUNT),
    "Logout": lambda center, token: center.logout(token["accessToken"]),
}
_WRONG = (
    '{"clientId": [], "clientSecret": {}, "clientSecretExpiresAt": "x", "deviceCode": 1, "accessToken": {}, '
    '"expiresIn": [], "roleCredentials": "x", "accountList": {"accountId": 5}, "roleList": "x"}'
)
FAULTS = {
    "drop": (Fault.drop(), UpstreamError.OFFLINE),
    "reset": (Fault.reset(), UpstreamError.OFFLINE),
    "captive page": (Fault.captive_page(), UpstreamError.PORTAL),
    "captive page 511": (Fault.captive_page(status=511), UpstreamError.PORTAL),
    "captive redirect": (Fault.captive_redirect(), UpstreamError.PORTAL),
    "torn": (Fault.torn(), UpstreamError.OFFLINE),
    "cut": (Fault.cut(), UpstreamError.GARBAGE),
    "garbage": (Fault.garbage(), UpstreamError.GARBAGE),
    "a list": (Fault.wrong("[]"), UpstreamError.GARBAGE),
    "a text": (Fault.wrong('"x"'), UpstreamError.GARBAGE),
    "deep": (Fault.wrong("[" * 100_000), UpstreamError.GARBAGE),
    "wrong types": (Fault.wrong(_WRONG), UpstreamError.GARBAGE),
    "endless": (Fault.endless(), UpstreamError.GARBAGE),
    "a proxy's 403": (Fault.stranger(403), UpstreamError.OFFLINE),
    "a proxy's 407": (Fault.stranger(407), UpstreamError.OFFLINE),
    "empty 200": (Fault.empty(status=200), UpstreamError.GARBAGE),
    "empty 500": (Fault.empty(), "500"),
    "empty 503": (Fault.empty(status=503), "503"),
    "refused": (Fault.error("InvalidRequestException"), "InvalidRequestException"),
}
# Its answer holds nothing, so there is nothing in it that could be wrong.
HARMLESS = {
    ("Logout", name) for name in ("cut", "garbage", "empty 200", "torn", "a list", "a text", "deep", "wrong types")
}


@pytest.mark.parametrize("operation", CALLS)
def test_every_fault_of_every_call(center: IdentityCenter, standin: StandIn, operation: str) -> None:
    token = standin.seed_session()
    seen = {}
    for name, (fault, _) in FAULTS.items():
        standin.clear_calls()
        standin.fault(operation, fault)
        if (operation, name) in HARMLESS:
            CALLS[operation](center, token)
        else:
            with pytest.raises(UpstreamError) as caught:
                CALLS[operation](center, token)
            assert caught.value.operation == operation
            assert caught.value.__cause__ is None
            seen[name] = caught.value.code
        # Whether to try again is decided elsewhere.
        assert len(standin.calls(operation)) == 1, name
        standin.clear_faults()
        if operation == "Logout":
            token = standin.seed_session()
    expected = {name: code for name, (_, code) in FAULTS.items() if (operation, name) not in HARMLESS}
    assert seen == expected
    CALLS[operation](center, token)


def test_silence_is_being_offline(standin: StandIn) -> None:
    standin.fault("RegisterClient", Fault.silence())
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}), timeout=0.1)
    with pytest.raises(UpstreamError) as caught:
        register(center)
    assert (caught.value.code, caught.value.detail) == (UpstreamError.OFFLINE, "no answer in time")
    center.close()


@pytest.mark.parametrize("head", [False, True])
def test_answer_that_drips_is_being_offline(standin: StandIn, *, head: bool) -> None:
    """Each byte comes in time, the whole never."""
    token = standin.seed_session()
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}), timeout=0.5)
    placed = standin.fault("CreateToken", Fault.drip(head=head))
    unfulfilled = threading.Timer(10, placed.remove)  # no test waits for ever
    unfulfilled.start()
    with pytest.raises(UpstreamError) as caught:
        center.refresh(registration_of(token), token["refreshToken"])
    unfulfilled.cancel()
    assert (caught.value.code, caught.value.detail) == (UpstreamError.OFFLINE, "no answer in time")
    placed.remove()
    center.close()


def test_time_of_an_answer_is_that_answer_s_own(standin: StandIn) -> None:
    """Many calls over one connection, and longer than one of them may take."""
    token = standin.seed_session()["accessToken"]
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}), timeout=1.0)
    standin.fault("GetRoleCredentials", Fault.slow(0.3))
    for _ in range(5):
        assert center.role_credentials(token, ACCOUNT, ROLE)
    center.close()


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    center = IdentityCenter(REGION, Endpoints(url, url, url), Network(proxies={}))
    with pytest.raises(UpstreamError) as caught:
        register(center)
    assert (caught.value.code, caught.value.detail) == (UpstreamError.OFFLINE, "no connection")
    center.close()


def test_plain_http_where_tls_is_expected(standin: StandIn) -> None:
    url = standin.url.replace("http://", "https://")
    center = IdentityCenter(REGION, Endpoints(url, url, url), Network(proxies={}))
    with pytest.raises(UpstreamError) as caught:
        register(center)
    assert caught.value.code == UpstreamError.OFFLINE
    center.close()


def test_ca_bundle_that_is_not_there(standin: StandIn, home: Path) -> None:
    url = standin.url.replace("http://", "https://")
    network = Network(proxies={}, ca_bundle=str(home / "none.pem"))
    center = IdentityCenter(REGION, Endpoints(url, url, url), network)
    with pytest.raises(UpstreamError):
        register(center)
    center.close()


@pytest.mark.parametrize("region", ["", "not a region", "a/b", "../x", "x.evil.example"])
def test_region_that_is_none_is_an_expected_failure(region: str) -> None:
    center = IdentityCenter(region, network=Network(proxies={"https": "http://127.0.0.1:1"}))
    with pytest.raises(UpstreamError):
        register(center)
    center.close()


@pytest.mark.parametrize(
    "code", ["InvalidGrantException", "ExpiredTokenException", "InvalidClientException", "SlowDownException"]
)
def test_service_s_own_errors(center: IdentityCenter, standin: StandIn, code: str) -> None:
    token = standin.seed_session()
    standin.fault("CreateToken", Fault.error(code, message="why\n  it is so"))
    with pytest.raises(UpstreamError) as caught:
        center.refresh(registration_of(token), token["refreshToken"])
    assert caught.value.code == code
    assert "\n" not in str(caught.value)


# --- the way there --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("no_proxy", "direct"),
    [
        (None, False),
        ("", False),
        ("*", True),
        ("amazonaws.com", True),
        (".amazonaws.com", True),
        ("example.com, .AMAZONAWS.com ", True),
        ("oidc.eu-west-1.amazonaws.com", True),
        ("oidc.eu-west-1.amazonaws.com:8443", True),
        ("oidc.eu-west-1.amazonaws.com:443", False),
        ("zonaws.com", False),
        (",", False),
        (" . ", False),
        ("oidc.eu-west-2.amazonaws.com", False),
    ],
)
def test_hosts_without_a_proxy(no_proxy: str | None, direct: bool) -> None:
    proxies = {"https": "http://proxy.corp:3128"}
    network = Network(proxies=proxies, no_proxy=no_proxy)
    assert proxies_for("https://oidc.eu-west-1.amazonaws.com:8443", network) == ({} if direct else proxies)


def test_no_proxy_without_a_proxy_changes_nothing() -> None:
    assert proxies_for("https://oidc.eu-west-1.amazonaws.com", Network(no_proxy="*")) is None


@pytest.mark.parametrize("direct", [True, False])
def test_the_proxy_is_passed_by_where_no_proxy_says_so(standin: StandIn, direct: bool) -> None:
    proxy = "http://someone:hush@127.0.0.1:1"
    network = Network(proxies={"http": proxy}, no_proxy="127.0.0.1" if direct else "127.0.0.2")
    center = IdentityCenter(REGION, standin.endpoints, network)
    if direct:
        assert register(center).client_id
    else:
        with pytest.raises(UpstreamError) as caught:
            register(center)
        assert caught.value.code == UpstreamError.OFFLINE
        assert "hush" not in f"{caught.value!r}{caught.value}"
    center.close()


# --- numbers that no service would give -----------------------------------------------------------------------------


class _Scripted:
    """A client whose every call has this reply."""

    def __init__(self, **reply: object) -> None:
        self._reply = reply

    def __getattr__(self, name: str) -> Callable[..., dict[str, object]]:
        return lambda **_: self._reply

    def close(self) -> None:
        """Nothing is open."""


_NO_NUMBERS = [float("nan"), float("inf"), -1, 1e300, 10**400, "soon", [5]]


@pytest.mark.parametrize("name", ["interval", "expiresIn"])
@pytest.mark.parametrize("value", _NO_NUMBERS, ids=str)
def test_times_of_a_device_code(name: str, value: object) -> None:
    center = IdentityCenter(REGION)
    reply: dict[str, object] = {
        "deviceCode": "d",
        "userCode": "u",
        "verificationUri": "v",
        "verificationUriComplete": "w",
        "expiresIn": 600,
        "interval": 5,
    }
    center._clients["sso-oidc"] = _Scripted(**reply)
    assert center.start_device_authorization(Registration("c", "s", 0.0), DEFAULT_START_URL).interval == 5.0
    center._clients["sso-oidc"] = _Scripted(**{**reply, name: value})
    with pytest.raises(UpstreamError) as caught:
        center.start_device_authorization(Registration("c", "s", 0.0), DEFAULT_START_URL)
    assert caught.value.code == UpstreamError.GARBAGE


@pytest.mark.parametrize("value", _NO_NUMBERS, ids=str)
def test_end_of_a_registration(value: object) -> None:
    center = IdentityCenter(REGION)
    center._clients["sso-oidc"] = _Scripted(clientId="c", clientSecret="s", clientSecretExpiresAt=value)
    with pytest.raises(UpstreamError) as caught:
        register(center)
    assert caught.value.code == UpstreamError.GARBAGE


@pytest.mark.parametrize("value", _NO_NUMBERS, ids=str)
def test_life_of_tokens_and_credentials(value: object) -> None:
    center = IdentityCenter(REGION)
    center._clients["sso-oidc"] = _Scripted(accessToken="a", expiresIn=value)
    center._clients["sso"] = _Scripted(
        roleCredentials={"accessKeyId": "a", "secretAccessKey": "s", "sessionToken": "t", "expiration": value}
    )
    for act in (
        lambda: center.refresh(Registration("c", "s", 0.0), "r"),
        lambda: center.role_credentials("a", ACCOUNT, ROLE),
    ):
        with pytest.raises(UpstreamError) as caught:
            act()
        assert caught.value.code == UpstreamError.GARBAGE


# --- clocks ---------------------------------------------------------------------------------------------------------


def test_date_of_answers_and_refusals_is_observed(make_standin: MakeStandIn) -> None:
    ahead = make_standin(clock=lambda: time.time() + 7200)
    for fault in (None, Fault.error("InvalidRequestException")):
        clock = Clock()
        center = IdentityCenter(REGION, ahead.endpoints, Network(proxies={}), clock)
        if fault:
            ahead.fault("RegisterClient", fault, times=1)
            with pytest.raises(UpstreamError):
                register(center)
        else:
            register(center)
        assert 7000 < clock.skew < 7300
        center.close()


@pytest.mark.parametrize("fault", [Fault.captive_page(), Fault.captive_redirect(), Fault.captive_page(status=503)])
def test_captive_portal_s_clock_is_not_believed(make_standin: MakeStandIn, fault: Fault) -> None:
    ahead = make_standin(clock=lambda: time.time() + 7200)
    clock = Clock()
    center = IdentityCenter(REGION, ahead.endpoints, Network(proxies={}), clock)
    ahead.fault("RegisterClient", fault)
    with pytest.raises(UpstreamError):
        register(center)
    assert clock.skew == 0.0
    center.close()


def test_lifetime_is_measured_by_the_server_s_clock(make_standin: MakeStandIn) -> None:
    ahead = make_standin(clock=lambda: time.time() + 7200, role_lifetime=900)
    center = IdentityCenter(REGION, ahead.endpoints, Network(proxies={}))
    credentials = center.role_credentials(ahead.seed_session()["accessToken"], ACCOUNT, ROLE)
    assert 880 < credentials.lifetime <= 905
    center.close()


@pytest.mark.parametrize(("lifetime", "early"), [(3600.0, 2.0), (900.25, 2.0), (3.0, 1.0)])
def test_role_credentials_are_over_before_aws_ends_them(
    make_standin: MakeStandIn, lifetime: float, early: float
) -> None:
    issued = 1_800_000_000.5
    standin = make_standin(clock=lambda: issued, role_lifetime=lifetime)
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}))
    credentials = center.role_credentials(standin.seed_session()["accessToken"], ACCOUNT, ROLE)
    assert credentials.expires_at == int(credentials.expires_at), "as the date that callers are told"
    # The `Date` header has whole seconds.
    assert early - 1 <= issued + lifetime - credentials.expires_at <= early + 0.5
    center.close()


# --- what must not leak in or out -----------------------------------------------------------------------------------


def test_hostile_environment_and_files_change_nothing(
    standin: StandIn, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws").mkdir()
    (home / ".aws" / "config").write_text("[profile broken\nnot = [a config")
    (home / ".aws" / "credentials").write_bytes(b"\xff\xfe")
    for name, value in {
        "AWS_PROFILE": "nonsense",
        "AWS_DEFAULT_PROFILE": "nonsense",
        "AWS_CONFIG_FILE": str(home / ".aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(home / ".aws"),
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_SSO": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_SSO_OIDC": "http://127.0.0.1:1",
        "AWS_REGION": "xx-nowhere-1",
        "AWS_DEFAULT_REGION": "xx-nowhere-1",
        "AWS_DATA_PATH": str(home),
        "AWS_CA_BUNDLE": str(home / "none.pem"),
        "AWS_MAX_ATTEMPTS": "nonsense",
        "AWS_RETRY_MODE": "nonsense",
        "AWS_DEFAULTS_MODE": "nonsense",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_STS_REGIONAL_ENDPOINTS": "nonsense",
    }.items():
        monkeypatch.setenv(name, value)
    token = standin.seed_session()
    center = IdentityCenter(REGION, standin.endpoints, Network(proxies={}))
    for act in CALLS.values():
        act(center, token)
    center.close()
    plain = IdentityCenter(REGION)
    assert plain.authorize_endpoint() == f"https://oidc.{REGION}.amazonaws.com"
    plain.close()


@pytest.mark.parametrize(
    "secret",
    [
        Registration("hush", "hush", 1.0),
        DeviceAuthorization("hush", "USER-CODE", "u", "u", 1.0, 1.0),
        TokenGrant("hush", 1.0, "hush"),
    ],
)
def test_repr_shows_no_secret(secret: object) -> None:
    assert "hush" not in f"{secret!r}{secret!s}"


@pytest.mark.parametrize("fault", [Fault.garbage(), Fault.cut(), Fault.torn(), Fault.error("InvalidGrantException")])
def test_errors_show_no_secret(center: IdentityCenter, standin: StandIn, fault: Fault) -> None:
    import traceback  # noqa: PLC0415 - only here

    token = standin.seed_session()
    standin.fault("CreateToken", fault)
    with pytest.raises(UpstreamError) as caught:
        center.refresh(registration_of(token), token["refreshToken"])
    text = "".join(traceback.format_exception(caught.value))
    assert not [secret for secret in standin.secrets() if secret in text]


@pytest.mark.parametrize("url", ["http://example.com", "http://127.0.0.1@example.com", "127.0.0.1"])
def test_unsafe_endpoint_is_refused_before_any_call(url: str) -> None:
    center = IdentityCenter(REGION, Endpoints(oidc=url), Network(proxies={}))
    with pytest.raises(ConfigError, match="neither https nor on this machine"):
        register(center)
