from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from credhelper.aws import renewal
from credhelper.aws.draft import Draft
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.standin import Fault
from tests.daemon.inside import Inside
from tests.machine import Hands

RENEW = "CreateToken"


@pytest.fixture
def hands(inside: Inside) -> Hands:
    return inside.machine.hands


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "credhelper")
    return caplog


def lines(log: pytest.LogCaptureFixture, words: str) -> int:
    return len([record for record in log.records if words in record.getMessage()])


# --- renewing -------------------------------------------------------------------------------------------------------


async def test_token_is_renewed_before_anybody_asks(inside: Inside, hands: Hands) -> None:
    before = inside.machine.token()
    hands.forward(2200)
    await inside.turn()
    assert inside.calls(RENEW) == 0
    hands.forward(210)
    await inside.turn()
    await inside.upstream(RENEW)
    await inside.until(lambda: inside.machine.token() != before)
    await inside.until(lambda: not inside.keeper.renewing)
    assert inside.keeper.renewals == 1
    session = (await inside.status())["sessions"][0]
    assert (session["state"], session["reason"], session["next_action"]) == ("active", "renews itself", "renew")
    assert inside.calls(RENEW) == 1


async def test_it_renews_for_days(inside: Inside, hands: Hands) -> None:
    for count in range(1, 13):
        hands.forward(2500)
        await inside.turn()
        await inside.until(lambda count=count: inside.keeper.renewals == count)  # type: ignore[misc]
        await inside.got()
    assert inside.calls(RENEW) == 12


async def test_a_laptop_that_slept_beyond_the_end(inside: Inside, hands: Hands) -> None:
    hands.forward(8 * 3600)
    assert inside.state == "renewing"
    await inside.turn()
    await inside.until(lambda: inside.state == "active")


async def test_another_program_s_renewal_is_taken_over(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture
) -> None:
    content = {**inside.machine.token(), "accessToken": inside.machine.standin.seed_session()["accessToken"]}
    inside.machine.token_file.write_text(json.dumps(content))
    await inside.turn()
    assert inside.keeper.found is not None
    assert inside.keeper.found.token.access_token == content["accessToken"]
    assert lines(log, "token renewed by another program") == 1


async def test_failures_are_retried_with_backoff_and_logged_once(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture
) -> None:
    inside.machine.standin.fault(RENEW, Fault.error("InternalServerException"))
    hands.forward(2450)
    tries = []
    for _ in range(6):
        await inside.turn()
        await inside.until(lambda: not inside.keeper.renewing and inside.keeper._retry_at is not None)
        retry_at = inside.keeper._retry_at
        assert retry_at is not None
        tries.append(retry_at - hands())
        assert (await inside.status())["sessions"][0]["state"] == "active"
        hands.forward(max(retry_at - hands(), 0) + 0.01)
    assert all(0 < pause <= 60 for pause in tries)
    assert max(tries) > 4 * min(tries)
    assert lines(log, "not renewed: AWS has an internal error") == 1
    inside.machine.standin.clear_faults()
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1)
    assert lines(log, "AWS answers again") == 1
    assert (await inside.status())["sessions"][0]["reason"] == "renews itself"


