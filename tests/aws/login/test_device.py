"""Login by device code against the real stand-in, in a time of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from credhelper.aws.identity_center import DeviceAuthorization, Registration
from credhelper.aws.login.failures import LoginFailed
from credhelper.aws.login.flow import Method, Pace
from credhelper.errors import CredhelperError
from credhelper.standin import Fault, StandIn
from credhelper.standin.browser import visit
from tests.aws.login.conftest import Desk
from tests.aws.login.people import Person, redirect_address
from tests.support import MakeStandIn


@pytest.fixture
def standin(make_standin: MakeStandIn) -> StandIn:
    # The stand-in lives in real time and the login in its own, so the stand-in must not count the pauses.
    return make_standin(device_interval=0)


def approve(_code: str, complete: str) -> None:
    visit(complete)


def test_approved_at_once(desk: Desk) -> None:
    with Person(at_code=approve) as person:
        token = desk.log_in(person, Method.DEVICE)
    assert token.refresh_token
    assert desk.cache.read("corp") is not None
    assert desk.records.read("corp") is not None
    (code, page, complete) = person.codes[0]
    assert code in complete
    assert page.endswith("/device")
    assert person.ended == 1


def test_pending_waits_the_interval(desk: Desk) -> None:
    desk.standin.fault("CreateToken", Fault.error("AuthorizationPendingException"), 3)
    with Person(at_code=approve) as person:
        desk.log_in(person, Method.DEVICE)
    assert len(desk.standin.calls("CreateToken")) == 4
    # The server named no interval, which means 5 s.
    assert desk.time.now == pytest.approx(4 * 5)
    assert max(desk.time.slept) <= 1


def test_slow_down_adds_five_seconds_for_good(desk: Desk) -> None:
    desk.standin.fault("CreateToken", Fault.error("SlowDownException"), 2)
    with Person(at_code=approve) as person:
        desk.log_in(person, Method.DEVICE)
    assert desk.time.now == pytest.approx(5 + 10 + 15)


def test_denied(desk: Desk) -> None:
    with (
        Person(at_code=lambda _code, complete: visit(complete, deny=True)) as person,
        pytest.raises(LoginFailed, match="denied"),
    ):
        desk.log_in(person, Method.DEVICE)
    assert desk.cache.read("corp") is None
    assert person.ended == 1


def test_expired_by_the_server(desk: Desk) -> None:
    desk.standin.fault("CreateToken", Fault.error("ExpiredTokenException"))
    with Person() as person, pytest.raises(LoginFailed, match="expired"):
        desk.log_in(person, Method.DEVICE)


def test_expired_by_our_own_count(desk: Desk) -> None:
    with Person() as person, pytest.raises(LoginFailed, match="expired before anybody used it"):
        desk.log_in(person, Method.DEVICE)
    assert desk.time.now == pytest.approx(600, abs=1)
    assert person.waits[0] == pytest.approx(600)


@pytest.mark.parametrize(
    "fault",
    [
        Fault.drop(),
        Fault.error("InternalServerException"),
        Fault.error("TooManyRequestsException"),
        Fault.captive_page(),
        Fault.empty(status=503),
    ],
    ids=["drop", "500", "429", "captive portal", "503"],
)
def test_trouble_on_the_way_is_passed_over(desk: Desk, fault: Fault) -> None:
    desk.standin.fault("CreateToken", fault, 2)
    with Person(at_code=approve) as person:
        desk.log_in(person, Method.DEVICE)
    assert desk.cache.read("corp") is not None


def test_a_registration_that_aws_has_dropped_is_made_anew(desk: Desk) -> None:
    desk.standin.fault("StartDeviceAuthorization", Fault.error("InvalidClientException"), 1)
    with Person(at_code=approve) as person:
        desk.log_in(person, Method.DEVICE)
    assert len(desk.standin.calls("RegisterClient")) == 2
    assert len(person.codes) == 1


@pytest.mark.parametrize(
    "code",
    [
        "InvalidRequestException",
        "UnauthorizedClientException",
        "AccessDeniedException",
        "UnsupportedGrantTypeException",
    ],
)
def test_where_it_is_blocked_the_browser_follows(desk: Desk, code: str) -> None:
    desk.standin.fault("StartDeviceAuthorization", Fault.error(code, status=400))
    with Person(at_page=lambda url: person.paste(redirect_address(url) + "\n")) as person:
        token = desk.log_in(person, Method.DEVICE, pace=Pace(desk.time.sleep))
    assert token.refresh_token
    assert desk.cache.read("corp") is not None
    assert (len(person.pages), person.codes) == (1, [])
    assert "AWS takes no device code here, so the login goes on in a browser." in person.said
    assert any("start URL and region" in said for said in person.said) is (code == "InvalidRequestException")


def test_a_wrong_start_url_is_not_said_to_be_a_block_alone(desk: Desk) -> None:
    desk.standin.fault("StartDeviceAuthorization", Fault.error("InvalidRequestException"))
    desk.standin.fault("RegisterClient", Fault.slow(0), 1)  # the one for the device code goes well
    desk.standin.fault("RegisterClient", Fault.error("InvalidRequestException"))
    with Person() as person, pytest.raises(LoginFailed, match="start URL and region"):
        desk.log_in(person, Method.DEVICE)
    assert person.pages == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault.error("InternalServerException"),
        Fault.error("SlowDownException"),
        Fault.error("InvalidRequestRegionException", status=400),
        Fault.captive_page(),
        Fault.drop(),
    ],
    ids=["500", "slow down", "another region", "captive portal", "drop"],
)
def test_trouble_is_no_block(desk: Desk, fault: Fault) -> None:
    desk.standin.fault("StartDeviceAuthorization", fault)
    with Person() as person, pytest.raises(LoginFailed):
        desk.log_in(person, Method.DEVICE)
    assert (person.pages, person.said) == ([], [])


def test_a_page_that_no_browser_shows_gives_way_to_a_code(desk: Desk) -> None:
    with Person(at_code=approve, no_browser=True) as person:
        token = desk.log_in(person, Method.PKCE, pace=Pace(desk.time.sleep, desk.time.monotonic))
    assert token.refresh_token
    assert "No browser could be opened here; a device code follows." in person.said
    assert len(person.codes) == 1


def test_no_browser_and_no_code_leave_the_address(desk: Desk) -> None:
    desk.standin.fault("StartDeviceAuthorization", Fault.error("AccessDeniedException", status=400))
    with Person(at_page=lambda url: person.paste(redirect_address(url) + "\n"), no_browser=True) as person:
        desk.log_in(person, Method.PKCE)
    assert desk.cache.read("corp") is not None
    assert len(person.pages) == 2


def test_a_browser_that_fails_after_a_refused_code_leaves_the_address(desk: Desk) -> None:
    """AWS is asked for a code once, and none is promised again."""
    desk.standin.fault("StartDeviceAuthorization", Fault.error("AccessDeniedException", status=400))
    with Person(at_page=lambda url: person.paste(redirect_address(url) + "\n"), no_browser=True) as person:
        desk.log_in(person, Method.DEVICE, pace=Pace(desk.time.sleep))
    assert desk.cache.read("corp") is not None
    assert len(person.pages) == 2
    assert len(desk.standin.calls("StartDeviceAuthorization")) == 1
    assert person.said == ["AWS takes no device code here, so the login goes on in a browser."]


def test_a_hostile_page_is_not_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    started = desk.center.start_device_authorization

    def hostile(registration: Registration, start_url: str) -> DeviceAuthorization:
        answer = started(registration, start_url)
        return replace(answer, verification_uri_complete="https://evil.example/\x1b]0;x\x07")

    monkeypatch.setattr(desk.center, "start_device_authorization", hostile)
    with Person() as person, pytest.raises(CredhelperError, match="not one of AWS's") as refusal:
        desk.log_in(person, Method.DEVICE)
    assert person.codes == []
    assert "\x1b" not in str(refusal.value)
