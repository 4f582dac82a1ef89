from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from credhelper.aws import renewal
from credhelper.aws.draft import Draft
from credhelper.aws.records import LoginRecord
from credhelper.aws.renewal import Held, Outcome, Result, known_lifetime
from credhelper.errors import CredhelperError, TokenUnreadable, UpstreamError
from credhelper.model import Endpoints
from credhelper.paths import Paths
from credhelper.standin import Fault
from tests.machine import Machine
from tests.support import MakeStandIn, Processes

REFRESHES = "refresh_token"


@pytest.fixture
def machine(paths: Paths, make_standin: MakeStandIn) -> Machine:
    machine = Machine(paths, make_standin(rotate_refresh_tokens=True))
    machine.set_up()
    return machine


@pytest.fixture(autouse=True)
def _clean(machine: Machine) -> Iterator[None]:
    yield
    assert not list(machine.paths.token_cache.glob(".credhelper-*"))


def renew(machine: Machine, **options: Any) -> Outcome:
    centers = machine.centers()
    try:
        return renewal.renew(
            machine.session,
            cache=machine.cache,
            records=machine.records,
            center_for=centers.for_token,
            clock=machine.clock,
            **options,
        )
    finally:
        centers.close()


def refreshes(machine: Machine) -> int:
    return len(machine.standin.calls("CreateToken", detail=REFRESHES))


def held_call(machine: Machine, pool: ThreadPoolExecutor) -> Any:
    """A renewal whose answer AWS holds back; returns its future once the request is there."""
    future = pool.submit(renew, machine)
    machine.standin.wait_for("CreateToken", detail=REFRESHES, done=None)
    return future


# --- renewing -------------------------------------------------------------------------------------------------------


def test_renewal_is_written_whole(machine: Machine) -> None:
    before = machine.log_in(unknownField="kept")
    machine.hands.forward(2401)
    outcome = renew(machine)
    after = machine.token()
    assert outcome.result is Result.RENEWED
    assert outcome.token is not None
    assert after["accessToken"] == outcome.token.access_token != before["accessToken"]
    assert after["refreshToken"] == outcome.token.refresh_token != before["refreshToken"]
    assert outcome.token.lifetime == 3600
    assert {name: after[name] for name in ("startUrl", "region", "clientId", "clientSecret", "unknownField")} == {
        name: before[name] for name in ("startUrl", "region", "clientId", "clientSecret", "unknownField")
    }
    assert stat.S_IMODE(machine.token_file.stat().st_mode) == 0o600
    assert machine.cache.read("corp") is not None


def test_token_with_its_margin_is_left_alone(machine: Machine) -> None:
    machine.log_in()
    machine.hands.forward(2390)
    assert renew(machine).result is Result.ADOPTED
    assert refreshes(machine) == 0


def test_reply_without_a_refresh_token_keeps_the_old_one(machine: Machine) -> None:
    machine.standin.configure(refresh_reply_has_refresh_token=False)
    before = machine.log_in()
    for _ in range(2):
        machine.hands.forward(2401)
        assert renew(machine).result is Result.RENEWED
    assert machine.token()["refreshToken"] == before["refreshToken"]


def test_a_token_is_replaced_ahead_of_its_time_on_demand_and_only_that_one(machine: Machine) -> None:
    first = machine.log_in()
    outcome = renew(machine, replacing=first["accessToken"])
    assert outcome.result is Result.RENEWED
    again = renew(machine, replacing=first["accessToken"])
    assert again.result is Result.ADOPTED
    assert again.token is not None
    assert again.token.access_token == machine.token()["accessToken"]
    assert refreshes(machine) == 1


def test_the_lifetime_of_our_own_login_is_kept_with_it(machine: Machine) -> None:
    machine.log_in()
    token = machine.cache.read("corp")
    assert token is not None
    machine.records.write("corp", LoginRecord.of(token, machine.standin.endpoints, machine.hands()))
    machine.standin.configure(token_lifetime=1800)
    machine.hands.forward(2401)
    assert renew(machine).result is Result.RENEWED
    fresh, record = machine.cache.read("corp"), machine.records.read("corp")
    assert fresh is not None
    assert record is not None
    assert record.lifetime == 1800
    assert known_lifetime(machine.records, "corp", fresh) == 1800


@pytest.mark.parametrize("lifetime", [0, -5, "x", None, []])
def test_damaged_record_gives_no_lifetime(machine: Machine, lifetime: object) -> None:
    machine.log_in()
    token = machine.cache.read("corp")
    assert token is not None
    machine.records.write("corp", LoginRecord.of(token, Endpoints(), machine.hands()))
    (path,) = (machine.paths.state / "logins").glob("*.json")
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "lifetime": lifetime}))
    assert known_lifetime(machine.records, "corp", token) == token.lifetime
    path.write_text("[" * 100_000)
    assert known_lifetime(machine.records, "corp", token) == token.lifetime