async def test_refused_while_the_token_lives(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    await inside.got()
    inside.machine.standin.configure(session_cap=3600, cap_bounds_tokens=False)
    inside.machine.standin.fault(RENEW, Fault.error("InvalidGrantException"))
    hands.forward(2450)
    await inside.turn()
    await inside.until(lambda: inside.state == "expiring")
    session = (await inside.status())["sessions"][0]
    assert (session["reason"], session["refreshable"], session["next_action"]) == (
        "AWS has ended the session",
        False,
        "warn",
    )
    assert await inside.got()  # what is in memory, and new ones while the token lives
    hands.forward(800)  # 350 s left
    await inside.turn()
    hands.forward(100)
    await inside.turn()
    hands.forward(300)
    await inside.turn()
    assert inside.state == "expired"
    assert lines(log, "ends in") == 2
    assert lines(log, "has ended; run: credhelper login corp") == 1
    assert inside.calls(RENEW) == 1
    assert lines(log, "not renewed: AWS has ended the session") == 1


async def test_login_after_the_end(inside: Inside, hands: Hands) -> None:
    inside.machine.standin.revoke_sessions()
    hands.forward(3700)
    await inside.turn()
    await inside.until(lambda: inside.state == "expired")
    inside.machine.log_in()
    await inside.until(lambda: inside.state == "active")
    assert await inside.got()


async def test_registration_past_its_date(inside: Inside, hands: Hands) -> None:
    inside.machine.log_in(registrationExpiresAt="2020-01-01T00:00:00Z")
    await inside.turn()
    session = (await inside.status())["sessions"][0]
    assert (session["state"], session["refreshable"]) == ("active", False)
    hands.forward(3700)
    await inside.refused(3)
    assert inside.calls(RENEW) == 0


async def test_renewal_of_what_turned_out_to_be_impossible(inside: Inside, hands: Hands) -> None:
    """The file lost its refresh token since we read it."""
    hands.forward(2000)
    inside.machine.log_in(refreshToken=None)
    inside.keeper._signature = inside.keeper._stat()  # as if nobody had noticed
    hands.forward(500)
    await inside.keeper.renew()
    assert not inside.keeper.view().refreshable
    assert inside.state == "active"
    assert not inside.keeper.renewal_due()


# --- the file -------------------------------------------------------------------------------------------------------


async def test_file_that_turns_to_garbage_and_back(inside: Inside, log: pytest.LogCaptureFixture) -> None:
    whole = inside.machine.token_file.read_bytes()
    for garbage in (b"", whole[:100], b"\0\xff"):
        inside.machine.token_file.write_bytes(garbage)
        await inside.turn()
        assert inside.state == "active"
        assert await inside.got(role="AWSReadOnlyAccess")
    inside.machine.token_file.write_bytes(whole)
    await inside.turn()
    assert inside.state == "active"
    assert lines(log, "can be read again") == 1
    assert lines(log, "logged out") == 0


async def test_garbage_when_the_renewal_is_due(inside: Inside, hands: Hands) -> None:
    whole = inside.machine.token_file.read_bytes()
    inside.machine.token_file.write_bytes(whole[:100])
    hands.forward(2500)
    await inside.turn()
    await inside.until(lambda: inside.keeper._failure is not None)
    assert inside.state == "active"
    inside.machine.token_file.write_bytes(whole)
    hands.forward(60)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1)
    assert inside.machine.token_file.read_bytes() != whole


async def test_garbage_from_the_beginning_needs_a_login(inside: Inside) -> None:
    await inside.keeper.forget()
    inside.machine.token_file.write_bytes(b"{")
    assert "cannot be understood" in await inside.refused(3)


