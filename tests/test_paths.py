from __future__ import annotations

import os
from pathlib import Path

import pytest

from credhelper import client
from credhelper.errors import CredhelperError
from credhelper.paths import Paths


def test_everything_lies_under_home(paths: Paths, home: Path) -> None:
    for path in (paths.token_cache, paths.helper, paths.state, paths.address_record, paths.log, paths.settings):
        assert path.is_relative_to(home)
    assert paths.token_cache == home / ".aws" / "sso" / "cache"
    assert paths.helper == home / ".local" / "share" / "credhelper" / "credential-process"


def test_xdg_variables_move_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = Paths.of()
    for name in ("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/nowhere")
    assert Paths.of() == before == Paths(home)


@pytest.mark.parametrize("value", [None, "", "relative", "~"])
def test_home_must_be_absolute(value: str | None) -> None:
    with pytest.raises(CredhelperError, match="HOME is not set to an absolute path"):
        Paths.of({} if value is None else {"HOME": value})


def test_trailing_slash_is_the_same_home() -> None:
    assert Paths.of({"HOME": "/home/b/"}) == Paths.of({"HOME": "/home/b"})
    assert Paths.of({"HOME": "/"}).home == Path("/")


def test_home_that_is_not_utf8() -> None:
    paths = Paths.of({"HOME": "/home/\udcff"})
    assert os.fsencode(paths.state) == b"/home/\xff/.local/state/credhelper"


def test_lock_and_address_bear_the_host(paths: Paths) -> None:
    host = client.host_id().decode()
    assert host
    assert host in paths.address_record.name
    assert paths.daemon_lock == paths.address_record.with_suffix(".lock")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "/h/.aws/config"),
        ("", "/h/.aws/config"),
        ("/x/y", "/x/y"),
        ("~/c", "/h/c"),
        ("~", "/h"),
        ("~other/c", "~other/c"),
        ("c", "c"),
    ],
)
def test_config_file(value: str | None, expected: str) -> None:
    environ = {} if value is None else {"AWS_CONFIG_FILE": value}
    assert Paths(Path("/h")).config_file(environ) == Path(expected)


def test_credentials_file() -> None:
    paths = Paths(Path("/h"))
    assert paths.credentials_file({"AWS_CONFIG_FILE": "/x"}) == Path("/h/.aws/credentials")
    assert paths.credentials_file({"AWS_SHARED_CREDENTIALS_FILE": "/y"}) == Path("/y")


def test_own_home_is_accepted(paths: Paths) -> None:
    paths.check_owner()


def test_home_of_another_is_refused(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    uid = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    with pytest.raises(CredhelperError, match="HOME belongs to another user") as caught:
        paths.check_owner()
    assert caught.value.remedy == "Run without sudo, or with `sudo -H`"


def test_home_that_is_not_there_is_refused() -> None:
    with pytest.raises(CredhelperError, match="cannot be used"):
        Paths(Path("/nonexistent/home")).check_owner()
