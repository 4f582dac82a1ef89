"""Every call of the daemon and of a login to AWS, with every kind of trouble: what lives is served, nothing is lost,
all is well by itself afterwards, and the log says it once."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime

import pytest
from blockbuster import BlockBuster

from credhelper.aws.identity_center import GRANT_DEVICE
from credhelper.aws.login.flow import Method
from credhelper.daemon import app, broker
from credhelper.dates import format_date
from credhelper.errors import CredhelperError
from credhelper.standin import Fault
from credhelper.standin.browser import visit
from tests.aws.login.conftest import Desk
from tests.aws.login.people import Person
from tests.daemon.inside import Inside
from tests.machine import Hands, Machine

RENEW, FETCH = "CreateToken", "GetRoleCredentials"
OTHER = "AWSReadOnlyAccess"
WRONG = (
    '{"accessToken": {}, "expiresIn": [], "clientId": 5, "clientSecret": [], "deviceCode": {}, "userCode": 1, '
    '"roleCredentials": ["x"]}'
)

# Each with words of what is said of it.
FAULTS = {
    "500": (Fault.error("InternalServerException"), "AWS has an internal error"),
    "503 without a body": (Fault.empty(status=503), "status 503"),
    "429": (Fault.error("TooManyRequestsException"), "throttles"),
    "429 of a proxy": (Fault.stranger(429), "throttles"),
    "dropped": (Fault.drop(), "AWS cannot be reached"),
    "reset": (Fault.reset(), "AWS cannot be reached"),
    "torn": (Fault.torn(), "AWS cannot be reached: the connection was closed"),
    "captive page": (Fault.captive_page(), "sign-in page"),
    "captive page 503": (Fault.captive_page(status=503), "sign-in page"),
    "captive redirect": (Fault.captive_redirect(), "sign-in page"),
    "garbage": (Fault.garbage(), "makes no sense"),
    "truncated": (Fault.cut(), "makes no sense"),
    "wrong types": (Fault.wrong(WRONG), "makes no sense"),
    "a list": (Fault.wrong("[]"), "makes no sense"),
    "endless": (Fault.endless(), "makes no sense"),
    "401 of a proxy": (Fault.stranger(401), "AWS cannot be reached"),
    "403 of a proxy": (Fault.stranger(403), "AWS cannot be reached"),
    "407 of a proxy": (Fault.stranger(407), "the proxy asks for a name and a password"),
    "silence": (Fault.silence(), "no answer in time"),
    "drip": (Fault.drip(), "no answer in time"),
    "drip of the head": (Fault.drip(head=True), "no answer in time"),
}
# Those that AWS has acted on before they come: with rotation nothing could save the session.
AFTER = {"torn", "truncated"}
# Those that last as long as one waits.
ENDLESS = {"silence", "drip", "drip of the head"}
every_fault = pytest.mark.parametrize("name", FAULTS)


def lines(log: pytest.LogCaptureFixture, words: str = "") -> list[str]:
    """The messages from INFO on, as the daemon's log has them."""
    found = [record.getMessage() for record in log.records if record.levelno >= logging.INFO]
    return [line for line in found if words in line]


async def reason(inside: Inside) -> str:
    (session,) = (await inside.status())["sessions"]
    return str(session["reason"])


def impatient(inside: Inside, name: str) -> None:
    """What has no end runs into a limit of ten seconds, here into a shorter one. Nothing else must, however busy the
    machine is."""
    if name in ENDLESS:
        inside.app._centers.close()
        inside.app._centers._timeout = 1.0


def idle(inside: Inside) -> bool:
    """Whether nothing is due or under way."""
    app, keeper = inside.app, inside.keeper
    due = keeper.renewal_due() or app._broker.vault.due(app._clock.server_now())
    return not (due or keeper.renewing or app._broker._flights)


# --- CreateToken: refresh -------------------------------------------------------------------------------------------


