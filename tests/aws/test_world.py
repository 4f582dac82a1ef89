from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import pytest

from credhelper import resources
from credhelper.aws import world as world_module
from credhelper.aws.config import ConfigFile, read_config
from credhelper.aws.world import World
from credhelper.errors import ConfigError
from credhelper.model import Session
from credhelper.paths import Paths
from tests.machine import profile, section
from tests.support import Processes

CORP = Session("corp", "https://d-1.awsapps.com/start", "eu-west-1")
CORP_2 = Session("corp", "https://d-2.awsapps.com/start", "eu-west-2")
LAB = Session("lab", "https://d-3.awsapps.com/start", "eu-west-1")


@pytest.fixture
def config(paths: Paths) -> Path:
    path = paths.aws / "config"
    path.parent.mkdir()
    path.write_text(section(CORP) + profile("dev", paths, "corp"))
    return path


def seen(paths: Paths) -> World:
    world = World(paths)
    world.refresh()
    return world


def test_nothing_there(paths: Paths) -> None:
    world = seen(paths)
    assert world.sessions() == []
    assert world.profiles() == []
    assert world.files == [paths.aws / "config"]
    assert world.problems == {}
    assert world.session_named("corp") is None


def test_sessions_and_profiles(paths: Paths, config: Path) -> None:
    world = seen(paths)
    assert world.sessions() == [CORP]
    assert [(found.name, found.session, found.managed) for found in world.profiles()] == [("dev", CORP, True)]
    assert world.session_named("corp") == CORP
    assert world.session_named("lab") is None


def test_what_each_profile_needs(paths: Paths, config: Path) -> None:
    """A role that is assumed from a session's profile needs that session; keys of one's own need none."""
    with config.open("a") as file:
        file.write("[profile chained]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = dev\n\n")
        file.write("[profile keys]\naws_access_key_id = A\naws_secret_access_key = S\n")
    other = paths.home / "other"
    other.write_text(section(LAB) + profile("dev", paths, "lab"))
    resources.remember_config(paths, other)
    world = seen(paths)
    assert world.needs() == {config: {"dev": CORP, "chained": CORP}, other: {"dev": LAB}}
    known = world.generation
    assert not world.refresh()
    assert world.generation == known
    other.unlink()
    assert world.refresh()
    assert world.generation != known
    assert world.needs()[other] == {}