async def test_folder_in_place_of_the_file(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    inside.machine.token_file.mkdir()
    await inside.turn()
    assert inside.state == "active"


async def test_logout_while_it_renews(inside: Inside, hands: Hands) -> None:
    with inside.machine.standin.fault(RENEW, Fault.hold(), times=1) as held:
        hands.forward(2500)
        await inside.turn()
        await inside.upstream(RENEW, done=None)
        inside.machine.token_file.unlink()
        held.remove()
        await inside.until(lambda: not inside.keeper.renewing)
    assert inside.state == "logged_out"
    assert not inside.machine.token_file.exists()


async def test_look_that_was_overtaken_by_a_renewal(
    inside: Inside, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before the renewal is not news after it."""
    hands.forward(2500)
    gate = asyncio.Event()
    aside = inside.app._tools.calls.aside
    first = True

    async def late(call):  # type: ignore[no-untyped-def] # stands in for a generic method
        nonlocal first
        answer = await aside(call)
        if first:
            first = False
            await gate.wait()
        return answer

    monkeypatch.setattr(inside.app._tools.calls, "aside", late)
    looking = asyncio.create_task(inside.keeper.look())
    await asyncio.sleep(0)
    await inside.keeper.renew()
    gate.set()
    await looking
    assert inside.keeper.found is not None
    assert inside.keeper.found.token.access_token == inside.machine.token()["accessToken"]


# --- a token that cannot be saved -----------------------------------------------------------------------------------


async def test_unsaved_token_is_used_and_saved_later(
    inside: Inside, hands: Hands, monkeypatch: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    inside.machine.standin.configure(rotate_refresh_tokens=True)
    before = inside.machine.token()

    def refuse(*_: object, **__: object) -> None:
        raise CredhelperError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "fill", refuse)
        for count in (1, 2):
            hands.forward(2500)
            await inside.turn()
            await inside.until(lambda count=count: inside.keeper.renewals == count)  # type: ignore[misc]
            assert await inside.got(role=f"AWS{'ReadOnly' if count == 1 else 'Administrator'}Access")
        hands.forward(11)
        await inside.turn()
        await inside.until(lambda: not inside.keeper.renewing)
        assert inside.machine.token() == before
        assert inside.state == "active"
    assert lines(log, "cannot be saved: the disk is full") == 1
    assert log.text.index("token renewed by us") < log.text.index("cannot be saved")  # the cause comes first
    hands.forward(11)
    await inside.turn()
    await inside.until(lambda: inside.machine.token() != before)
    await inside.until(lambda: inside.keeper._unsaved is None)
    assert lines(log, "can be written again") == 1
    assert inside.keeper.renewals == 2
    assert inside.calls(RENEW) == 2
    hands.forward(2500)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 3)


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A disk that takes no token until `undo`."""

    def refuse(*_: object, **__: object) -> None:
        raise CredhelperError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Draft, "fill", refuse)
        yield patch


async def renewed_but_unsaved(inside: Inside) -> None:
    inside.machine.standin.configure(rotate_refresh_tokens=True)
    inside.machine.hands.forward(2500)
    await inside.turn()
    await inside.until(lambda: inside.keeper._unsaved is not None)


async def test_secrets_are_not_dropped_before_a_renewed_token_is_saved(
    inside: Inside, hands: Hands, full: pytest.MonkeyPatch
) -> None:
    before = inside.machine.token()
    await renewed_but_unsaved(inside)
    full.undo()
    os.kill(os.getpid(), signal.SIGUSR1)
    await inside.until(lambda: inside.machine.token() != before)
    await inside.until(lambda: inside.keeper._unsaved is None and inside.state == "active")
    hands.forward(2500)  # and the refresh token is the good one
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 2)


@pytest.mark.parametrize("how", ["forget", "signal"])
async def test_renewed_token_that_cannot_be_saved_is_not_dropped(
    inside: Inside, hands: Hands, full: pytest.MonkeyPatch, log: pytest.LogCaptureFixture, how: str
) -> None:
    before = inside.machine.token()
    await renewed_but_unsaved(inside)
    found, held = inside.keeper.found, inside.keeper._unsaved
    for _ in range(2):
        if how == "forget":
            assert (await inside.ask("forget"))[0] == 0
        else:
            os.kill(os.getpid(), signal.SIGUSR1)
            await inside.until(lambda: lines(log, "is kept until it can be saved: the disk is full"))
            await inside.turn()
        assert (inside.keeper.found, inside.keeper._unsaved) == (found, held)
        assert inside.state == "active"
    assert lines(log, "is kept until it can be saved: the disk is full") == 1
    assert lines(log, "is lost") == 0
    full.undo()
    hands.forward(11)
    await inside.turn()
    await inside.until(lambda: inside.machine.token() != before)
    await inside.until(lambda: not inside.keeper.indispensable)
    hands.forward(2500)  # and the refresh token is the good one
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 2)


async def test_renewed_token_that_cannot_be_saved_goes_with_a_logout(
    inside: Inside, full: pytest.MonkeyPatch, log: pytest.LogCaptureFixture
) -> None:
    await renewed_but_unsaved(inside)
    inside.machine.token_file.unlink()
    assert (await inside.ask("forget", key="corp"))[0] == 0
    assert inside.keeper.found is None
    assert inside.keeper._unsaved is None
    assert lines(log, "is kept") == lines(log, "is lost") == 0
    full.undo()
    await inside.turn()
    assert not inside.machine.token_file.exists()