# --- what cannot be renewed -----------------------------------------------------------------------------------------


def test_no_file(machine: Machine) -> None:
    machine.paths.token_cache.mkdir(parents=True)
    assert renew(machine) == Outcome(Result.GONE)


def test_no_folder_is_no_logout(machine: Machine) -> None:
    with pytest.raises(TokenUnreadable, match="has gone"):
        renew(machine)
    assert not machine.paths.token_cache.exists()


def test_token_of_another_start_url_is_not_used(machine: Machine) -> None:
    machine.log_in(startUrl="https://d-other.awsapps.com/start")
    machine.hands.forward(3000)
    assert renew(machine) == Outcome(Result.GONE)
    assert machine.standin.calls() == []


@pytest.mark.parametrize(
    "url", ["https://D-93670BD35A.awsapps.com/start", "https://d-93670bd35a.awsapps.com/start/#/"]
)
def test_other_spellings_of_the_start_url_are_the_same(machine: Machine, url: str) -> None:
    machine.log_in(startUrl=url)
    machine.hands.forward(3000)
    assert renew(machine).result is Result.RENEWED


@pytest.mark.parametrize("missing", ["refreshToken", "clientId", "clientSecret"])
def test_incomplete_token(machine: Machine, missing: str) -> None:
    machine.log_in(**{missing: None})
    machine.hands.forward(3000)
    assert renew(machine).result is Result.IMPOSSIBLE
    assert machine.standin.calls() == []


def test_registration_past_its_date_is_not_sent(machine: Machine) -> None:
    machine.log_in(registrationExpiresAt="2020-01-01T00:00:00Z")
    machine.hands.forward(3000)
    outcome = renew(machine)
    assert outcome.result is Result.IMPOSSIBLE
    assert outcome.token is not None
    assert machine.standin.calls() == []


def test_half_a_file(machine: Machine) -> None:
    machine.log_in()
    machine.token_file.write_bytes(machine.token_file.read_bytes()[:80])
    with pytest.raises(TokenUnreadable, match="is not JSON"):
        renew(machine)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault.error("InternalServerException"), "InternalServerException"),
        (Fault.error("SlowDownException"), "SlowDownException"),
        (Fault.captive_page(), UpstreamError.PORTAL),
        (Fault.garbage(), UpstreamError.GARBAGE),
        (Fault.reset(), UpstreamError.OFFLINE),
    ],
)
def test_trouble_changes_nothing(machine: Machine, fault: Fault, code: str) -> None:
    before = machine.log_in()
    machine.hands.forward(3000)
    machine.standin.fault("CreateToken", fault, times=1)
    with pytest.raises(UpstreamError) as caught:
        renew(machine)
    assert caught.value.code == code
    assert machine.token() == before
    assert renew(machine).result is Result.RENEWED


def test_refusal_with_nobody_else_at_work(machine: Machine) -> None:
    before = machine.log_in()
    machine.standin.revoke_sessions()
    machine.hands.forward(3000)
    with pytest.raises(UpstreamError, match="InvalidGrant"):
        renew(machine)
    assert machine.token() == before


# --- others at work at the same time --------------------------------------------------------------------------------


def test_after_a_refusal_another_client_s_success_is_used(machine: Machine) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        theirs = machine.log_in()
        machine.standin.fault("CreateToken", Fault.error("InvalidGrantException"), times=1)
        machine.standin.revoke_sessions()
        held.remove()
        outcome = ours.result(10)
    assert outcome.result is Result.ADOPTED
    assert outcome.token.access_token == theirs["accessToken"]
    assert machine.token() == theirs


def test_file_that_vanished_before_a_refusal(machine: Machine) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        machine.token_file.unlink()
        machine.standin.revoke_sessions()
        held.remove()
        assert ours.result(10) == Outcome(Result.GONE)


def test_reply_after_a_logout_is_dropped(machine: Machine) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        machine.token_file.unlink()
        held.remove()
        assert ours.result(10) == Outcome(Result.GONE)
    assert not machine.token_file.exists()


@pytest.mark.parametrize("refused", [False, True])
def test_login_meanwhile_wins(machine: Machine, *, refused: bool) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        if refused:
            machine.standin.revoke_sessions()
        theirs = machine.log_in()
        held.remove()
        outcome = ours.result(10)
    assert outcome.result is Result.ADOPTED
    assert outcome.token.access_token == theirs["accessToken"]
    assert machine.token() == theirs


@pytest.mark.parametrize("refused", [False, True])
def test_another_start_url_s_token_is_never_adopted(machine: Machine, *, refused: bool) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        if refused:
            machine.standin.revoke_sessions()
        theirs = machine.log_in(startUrl="https://d-other.awsapps.com/start")
        held.remove()
        assert ours.result(10) == Outcome(Result.GONE)
    assert machine.token() == theirs


