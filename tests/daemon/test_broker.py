from __future__ import annotations

import asyncio
import json
import logging
import time

import pytest
import pytest_asyncio

from credhelper import client, names, resources
from credhelper.aws import renewal
from credhelper.core.limiter import CALLS_PER_SECOND
from credhelper.daemon import broker
from credhelper.daemon.keeper import Keeper
from credhelper.model import RoleKey, Session
from credhelper.standin import Fault
from tests.daemon.inside import Answer, Inside
from tests.machine import ACCOUNT, ROLE, Hands, section

FETCH = "GetRoleCredentials"
OTHER = "AWSReadOnlyAccess"


@pytest_asyncio.fixture
async def impatient(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for AWS only a moment. The first call, which loads botocore, is made before."""
    await inside.got()
    monkeypatch.setattr(broker, "ANSWER_WITHIN", 0.3)


# --- handing out ----------------------------------------------------------------------------------------------------


async def test_answer_is_as_the_contract_has_it(inside: Inside) -> None:
    status, payload = await inside.credentials()
    content = json.loads(payload)
    assert status == 0
    assert set(content) == {
        "Version",
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
        "AccountId",
    }
    assert content["Version"] == 1
    assert content["AccountId"] == ACCOUNT
    assert time.strptime(content["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
    assert len(payload) < 64_000
    assert payload.endswith(b"}\n")


async def test_warm_answers_ask_nobody(inside: Inside) -> None:
    first = await inside.got()
    assert [await inside.got() for _ in range(5)] == [first] * 5
    assert inside.calls(FETCH) == 1
    assert (await inside.got(role=OTHER)) != first
    assert inside.calls(FETCH) == 2
    assert inside.app._broker.hand_outs == 7


async def test_a_hundred_callers_of_a_cold_role_are_one_call(inside: Inside) -> None:
    with inside.machine.standin.fault(FETCH, Fault.hold(), times=1) as held:
        callers = [asyncio.create_task(inside.got()) for _ in range(100)]
        await inside.upstream(FETCH, done=None)
        held.remove()
        answers = await asyncio.gather(*callers)
    assert len({answer["AccessKeyId"] for answer in answers}) == 1
    assert inside.calls(FETCH) == 1


async def test_who_leaves_midway_does_not_take_the_others_call_along(inside: Inside) -> None:
    frame = client.encode_request(
        b"credentials", inside.fields({"session": "corp", "account": ACCOUNT, "role": ROLE})
    )
    with inside.machine.standin.fault(FETCH, Fault.hold(), times=1) as held:
        for _ in range(3):
            _, writer = await inside.connect()
            writer.write(frame)
            await writer.drain()
            if not inside.calls(FETCH):
                await inside.upstream(FETCH, done=None)
            writer.transport.abort()
        caller = asyncio.create_task(inside.got())
        await asyncio.sleep(0)
        held.remove()
        await caller
    assert inside.calls(FETCH) == 1


async def test_many_roles_stay_below_the_limit_of_aws(inside: Inside) -> None:
    inside.machine.standin.configure(throttle=20, roles=tuple(f"Role{number}" for number in range(36)))
    await asyncio.gather(*(inside.got(role=f"Role{number}") for number in range(36)))


async def test_throttled_call_is_made_again(inside: Inside) -> None:
    await inside.got(role=OTHER)  # the first call loads botocore
    inside.machine.standin.fault(FETCH, Fault.error("TooManyRequestsException"), times=2)
    assert await inside.got()
    assert inside.calls(FETCH) == 4


async def test_encoded_names(inside: Inside) -> None:
    role = "Rôle with blanks/and more"
    inside.machine.standin.configure(roles=(role,))
    assert await inside.got(role=names.encode_name(role))
    assert inside.machine.standin.calls(FETCH)[0].detail == f"{ACCOUNT}/{role}"


async def test_names_that_are_no_names(inside: Inside) -> None:
    for account in ("%zz", "\udcff", "é"):
        assert "damaged" in await inside.refused(2, account=account)
    status, _ = await inside.ask("credentials", session="corp")
    assert status == 2
    assert inside.calls(FETCH) == 0


async def test_unknown_session(inside: Inside) -> None:
    line = await inside.refused(1, session=names.encode_name("no\nsuch"))
    assert line.startswith("credhelper: the AWS config has no [sso-session no such]")


async def test_session_that_was_written_a_moment_ago(inside: Inside) -> None:
    lab = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")
    inside.machine.write_settings(
        f'[sessions.lab]\nportal = "{inside.machine.standin.url}"\noidc = "{inside.machine.standin.url}"'
    )
    inside.machine.write_config(section(lab))
    inside.machine.log_in(lab)
    await inside.turn()
    assert await inside.got(session="lab")


async def test_the_caller_s_config_decides(inside: Inside) -> None:
    """Two configs give one session's name to two start URLs; only one of them is the token's."""
    other = inside.machine.paths.home / "other-config"
    other.write_text(section(Session("corp", "https://d-other.awsapps.com/start", "eu-west-1")))
    await asyncio.to_thread(resources.remember_config, inside.machine.paths, other)
    await inside.turn()
    assert await inside.got()
    assert "not logged in" in await inside.refused(3, config=str(other))
    assert await inside.got(config=str(inside.machine.config))


# --- short lives ----------------------------------------------------------------------------------------------------


async def test_short_answers_are_fetched_once_a_minute(inside: Inside, hands: Hands) -> None:
    inside.machine.standin.configure(role_lifetime=3600)
    await inside.got()
    hands.forward(2300)
    await inside.keeper.renew()
    inside.machine.standin.configure(role_lifetime=600)  # less than what is in memory has left
    hands.forward(200)
    inside.app._broker.vault.postpone(next(iter(inside.app._broker.vault._entries)), hands() + 10_000)
    for _ in range(5):
        await inside.got()
    assert inside.calls(FETCH) == 2
    hands.forward(61)
    await inside.got()
    assert inside.calls(FETCH) == 3


@pytest.fixture
def hands(inside: Inside) -> Hands:
    return inside.machine.hands


async def test_recently_used_roles_are_renewed_in_the_background(inside: Inside, hands: Hands) -> None:
    first = await inside.got()
    hands.forward(3600 - 1490)
    await inside.turn()
    await inside.upstream(FETCH, 2)
    await inside.until(lambda: inside.app._broker.fetches == 2)
    assert (await inside.got())["AccessKeyId"] != first["AccessKeyId"]
    assert inside.calls(FETCH) == 2


async def test_roles_that_nobody_uses_are_left_alone(inside: Inside, hands: Hands) -> None:
    await inside.got()
    for _ in range(3):
        before = inside.calls(FETCH)
        hands.forward(2200)
        await inside.turn()
        await inside.until(lambda before=before: inside.calls(FETCH) > before)  # type: ignore[misc]
        await inside.until(lambda: not inside.app._broker._flights)
    hands.forward(2200)
    await inside.turn()
    hands.forward(2200)
    await inside.turn()
    await inside.until(lambda: len(inside.app._broker.vault) == 0)
    assert inside.calls(FETCH) == 4


async def test_background_trouble_harms_no_caller(inside: Inside, hands: Hands) -> None:
    first = await inside.got()
    inside.machine.standin.fault(FETCH, Fault.reset())
    hands.forward(3600 - 1490)
    await inside.turn()
    await inside.upstream(FETCH, 2)
    await inside.until(lambda: not inside.app._broker._flights)
    assert await inside.got() == first


# --- trouble --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault.reset(), "AWS cannot be reached"),
        (Fault.captive_page(), "sign-in page"),
        (Fault.captive_redirect(), "sign-in page"),
        (Fault.garbage(), "makes no sense"),
        (Fault.error("TooManyRequestsException"), "throttles"),
        (Fault.empty(status=500), "status 500"),
        (Fault.cut(), "makes no sense"),
    ],
)
async def test_network_trouble_is_one_line(inside: Inside, fault: Fault, words: str) -> None:
    with inside.machine.standin.fault(FETCH, fault):
        line = await inside.refused(1)
    assert words in line
    assert line.endswith("Try again")
    assert await inside.got()


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.captive_page(), Fault.garbage(), Fault.empty(status=503)])
async def test_what_still_lives_is_served_without_a_network(inside: Inside, hands: Hands, fault: Fault) -> None:
    first = await inside.got()
    with inside.machine.standin.fault("*", fault):
        hands.forward(3590)
        assert await inside.got() == first
        asked = inside.calls(FETCH)
        assert await inside.got() == first
        assert inside.calls(FETCH) == asked  # nobody waits for the network again so soon
        hands.forward(11)
        assert "Try again" in await inside.refused(1)


async def test_silence_is_answered_within_five_seconds(inside: Inside) -> None:
    started = time.monotonic()
    with inside.machine.standin.fault(FETCH, Fault.silence()):
        line = await inside.refused(1)
    assert time.monotonic() - started < 5
    assert line == "credhelper: AWS did not answer within 4 s. Try again"


async def test_a_caller_who_had_to_wait_for_the_daemon_is_answered_in_what_is_left(inside: Inside) -> None:
    until = time.monotonic() + 1.0
    with inside.machine.standin.fault(FETCH, Fault.silence()):
        line = await inside.refused(1, until=f"{until:.3f}")
    assert time.monotonic() < until
    assert line == "credhelper: AWS did not answer within 0.8 s. Try again"


@pytest.mark.parametrize("until", ["", "x", "nan", "inf", "-1e9", "1e300", "0"])
@pytest.mark.usefixtures("impatient")
async def test_a_moment_of_another_clock_is_passed_over(inside: Inside, until: str) -> None:
    with inside.machine.standin.fault(FETCH, Fault.silence(), times=1):
        line = await inside.refused(1, role=OTHER, until=until)
    assert line == "credhelper: AWS did not answer within 0.3 s. Try again"


@pytest.mark.usefixtures("impatient")
async def test_silence_with_something_alive(inside: Inside, hands: Hands) -> None:
    first = await inside.got()
    hands.forward(3000)
    await inside.keeper.renew()
    with inside.machine.standin.fault(FETCH, Fault.silence()):
        assert await inside.got() == first
        assert await inside.got() == first


@pytest.mark.usefixtures("impatient")
async def test_roles_that_hang_do_not_stand_in_the_way_of_others(inside: Inside) -> None:
    """The daemon's threads are many, but not without end: what is in memory needs none."""
    await inside.got()
    inside.machine.standin.configure(roles=tuple(f"Role{number}" for number in range(36)))
    with inside.machine.standin.fault(FETCH, Fault.silence()):
        hanging = [asyncio.create_task(inside.refused(1, role=f"Role{number}")) for number in range(17)]
        await inside.upstream(FETCH, 17, done=None)
        inside.machine.token_file.touch()  # so that it has to be read again
        assert await inside.got()
        await inside.turn()
        await asyncio.gather(*hanging)


async def test_forbidden_role(inside: Inside) -> None:
    lines = [await inside.refused(1, role="Nope") for _ in range(5)]
    assert len(set(lines)) == 1
    assert lines[0].startswith(f"credhelper: account {ACCOUNT}, role Nope: no access to this account and role. Check")
    assert inside.calls(FETCH) == 1
    assert inside.state == "active"
    assert await inside.got()
    inside.machine.hands.forward(11)
    await inside.refused(1, role="Nope")
    assert inside.calls(FETCH) == 3
    assert inside.calls("CreateToken") == 0


async def test_forbidden_by_another_name(inside: Inside) -> None:
    inside.machine.standin.fault(FETCH, Fault.error("AccessDeniedException", status=403))
    await inside.refused(1)
    assert inside.calls("CreateToken") == 0
    assert inside.state == "active"


# --- the token ------------------------------------------------------------------------------------------------------


async def test_rejected_token_is_renewed_once_and_the_call_succeeds(inside: Inside) -> None:
    inside.machine.standin.expire_access_tokens()
    await asyncio.gather(*(inside.got() for _ in range(10)))
    assert inside.calls("CreateToken") == 1
    assert inside.calls(FETCH) == 2
    assert inside.state == "active"


async def test_rejected_by_several_roles_at_once_is_renewed_once(inside: Inside) -> None:
    inside.machine.standin.expire_access_tokens()
    await asyncio.gather(inside.got(), inside.got(role=OTHER), inside.got("100000000002"))
    assert inside.calls("CreateToken") == 1


async def test_ended_session(inside: Inside) -> None:
    await inside.got()
    inside.machine.standin.revoke_sessions()
    line = await inside.refused(3, role=OTHER)
    assert line == "credhelper: session corp: AWS has ended the session. Run: credhelper login corp"
    assert await inside.got()  # what lives outlasts its session
    await asyncio.gather(*(inside.refused(3, role=OTHER) for _ in range(10)))
    assert inside.calls("CreateToken") == 1


async def test_token_that_ran_out_is_renewed_for_the_caller(inside: Inside) -> None:
    inside.machine.hands.forward(3700)
    assert await inside.got()
    assert inside.calls("CreateToken") == 1


@pytest.mark.parametrize("offline", [True, False])
async def test_token_that_ran_out_and_cannot_be_renewed_now(inside: Inside, *, offline: bool) -> None:
    fault = Fault.reset() if offline else Fault.error("InternalServerException")
    with inside.machine.standin.fault("CreateToken", fault):
        inside.machine.hands.forward(3700)
        line = await inside.refused(1)
        assert line.endswith("Try again")
        assert inside.state == ("offline" if offline else "renewing")
        for _ in range(5):
            await inside.refused(1)
        assert inside.calls("CreateToken") <= 3  # callers do not undo the backoff
    inside.machine.hands.forward(3)
    assert await inside.got()


async def test_not_logged_in(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    assert await inside.refused(3) == "credhelper: session corp: not logged in. Run: credhelper login corp"
    assert inside.machine.standin.calls() == []


async def test_logout_forgets(inside: Inside) -> None:
    await inside.got()
    inside.machine.token_file.unlink()
    await inside.refused(3)
    assert len(inside.app._broker.vault) == 0


async def test_answer_that_comes_after_a_logout_is_dropped(inside: Inside) -> None:
    with inside.machine.standin.fault(FETCH, Fault.hold(), times=1) as held:
        caller = asyncio.create_task(inside.credentials())
        await inside.upstream(FETCH, done=None)
        inside.machine.token_file.unlink()
        await inside.turn()
        held.remove()
        status, payload = await caller
    assert status == 3, payload
    assert len(inside.app._broker.vault) == 0


async def test_name_that_a_shell_would_touch_is_quoted(inside: Inside) -> None:
    session = Session("my session", "https://d-3.awsapps.com/start", "eu-west-1")
    inside.machine.write_config(section(session).replace("my session", '"my session"'))
    await inside.turn()
    line = await inside.refused(3, session=names.encode_name("my session"))
    assert line.endswith("Run: credhelper login 'my session'")


# --- a legacy login's token -----------------------------------------------------------------------------------------


async def test_legacy_token_is_used_until_it_ends_and_never_renewed(inside: Inside) -> None:
    machine = inside.machine
    machine.token_file.unlink()
    legacy = Session("x", machine.session.start_url, machine.session.region, legacy=True)
    machine.log_in(legacy)
    await inside.got()
    assert inside.keeper.found is not None
    assert inside.keeper.found.borrowed
    machine.standin.expire_access_tokens()
    assert "Run: credhelper login corp" in await inside.refused(3, role=OTHER)
    assert inside.calls("CreateToken") == 0
    assert await inside.got()  # what was fetched with it lives on
    own = machine.log_in()
    assert await inside.got(role=OTHER)
    assert inside.keeper.found.token.access_token == own["accessToken"]


# --- while a login is under way -------------------------------------------------------------------------------------


async def test_helper_waits_for_a_login(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    async with inside.lease() as word:
        assert word == b"granted"
        caller = asyncio.create_task(inside.got())
        await inside.until(lambda: inside.state == "logged_out")
        inside.machine.log_in()
    assert await caller


async def test_helper_waits_no_longer_than_it_may(inside: Inside) -> None:
    inside.machine.write_settings("wait_for_login = 0.2")
    await inside.turn()
    inside.machine.token_file.unlink()
    async with inside.lease():
        await inside.refused(3)


async def test_wait_for_a_login_begins_with_the_request(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """All in all it is within five seconds, also where AWS has taken its time before."""
    await inside.got(role=OTHER)  # the first call loads botocore
    monkeypatch.setattr(broker, "ANSWER_WITHIN", 30.0)
    monkeypatch.setattr(renewal, "_OTHERS_WRITE_WITHIN", 0.1)
    inside.machine.write_settings("wait_for_login = 1.5")
    await inside.turn()
    inside.machine.standin.revoke_sessions()
    waits_until: list[float] = []
    after_login = inside.app._broker._after_login

    async def note(keeper: Keeper, key: RoleKey, reply: Answer, until: float) -> Answer:
        waits_until.append(until)
        return await after_login(keeper, key, reply, until)

    monkeypatch.setattr(inside.app._broker, "_after_login", note)
    loop = asyncio.get_running_loop()
    async with inside.lease():
        with inside.machine.standin.fault(FETCH, Fault.hold(), times=1):
            asked = asyncio.create_task(inside.refused(3))
            await inside.upstream(FETCH, 2, done=None)
            arrived = loop.time()
        await asked
    assert len(waits_until) == 1
    assert waits_until[0] <= arrived + 1.5
    assert loop.time() >= waits_until[0]


async def test_login_that_gave_up(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    async with inside.lease():
        caller = asyncio.create_task(inside.refused(3))
        await inside.until(lambda: inside.state == "logged_out")
    assert "not logged in" in await caller


async def test_repeated_trouble_is_logged_once(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "credhelper")
    inside.machine.standin.fault("CreateToken", Fault.reset())
    inside.machine.hands.forward(3700)
    for _ in range(4):
        await inside.refused(1)
        inside.machine.hands.forward(3)
    assert len([record for record in caplog.records if "not renewed" in record.getMessage()]) == 1
    inside.machine.standin.clear_faults()
    await inside.got()
    assert [record for record in caplog.records if "AWS answers again" in record.getMessage()]


# --- forgetting -----------------------------------------------------------------------------------------------------


async def test_forgetting_one_session_leaves_another_s_answer_alone(inside: Inside) -> None:
    lab = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")
    inside.machine.write_config(section(lab))
    inside.machine.log_in(lab)
    await inside.turn()
    with inside.machine.standin.fault(FETCH, Fault.hold(), times=1) as held:
        caller = asyncio.create_task(inside.got())
        await inside.upstream(FETCH, done=None)
        assert (await inside.ask("forget", key="lab"))[0] == 0
        held.remove()
        assert await caller


@pytest.mark.parametrize("key", ["corp", ""])
async def test_answer_that_comes_after_a_forget_is_dropped(inside: Inside, key: str) -> None:
    with inside.machine.standin.fault(FETCH, Fault.hold(), times=1) as held:
        caller = asyncio.create_task(inside.credentials())
        await inside.upstream(FETCH, done=None)
        assert (await inside.ask("forget", key=key))[0] == 0
        held.remove()
        assert (await caller)[0] == 1
    assert len(inside.app._broker.vault) == 0


# --- callers before background work ---------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["Role99", "AWSReadOnlyAccess"])
async def test_caller_goes_before_hundreds_in_the_background(inside: Inside, role: str) -> None:
    """One joins what waits among them, one comes anew."""
    roles = tuple(f"Role{number}" for number in range(100))
    inside.machine.standin.configure(roles=(*roles, OTHER))
    keeper, parts = inside.keeper, inside.app._broker
    keys = [RoleKey(keeper.session.id, ACCOUNT, name) for name in roles]
    background = [asyncio.create_task(parts.refresh(keeper, key)) for key in keys]
    await inside.until(lambda: len(parts._flights) == len(keys))
    assert await inside.got(role=role)
    assert inside.calls(FETCH) <= 2 * CALLS_PER_SECOND  # the next second's first, not the sixth second's last
    for task in background:
        task.cancel()


async def test_surprise_in_the_background_is_logged_once_and_harms_nobody(
    inside: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    await inside.got()
    (key,) = inside.app._broker.vault._entries

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(inside.app._tools.centers, "for_token", fail)
        for _ in range(3):
            await inside.app._broker.refresh(inside.keeper, key)
    assert caplog.text.count("in an unforeseen way") == 1
    assert inside.app._broker.vault.due(inside.machine.hands() + 1) == []
    caplog.clear()
    await inside.app._broker.refresh(inside.keeper, key)
    assert inside.app._broker.fetches == 2
    assert await inside.got()


# --- names that cannot be -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "role"),
    [
        ("12345678901", ROLE),
        ("1234567890123", ROLE),
        ("12345678901x", ROLE),
        (ACCOUNT, "r" * 65),
        (ACCOUNT, "a\x1b[31m"),
        (ACCOUNT, "a\nb"),
        (ACCOUNT, "a\udcff"),
    ],
)
async def test_no_such_account_or_role_can_be(inside: Inside, account: str, role: str) -> None:
    line = await inside.refused(2, account=names.encode_name(account), role=names.encode_name(role))
    assert line.endswith("run: credhelper enable")
    assert inside.app._broker.vault._entries == {}
    assert inside.calls(FETCH) == 0


async def test_line_cannot_steer_the_terminal(inside: Inside) -> None:
    line = await inside.refused(1, session=names.encode_name("a\x1b]0;title\x07\u202eb\udcff"))
    assert line.isprintable()
    assert r"\x1b]0;title\x07\u202eb\udcff" in line


async def test_config_that_nobody_knows_leaves_no_guess(inside: Inside) -> None:
    """One name, two start URLs: a token of the one must not serve a profile of the other."""
    home = inside.machine.paths.home
    (home / "other-config").write_text(section(Session("corp", "https://d-other.awsapps.com/start", "eu-west-1")))
    await asyncio.to_thread(resources.remember_config, inside.machine.paths, home / "other-config")
    await inside.turn()
    assert await inside.got(config="~/.aws/config")
    assert await inside.got(config="config", folder=str(home / ".aws"))
    assert "not logged in" in await inside.refused(3, config="~/other-config")
    assert "not logged in" in await inside.refused(3, config="other-config", folder=str(home))
    line = await inside.refused(1, config="other-config", folder="/")
    assert line.endswith("disagree on [sso-session corp]. Run, with the same AWS_CONFIG_FILE: credhelper enable")