async def test_renewed_token_outlasts_a_config_that_misses_its_session_for_a_moment(
    inside: Inside, hands: Hands, full: pytest.MonkeyPatch
) -> None:
    before, config = inside.machine.token(), inside.machine.config.read_bytes()
    await renewed_but_unsaved(inside)
    inside.machine.config.write_bytes(b"[profile other]\n")
    await inside.turn()
    assert (await inside.status())["sessions"] == []
    inside.machine.config.write_bytes(config)
    await inside.turn()
    assert inside.keeper._unsaved is not None
    full.undo()
    hands.forward(11)
    await inside.turn()
    await inside.until(lambda: inside.machine.token() != before)
    await inside.until(lambda: not inside.keeper.indispensable)
    inside.machine.config.write_bytes(b"[profile other]\n")
    await inside.turn()
    assert inside.app._keepers == {}


async def test_renewal_under_way_outlasts_a_config_that_misses_its_session_for_a_moment(
    inside: Inside, hands: Hands
) -> None:
    config = inside.machine.config.read_bytes()
    with inside.machine.standin.fault(RENEW, Fault.hold()):
        hands.forward(2500)
        await inside.turn()
        await inside.upstream(RENEW, done=False)
        inside.machine.config.write_bytes(b"[profile other]\n")
        await inside.turn()
        inside.machine.config.write_bytes(config)
        await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1)


@pytest.mark.parametrize("unsaved", [False, True])
async def test_own_renewal_is_not_taken_for_another_program_s(
    inside: Inside,
    hands: Hands,
    log: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    full: pytest.MonkeyPatch,
    *,
    unsaved: bool,
) -> None:
    """A slow disk keeps it busy for a while after the token has its name, which makes an event."""
    renew = renewal.renew

    def renew_slowly(*args: Any, **options: Any) -> renewal.Outcome:
        outcome = renew(*args, **options)
        time.sleep(1.0)
        return outcome

    before = inside.machine.token()
    if unsaved:
        await renewed_but_unsaved(inside)
        hands.forward(11)
    else:
        hands.forward(2500)
    full.undo()
    monkeypatch.setattr(renewal, "renew", renew_slowly)
    await inside.turn()
    await inside.until(lambda: inside.machine.token() != before)
    await inside.turn()  # it sees the new file
    await inside.until(lambda: not inside.keeper.renewing)
    await inside.turn()
    assert inside.keeper.renewals == 1
    assert lines(log, "token renewed by us") == 1
    assert lines(log, "by another program") == 0
    assert lines(log, "the token file can be written again") == unsaved


async def test_login_by_another_program_does_not_wait_for_aws(inside: Inside, hands: Hands) -> None:
    with inside.machine.standin.fault(RENEW, Fault.silence(), times=1):
        hands.forward(2500)
        await inside.turn()
        await inside.upstream(RENEW, done=None)
        content = inside.machine.log_in()
        await inside.turn()
        assert inside.keeper.renewing
        assert inside.keeper.found is not None
        assert inside.keeper.found.token.access_token == content["accessToken"]


async def test_logout_forgets_what_aws_did_not_accept(inside: Inside, hands: Hands) -> None:
    found = inside.keeper.found
    assert found is not None
    inside.keeper.reject(found.token.access_token)
    inside.machine.standin.fault(RENEW, Fault.error("InvalidGrantException"))
    await inside.keeper.renew()
    assert inside.keeper._spent is not None
    inside.machine.token_file.unlink()
    await inside.turn()
    assert inside.state == "logged_out"
    keeper = inside.keeper
    assert not keeper._dead
    assert keeper._spent is None