@pytest.fixture
def slow_disk(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """`slow_disk(act)` has somebody else act while the disk takes a renewed token, which is written before its name.

    AWS keeps the refresh token.
    """
    machine.standin.configure(rotate_refresh_tokens=False)

    def meanwhile(act: Callable[[], object]) -> None:
        real = os.fsync

        def fsync(fd: int) -> None:
            monkeypatch.setattr(os, "fsync", real)
            real(fd)
            act()

        monkeypatch.setattr(os, "fsync", fsync)

    return meanwhile


def test_logout_while_the_disk_is_slow(machine: Machine, slow_disk: Callable[[Callable[[], object]], None]) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    slow_disk(machine.token_file.unlink)
    assert renew(machine) == Outcome(Result.GONE)
    assert refreshes(machine) == 1
    assert not machine.token_file.exists()


def test_login_while_the_disk_is_slow(machine: Machine, slow_disk: Callable[[Callable[[], object]], None]) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    theirs = json.dumps(machine.standin.seed_session()).encode()
    slow_disk(lambda: machine.token_file.write_bytes(theirs))
    assert renew(machine).result is Result.ADOPTED
    assert refreshes(machine) == 1
    assert machine.token_file.read_bytes() == theirs


def test_folder_that_vanishes_while_the_disk_is_slow(
    machine: Machine, slow_disk: Callable[[Callable[[], object]], None]
) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    slow_disk(lambda: shutil.rmtree(machine.paths.token_cache))
    assert renew(machine).result is Result.UNSAVED
    assert not machine.paths.token_cache.exists(), "only a login makes the folder"


def test_saving_gives_way_to_a_logout_while_the_disk_is_slow(
    machine: Machine, slow_disk: Callable[[Callable[[], object]], None], full_disk: pytest.MonkeyPatch
) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    held = renew(machine).held
    assert held is not None
    full_disk.undo()
    slow_disk(machine.token_file.unlink)
    renewal.save(machine.session, held, cache=machine.cache)
    assert not machine.token_file.exists()


RENEW = """
import sys
from pathlib import Path
from credhelper.aws import renewal
from credhelper.aws.draft import Draft
from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.settings import load

paths = Paths(Path(sys.argv[1]))
session = Session("corp", sys.argv[2], "eu-west-1")
records, clock = LoginRecords(paths.state / "logins"), Clock()
settings = load(paths)
centers = Centers(records, lambda: settings, clock)
cache = TokenCache(paths.token_cache, paths.locks)
outcome = renewal.renew(
    session, cache=cache, records=records, center_for=centers.for_token, clock=clock, replacing=sys.argv[3]
)
print(outcome.result.value)
"""


def test_of_several_processes_one_spends_the_refresh_token(machine: Machine, processes: Processes) -> None:
    before = machine.log_in()
    started = [
        processes.python(
            "-c",
            RENEW,
            str(machine.paths.home),
            machine.session.start_url,
            before["accessToken"],
            stdout=-1,
            text=True,
        )
        for _ in range(3)
    ]
    results = sorted(process.communicate(timeout=30)[0].strip() for process in started)
    assert results == ["adopted", "adopted", "renewed"]
    assert refreshes(machine) == 1
    assert machine.token()["refreshToken"] != before["refreshToken"]


# --- a token that cannot be saved -----------------------------------------------------------------------------------


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    def refuse(*_: Any, **__: Any) -> None:
        raise CredhelperError("the disk is full", "Make room")

    monkeypatch.setattr(Draft, "fill", refuse)
    return monkeypatch


def test_unsaved_token_is_kept_and_written_later(machine: Machine, full_disk: pytest.MonkeyPatch) -> None:
    before = machine.log_in()
    machine.hands.forward(3000)
    outcome = renew(machine)
    assert outcome.result is Result.UNSAVED
    assert outcome.problem == "the disk is full. Make room"
    assert outcome.token is not None
    assert outcome.held == Held(outcome.token, before["accessToken"])
    assert machine.token() == before
    again = renew(machine, held=outcome.held)
    assert again.result is Result.UNSAVED
    assert refreshes(machine) == 1
    full_disk.undo()
    assert renew(machine, held=again.held).result is Result.RENEWED
    assert refreshes(machine) == 1
    assert machine.token()["accessToken"] == outcome.token.access_token
    assert machine.token()["refreshToken"] == outcome.token.refresh_token


@pytest.mark.parametrize(
    ("left", "options", "spent"),
    [
        (1100, {}, 0),
        (310, {}, 0),
        (290, {}, 1),
        (1100, {"rejected": True}, 1),
        (290, {"stays": False}, 0),
        (290, {"stays": False, "rejected": True}, 0),
    ],
)
def test_no_refresh_token_is_spent_early_where_its_successor_cannot_be_written(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, left: float, options: dict[str, bool], spent: int
) -> None:
    before = machine.log_in()

    def refuse(*_: Any, **__: Any) -> None:
        raise CredhelperError("the disk is full", "Make room")

    monkeypatch.setattr(Draft, "prepare", refuse)
    machine.hands.forward(3600 - left)
    try:
        assert renew(machine, replacing=before["accessToken"], **options).result is Result.UNSAVED
    except CredhelperError as error:
        assert error.message == "the disk is full"  # noqa: PT017 - both ends are looked at below
    assert refreshes(machine) == spent
    assert machine.token() == before


def test_unsaved_token_is_renewed_itself_when_its_time_comes(machine: Machine, full_disk: pytest.MonkeyPatch) -> None:
    machine.log_in()
    held = None
    for expected in (1, 2, 3):
        machine.hands.forward(2500)
        outcome = renew(machine, held=held)
        assert outcome.result is Result.UNSAVED
        assert refreshes(machine) == expected
        held = outcome.held
    full_disk.undo()
    assert renew(machine, held=held).result is Result.RENEWED
    machine.hands.forward(2500)
    assert renew(machine).result is Result.RENEWED  # the chain of rotated refresh tokens never broke


def test_unsaved_token_gives_way_to_a_login(machine: Machine, full_disk: pytest.MonkeyPatch) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    held = renew(machine).held
    full_disk.undo()
    theirs = machine.log_in()
    outcome = renew(machine, held=held)
    assert outcome.result is Result.ADOPTED
    assert machine.token() == theirs


def test_unsaved_token_goes_with_a_logout(machine: Machine, full_disk: pytest.MonkeyPatch) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    held = renew(machine).held
    full_disk.undo()
    machine.token_file.unlink()
    assert renew(machine, held=held) == Outcome(Result.GONE)
    assert not machine.token_file.exists()


def test_spent_refresh_is_not_lost_where_another_program_writes_just_then(machine: Machine) -> None:
    before = machine.log_in()
    whole = machine.token_file.read_bytes()
    machine.hands.forward(3000)
    with ThreadPoolExecutor(1) as pool, machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        ours = held_call(machine, pool)
        machine.token_file.write_bytes(whole[:50])
        held.remove()
        outcome = ours.result(10)
    assert outcome.result is Result.UNSAVED
    assert outcome.held.replaced == before["accessToken"]
    machine.token_file.write_bytes(whole)
    assert renew(machine, held=outcome.held).result is Result.RENEWED
    assert machine.token()["refreshToken"] == outcome.token.refresh_token


def test_lock_that_another_process_holds(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    lock = machine.cache.lock
    monkeypatch.setattr(machine.cache, "lock", lambda key: lock(key, timeout=0.05))
    with lock("corp"), pytest.raises(CredhelperError, match="busy with this token"):
        renew(machine)
    assert refreshes(machine) == 0


def test_nothing_is_sent_any_more_once_the_lock_is_had_too_late(machine: Machine) -> None:
    machine.log_in()
    before = machine.token()
    machine.hands.forward(3000)
    stopping = False
    with ThreadPoolExecutor(1) as pool:
        with machine.cache.lock("corp"):
            ours = pool.submit(renew, machine, may_send=lambda: not stopping)
            stopping = True
        with pytest.raises(CredhelperError, match="stopped before AWS was asked"):
            ours.result(10)
    assert refreshes(machine) == 0
    assert machine.token() == before
    assert renew(machine).result is Result.RENEWED


def test_secrets_are_in_no_repr(machine: Machine, full_disk: pytest.MonkeyPatch) -> None:
    machine.log_in()
    machine.hands.forward(3000)
    shown = repr(renew(machine))
    assert not any(secret in shown for secret in machine.standin.secrets())


def test_another_client_that_has_won_may_take_its_time_to_write(machine: Machine) -> None:
    """AWS has given the successor to somebody else, who is about to write it down."""
    machine.log_in()
    machine.hands.forward(3000)
    machine.standin.fault("CreateToken", Fault.error("InvalidGrantException"), times=1)
    with ThreadPoolExecutor(1) as pool:
        ours = pool.submit(renew, machine)
        machine.standin.wait_for("CreateToken", detail=REFRESHES)
        whole = json.dumps(machine.standin.seed_session()).encode()
        machine.token_file.write_bytes(whole[:60])  # in place and in steps, as the AWS CLI does
        machine.token_file.write_bytes(whole)
        outcome = ours.result(10)
    assert outcome.result is Result.ADOPTED
    assert outcome.token is not None
    assert outcome.token.access_token == json.loads(whole)["accessToken"]
    assert refreshes(machine) == 1