@every_fault
async def test_renewal(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, name: str) -> None:
    fault, words = FAULTS[name]
    machine = inside.machine
    machine.standin.configure(rotate_refresh_tokens=name not in AFTER)
    impatient(inside, name)
    await inside.got()
    before = machine.token()
    hands.forward(2450)
    with machine.standin.fault(RENEW, fault):
        for count in range(1, 4):
            await inside.turn()
            await inside.upstream(RENEW, count, done=None)
            await inside.until(lambda: not inside.keeper.renewing)
            assert await inside.got()
            assert inside.state == "active"
            assert words in await reason(inside)
            hands.forward(61)
        assert await inside.got(role=OTHER)  # the token still lives, so it is in use
        assert inside.calls(RENEW) >= 3
        # Also once it has run out nobody has to log in.
        hands.forward(4000)
        started = time.monotonic()
        line = await inside.refused(1)
        assert time.monotonic() - started < 5
        assert words in line
        assert line.endswith("Try again")
        assert inside.state in {"renewing", "offline"}
        assert words in await reason(inside)
        assert machine.token() == before
    hands.forward(61)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1 and not inside.keeper.renewing)
    assert await inside.got()
    assert await reason(inside) == "renews itself"
    assert len(lines(log, "not renewed:")) == 1
    assert words in lines(log, "not renewed:")[0]
    assert len(lines(log, "AWS answers again")) == 1
    assert not lines(log, "login")
    # And the refresh token that it has now is a good one.
    hands.forward(2500)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 2)


# --- GetRoleCredentials ---------------------------------------------------------------------------------------------