def test_only_what_changed_is_read_again(paths: Paths, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = seen(paths)
    assert not world.refresh()
    config.write_text(section(LAB))
    assert world.refresh()
    assert world.sessions() == [LAB]
    monkeypatch.setattr("credhelper.aws.world.read_config", lambda path: pytest.fail("read without need"))
    assert not world.refresh()


def test_static_keys_in_the_credentials_file_are_noticed(paths: Paths, config: Path) -> None:
    world = seen(paths)
    (paths.aws / "credentials").write_text("[dev]\naws_access_key_id = A\naws_secret_access_key = S\n")
    assert world.refresh()
    assert world.profiles()[0].shadowed_by
    (paths.aws / "credentials").unlink()
    (paths.aws / "credentials").mkdir()
    assert world.refresh()
    assert not world.profiles()[0].shadowed_by


@pytest.mark.parametrize("garbage", [b"", b"\n\n", b"\0\xff\xfe{]", b"no section at all", b"# all a comment\n"])
def test_a_file_that_turns_to_nothing_or_garbage_keeps_what_it_said(
    paths: Paths, config: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    whole = config.read_bytes()
    world = seen(paths)
    for _ in range(3):
        config.write_bytes(garbage)
        os.utime(config, ns=(0, config.stat().st_mtime_ns + 1))
        world.refresh()
        assert world.sessions() == [CORP]
        assert len(world.profiles()) == 1
    assert list(world.problems) == [config]
    assert len([record for record in caplog.records if record.levelno == logging.WARNING]) == 1
    config.write_bytes(whole)
    assert world.refresh()
    assert world.problems == {}
    assert world.sessions() == [CORP]


def test_a_file_that_cannot_be_read_keeps_what_it_said(paths: Paths, config: Path) -> None:
    world = seen(paths)
    config.unlink()
    config.mkdir()
    world.refresh()
    assert world.sessions() == [CORP]
    assert "not a regular file" in world.problems[config]
    config.rmdir()
    os.mkfifo(config)
    world.refresh()
    assert world.sessions() == [CORP]


def test_a_file_that_never_said_anything_may_be_garbage(paths: Paths) -> None:
    paths.aws.mkdir()
    (paths.aws / "config").write_bytes(b"\0\xff")
    world = seen(paths)
    assert world.sessions() == []
    assert world.problems == {}


def test_what_was_taken_out_is_gone(paths: Paths, config: Path) -> None:
    world = seen(paths)
    config.write_text("[profile other]\nregion = x\n")
    world.refresh()
    assert world.sessions() == []
    config.unlink()
    world.refresh()
    assert world.profiles() == []


# --- several files --------------------------------------------------------------------------------------------------


@pytest.fixture
def second(paths: Paths, config: Path, home: Path) -> Path:
    path = home / "elsewhere" / "aws-config"
    path.parent.mkdir()
    path.write_text(section(CORP_2) + section(LAB) + profile("dev", paths, "lab") + profile("ci", paths, "corp"))
    resources.remember_config(paths, path)
    return path


def test_the_caller_s_config_decides_which_session_of_a_name(paths: Paths, config: Path, second: Path) -> None:
    world = seen(paths)
    assert world.files == [config, second]
    assert world.sessions() == [CORP, CORP_2, LAB]
    assert world.session_named("corp") == CORP
    assert world.session_named("corp", str(config)) == CORP
    assert world.session_named("corp", str(second)) == CORP_2
    assert world.session_named("lab", str(config)) == LAB


@pytest.mark.parametrize("named", ["/nobody/knows/it", "nobody-knows-it", "~/nobody-knows-it", "~nobody/config"])
def test_unknown_config_leaves_no_guess(paths: Paths, config: Path, second: Path, named: str) -> None:
    world = seen(paths)
    with pytest.raises(ConfigError, match=r"disagree on \[sso-session corp\].*Run, with the same AWS_CONFIG_FILE"):
        world.session_named("corp", named)
    assert world.session_named("lab", named) == LAB
    second.write_text(section(CORP))
    world.refresh()
    assert world.session_named("corp", named) == CORP


@pytest.mark.parametrize(
    ("named", "folder"),
    [
        ("~/elsewhere/aws-config", None),
        ("~/elsewhere/../elsewhere//aws-config", "/"),
        ("aws-config", "elsewhere"),
        ("../elsewhere/aws-config", ".aws"),
        ("./elsewhere/aws-config", ""),
    ],
)
def test_config_as_the_caller_writes_it(
    paths: Paths, config: Path, second: Path, home: Path, named: str, folder: str | None
) -> None:
    at = None if folder is None else str(home / folder)
    assert seen(paths).session_named("corp", named, at) == CORP_2


def test_surprise_in_one_config_harms_no_other(
    paths: Paths, config: Path, second: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    read = read_config

    def fail_for_one(path: Path) -> ConfigFile:
        if path == second:
            raise ZeroDivisionError
        return read(path)

    monkeypatch.setattr(world_module, "read_config", fail_for_one)
    world = seen(paths)
    assert world.sessions() == [CORP]
    assert "ZeroDivisionError" in world.problems[second]


def test_of_two_profiles_of_a_name_the_first_file_s_is_shown(paths: Paths, config: Path, second: Path) -> None:
    profiles = {found.name: found.session for found in seen(paths).profiles()}
    assert profiles == {"dev": CORP, "ci": CORP_2}


def test_a_command_sees_its_own_config_first(
    paths: Paths, config: Path, second: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert World.of(paths, {"AWS_CONFIG_FILE": str(second)}).files == [second, config]
    monkeypatch.chdir(second.parent)
    assert World.of(paths, {"AWS_CONFIG_FILE": "aws-config"}).session_named("corp") == CORP_2
    assert World.of(paths, {"AWS_CONFIG_FILE": "~/elsewhere/aws-config"}).session_named("corp") == CORP_2
    assert World.of(paths, {}).session_named("corp") == CORP


WITHOUT_A_FOLDER = """
import os
from credhelper.aws.world import World
from credhelper.paths import Paths
os.rmdir(os.getcwd())
print([session.name for session in World.of(Paths.of(), {}).sessions()])
"""


def test_a_command_s_folder_may_be_gone(paths: Paths, config: Path, home: Path, processes: Processes) -> None:
    (home / "gone").mkdir()
    process = processes.python("-P", "-c", WITHOUT_A_FOLDER, cwd=home / "gone", stdout=-1, text=True)
    assert process.communicate(timeout=30)[0] == "['corp']\n"
    (home / "gone").mkdir()
    environ = {**os.environ, "AWS_CONFIG_FILE": "relative"}
    code = WITHOUT_A_FOLDER.replace("{}", "os.environ")
    process = processes.python("-P", "-c", code, cwd=home / "gone", env=environ, stderr=-1, text=True)
    assert "CredhelperError: the working folder is gone" in process.communicate(timeout=30)[1]


def test_one_broken_file_does_not_take_the_others_along(paths: Paths, config: Path, second: Path) -> None:
    config.write_bytes(b"\xff\0")
    assert seen(paths).session_named("corp") == CORP_2


def test_damaged_list_of_files(paths: Paths, config: Path) -> None:
    paths.state.mkdir(parents=True)
    (paths.state / "configs").write_bytes(b"/x\0y\nrelative\n\xff\n/nonexistent/\xff\n")
    world = seen(paths)
    assert world.sessions() == [CORP]
    assert world.files[0] == config


def test_legacy_sessions_are_no_name_for_a_helper_line(paths: Paths) -> None:
    paths.aws.mkdir()
    (paths.aws / "config").write_text(
        "[profile old]\nsso_start_url = https://d-9.awsapps.com/start\nsso_region = eu-west-1\n"
        "sso_account_id = 1\nsso_role_name = R\n"
    )
    world = seen(paths)
    (legacy,) = world.sessions()
    assert legacy.legacy
    assert world.session_named(legacy.name) is None
    assert world.session_named(legacy.name, str(paths.aws / "config")) is None


def test_it_may_be_read_while_it_is_refreshed(paths: Paths, config: Path) -> None:
    world = seen(paths)
    done = threading.Event()

    def refresh() -> None:
        paths.state.mkdir(parents=True)
        for number in range(40):
            (paths.state / "configs").write_text("".join(f"/nowhere/{n}\n" for n in range(number)))
            world.refresh()
        done.set()

    thread = threading.Thread(target=refresh)
    thread.start()
    while not done.is_set():
        assert world.session_named("corp") == CORP
        assert len(world.profiles()) == 1
    thread.join()
