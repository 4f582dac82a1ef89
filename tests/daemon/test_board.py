"""The daemon keeps the board: what it knows of sessions and profiles is there for the shells."""

from __future__ import annotations

import asyncio
import logging
import os
import shlex
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from credhelper import board, resources
from credhelper.agent import Agent
from credhelper.aws.records import LoginRecord
from credhelper.aws.tokens import parse_token
from credhelper.board import Entry
from credhelper.core.report import SessionReport
from credhelper.core.schedule import Assessment, State
from credhelper.daemon.board import entry_of
from credhelper.model import Endpoints, Session
from credhelper.standin import Fault
from tests.daemon.inside import Inside
from tests.machine import Machine, profile, section
from tests.support import remove_at_once
from tests.test_board import ODD_NAMES, picture, profile_names
from tests.waiting import wait_until

LAB = Session("lab", "https://d-3333333333.awsapps.com/start", "eu-west-1")


def quoted(name: str) -> str:
    """A profile's name as it stands in a section's header."""
    return shlex.quote(name)


async def entry(inside: Inside, profile: str = "dev", config: str | Path = "") -> Entry | None:
    """What the board says of a profile now."""
    environ = {"AWS_CONFIG_FILE": str(config)}
    return await asyncio.to_thread(board.entry_of_profile, inside.machine.paths, profile, environ)


async def shown(inside: Inside, test: Callable[[Entry], object] = lambda _: True, profile: str = "dev") -> Entry:
    """What the board says of a profile once that passes the test."""
    found = None
    async with asyncio.timeout(10):
        while True:
            found = await entry(inside, profile)
            if found is not None and test(found):
                return found
            await asyncio.sleep(0.01)


async def profiles(inside: Inside, config: str | Path = "") -> set[str]:
    return set(await asyncio.to_thread(profile_names, inside.machine.paths, {"AWS_CONFIG_FILE": str(config)}))


def ends(inside: Inside) -> int:
    return int(inside.keeper.report().expires_at or 0)


# --- what is said ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "refreshable", "login", "kept"),
    [
        ("active", True, "no", (True, False)),
        ("active", False, "soon", (True, True)),
        ("expiring", False, "soon", (True, True)),
        ("renewing", True, "no", (False, False)),
        ("offline", True, "no", (False, False)),
        ("expired", False, "yes", (False, False)),
        ("logged_out", False, "yes", (False, False)),
    ],
)
def test_each_state(state: State, refreshable: bool, login: board.Login, kept: tuple[bool, bool]) -> None:
    moment = None if state == "logged_out" else 1_800_000_000.9
    said = entry_of(SessionReport(LAB, Assessment(state, "reason"), moment, refreshable))
    assert said == Entry("lab", state, login, *(1_800_000_000 if is_kept else 0 for is_kept in kept))


async def test_a_session_that_renews_itself_is_there_until_its_token_ends(inside: Inside) -> None:
    found = await shown(inside)
    assert found == Entry("corp", "active", "no", ends(inside), 0)
    assert found.needs_nothing(time.time())


async def test_each_renewal_is_there(inside: Inside) -> None:
    first = await shown(inside)
    inside.machine.hands.forward(2500)
    await inside.turn()
    renewed = await shown(inside, lambda found: found.ends > first.ends + 2000)
    assert renewed == Entry("corp", "active", "no", ends(inside), 0)


async def test_a_session_that_cannot_be_renewed_is_soon_to_end_and_then_over(inside: Inside) -> None:
    inside.machine.log_in(refreshToken=None)
    await inside.turn()
    found = await entry(inside)
    assert found == Entry("corp", "active", "soon", ends(inside), ends(inside))
    inside.machine.hands.forward(3000)
    await inside.turn()
    assert await entry(inside) == Entry("corp", "expiring", "soon", ends(inside), ends(inside))
    inside.machine.hands.forward(600)
    await inside.turn()
    assert await entry(inside) == Entry("corp", "expired", "yes")


async def test_a_session_that_aws_has_ended(inside: Inside) -> None:
    await shown(inside)
    inside.machine.standin.end_sessions()
    inside.machine.hands.forward(2500)
    await inside.turn()
    refused = await shown(inside, lambda found: found.login == "soon")
    assert refused == Entry("corp", "expiring", "soon", ends(inside), ends(inside))
    inside.machine.hands.forward(1200)
    await inside.turn()
    assert await entry(inside) == Entry("corp", "expired", "yes")
    inside.machine.log_in()
    await shown(inside, lambda found: found.login == "no")


async def test_a_session_that_could_be_renewed_were_the_network_there(inside: Inside) -> None:
    await shown(inside)
    inside.machine.standin.fault("CreateToken", Fault.reset())
    inside.machine.hands.forward(3700)
    await inside.turn()
    assert await shown(inside, lambda found: found.state == "offline") == Entry("corp", "offline", "no")