async def test_secrets_are_not_in_the_log(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    log.set_level(logging.DEBUG, "credhelper")
    await inside.got()
    for fault in (Fault.error("InvalidGrantException"), Fault.garbage(), Fault.cut(), Fault.captive_page()):
        inside.machine.standin.fault("*", fault, times=2)
        hands.forward(3600)
        await inside.turn()
        await inside.credentials()
    assert not [secret for secret in inside.machine.standin.secrets() if secret in log.text]


# --- a token file that stays garbage --------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", [b"{", b"", b"\0\xff"])
async def test_garbage_beyond_the_end_needs_a_login(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, garbage: bytes
) -> None:
    whole = inside.machine.token_file.read_bytes()
    inside.machine.token_file.write_bytes(garbage)
    hands.forward(3700)
    line = await inside.refused(3)
    assert line.count("cannot be understood") == 1
    assert line.endswith("Run: credhelper login corp")
    await inside.turn()
    (session,) = (await inside.status())["sessions"]
    assert (session["state"], session["next_action"]) == ("expired", None)
    assert session["reason"].count("the token file") == 1
    await inside.until(lambda: lines(log, "has ended; run: credhelper login corp"))
    assert inside.calls(RENEW) == 0
    inside.machine.token_file.write_bytes(whole)
    assert await inside.got()  # it was only another program, writing slowly
    assert inside.calls(RENEW) == 1


async def test_login_mends_a_file_that_was_garbage(inside: Inside, hands: Hands) -> None:
    inside.machine.token_file.write_bytes(b"{")
    hands.forward(3700)
    await inside.refused(3)
    inside.machine.log_in()
    assert await inside.got()
    assert inside.state == "active"


# --- a clock that is put back ---------------------------------------------------------------------------------------


async def test_failure_before_the_clock_was_put_back_holds_nothing_up(inside: Inside, hands: Hands) -> None:
    hands.forward(3 * 3600)
    with inside.machine.standin.fault(RENEW, Fault.reset()):
        await inside.refused(1)
        assert inside.state == "offline"
        assert not inside.keeper.may_try()
        assert not inside.keeper.renewal_due()
    hands.forward(-2 * 3600 + 60)
    assert inside.keeper.may_try()
    assert inside.keeper.renewal_due()
    assert await inside.got()


# --- another login's token ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["over", "rejected"])
async def test_legacy_token_serves_once_the_own_session_is_refused(inside: Inside, hands: Hands, how: str) -> None:
    machine = inside.machine
    machine.standin.revoke_sessions()
    if how == "over":
        hands.forward(3700)
    legacy = Session("x", machine.session.start_url, machine.session.region, legacy=True)
    machine.log_in(legacy)
    await inside.got()
    for _ in range(3):
        await inside.turn()
        assert inside.keeper.found is not None
        assert inside.keeper.found.borrowed
        assert inside.state == "active"
    assert inside.calls(RENEW) == 1
    hands.forward(9 * 3600)
    line = await inside.refused(3)
    assert line.endswith("AWS has ended the session. Run: credhelper login corp")
    assert inside.calls(RENEW) == 1  # the answer is known
    machine.log_in()
    assert await inside.got()
    assert inside.keeper.found is not None
    assert not inside.keeper.found.borrowed


async def test_role_credentials_outlive_a_legacy_login_that_has_run_out(inside: Inside, hands: Hands) -> None:
    """It cannot be renewed, but nobody has logged out."""
    machine = inside.machine
    machine.token_file.unlink()
    await inside.turn()
    assert inside.state == "logged_out"
    legacy = Session("x", machine.session.start_url, machine.session.region, legacy=True)
    machine.log_in(legacy)
    hands.forward(8 * 3600 - 1800)
    first = await inside.got()
    hands.forward(1801)
    for _ in range(2):
        await inside.turn()
        assert inside.state == "expired"
    assert await inside.got() == first
    hands.forward(1800)
    line = await inside.refused(3)
    assert line.endswith("session corp: the session has run out. Run: credhelper login corp")
    machine.cache.path(legacy.cache_key).unlink()
    await inside.turn()
    assert inside.state == "logged_out"


async def test_half_of_a_legacy_login_s_file_is_no_logout(inside: Inside) -> None:
    """Other clients write it by truncating it in place."""
    machine = inside.machine
    machine.token_file.unlink()
    legacy = Session("x", machine.session.start_url, machine.session.region, legacy=True)
    machine.log_in(legacy)
    first = await inside.got()
    path = machine.cache.path(legacy.cache_key)
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    for _ in range(2):
        await inside.turn()
        assert inside.state == "active"
        assert await inside.got() == first
    path.write_bytes(whole)
    assert await inside.got() == first
    assert inside.calls("GetRoleCredentials") == 1


# --- surprises ------------------------------------------------------------------------------------------------------


async def test_surprise_while_it_decides_what_is_due_does_not_end_the_daemon(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(inside.keeper, "renewal_due", fail)
        for _ in range(3):
            await inside.turn()
        await inside.until(lambda: lines(caplog, "in an unforeseen way"))
    assert not inside.ended
    assert lines(caplog, "in an unforeseen way") == 1
    caplog.clear()
    assert await inside.got()
