"""A disk that is full, read-only or closed to us, and folders that vanish and come back."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from credhelper.agent import Agent
from credhelper.aws import draft
from credhelper.aws.records import LoginRecord
from credhelper.daemon import direct, singleton
from credhelper.model import Endpoints
from tests.daemon.inside import Inside
from tests.faults.disk import Disk, Halfway, closed
from tests.faults.test_upstream import idle, lines, reason
from tests.machine import ACCOUNT, ROLE, Hands, Machine
from tests.support import remove_at_once

RENEW, FETCH = "CreateToken", "GetRoleCredentials"
OTHER = "AWSReadOnlyAccess"

# --- the token cache ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_token_that_cannot_be_written(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, disk: Disk, how: str
) -> None:
    """With rotation the renewed token, in memory, is the only one that is worth anything."""
    machine = inside.machine
    machine.standin.configure(rotate_refresh_tokens=True)
    await inside.got()
    before = machine.token()
    with getattr(disk, how)(machine.paths.token_cache):
        await inside.turn()
        hands.forward(2500)
        for _ in range(5):
            await inside.turn()
            await inside.until(lambda: idle(inside))
            hands.forward(61)
        assert "cannot be written: " in await reason(inside)
        assert inside.calls(RENEW) == 0, "the refresh token is spent at the last moment only"
        assert len(lines(log, "cannot be written: ")) == 1
        for count in (1, 2, 3):
            hands.forward(600 if count == 1 else 3350)
            await inside.turn()
            await inside.until(lambda count=count: inside.keeper.renewals == count)  # type: ignore[misc]
            assert inside.state == "active"
            assert await inside.got()
            assert await inside.got(role=OTHER)
            assert "the renewed token cannot be saved: " in await reason(inside)
        for _ in range(10):
            hands.forward(11)
            await inside.turn()
            await inside.until(lambda: not inside.keeper.renewing)
        assert machine.token() == before
        assert inside.calls(RENEW) == 3
    hands.forward(11)
    await inside.turn()
    await inside.until(lambda: machine.token() != before)
    await inside.until(lambda: inside.keeper._unsaved is None)
    assert await reason(inside) == "renews itself"
    hands.forward(2500)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 4)
    assert inside.calls(RENEW) == 4
    assert len(lines(log, "cannot be saved")) == 1
    assert len(lines(log, "can be written again")) == 1
    assert not [record for record in log.records if record.levelno > logging.ERROR]


async def test_token_whose_writing_breaks_off(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There was room when it was asked for, and half of it is gone once AWS has answered."""
    machine = inside.machine
    machine.standin.configure(rotate_refresh_tokens=True)
    before = machine.token()
    with Halfway().full(machine.paths.token_cache):
        monkeypatch.setattr(draft, "_allocate", lambda *_: True)
        hands.forward(2500)
        await inside.turn()
        await inside.until(lambda: inside.keeper.renewals == 1 and not inside.keeper.renewing)
        assert machine.token() == before
        assert await inside.got(role=OTHER)
        assert "the renewed token cannot be saved: " in await reason(inside)
        assert [path.name for path in machine.paths.token_cache.iterdir()] == [machine.token_file.name]
    hands.forward(11)
    await inside.turn()
    await inside.until(lambda: inside.keeper._unsaved is None)
    assert machine.token()["refreshToken"] != before["refreshToken"]
    assert inside.calls(RENEW) == 1
    assert await reason(inside) == "renews itself"
    saved = f"{machine.token_file} cannot be written: No space left on device; it is as it was"
    assert [line.partition(". ")[0] for line in lines(log)] == [
        "session corp: token renewed by us",
        f"session corp: the renewed token cannot be saved: {saved}",
        "session corp: the token file can be written again",
    ]


async def test_token_that_cannot_be_written_is_saved_before_the_daemon_ends(
    machine: Machine, tripwire: BlockBuster, disk: Disk
) -> None:
    machine.standin.configure(rotate_refresh_tokens=True)
    inside = Inside(machine)
    assert await inside.start()
    before = machine.token()
    with disk.full(machine.paths.token_cache):
        machine.hands.forward(3350)
        await inside.turn()
        await inside.until(lambda: inside.keeper._unsaved is not None)
    assert machine.token() == before
    await inside.stop()
    assert machine.token()["refreshToken"] != before["refreshToken"]


