from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockBuster

from credhelper import __version__, client
from credhelper.agent import Agent
from credhelper.aws.tokens import TokenCache
from credhelper.aws.world import World
from credhelper.daemon import app, singleton
from credhelper.daemon.keeper import Keeper
from credhelper.model import Session
from credhelper.standin import Fault
from tests.daemon.inside import Inside
from tests.machine import Machine, section


@pytest.fixture
def quick_sweep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "SWEEP", 0.1)


@pytest.fixture
def no_events(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(notify: object) -> None:
        raise OSError(24, "no inotify instances left")

    monkeypatch.setattr(app, "Watcher", refuse)


# --- verbs ----------------------------------------------------------------------------------------------------------


async def test_ping(inside: Inside) -> None:
    await inside.got()
    status, payload = await inside.ask("ping")
    assert status == 0
    assert json.loads(payload) == {
        "running": True,
        "pid": os.getpid(),
        "version": __version__,
        "socket": inside.address,
        "counters": {"hand_outs": 1, "fetches": 1, "renewals": 0, "credentials": 1},
    }


async def test_status(inside: Inside) -> None:
    await inside.got()
    document = await inside.status()
    assert set(document) == {"schema", "daemon", "sessions", "profiles"}
    assert document["daemon"] == {
        "running": True,
        "pid": os.getpid(),
        "version": __version__,
        "socket": inside.address,
    }
    (session,) = document["sessions"]
    assert session["expires_at"] == inside.machine.token()["expiresAt"]
    (profile,) = document["profiles"]
    assert profile["name"] == "dev"
    assert profile["expires_at"] == (await inside.got())["Expiration"]


async def test_no_verb_returns_a_secret(inside: Inside) -> None:
    await inside.got()
    for verb in ("ping", "status", "forget", "reload", "nonsense"):
        _, payload = await inside.ask(verb)
        assert not [secret for secret in inside.machine.standin.secrets() if secret.encode() in payload]


async def test_unknown_verb(inside: Inside) -> None:
    status, payload = await inside.ask("levitate")
    assert status == 1
    assert b"older than the program" in payload


async def test_forget(inside: Inside) -> None:
    first = await inside.got()
    assert await inside.ask("forget", key="another") == (0, b'{"forgotten": 0}')
    assert await inside.got() == first
    assert await inside.ask("forget", key="corp") == (0, b'{"forgotten": 1}')
    assert await inside.got() != first
    assert await inside.ask("forget") == (0, b'{"forgotten": 1}')


async def test_forget_while_the_world_changes(inside: Inside) -> None:
    names = [Session(f"s{number}", f"https://d-{number}.awsapps.com/start", "eu-west-1") for number in range(30)]
    inside.machine.write_config("".join(map(section, names)))
    answers = await asyncio.gather(
        *(inside.ask(verb) for _ in range(5) for verb in ("forget", "status", "reload", "forget"))
    )
    assert {status for status, _ in answers} == {0}


async def test_signal_drops_all_secrets(inside: Inside) -> None:
    first = await inside.got()
    os.kill(os.getpid(), signal.SIGUSR1)
    await inside.until(lambda: len(inside.app._broker.vault) == 0)
    await inside.until(lambda: inside.state == "active")
    assert await inside.got() != first


async def test_reload_with_bad_settings_keeps_the_last_good_ones(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    inside.machine.write_settings("wait_for_login = 7")
    await inside.turn()
    inside.machine.paths.settings.write_text("wait_for_login = 'x'")
    for _ in range(3):
        status, payload = await inside.ask("reload")
        assert status == 1
        assert b"wait_for_login: must be a number" in payload
    assert inside.app._settings.wait_for_login == 7
    assert await inside.got()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    inside.machine.write_settings()
    await inside.turn()
    assert inside.app._settings.wait_for_login == 4


async def test_other_home_is_turned_away(inside: Inside, tmp_path: Path) -> None:
    for home in (str(tmp_path), "", "/nonexistent", "relative", "/x" * 30_000):
        assert await inside.ask("credentials", home=home, session="corp", account="1", role="r") == (
            client.OTHER_HOME,
            b"",
        )


async def test_another_spelling_of_the_home_is_the_same(inside: Inside, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(inside.machine.paths.home)
    assert await inside.got(home=str(link))
    assert await inside.got(home=f"{inside.machine.paths.home}/./")


# --- what changes on the disk ---------------------------------------------------------------------------------------


async def test_login_of_another_client_is_noticed_at_once(inside: Inside) -> None:
    inside.machine.token_file.unlink()
    await inside.until(lambda: inside.state == "logged_out")
    inside.machine.log_in()
    await inside.until(lambda: inside.state == "active")
    inside.machine.token_file.unlink()
    await inside.until(lambda: inside.state == "logged_out")


async def test_change_behind_a_linked_config_is_noticed_at_once(inside: Inside, tmp_path: Path) -> None:
    config = inside.machine.paths.aws / "config"
    target = tmp_path / "dotfiles-config"
    target.write_bytes(config.read_bytes())
    config.unlink()
    config.symlink_to(target)
    await inside.turn()
    added = "\n[sso-session added]\nsso_start_url = https://added.awsapps.com/start\nsso_region = eu-west-1\n"
    target.write_text(target.read_text() + added)
    await inside.until(lambda: any(session.name == "added" for session in inside.app._world.sessions()))


async def test_half_a_login_is_noticed_once_it_is_whole(inside: Inside) -> None:
    whole = inside.machine.token_file.read_bytes()
    inside.machine.token_file.unlink()
    await inside.until(lambda: inside.state == "logged_out")
    with inside.machine.token_file.open("wb") as file:
        file.write(whole[:200])
        file.flush()
        await inside.until(lambda: inside.keeper._problem is not None)
        assert inside.state == "logged_out"
        file.write(whole[200:])
    await inside.until(lambda: inside.state == "active")


async def test_folders_that_appear_later(machine: Machine, tripwire: BlockBuster) -> None:
    whole = machine.token_file.read_bytes()
    config = machine.config.read_bytes()
    for path in (machine.token_file, machine.config):
        path.unlink()
    machine.paths.token_cache.rmdir()
    (machine.paths.aws / "sso").rmdir()
    machine.paths.aws.rmdir()
    inside = Inside(machine)
    assert await inside.start()
    machine.paths.aws.mkdir()
    machine.config.write_bytes(config)
    await inside.until(lambda: inside.app._keepers)
    machine.paths.token_cache.mkdir(parents=True)
    machine.token_file.write_bytes(whole)
    await inside.until(lambda: inside.state == "active")
    await inside.stop()


@pytest.mark.usefixtures("no_events")
async def test_without_events_the_next_request_notices(machine: Machine, tripwire: BlockBuster) -> None:
    machine.token_file.unlink()
    inside = Inside(machine)
    assert await inside.start()
    await inside.refused(3)
    machine.log_in()
    assert await inside.got()
    machine.token_file.unlink()
    await inside.refused(3)
    await inside.stop()


@pytest.mark.usefixtures("no_events", "quick_sweep")
async def test_without_events_the_sweep_notices(machine: Machine, tripwire: BlockBuster) -> None:
    machine.token_file.unlink()
    inside = Inside(machine)
    assert await inside.start()
    assert inside.state == "logged_out"
    machine.log_in()
    await inside.until(lambda: inside.state == "active")
    machine.token_file.unlink()
    await inside.until(lambda: inside.state == "logged_out")
    await inside.stop()


@pytest.mark.parametrize("garbage", [b"", b"\0\xff{", b"nonsense"])
async def test_config_that_turns_to_garbage_and_back(inside: Inside, garbage: bytes) -> None:
    whole = inside.machine.config.read_bytes()
    first = await inside.got()
    inside.machine.config.write_bytes(garbage)
    await inside.turn()
    assert await inside.got() == first
    inside.machine.config.unlink()
    inside.machine.config.mkdir()
    await inside.turn()
    assert await inside.got() == first
    inside.machine.config.rmdir()
    inside.machine.config.write_bytes(whole)
    await inside.turn()
    assert await inside.got() == first
    assert (await inside.status())["profiles"]


async def test_session_that_was_taken_out_is_forgotten(inside: Inside) -> None:
    await inside.got()
    inside.machine.config.write_text("[profile plain]\nregion = x\n")
    await inside.turn()
    assert len(inside.app._broker.vault) == 0
    await inside.refused(1)


async def test_what_cannot_be_foreseen_on_the_disk_does_not_end_it(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> bool:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(inside.app._world, "refresh", fail)
        inside.app._disk_changed()
        await inside.until(lambda: "unforeseen" in caplog.text)
    assert not inside.ended
    assert await inside.got()
    caplog.clear()


# --- the socket -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick_sweep")
async def test_removed_socket_is_made_again(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(3):
        before = os.lstat(inside.address).st_ino
        Path(inside.address).unlink()
        await inside.until(lambda: listens(inside))
        assert os.lstat(inside.address).st_ino != before
        assert stat.S_IMODE(os.lstat(inside.address).st_mode) == 0o600
        for _ in range(20):
            await inside.got()
        answers = await asyncio.gather(*(inside.got() for _ in range(50)))
        assert len(answers) == 50
    assert "listening again" in caplog.text


def listens(inside: Inside) -> bool:
    """Whether the socket that has the name is the daemon's."""
    listener = inside.app._presence._listener
    return listener is not None and listener.still_there()


async def test_removed_socket_is_noticed_without_waiting_for_a_sweep(inside: Inside) -> None:
    Path(inside.address).unlink()
    await inside.until(lambda: listens(inside))
    assert await inside.got()


@pytest.mark.usefixtures("quick_sweep")
async def test_removed_folder_of_the_socket(inside: Inside) -> None:
    Path(inside.address).unlink()
    Path(inside.address).parent.rmdir()
    await inside.until(lambda: listens(inside))
    assert await inside.got()


@pytest.mark.usefixtures("quick_sweep")
async def test_socket_that_cannot_be_made_again(inside: Inside, caplog: pytest.LogCaptureFixture) -> None:
    folder = Path(inside.address).parent
    Path(inside.address).unlink()
    folder.chmod(0o777)
    await inside.until(lambda: "not this user's alone" in caplog.text)
    folder.chmod(0o700)
    await inside.until(lambda: listens(inside))
    assert await inside.got()


# --- beginning and end ----------------------------------------------------------------------------------------------


async def test_second_daemon_gives_way(inside: Inside) -> None:
    second = Inside(inside.machine, {**os.environ, "XDG_RUNTIME_DIR": ""})
    assert not await second.start()
    assert await inside.got()


@pytest.mark.parametrize("how", ["stop", "signal"])
async def test_nothing_is_left_behind(machine: Machine, tripwire: BlockBuster, how: str) -> None:
    threads = threading.active_count()
    inside = Inside(machine)
    assert await inside.start()
    await inside.got()
    address, record = inside.address, machine.paths.address_record
    assert record.read_text() == f"{address}\n"
    assert not singleton.is_free(machine.paths)
    if how == "stop":
        assert await inside.ask("stop") == (0, b"")
    else:
        os.kill(os.getpid(), signal.SIGTERM)
    await inside.until(lambda: inside.ended)
    assert not Path(address).exists()
    assert not record.exists()
    assert singleton.is_free(machine.paths)
    await inside.until(lambda: threading.active_count() <= threads)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_answers_under_way_go_out(machine: Machine, tripwire: BlockBuster) -> None:
    inside = Inside(machine)
    assert await inside.start()
    with machine.standin.fault("GetRoleCredentials", Fault.hold(), times=1) as held:
        caller = asyncio.create_task(inside.got())
        await inside.upstream("GetRoleCredentials", done=None)
        assert await inside.ask("stop") == (0, b"")
        await inside.until(lambda: inside.app._stopping)
        held.remove()
        assert await caller
    await inside.until(lambda: inside.ended)


async def test_socket_goes_where_the_rule_leads_again(
    inside: Inside, runtime_folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before, better = Path(inside.address), runtime_folder / "back" / "agent.sock"
    monkeypatch.setattr(client, "default_address", lambda *_: os.fsencode(better))
    await inside.turn()
    assert inside.address == str(better)
    assert not before.exists()
    assert inside.machine.paths.address_record.read_text() == f"{better}\n"
    assert f"the socket has a better place; listening again at {better}" in caplog.text
    assert await inside.got()
    await inside.turn()
    assert inside.address == str(better)


async def test_another_s_socket_in_its_place_is_not_removed(machine: Machine, tripwire: BlockBuster) -> None:
    inside = Inside(machine)
    assert await inside.start()
    path = Path(inside.address)
    path.unlink()
    path.write_text("another's")
    await inside.stop()
    assert path.read_text() == "another's"


async def test_failed_start_leaves_nothing(machine: Machine, tripwire: BlockBuster, runtime_folder: Path) -> None:
    (runtime_folder / "credhelper").mkdir()
    (runtime_folder / "credhelper" / "agent.sock").write_text("mine")
    inside = Inside(machine)
    with pytest.raises(Exception, match="is there and is no socket"):
        await inside.start()
    assert singleton.is_free(machine.paths)
    assert (runtime_folder / "credhelper" / "agent.sock").read_text() == "mine"


async def test_idle_daemon_sleeps(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """With everything fresh nothing is due before the next sweep."""
    turns = 0
    act = inside.app._act

    def count() -> float:
        nonlocal turns
        turns += 1
        return act()

    await inside.got()
    await asyncio.sleep(1.0)  # until the events of the login, which inotify delays, are through
    monkeypatch.setattr(inside.app, "_act", count)
    await asyncio.sleep(2.0)
    assert turns == 0
    assert act() > 20


async def test_noise_in_the_home_folder_wakes_nobody(inside: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    """`~/.config` may not exist, and is waited for; other programs write there all day."""
    inside.machine.paths.settings.unlink()
    inside.machine.paths.settings.parent.rmdir()
    (inside.machine.paths.home / ".config").rmdir()
    await inside.until(lambda: not inside.app._dirty)
    await asyncio.sleep(1.0)
    sweeps = 0
    sweep = inside.app._sweep

    async def count() -> None:
        nonlocal sweeps
        sweeps += 1
        await sweep()

    monkeypatch.setattr(inside.app, "_sweep", count)
    for number in range(20):
        (inside.machine.paths.home / f"noise-{number}").write_text("x")
        (inside.machine.paths.aws / f"noise-{number}").write_text("x")
        await asyncio.sleep(0.05)
    await asyncio.sleep(1.0)
    assert sweeps == 0
    inside.machine.write_settings()
    await inside.until(lambda: sweeps > 0)


async def test_many_callers_at_once(inside: Inside) -> None:
    await inside.got()
    agent = Agent(inside.machine.paths)
    calls = [asyncio.to_thread(agent.call, "ping") for _ in range(30)]
    await asyncio.gather(*calls, *(inside.got() for _ in range(300)))
    assert inside.app._broker.hand_outs == 301


@pytest.mark.parametrize("how", ["stop", "signal"])
async def test_renewal_under_way_is_not_lost(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    """AWS has spent the refresh token by then; only the answer says what comes after it."""
    caplog.set_level(logging.INFO, "credhelper")
    machine.standin.configure(rotate_refresh_tokens=True)
    before = machine.token()
    inside = Inside(machine)
    assert await inside.start()
    with machine.standin.fault("CreateToken", Fault.hold(after=True), times=1) as held:
        machine.hands.forward(2500)
        await inside.turn()
        await inside.upstream("CreateToken", done=None)
        if how == "stop":
            assert await inside.ask("stop") == (0, b"")
        else:
            os.kill(os.getpid(), signal.SIGTERM)
        await inside.until(lambda: inside.ended or "waiting for the renewals" in caplog.text)
        assert not inside.ended
        assert not singleton.is_free(machine.paths)
        held.remove()
        await inside.until(lambda: inside.ended)
    assert machine.token()["refreshToken"] != before["refreshToken"]
    assert inside.app._tools.renewals == set()


async def test_renewal_that_waits_for_the_token_s_lock_is_not_sent_once_the_end_has_begun(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "credhelper")
    inside = Inside(machine)
    assert await inside.start()
    before, lock = machine.token(), machine.cache.lock("corp")
    await asyncio.to_thread(lock.__enter__)
    try:
        machine.hands.forward(2500)
        await inside.turn()
        await inside.until(lambda: inside.keeper.renewing)
        inside.app._stop_soon()
        await inside.until(lambda: "waiting for the renewals" in caplog.text)
    finally:
        await asyncio.to_thread(lock.__exit__, None, None, None)
    await inside.until(lambda: inside.ended)
    assert inside.calls("CreateToken") == 0
    assert machine.token() == before


async def test_renewal_that_hangs_does_not_hold_up_the_end_for_ever(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_RENEWALS_END_WITHIN", 0.1)
    inside = Inside(machine)
    assert await inside.start()
    with machine.standin.fault("CreateToken", Fault.hold(), times=1) as held:
        machine.hands.forward(2500)
        await inside.turn()
        await inside.upstream("CreateToken", done=None)
        await inside.stop()
        assert "stopping without it" in caplog.text
        assert singleton.is_free(machine.paths)
        held.remove()
        await inside.until(lambda: not inside.keeper.renewing)


async def test_nothing_is_renewed_once_it_stops(machine: Machine, tripwire: BlockBuster) -> None:
    inside = Inside(machine)
    assert await inside.start()
    await inside.stop()
    machine.hands.forward(2500)
    await inside.keeper.renew()
    assert inside.calls("CreateToken") == 0


async def test_leftovers_of_a_killed_process_are_removed(machine: Machine, tripwire: BlockBuster) -> None:
    folder = machine.paths.token_cache
    for name in (".credhelper-old", ".credhelper-new", ".another-old", "old.json"):
        (folder / name).write_text("{}")
        if "old" in name:
            os.utime(folder / name, (0, 0))
    (folder / ".credhelper-folder").mkdir()
    inside = Inside(machine)
    assert await inside.start()
    left = {path.name for path in folder.iterdir()} - {machine.token_file.name}
    assert left == {".credhelper-new", ".another-old", "old.json", ".credhelper-folder"}
    await inside.stop()


# --- what cannot be foreseen in one file ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["startUrl", "clientId", "region"])
async def test_half_a_character_in_a_token_file_keeps_nobody_from_starting(
    machine: Machine, tripwire: BlockBuster, name: str
) -> None:
    machine.token_file.unlink()
    for file in ("0.json", machine.token_file.name):
        content = {"accessToken": "x", "expiresAt": "2099-01-01T00:00:00Z", name: "\ud800"}
        (machine.paths.token_cache / file).write_text(json.dumps(content))
    inside = Inside(machine)
    assert await inside.start()
    assert inside.state == ("logged_out" if name == "startUrl" else "active")
    machine.log_in()
    assert await inside.got()
    await inside.stop()


async def test_surprise_in_one_session_is_that_session_s_problem(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")
    machine.write_config(section(lab))
    find = TokenCache.find

    def fail_for_lab(self: TokenCache, session: Session, *args: Any, **options: Any) -> Any:
        if session.name == "lab":
            raise ZeroDivisionError
        return find(self, session, *args, **options)

    inside = Inside(machine)
    with monkeypatch.context() as patch:
        patch.setattr(TokenCache, "find", fail_for_lab)
        assert await inside.start()
        for _ in range(3):
            await inside.turn()
            assert "cannot be read in an unforeseen way" in await inside.refused(3, session="lab")
        assert await inside.got()
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    caplog.clear()
    machine.log_in(lab)
    await inside.turn()
    assert {session["state"] for session in (await inside.status())["sessions"]} == {"active"}
    await inside.stop()


async def test_surprise_in_the_config_does_not_keep_it_from_starting(
    machine: Machine, tripwire: BlockBuster, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: World) -> bool:
        raise ZeroDivisionError

    inside = Inside(machine)
    with monkeypatch.context() as patch:
        patch.setattr(World, "refresh", fail)
        assert await inside.start()
        await inside.turn()
    assert caplog.text.count("the AWS config cannot be read in an unforeseen way") == 1
    caplog.clear()
    await inside.turn()
    assert await inside.got()
    await inside.stop()


async def test_surprise_of_one_session_keeps_no_other_waiting(
    inside: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of one that was looked at before it; and it is news again once all was well."""
    caplog.set_level(logging.INFO, "credhelper")
    lab = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")
    inside.machine.config.write_text(section(lab) + inside.machine.config.read_text())
    inside.machine.log_in(lab)
    url = inside.machine.standin.url
    with inside.machine.paths.settings.open("a") as settings:
        settings.write(f'[sessions.lab]\noidc = "{url}"\nportal = "{url}"\n')
    await inside.turn()
    due = Keeper.renewal_due

    def fail_for_lab(self: Keeper) -> bool:
        if self.session.name == "lab":
            raise ZeroDivisionError
        return due(self)

    inside.app._keepers = dict(sorted(inside.app._keepers.items(), key=lambda item: item[1].session.name != "lab"))
    for renewals in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(Keeper, "renewal_due", fail_for_lab)
            await inside.got()
            inside.machine.hands.forward(2500)
            for _ in range(3):
                await inside.turn()
            await inside.until(lambda renewals=renewals: inside.keeper.renewals == renewals)  # type: ignore[misc]
            # Role credentials are seen to as well.
            await inside.until(lambda renewals=renewals: inside.app._broker.fetches > renewals)  # type: ignore[misc]
        assert caplog.text.count("what is due could not be seen to") == renewals
        await inside.turn()
        (other,) = (keeper for keeper in inside.app._keepers.values() if keeper.session.name == "lab")
        await inside.until(lambda other=other, renewals=renewals: other.renewals == renewals)  # type: ignore[misc]


async def test_surprise_of_a_sweep_is_news_again_once_all_was_well(
    inside: Inside, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    for times in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(inside.app, "_watch", fail)
            for _ in range(2):
                swept_at = inside.app._swept_at
                inside.app._disk_changed()
                await inside.until(lambda swept_at=swept_at: inside.app._swept_at != swept_at)  # type: ignore[misc]
            await inside.until(lambda: not inside.app._sweeping.locked())
        assert caplog.text.count("a look at the disk failed") == times
        swept_at = inside.app._swept_at
        inside.app._disk_changed()
        await inside.until(lambda swept_at=swept_at: inside.app._swept_at != swept_at)  # type: ignore[misc]
        await inside.until(lambda: not inside.app._troubles["sweep"]._said)