async def test_a_logout_and_a_login_are_there_once_the_command_has_an_answer(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    await inside.ask("forget", key="corp")
    assert await entry(inside) == Entry("corp", "logged_out", "yes")
    inside.machine.log_in()
    await inside.ask("reload")
    assert await entry(inside) == Entry("corp", "active", "no", ends(inside), 0)


async def test_a_logout_and_a_login_of_another_program_are_there_a_moment_later(inside: Inside) -> None:
    await shown(inside)
    inside.machine.token_file.unlink()
    await shown(inside, lambda found: found.state == "logged_out")
    inside.machine.log_in()
    await shown(inside, lambda found: found.state == "active")


async def test_secrets_that_are_dropped_and_found_again_change_nothing(inside: Inside) -> None:
    before = await shown(inside)
    os.kill(os.getpid(), signal.SIGUSR1)
    await inside.turn()
    assert await shown(inside, lambda found: found.login == "no") == before


async def test_the_cap_of_a_session_is_shown_where_it_is_known(inside: Inside) -> None:
    machine = inside.machine
    machine.write_settings()
    with machine.paths.settings.open("a") as file:
        file.write("session_cap = 28800\n")
    await inside.turn()
    found = await entry(inside)
    assert found is not None
    assert found.shown == 0, "of another client's login nobody knows when it was"
    began = time.time() - 1000
    token = parse_token(machine.token_file.read_bytes(), time.time())
    await asyncio.to_thread(
        machine.records.write, machine.session.cache_key, LoginRecord.of(token, Endpoints(), began)
    )
    await inside.turn()
    assert await entry(inside) == Entry("corp", "active", "no", ends(inside), int(began + 28800))


# --- of whom --------------------------------------------------------------------------------------------------------


async def test_an_edited_config(inside: Inside) -> None:
    machine = inside.machine
    await shown(inside)
    more = section(LAB) + profile(quoted("lab admin"), machine.paths, "lab") + "[profile keys]\nregion = eu-west-1\n"
    chained = "[profile chained]\nrole_arn = arn:aws:iam::100000000002:role/Deploy\nsource_profile = lab admin\n"
    machine.write_config(more + chained)
    assert await shown(inside, profile="lab admin") == Entry("lab", "logged_out", "yes")
    assert await entry(inside, "chained") == Entry("lab", "logged_out", "yes")
    assert await profiles(inside) == {"dev", "lab admin", "chained"}
    machine.write_config(chained)
    await inside.turn()
    assert await profiles(inside) == {"dev"}
    assert await asyncio.to_thread(board.session_names, machine.paths) == ["corp"]


async def test_profiles_that_are_not_managed(inside: Inside) -> None:
    """The AWS CLI's own, of either kind: the hooks log in for them too."""
    inside.machine.write_config(
        "[profile modern]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = r\n\n"
        f"[profile legacy]\nsso_start_url = {LAB.start_url}\nsso_region = {LAB.region}\nsso_account_id = 1\n\n"
        # Another spelling of the same address is the same session.
        f"[profile other]\nsso_start_url = {LAB.start_url}/#/\nsso_region = {LAB.region}\nsso_account_id = 1\n"
    )
    await inside.turn()
    corp = await entry(inside)
    assert corp is not None
    assert await entry(inside, "modern") == corp
    assert await entry(inside, "legacy") == Entry("d-3333333333", "logged_out", "yes")
    assert await entry(inside, "other") == Entry("d-3333333333", "logged_out", "yes")


async def test_each_config_file_that_is_known(inside: Inside) -> None:
    """Two files may mean two sessions by one name."""
    machine = inside.machine
    other = machine.paths.home / "other config"
    corp = Session("corp", LAB.start_url, LAB.region)
    other.write_text(section(corp) + profile("dev", machine.paths, "corp") + profile("more", machine.paths, "corp"))
    await inside.turn()
    assert await profiles(inside, other) == set()
    await asyncio.to_thread(resources.remember_config, machine.paths, other)
    await inside.turn()
    assert await profiles(inside, other) == {"dev", "more"}
    assert await entry(inside) == Entry("corp", "active", "no", ends(inside), 0)
    assert await entry(inside, config=other) == Entry("corp", "logged_out", "yes")
    files = {path.name for path in (board.folder(machine.paths) / "session").iterdir()}
    assert len(files) == 2
    other.write_text(profile("keys", machine.paths, "nowhere"))
    await inside.turn()
    assert await profiles(inside, other) == set()
    assert (board.folder(machine.paths) / "session" / "corp").is_file()
    assert {path.name for path in (board.folder(machine.paths) / "session").iterdir()} == {"corp"}


async def test_odd_names(inside: Inside) -> None:
    names = {name for name in ODD_NAMES if name.isprintable()}
    text = "".join(profile(quoted(name), inside.machine.paths, "corp") for name in names)
    inside.machine.write_config(text + profile("x" * 300, inside.machine.paths, "corp"))
    await inside.turn()
    listed = {found["name"] for found in (await inside.status())["profiles"]}
    # Some no AWS program can read; what `status` knows is there, but for what no file can be called.
    assert len(listed) > 10
    assert {"$(touch x)", "with space", "ü€😀", ".hidden", "x" * 300} < listed
    assert await profiles(inside) == listed - {"x" * 300}
    for name in listed - {"x" * 300}:
        assert await entry(inside, name) == Entry("corp", "active", "no", ends(inside), 0)
    assert {path.name for path in inside.machine.paths.home.iterdir()} <= {".aws", ".local", ".config"}


# --- what becomes of it ---------------------------------------------------------------------------------------------


async def test_nothing_is_written_where_nothing_has_changed(inside: Inside) -> None:
    await shown(inside)
    before = picture(board.folder(inside.machine.paths))
    for _ in range(5):
        await inside.turn()
        await inside.status()
    inside.machine.config.touch()
    await inside.turn()
    assert picture(board.folder(inside.machine.paths)) == before


async def test_what_others_did_to_it_is_put_right(inside: Inside) -> None:
    await shown(inside)
    top = board.folder(inside.machine.paths)
    await inside.turn()
    before = {name: what[0] for name, what in picture(top).items()}
    (top / "session" / "corp").write_bytes(b"\0" * 100_000)
    (top / "session" / "gone").write_text("1 active 5 no 0 gone\n")
    (top / "profile" / "default" / "dev").unlink()
    os.mkfifo(top / "profile" / "default" / "dev")
    (top / "profile" / "default" / "gone").symlink_to("../../session/gone")
    (top / "profile" / "+2Fgone").mkdir()
    await inside.turn()
    assert {name: what[0] for name, what in picture(top).items()} == before
    remove_at_once(top)
    await inside.turn()
    assert {name: what[0] for name, what in picture(top).items()} == before


async def test_it_outlives_the_daemon_and_is_right_again_after_its_start(
    machine: Machine, tripwire: BlockBuster
) -> None:
    first = Inside(machine)
    assert await first.start()
    before = await shown(first)
    await first.stop()
    assert await entry(first) == before
    machine.token_file.unlink()
    machine.write_config(profile("new", machine.paths, "corp"))
    second = Inside(machine)
    assert await second.start()
    assert await shown(second, profile="new") == Entry("corp", "logged_out", "yes")
    assert await profiles(second) == {"dev", "new"}
    await second.stop()


def test_a_start_with_two_thousand_profiles_writes_nothing_again(machine: Machine) -> None:
    machine.write_config(
        "".join(profile(quoted(f"profile {number}"), machine.paths, "corp") for number in range(2000))
    )
    agent, top = Agent(machine.paths), board.folder(machine.paths)
    agent.start()
    wait_until(lambda: len(profile_names(machine.paths, {})) == 2001 and (top / "session" / "corp").is_file())
    agent.call("reload")
    before = picture(top)
    agent.call("stop")
    wait_until(lambda: not machine.paths.address_record.exists(), what="the daemon's end")
    agent.start()
    agent.call("reload")
    assert picture(top) == before
    assert "board" not in machine.paths.log.read_text()


async def test_a_link_in_its_place_is_refused_once_and_costs_nothing_else(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "credhelper")
    elsewhere = machine.paths.home / "elsewhere"
    elsewhere.mkdir()
    machine.paths.state.mkdir(parents=True)
    board.folder(machine.paths).symlink_to(elsewhere)
    inside = Inside(machine)
    assert await inside.start()
    for _ in range(3):
        await inside.turn()
        await inside.got()
    assert [record.message for record in caplog.records if "the board" in record.message] == [
        f"{board.folder(machine.paths)} is a link or no folder; prompts and just-in-time logins go without the board"
    ]
    assert list(elsewhere.iterdir()) == []
    board.folder(machine.paths).unlink()
    await inside.turn()
    assert await entry(inside) == Entry("corp", "active", "no", ends(inside), 0)
    assert caplog.records[-1].message == "the board can be written again"
    await inside.stop()


async def test_what_cannot_be_foreseen_costs_a_line_and_not_the_daemon(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await shown(inside)

    def fail(*_: Any) -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(board.Board, "write", fail)
        for _ in range(3):
            await inside.turn()
        await inside.got()
    lines = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert lines == ["the board cannot be written in an unforeseen way; it is tried again"]
    inside.machine.log_in(refreshToken=None)
    await inside.turn()
    assert await shown(inside, lambda found: found.login == "soon")