async def test_token_cache_that_is_closed_to_us(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    first = await inside.got()
    async with closed(inside, inside.machine.paths.token_cache):
        for _ in range(5):
            await inside.turn()
            assert await inside.got() == first
        assert await inside.got(role=OTHER)
        assert inside.state == "active"
        assert "cannot be read: Permission denied" in await reason(inside)
        hands.forward(2500)
        for _ in range(5):
            await inside.turn()
            await inside.until(lambda: not inside.keeper.renewing)
            assert inside.state == "active"
            assert await inside.got()
            hands.forward(61)
        assert inside.calls(RENEW) == 0
    hands.forward(61)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1 and idle(inside))
    assert await reason(inside) == "renews itself"
    assert len(lines(log, "Permission denied")) == 1
    assert len(lines(log, "can be read again")) == 1


@pytest.mark.parametrize("folder", ["cache", "sso", "aws"])
async def test_folder_of_the_tokens_that_vanishes_and_comes_back(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, folder: str
) -> None:
    paths = inside.machine.paths
    gone = {"cache": paths.token_cache, "sso": paths.token_cache.parent, "aws": paths.aws}[folder]
    away = paths.home / "away"
    first, before = await inside.got(), inside.machine.token()
    gone.rename(away)
    # Noticed at once, not at the next sweep.
    await inside.until(lambda: lines(log, "has gone"), "the daemon to notice")
    for _ in range(5):
        await inside.turn()
        assert await inside.got() == first
    assert await inside.got(role=OTHER)
    assert inside.state == "active"
    assert f"the folder {paths.token_cache} has gone" in await reason(inside)
    hands.forward(2500)
    for _ in range(5):
        await inside.turn()
        await inside.until(lambda: not inside.keeper.renewing)
        assert await inside.got()
        hands.forward(61)
    assert inside.calls(RENEW) == 0
    assert not gone.exists()
    away.rename(gone)
    await inside.until(lambda: lines(log, "can be read again"), "the daemon to notice")
    assert inside.machine.token() == before
    hands.forward(61)
    await inside.turn()
    await inside.until(lambda: inside.keeper.renewals == 1 and idle(inside))
    assert await reason(inside) == "renews itself"
    assert not lines(log, "logged out")
    assert len(lines(log)) <= 12, lines(log)


async def test_folder_that_stays_away_needs_a_login_in_the_end(inside: Inside, hands: Hands) -> None:
    away = inside.machine.paths.home / "away"
    inside.machine.paths.aws.rename(away)
    await inside.turn()
    hands.forward(3700)
    line = await inside.refused(3)
    assert "has gone" in line
    assert line.endswith("Run: credhelper login corp")
    away.rename(inside.machine.paths.aws)
    assert await inside.got()


async def test_folder_that_comes_back_without_the_token_is_a_logout(
    inside: Inside, log: pytest.LogCaptureFixture
) -> None:
    await inside.got()
    shutil.rmtree(inside.machine.paths.token_cache)
    await inside.until(lambda: lines(log, "has gone"))
    assert await inside.got()
    inside.machine.paths.token_cache.mkdir()
    await inside.until(lambda: inside.state == "logged_out")
    await inside.refused(3)
    assert not inside.machine.token_file.exists()
    assert inside.calls(RENEW) == 0


# --- the state folder -----------------------------------------------------------------------------------------------

_ADDRESS = "the daemon's address cannot be written; it is tried again"
_LOOK_AT_IT = "Check its folder's owner, mode and disk space"
_RENEWED = "session corp: token renewed by us"
_BOARD = "prompts and just-in-time logins go without the board"
_BOARD_AGAIN = "the board can be written again"


