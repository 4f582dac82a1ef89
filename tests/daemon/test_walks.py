from __future__ import annotations

import asyncio
import functools
import json
import logging
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, Self, TypeVar

import pytest
import pytest_asyncio
from blockbuster import BlockBuster

from credhelper import client
from credhelper.aws import directory
from credhelper.aws.directory import Directory, decode, read_directory, unfinished
from credhelper.daemon import app, walk
from credhelper.daemon.calls import Calls
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, Fault, StandIn
from credhelper.standin.settings import Account
from tests.daemon.inside import Answer, Inside
from tests.machine import ACCOUNT, Machine
from tests.waiting import wait_until

ROLES = ("AWSAdministratorAccess", "AWSReadOnlyAccess")


@pytest.fixture(autouse=True)
def haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of calls a second, and short pauses."""
    monkeypatch.setattr(app, "Calls", functools.partial(Calls, 400))
    monkeypatch.setattr(walk, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(walk, "_LONGEST_PAUSE", 0.05)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_PATIENCE", 0.3)
    monkeypatch.setattr(walk, "_PATIENCE_THROTTLED", 0.3)


@pytest_asyncio.fixture
async def inside(machine: Machine, haste: None, tripwire: BlockBuster) -> AsyncIterator[Inside]:
    daemon = Inside(machine)
    assert await daemon.start()
    yield daemon
    await daemon.stop()


def fields_of(session: Session, **more: str) -> dict[str, str]:
    return {
        "name": session.name,
        "start_url": session.start_url,
        "region": session.region,
        "scopes": " ".join(session.scopes),
        "legacy": "yes" if session.legacy else "no",
        **more,
    }


async def walked(inside: Inside, session: Session | None = None, **more: str) -> Directory:
    """A walk that must go well."""
    status, payload = await answered(inside, session, **more)
    assert status == 0, payload
    found = decode(payload)
    assert found is not None
    assert found.complete
    return found


async def answered(inside: Inside, session: Session | None = None, **more: str) -> Answer:
    return await inside.ask("accounts", **fields_of(session or inside.machine.session, **more))


_Value = TypeVar("_Value")


async def look(inside: Inside, read: Callable[[Paths, Session], _Value]) -> _Value:
    """What a command finds on the disk."""
    return await asyncio.to_thread(read, inside.machine.paths, inside.machine.session)


async def left_over(inside: Inside, predicate: Callable[[Directory], bool] = lambda _: True) -> Directory:
    """What a walk that was broken off has left, once it has."""

    def found() -> Directory | None:
        part = unfinished(inside.machine.paths, inside.machine.session)
        return part if part is not None and predicate(part) else None

    part = await asyncio.to_thread(wait_until, found)
    assert part is not None
    assert not part.complete
    return part


async def failed(inside: Inside, status: int) -> str:
    answer, payload = await answered(inside)
    assert answer == status, payload
    return payload.decode().strip().removeprefix("credhelper: ")


class Follower:
    """One who follows a walk, and may go."""

    def __init__(self, inside: Inside) -> None:
        self._inside = inside
        self.words: list[tuple[int, int]] = []

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await self._inside.connect()
        fields = self._inside.fields(fields_of(self._inside.machine.session))
        self._writer.write(client.encode_request(b"accounts", fields))
        return self

    async def word(self) -> tuple[int, int]:
        async with asyncio.timeout(10):
            size = int.from_bytes(await self._reader.readexactly(4), "big")
            body = await self._reader.readexactly(size)
        assert body[0] == client.WORD, body
        accounts, listed = map(int, body[1:].split())
        self.words.append((accounts, listed))
        return accounts, listed

    async def answer(self) -> Answer:
        return await self._inside.answer(self._reader)

    async def go(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def __aexit__(self, *_: object) -> None:
        await self.go()


def role_calls(inside: Inside) -> Counter[str]:
    """How often each account was asked for."""
    return Counter(call.detail for call in inside.machine.standin.calls("ListAccountRoles"))


# --- the whole ------------------------------------------------------------------------------------------------------


async def test_all_accounts_with_all_roles(inside: Inside, paths: Paths) -> None:
    roles = tuple(f"Role{number:03}" for number in range(7))
    inside.machine.standin.configure(accounts=23, roles=roles, page_size=5)
    found = await walked(inside)
    assert [known.roles for known in found.accounts] == [roles] * 23
    assert len({known.account_id for known in found.accounts}) == 23
    assert (found.accounts[0].account_id, found.accounts[0].name) == (ACCOUNT, "Account 0001")
    assert found.accounts[0].email == "aws+0001@example.com"
    assert await look(inside, read_directory) == found
    assert await look(inside, unfinished) is None
    assert (inside.calls("ListAccounts"), inside.calls("ListAccountRoles")) == (5, 46)
    for file in (paths.state / "accounts").iterdir():
        assert file.stat().st_mode & 0o777 == 0o600


async def test_accounts_without_roles_are_kept(inside: Inside) -> None:
    inside.machine.standin.configure(accounts={ACCOUNT: (), "100000000002": ("Admin",)})
    assert [known.roles for known in (await walked(inside)).accounts] == [(), ("Admin",)]


async def test_nobody_has_an_account(inside: Inside) -> None:
    inside.machine.standin.configure(accounts={})
    assert (await walked(inside)).accounts == ()


async def test_names_cannot_steer_a_terminal(inside: Inside) -> None:
    hostile = Account(ACCOUNT, "a\x1b[2J\nb\u202e", "a@b\u0007", ("Admin",))
    inside.machine.standin.configure(accounts={ACCOUNT: hostile})
    found = (await walked(inside)).accounts[0]
    assert (found.name, found.email) == ("a\\x1b[2J b\\u202e", "a@b\\x07")


async def test_session_that_no_config_names(inside: Inside) -> None:
    """A person sets up: logged in, and nothing is written yet. What the config says besides does not end the walk."""
    machine = inside.machine
    new = Session("new", "https://new.awsapps.com/start", DEFAULT_REGION)
    machine.log_in(new)
    machine.paths.settings.write_text(machine.paths.settings.read_text().replace('"corp"', '"new"'))
    await inside.turn()
    placed = machine.standin.fault("ListAccountRoles", Fault.hold())
    walking = asyncio.create_task(walked(inside, new))
    await inside.upstream("ListAccountRoles", 3, done=None)
    await inside.turn()
    placed.remove()
    assert len((await walking).accounts) == 3
    await inside.turn()
    assert new.id not in inside.app._keepers


@pytest.mark.parametrize("legacy", [False, True])
async def test_two_sessions_at_once(inside: Inside, *, legacy: bool) -> None:
    """Each has its own walk and its own list, also a login of the old kind."""
    machine = inside.machine
    url = "https://other.awsapps.com/start"
    other = Session("other", url, DEFAULT_REGION, () if legacy else ("sso:account:access",), legacy=legacy)
    machine.log_in(other)
    settings = machine.paths.settings.read_text()
    machine.paths.settings.write_text(settings + settings.replace('"corp"', '"other"'))
    await inside.turn()
    machine.standin.configure(accounts=20)
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None)
    walking = [asyncio.create_task(walked(inside)), asyncio.create_task(walked(inside, other))]
    await inside.upstream("ListAccounts", 2)
    assert set(inside.app._walks.sessions) == {machine.session.id, other.id}
    placed.remove()
    one, another = [await task for task in walking]
    assert one.accounts == another.accounts
    assert role_calls(inside) == dict.fromkeys(machine.standin.settings.directory(), 2)


async def test_request_without_a_session_is_a_mistake_of_ours(inside: Inside) -> None:
    status, payload = await inside.ask("accounts", name="corp")
    assert (status, payload) == (
        2,
        b"credhelper: a request for the accounts of a session does not name the session\n",
    )


async def test_not_logged_in(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    assert await failed(inside, 3) == "session corp: not logged in. Run: credhelper login corp"
    assert inside.machine.standin.calls("ListAccounts") == []


# --- following ------------------------------------------------------------------------------------------------------


async def test_progress_is_told(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    standin = inside.machine.standin
    standin.configure(accounts=4, page_size=2)
    pages = standin.fault("ListAccounts", Fault.hold(), times=None)
    roles = standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000004")
    async with Follower(inside) as follower:
        assert await follower.word() == (-1, 0)
        pages.remove()
        while await follower.word() != (4, 3):
            pass
        roles.remove()
        assert (await follower.answer())[0] == 0
    assert sorted({listed for _, listed in follower.words}) == [listed for _, listed in _changes(follower.words)]


def _changes(words: list[tuple[int, int]]) -> list[tuple[int, int]]:
    seen: dict[int, tuple[int, int]] = {}
    for word in words:
        seen.setdefault(word[1], word)
    return list(seen.values())


async def test_two_follow_one_walk_and_it_ends_with_the_last(inside: Inside) -> None:
    standin = inside.machine.standin
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=None)
    async with Follower(inside) as first, Follower(inside) as second:
        await first.word()
        await second.word()
        await inside.upstream("ListAccountRoles", 3, done=None)
        await first.go()
        placed.remove()
        status, payload = await second.answer()
    assert status == 0
    assert decode(payload) is not None
    assert role_calls(inside) == dict.fromkeys(standin.settings.directory(), 1)


async def test_who_goes_ends_the_walk_and_who_comes_goes_on_with_it(inside: Inside, paths: Paths) -> None:
    standin = inside.machine.standin
    standin.configure(accounts=60, page_size=20)
    last = "100000000060"
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=None, detail=last)
    async with Follower(inside) as follower:
        while await follower.word() != (60, 59) or not role_calls(inside)[last]:
            pass
    await inside.until(lambda: not inside.app._walks.sessions, "the end of the walk")
    part = await left_over(inside)
    assert sum(known.roles is not None for known in part.accounts) == 59
    placed.remove()
    found = await walked(inside)
    assert [known.roles for known in found.accounts] == [ROLES] * 60
    assert found.listed_at == part.listed_at
    assert role_calls(inside) == {account: 1 + (account == last) for account in standin.settings.directory()}


async def test_who_comes_while_a_walk_ends_goes_on_with_it(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had learned by then is on its way to the disk."""
    standin = inside.machine.standin
    at_disk, go_on = threading.Event(), threading.Event()
    write = directory.write_directory

    def slowly(*arguments: Any, complete: bool) -> None:
        at_disk.set()
        assert go_on.wait(10)
        write(*arguments, complete=complete)

    monkeypatch.setattr(directory, "write_directory", slowly)
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    async with Follower(inside) as follower:
        while await follower.word() != (3, 2) or not role_calls(inside)["100000000003"]:
            pass
    await asyncio.to_thread(at_disk.wait, 10)
    walking = [asyncio.create_task(walked(inside)) for _ in range(2)]
    async with Follower(inside) as third:
        await inside.turn()
        go_on.set()
        await third.word()
    placed.remove()
    for task in walking:
        assert len((await task).accounts) == 3
    assert role_calls(inside) == {ACCOUNT: 1, "100000000002": 1, "100000000003": 2}