@every_fault
async def test_role_credentials(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    fault, words = FAULTS[name]
    impatient(inside, name)
    monkeypatch.setattr(broker, "_THROTTLE_PAUSES", (0.01, 0.01))
    first = await inside.got()
    with inside.machine.standin.fault(FETCH, fault):
        hands.forward(3600 - 1490)
        for _ in range(3):
            asked = inside.calls(FETCH)
            await inside.turn()
            await inside.upstream(FETCH, asked + 1, done=None)
            await inside.until(lambda: not inside.app._broker._flights)
            assert await inside.got() == first
            assert inside.state == "active"
            assert words in await reason(inside)
            hands.forward(31)
        line = await inside.refused(1, role=OTHER)  # nothing of it is there
        assert words in line
        assert line.endswith("Try again")
    await inside.turn()
    await inside.until(lambda: inside.app._broker.fetches == 2)
    assert (await inside.got())["AccessKeyId"] != first["AccessKeyId"]
    assert await reason(inside) == "renews itself"
    assert await inside.got(role=OTHER)
    assert inside.calls(RENEW) == 0  # no trouble with a role costs the session anything
    said = lines(log, "role credentials cannot be fetched")
    assert len(said) == 1
    assert words in said[0]
    assert len(lines(log, "can be fetched again")) == 1


@pytest.mark.parametrize("name", ["500", "dropped", "captive page"])
async def test_recovery_by_itself(
    machine: Machine, tripwire: BlockBuster, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Nobody asks for anything, and nothing on the disk changes: time alone goes on."""
    monkeypatch.setattr(app, "SWEEP", 0.05)
    inside, hands, standin = Inside(machine), machine.hands, machine.standin
    standin.configure(rotate_refresh_tokens=True)
    assert await inside.start()
    first = await inside.got()
    with standin.fault("*", FAULTS[name][0]):
        hands.forward(2500)
        await inside.upstream(RENEW, 1, done=None)
        await inside.upstream(FETCH, 2, done=None)
        await inside.until(lambda: inside.keeper._retry_at is not None and idle(inside))
        assert inside.keeper.renewals == 0
    hands.forward(120)
    await inside.until(lambda: inside.keeper.renewals == 1, "the renewal")
    await inside.until(lambda: inside.app._broker.fetches == 2 and idle(inside), "the fetch")
    assert inside.state == "active"
    asked = inside.calls(FETCH)
    assert (await inside.got())["AccessKeyId"] != first["AccessKeyId"]
    assert inside.calls(FETCH) == asked
    assert await reason(inside) == "renews itself"
    await inside.stop()


async def test_silence_of_all_of_aws_at_its_full_length(inside: Inside, hands: Hands) -> None:
    """Ten seconds, and a renewal that is due: the answer of the contract comes in under five."""
    first = await inside.got()
    hands.forward(3000)
    with inside.machine.standin.fault("*", Fault.silence()):
        await inside.turn()
        await inside.upstream(RENEW, done=None)
        started = time.monotonic()
        assert await inside.got() == first
        assert time.monotonic() - started < 5
        asked = len(inside.machine.standin.calls())
        assert await inside.got() == first  # nobody waits again so soon
        assert len(inside.machine.standin.calls()) == asked
    hands.forward(61)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1)


# --- the log --------------------------------------------------------------------------------------------------------


async def test_hundreds_of_tries_are_a_few_lines(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    """Four hours in a hotel whose network is now gone, now a sign-in page."""
    standin = inside.machine.standin
    inside.app._tools.calls._limiter._calls = 1000  # real seconds do not pass
    await inside.got()
    hands.forward(2450)
    for number in range(240):
        standin.clear_faults()
        standin.fault("*", (Fault.drop(), Fault.captive_page(), Fault.stranger(403))[number % 3])
        hands.forward(61)
        await inside.keeper.renew()
        if number % 20 == 0:
            await inside.turn()
            await inside.credentials()
    assert inside.calls(RENEW) >= 200
    assert inside.state == "offline"
    assert len(lines(log)) <= 8, lines(log)
    standin.clear_faults()
    hands.forward(61)
    assert await inside.got()
    assert len(lines(log)) <= 10, lines(log)
    assert len(lines(log, "AWS answers again")) == 1


async def test_many_roles_in_one_outage_are_one_line(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture
) -> None:
    names = [f"Role{number}" for number in range(30)]
    inside.machine.standin.configure(roles=tuple(names))
    with inside.machine.standin.fault(FETCH, Fault.reset()):
        for name in names:
            await inside.refused(1, role=name)
    assert len(lines(log, "cannot be fetched")) == 1
    for name in names[:3]:
        await inside.got(role=name)
    assert len(lines(log, "can be fetched again")) == 1


async def test_refused_role_is_one_line(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    for _ in range(20):
        await inside.refused(1, role="Nope")
        hands.forward(11)
    assert len(lines(log, "role Nope: no access to this account and role")) == 1
    inside.machine.standin.configure(roles=("Nope",))
    assert await inside.got(role="Nope")
    assert len(lines(log, "role Nope: AWS gives credentials again")) == 1


# --- a clock that is wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [10, -10])
async def test_clock_that_is_off(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, minutes: int) -> None:
    """The server's clock against ours. A caller reads the date that he is given by his own."""
    inside.machine.standin.configure(clock=lambda: hands() + minutes * 60, rotate_refresh_tokens=True)
    # Every client writes a token's end by its own clock.
    inside.machine.log_in(expiresAt=format_date(hands() + 3600))
    await inside.turn()
    for _ in range(36):  # six hours
        for _ in range(3):
            found = datetime.strptime((await inside.got())["Expiration"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
            assert 15 * 60 <= found.timestamp() - hands() <= 3601
        assert inside.state == "active"
        hands.forward(600)
        await inside.turn()
        await inside.until(lambda: idle(inside), "all that is due to be done")
    assert 7 <= inside.calls(RENEW) <= 11
    assert 7 <= inside.calls(FETCH) <= 13
    assert not [record for record in log.records if record.levelno >= logging.WARNING]


# --- logins ---------------------------------------------------------------------------------------------------------

LOGIN_STEPS = {
    "RegisterClient": (Method.PKCE, "RegisterClient", None),
    "RegisterClient, device": (Method.DEVICE, "RegisterClient", None),
    "StartDeviceAuthorization": (Method.DEVICE, "StartDeviceAuthorization", None),
    "CreateToken, code": (Method.PKCE, RENEW, "authorization_code"),
}


@pytest.mark.parametrize("step", LOGIN_STEPS)
def test_login(desk: Desk, step: str) -> None:
    method, operation, grant = LOGIN_STEPS[step]
    path = desk.cache.path(desk.session.cache_key)
    desk.center._timeout = 0.8
    with Person(at_page=visit, at_code=lambda _, complete: visit(complete)) as person:
        before = desk.log_in(person, method)
        for name, (fault, _) in FAULTS.items():
            whole = path.read_bytes()
            for registration in set(path.parent.iterdir()) - {path}:
                registration.unlink()  # else a device code login would not register again
            with desk.standin.fault(operation, fault, detail=grant), pytest.raises(CredhelperError) as caught:
                desk.log_in(person, method)
            assert caught.value.exit_code == 1, name
            assert caught.value.remedy, name
            assert "\n" not in str(caught.value)
            assert not [secret for secret in desk.standin.secrets() if secret in str(caught.value)]
            assert path.read_bytes() == whole, name
        assert desk.log_in(person, method).access_token != before.access_token


def test_polls_for_a_device_code_ride_it_out(desk: Desk) -> None:
    desk.center._timeout = 0.8
    with Person(at_code=lambda _, complete: visit(complete)) as person:
        for name, (fault, _) in FAULTS.items():
            desk.standin.clear_calls()
            with desk.standin.fault(RENEW, fault, times=2, detail=GRANT_DEVICE):
                if name in AFTER:  # the code was spent by the answer that was lost
                    with pytest.raises(CredhelperError) as caught:
                        desk.log_in(person, Method.DEVICE)
                    assert caught.value.remedy
                else:
                    assert desk.log_in(person, Method.DEVICE)
                    assert len(desk.standin.calls(RENEW)) == 3, name