@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_state_folder_that_cannot_be_written(
    inside: Inside, hands: Hands, log: pytest.LogCaptureFixture, disk: Disk, how: str
) -> None:
    """Its locks are nice to have: the session is renewed all the same, under another one."""
    machine = inside.machine
    await inside.got()
    shutil.rmtree(machine.paths.locks, ignore_errors=True)
    machine.paths.address_record.unlink()
    with getattr(disk, how)(machine.paths.state):
        for count in (1, 2):
            hands.forward(2500)
            await inside.turn()
            await inside.until(lambda count=count: inside.keeper.renewals == count)  # type: ignore[misc]
            assert await inside.got()
        assert await reason(inside) == "renews itself"
        for _ in range(10):
            await inside.turn()
        assert await inside.got(role=OTHER)
        why = {"full": "No space left on device", "read_only": "Read-only file system"}[how]
        written = f"{machine.paths.address_record} cannot be written: {why}; it is as it was"
        # The lock of a folder that is mounted over another is not the one that was there.
        locked = ["the daemon's lock had been removed; it is held again"] if type(disk) is Disk else []
        said = [line for line in lines(log) if not line.endswith(_BOARD)]
        assert said == [*locked, f"{_ADDRESS}: {written}. {_LOOK_AT_IT}", _RENEWED, _RENEWED]
        # The board is refused by the kernel alone: it is written by descriptors.
        assert len(lines(log, f"board cannot be written: {why}; {_BOARD}")) == (type(disk) is Disk)
    before = len(lines(log))
    await inside.turn()
    board = [_BOARD_AGAIN] if type(disk) is Disk else []
    assert lines(log)[before:] == ["the daemon's address can be written again", *board]
    assert machine.paths.address_record.read_text() == f"{inside.address}\n"


async def test_state_folder_that_is_closed_to_us(inside: Inside, hands: Hands, log: pytest.LogCaptureFixture) -> None:
    await inside.got()
    async with closed(inside, inside.machine.paths.state):
        for count in (1, 2):
            hands.forward(2500)
            await inside.turn()
            await inside.until(lambda count=count: inside.keeper.renewals == count)  # type: ignore[misc]
            assert await inside.got()
        for _ in range(10):
            await inside.turn()
        assert await inside.got(role=OTHER)
        read = f"{inside.machine.paths.address_record} cannot be read: Permission denied. Check its owner and mode"
        shut = f"{inside.machine.paths.state / 'board'} cannot be written: Permission denied; {_BOARD}"
        assert lines(log) == [f"{_ADDRESS}: {read}", shut, _RENEWED, _RENEWED]
    await inside.turn()
    assert lines(log)[4:] == ["the daemon's address can be written again", _BOARD_AGAIN]


async def test_state_folder_that_vanishes(inside: Inside, log: pytest.LogCaptureFixture) -> None:
    machine = inside.machine
    first = await inside.got()
    remove_at_once(machine.paths.state)
    # No second daemon may come up beside this one, and callers of another environment must find it.
    await inside.until(machine.paths.address_record.exists, "the daemon to notice")
    assert machine.paths.address_record.read_text() == f"{inside.address}\n"
    assert not singleton.is_free(machine.paths)
    assert not await Inside(machine).start()
    assert await inside.got() == first
    assert len(lines(log, "lock had been removed; it is held again")) == 1


async def test_state_folder_whose_lock_another_daemon_took(
    machine: Machine, tripwire: BlockBuster, log: pytest.LogCaptureFixture
) -> None:
    inside = Inside(machine)
    assert await inside.start()
    remove_at_once(machine.paths.state)
    other = singleton.Singleton(machine.paths)
    assert other.acquire()
    await asyncio.to_thread(other.publish, "/another's")
    await inside.turn()
    await inside.until(lambda: inside.ended)
    assert machine.paths.address_record.read_text() == "/another's\n"
    assert len(lines(log, "another daemon has it")) == 1
    other.release()


async def test_endpoints_of_a_token_are_remembered_while_their_record_is_away(inside: Inside, hands: Hands) -> None:
    """A token must not go elsewhere because the disk is in trouble."""
    machine = inside.machine
    assert inside.keeper.found is not None
    token, url = inside.keeper.found.token, machine.standin.url
    machine.write_settings(url="https://elsewhere.invalid")
    record = LoginRecord.of(token, Endpoints(oidc=url, portal=url), hands())
    await asyncio.to_thread(machine.records.write, "corp", record)
    await inside.turn()
    await inside.got()
    async with closed(inside, machine.paths.state):
        assert await inside.got(role=OTHER)
        hands.forward(2500)
        await inside.turn()
        await inside.until(lambda: inside.keeper.renewals == 1)