async def test_what_was_broken_off_long_ago_is_begun_anew(inside: Inside, paths: Paths) -> None:
    standin = inside.machine.standin
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    async with Follower(inside) as follower:
        while await follower.word() != (3, 2) or not role_calls(inside)["100000000003"]:
            pass
    await left_over(inside)
    placed.remove()
    inside.machine.hands.forward(directory.CURRENT_FOR)
    await walked(inside)
    assert role_calls(inside)[ACCOUNT] == 2


async def test_restart_of_the_daemon_goes_on(inside: Inside, machine: Machine, paths: Paths) -> None:
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    async with Follower(inside) as follower:
        while await follower.word() != (3, 2) or not role_calls(inside)["100000000003"]:
            pass
        stopping = asyncio.create_task(inside.stop())
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await follower.answer()
    await stopping
    placed.remove()
    again = Inside(machine)
    assert await again.start()
    await walked(again)
    assert role_calls(inside) == {ACCOUNT: 1, "100000000002": 1, "100000000003": 2}
    await again.stop()


async def test_what_is_known_by_a_kill(inside: Inside, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a walk has learned is written down while it goes on."""
    monkeypatch.setattr(walk, "_KEEP_EVERY", 0.01)
    placed = inside.machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")

    async with Follower(inside) as follower:
        await left_over(inside, lambda part: [known.roles for known in part.accounts] == [ROLES, ROLES, None])
        placed.remove()
        assert (await follower.answer())[0] == 0


async def test_list_of_this_hour_and_login_does_for_who_is_content_with_it(inside: Inside, machine: Machine) -> None:
    first = await walked(inside, fresh="no")
    assert await walked(inside, fresh="no") == first
    assert inside.calls("ListAccounts") == 1
    await walked(inside, fresh="yes")
    assert inside.calls("ListAccounts") == 2
    machine.token_file.unlink()
    await inside.turn()
    assert "not logged in" in await failed(inside, 3)
    machine.log_in()
    await walked(inside, fresh="no")
    assert inside.calls("ListAccounts") == 3
    machine.hands.forward(directory.CURRENT_FOR)
    await walked(inside, fresh="no")
    assert inside.calls("ListAccounts") == 4


class SlowDisk:
    """Partial lists come to the disk when the test says so; `begun` is set as soon as one is on its way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go_on, self.written = threading.Event(), threading.Event(), threading.Event()
        self._write = directory.write_directory
        monkeypatch.setattr(walk, "_KEEP_EVERY", 0.01)
        monkeypatch.setattr(directory, "write_directory", self)

    def __call__(self, *arguments: Any, complete: bool) -> None:
        if not complete:
            self.begun.set()
            assert self.go_on.wait(10)
        self._write(*arguments, complete=complete)
        if not complete:
            self.written.set()


async def test_part_that_comes_late_to_the_disk_is_not_gone_on_with(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is whole while a part of it is still on its way to the disk."""
    disk = SlowDisk(monkeypatch)
    placed = inside.machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    walking = asyncio.create_task(walked(inside))
    await inside.until(disk.begun.is_set, "a part on its way")
    placed.remove()
    await inside.until(lambda: len(inside.machine.standin.calls("ListAccountRoles", done=True)) == 3, "the roles")
    await asyncio.wait({walking}, timeout=0.1)  # it may wait for the part or not
    disk.go_on.set()
    await walking
    assert await asyncio.to_thread(disk.written.wait, 10)
    assert await look(inside, unfinished) is None
    inside.machine.standin.configure(roles=("New",))
    assert [known.roles for known in (await walked(inside)).accounts] == [("New",)] * 3


async def test_part_that_comes_late_to_the_disk_is_not_gone_on_with_after_a_logout(
    inside: Inside, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    walking = asyncio.create_task(answered(inside))
    await inside.until(disk.begun.is_set, "a part on its way")
    machine.token_file.unlink()
    forgetting = asyncio.create_task(inside.ask("forget", key="corp"))
    assert (await walking)[0] == 3
    await asyncio.wait({forgetting}, timeout=0.1)  # it may wait for the part or not
    disk.go_on.set()
    assert (await forgetting)[0] == 0
    assert await asyncio.to_thread(disk.written.wait, 10)
    placed.remove()
    assert await look(inside, unfinished) is None
    machine.log_in()
    calls = role_calls(inside)[ACCOUNT]
    await walked(inside)
    assert role_calls(inside)[ACCOUNT] == calls + 1  # somebody else may have logged in


async def test_full_disk_costs_the_memory_alone(
    inside: Inside, paths: Paths, caplog: pytest.LogCaptureFixture
) -> None:
    (paths.state / "accounts").write_text("in the way")
    assert len((await walked(inside)).accounts) == 3
    assert "its accounts are not written down" in caplog.text


# --- trouble --------------------------------------------------------------------------------------------------------

PASSING = {
    "429": Fault.error("TooManyRequestsException"),
    "500": Fault.error("InternalServerException", status=500),
    "503": Fault.empty(status=503),
    "dropped": Fault.drop(),
    "garbage": Fault.garbage(),
    "a list": Fault.wrong("[]"),
    "no ids": Fault.wrong('{"accountList": [{"accountId": "../x"}], "roleList": [{"roleName": "a\\nb"}]}'),
    "no roles": Fault.wrong('{"accountList": [{"accountId": 7}], "roleList": [{"roleName": ""}]}'),
    "a sign-in page": Fault.captive_page(),
    "a proxy": Fault.stranger(403),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
@pytest.mark.parametrize("operation", ["ListAccounts", "ListAccountRoles"])
async def test_trouble_that_passes(inside: Inside, operation: str, fault: Fault) -> None:
    inside.machine.standin.fault(operation, fault, times=2)
    assert [known.roles for known in (await walked(inside)).accounts] == [ROLES] * 3


async def test_trouble_that_stays(inside: Inside, impatience: None, caplog: pytest.LogCaptureFixture) -> None:
    """It is given up after a while, and what was learned is there for the next try."""
    standin = inside.machine.standin
    placed = standin.fault("ListAccountRoles", Fault.error("TooManyRequestsException"), times=None, detail=ACCOUNT)
    message = "AWS throttles this user's calls. Run the same command again: it goes on from here"
    assert await failed(inside, 1) == f"session corp: {message}"
    placed.remove()
    tries = role_calls(inside)
    await walked(inside)
    assert role_calls(inside) == {**tries, ACCOUNT: tries[ACCOUNT] + 1}
    assert [entry.levelno for entry in caplog.records if "could not be listed" in entry.message] == [logging.WARNING]


async def test_patience_begins_with_the_first_failure_in_a_row(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the time before counts, in which a walk may have waited behind callers, nor that of an answer: also a
    refusal is one."""
    monkeypatch.setattr(walk, "_PATIENCE", 0.0)
    standin = inside.machine.standin
    standin.configure(accounts=1)
    for fault in (Fault.drop(), Fault.error("InvalidRequestException"), Fault.drop()):
        standin.fault("ListAccounts", fault, times=1)
    assert len((await walked(inside)).accounts) == 1
    standin.fault("ListAccounts", Fault.drop(), times=2)
    assert await failed(inside, 1) == (
        "session corp: AWS cannot be reached: the connection was closed. "
        "Run the same command again: it goes on from here"
    )


async def test_throttle_that_is_lower_than_our_own_limit(inside: Inside) -> None:
    """Another program of the person's has the rest."""
    standin = inside.machine.standin
    standin.configure(accounts=40, throttle=20)
    found = await walked(inside)
    assert [known.roles for known in found.accounts] == [ROLES] * 40
    assert 429 in {call.status for call in standin.calls()}


async def test_more_pages_than_there_can_be(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    standin = inside.machine.standin
    monkeypatch.setattr(walk, "_MOST_PAGES", 2)
    standin.configure(accounts=1, roles=("A", "B", "C"), page_size=1)
    assert "1 account could not be listed: AWS lists more roles than there can be" in await failed(inside, 1)
    standin.configure(accounts=3)
    assert await failed(inside, 1) == "AWS lists more accounts than there can be. Try again later"


def endless(standin: StandIn, size: int, pages: int) -> None:
    """More accounts, with names of four bytes a character, than any answer of the daemon can hold."""
    for page in range(pages):
        entries = [{"accountId": f"{page * size + n:012}", "accountName": "\U0001f600" * 500} for n in range(size)]
        more = {"nextToken": str(page)} if page < pages - 1 else {}
        body = json.dumps({"accountList": entries, **more}, ensure_ascii=False)
        standin.fault("ListAccounts", Fault.wrong(body), times=1)


async def test_more_accounts_than_an_answer_can_hold(inside: Inside) -> None:
    """It is said as soon as it is seen, not after a call for each."""
    endless(inside.machine.standin, size=1000, pages=7)
    text = "session corp: AWS lists more accounts and roles than credhelper can hold. Please report it"
    assert await failed(inside, 1) == text
    assert inside.calls("ListAccountRoles") < 1000


async def test_more_roles_than_an_answer_can_hold(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "_MOST_BYTES", 3000)
    inside.machine.standin.configure(
        accounts=1, roles=tuple(f"Role{number:03}" for number in range(500)), page_size=20
    )
    assert "more accounts and roles than credhelper can hold" in await failed(inside, 1)
    assert inside.calls("ListAccountRoles") < 15


@pytest.mark.parametrize("name", ["a", '"\\', "é\x07", "\U0001f600" * 300])
async def test_what_is_held_is_what_fits(inside: Inside, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    accounts = {str(100000000001 + n): Account(str(100000000001 + n), name, name, ROLES) for n in range(30)}
    inside.machine.standin.configure(accounts=accounts)
    status, payload = await answered(inside)
    assert status == 0
    monkeypatch.setattr(walk, "_MOST_BYTES", len(payload) - 1)
    assert "than credhelper can hold" in await failed(inside, 1)


async def test_names_longer_than_any_are_cut(inside: Inside) -> None:
    long = Account(ACCOUNT, "a" * 3000, "\x07" * 3000, ("Admin",))
    inside.machine.standin.configure(accounts={ACCOUNT: long})
    found = (await walked(inside)).accounts[0]
    assert (found.name, found.email) == ("a" * 255 + "…", ("\\x07" * 64)[:255] + "…")


async def test_account_over_which_aws_stumbles_does_not_keep_the_others(inside: Inside, paths: Paths) -> None:
    standin = inside.machine.standin
    standin.configure(accounts=100)
    placed = standin.fault("ListAccountRoles", Fault.error("InternalServerException"), times=None, detail=ACCOUNT)
    text = "the roles of 1 account could not be listed: AWS has an internal error. Run the same command again"
    assert (await failed(inside, 1)).startswith(text)
    part = await left_over(inside)
    assert [known.account_id for known in part.accounts if known.roles is None] == [ACCOUNT]
    placed.remove()
    assert len((await walked(inside)).accounts) == 100
    assert max(role_calls(inside).values()) == role_calls(inside)[ACCOUNT]


async def test_page_over_which_aws_stumbles_while_it_answers_for_the_roles(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(walk, "_TRIES", 2)
    standin = inside.machine.standin
    page = {"accountList": [{"accountId": str(100000000001 + n)} for n in range(100)], "nextToken": "bad"}
    standin.configure(accounts=100)
    standin.fault("ListAccounts", Fault.wrong(json.dumps(page)), times=1)
    standin.fault("ListAccounts", Fault.error("InternalServerException", status=500), times=None)
    text = "session corp: AWS has an internal error. Run the same command again: it goes on from here"
    assert await failed(inside, 1) == text
    assert [entry.message for entry in caplog.records if entry.exc_info] == []


async def test_account_that_vanishes_while_it_is_listed(inside: Inside) -> None:
    """The pages behind it move up by one, and none is missed."""
    standin = inside.machine.standin
    standin.configure(accounts=7, page_size=2)
    everything = dict(standin.settings.directory())
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=None)
    pages = standin.fault("ListAccounts", Fault.hold(), times=None)
    walking = asyncio.create_task(walked(inside))
    await inside.upstream("ListAccounts", done=None)
    pages.remove()
    await inside.upstream("ListAccountRoles", 2, done=None)
    gone = everything.pop(ACCOUNT)
    standin.configure(accounts=everything)
    placed.remove()
    found = await walking
    assert {known.account_id: known.roles for known in found.accounts} == dict.fromkeys(everything, ROLES)
    assert gone.account_id not in everything


async def test_account_that_is_listed_and_refused_has_no_roles(inside: Inside) -> None:
    inside.machine.standin.fault("ListAccountRoles", Fault.error("ForbiddenException"), times=None, detail=ACCOUNT)
    assert [known.roles for known in (await walked(inside)).accounts] == [(), ROLES, ROLES]


@pytest.mark.parametrize("operation", ["ListAccounts", "ListAccountRoles"])
async def test_place_in_a_list_that_aws_no_longer_knows(inside: Inside, operation: str) -> None:
    standin = inside.machine.standin
    standin.configure(accounts=3, page_size=1)
    seen = len(standin.calls(operation))
    placed = standin.fault(operation, Fault.slow(0.2), times=1)
    walking = asyncio.create_task(walked(inside))
    await inside.upstream(operation, seen + 1, done=None)
    standin.fault(operation, Fault.error("InvalidRequestException"), times=1)
    placed.remove()
    assert [known.roles for known in (await walking).accounts] == [ROLES] * 3


async def test_accounts_that_aws_refuses_to_list(inside: Inside) -> None:
    inside.machine.standin.fault("ListAccounts", Fault.error("InvalidRequestException"), times=None)
    text = "AWS does not list the accounts: AWS does not accept the request"
    assert (await failed(inside, 1)).startswith(text)


async def test_list_that_has_no_end(inside: Inside, impatience: None) -> None:
    page = {"accountList": [], "nextToken": "again"}
    inside.machine.standin.fault("ListAccounts", Fault.wrong(json.dumps(page)), times=None)
    assert "the answer makes no sense" in await failed(inside, 1)


# --- the session ----------------------------------------------------------------------------------------------------


async def test_token_that_is_over_in_the_middle_is_renewed(inside: Inside) -> None:
    standin = inside.machine.standin
    standin.configure(accounts=30)
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=1)
    walking = asyncio.create_task(walked(inside))
    await inside.upstream("ListAccountRoles", 5, done=None)
    standin.expire_access_tokens()
    placed.remove()
    assert [known.roles for known in (await walking).accounts] == [ROLES] * 30
    assert inside.keeper.renewals == 1


async def test_token_that_cannot_be_renewed_yet(inside: Inside) -> None:
    """AWS refuses the token, and the network fails in the middle of its renewal: that is no reason for a login."""
    standin = inside.machine.standin
    standin.expire_access_tokens()
    standin.fault("CreateToken", Fault.drop(), times=2)
    assert len((await walked(inside)).accounts) == 3
    assert inside.keeper.renewals == 1


async def test_user_who_may_not_list_keeps_the_session(inside: Inside) -> None:
    inside.machine.standin.fault("ListAccounts", Fault.error("AccessDeniedException", status=403), times=None)
    assert (await failed(inside, 1)).startswith("AWS does not list the accounts: AWS refuses this login")
    assert inside.state == "active"
    assert inside.calls("CreateToken") == 0
    assert await inside.got()


async def test_session_that_ends_in_the_middle(inside: Inside, machine: Machine, paths: Paths) -> None:
    standin = machine.standin
    standin.configure(accounts=30)
    placed = standin.fault("ListAccountRoles", Fault.hold(), times=1, detail="100000000030")
    async with Follower(inside) as follower:
        while await follower.word() != (30, 29) or not role_calls(inside)["100000000030"]:
            pass
        standin.end_sessions()
        placed.remove()
        status, payload = await follower.answer()
    assert status == 3
    assert payload == b"credhelper: session corp: AWS has ended the session. Run: credhelper login corp\n"
    machine.log_in()
    assert len((await walked(inside)).accounts) == 30
    assert sum(role_calls(inside).values()) == 31  # it went on from there


@pytest.mark.parametrize("by", ["us", "another program"])
async def test_logout_in_the_middle(inside: Inside, machine: Machine, paths: Paths, by: str) -> None:
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    async with Follower(inside) as follower:
        while await follower.word() != (3, 2) or not role_calls(inside)["100000000003"]:
            pass
        machine.token_file.unlink()
        if by == "us":
            status, _ = await inside.ask("forget", key="corp")
            assert status == 0
        status, payload = await follower.answer()
    assert (status, payload.split(b":")[1:3]) == (3, [b" session corp", b" not logged in. Run"])
    placed.remove()
    assert await look(inside, unfinished) is None
    machine.log_in()
    await walked(inside)
    assert role_calls(inside)[ACCOUNT] == 2  # somebody else may have logged in


async def test_secrets_that_are_forgotten_in_the_middle_are_found_again(inside: Inside, machine: Machine) -> None:
    placed = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    walking = asyncio.create_task(walked(inside))
    await inside.upstream("ListAccountRoles", 3, done=None)
    inside.app._drop_secrets()
    status, _ = await inside.ask("forget", key="corp")
    assert status == 0
    await inside.turn()
    placed.remove()
    assert len((await walking).accounts) == 3


# --- beside others --------------------------------------------------------------------------------------------------


async def test_callers_go_first(machine: Machine, haste: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that a walk still has to ask, next to nothing comes between a caller's question and its answer."""
    monkeypatch.setattr(app, "Calls", Calls)
    machine.standin.configure(accounts=200, roles=tuple(f"Role{number}" for number in range(30)))
    daemon = Inside(machine)
    assert await daemon.start()
    await daemon.got(role="Role0")
    async with Follower(daemon) as follower:
        while (await follower.word())[1] < 20:
            pass
        machine.standin.clear_calls()
        await asyncio.gather(*(daemon.got(role=f"Role{number}") for number in range(1, 25)))
        operations = [call.operation for call in machine.standin.calls()]
        assert (await follower.word())[1] < 200
    last = len(operations) - operations[::-1].index("GetRoleCredentials")
    # Fewer than those that waited already when the callers came.
    assert Counter(operations[:last])["ListAccountRoles"] < walk._WORKERS
    assert {call.status for call in machine.standin.calls()} <= {200, None}
    await daemon.stop()