# --- start ----------------------------------------------------------------------------------------------------------


async def test_daemon_starts_on_a_full_disk(
    machine: Machine, tripwire: BlockBuster, log: pytest.LogCaptureFixture, disk: Disk
) -> None:
    machine.paths.state.mkdir(parents=True)
    machine.paths.daemon_lock.touch(0o600)
    inside = Inside(machine)
    with disk.full(machine.paths.state):
        assert await inside.start()
        assert await inside.got()
        for _ in range(5):
            await inside.turn()
        assert len(lines(log, "address cannot be written")) == 1
    await inside.turn()
    assert machine.paths.address_record.read_text() == f"{inside.address}\n"
    assert len(lines(log, "address can be written again")) == 1
    await inside.stop()


@pytest.mark.parametrize("how", ["full", "read_only"])
async def test_answer_without_a_daemon_spends_no_refresh_token_that_it_could_not_keep(
    machine: Machine, disk: Disk, how: str
) -> None:
    machine.standin.configure(rotate_refresh_tokens=True, token_lifetime=600)
    machine.log_in()
    before = machine.token()
    environ = dict(os.environ)
    with getattr(disk, how)(machine.paths.token_cache):
        machine.standin.expire_access_tokens()
        status, line = await direct.serve(machine.paths, environ, "corp", ACCOUNT, ROLE)
        assert status == 1, line
        assert b"cannot be written" in line
        assert machine.standin.calls(RENEW) == []
    status, _ = await direct.serve(machine.paths, environ, "corp", ACCOUNT, ROLE)
    assert status == 0
    assert machine.token()["refreshToken"] != before["refreshToken"]


# --- the folder of the socket ---------------------------------------------------------------------------------------


async def test_folder_of_the_socket_that_vanishes_and_comes_back(
    inside: Inside, log: pytest.LogCaptureFixture
) -> None:
    first = await inside.got()
    folder = Path(inside.address).parent
    shutil.rmtree(folder)
    await inside.until(lambda: Path(inside.address).exists(), "the daemon to notice")
    assert await inside.got() == first
    away = folder.with_name("away")
    folder.rename(away)
    await inside.until(folder.exists, "the daemon to notice")
    assert await inside.got() == first
    assert len(lines(log, "listening again")) == 2


async def test_socket_that_cannot_be_made_again_is_said_once(
    inside: Inside, log: pytest.LogCaptureFixture, disk: Disk
) -> None:
    folder = Path(inside.address).parent
    Path(inside.address).unlink()
    folder.chmod(0o755)
    for _ in range(20):
        await inside.app._sweep()
    assert len(lines(log, "no new one can be made")) == 1
    folder.chmod(0o700)
    await inside.app._sweep()
    assert await inside.got()


# --- the config -----------------------------------------------------------------------------------------------------


async def test_config_that_is_closed_to_us(inside: Inside, log: pytest.LogCaptureFixture) -> None:
    first = await inside.got()
    for path in (inside.machine.config, inside.machine.paths.aws):
        async with closed(inside, path):
            for _ in range(5):
                await inside.turn()
                assert await inside.got() == first
            assert (await inside.status())["profiles"]
        await inside.turn()
    assert await inside.got(role=OTHER)
    assert len(lines(log, "still counts")) == 1
    assert len(lines(log, "config can be read again")) == 1


async def test_config_that_was_closed_to_us_from_the_beginning(machine: Machine, tripwire: BlockBuster) -> None:
    inside = Inside(machine)
    async with closed(inside, machine.config):
        assert await inside.start()
        await inside.refused(1)
    await inside.turn()
    assert await inside.got()
    await inside.stop()


# --- a process ------------------------------------------------------------------------------------------------------


def test_log_is_written_where_it_can_be_found(machine: Machine, daemon: Agent) -> None:
    paths = machine.paths
    assert "listens at" in paths.log.read_text()
    remove_at_once(paths.state)
    daemon.call("reload")
    daemon.call("reload")
    assert "it is held again" in paths.log.read_text()
    assert daemon.running()
