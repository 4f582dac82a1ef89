from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.aws import directory
from credhelper.aws.directory import Directory, KnownAccount, account_name, decode, encode, read_directory
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths

CORP = Session("corp", "https://d-93670bd35a.awsapps.com/start/", "eu-west-1")
ADMIN = KnownAccount("100000000001", "Alpha", "alpha@example.com", ("Admin", "ReadOnly"))
EMPTY = KnownAccount("100000000002", "", "", ())
UNLISTED = KnownAccount("100000000003", "Gämma", "c@example.com", None)
WHOLE = Directory((ADMIN, EMPTY), complete=True, listed_at=1_800_000_000.5)
PART = Directory((ADMIN, UNLISTED), complete=False, listed_at=1_800_000_000.0)


def write(paths: Paths, found: Directory, session: Session = CORP) -> None:
    directory.write_directory(paths, session, encode(found), complete=found.complete)


def file_of(paths: Paths) -> Path:
    (found,) = (paths.state / "accounts").iterdir()
    return found


def test_nothing_is_known(paths: Paths) -> None:
    assert read_directory(paths, CORP) is None
    assert account_name(paths, CORP, ADMIN.account_id) is None
    assert not paths.state.exists()


def test_whole_list(paths: Paths) -> None:
    write(paths, WHOLE)
    assert read_directory(paths, CORP) == WHOLE
    assert account_name(paths, CORP, ADMIN.account_id) == "Alpha"
    assert account_name(paths, CORP, EMPTY.account_id) is None
    assert account_name(paths, CORP, "100000000009") is None
    assert stat.S_IMODE(file_of(paths).stat().st_mode) == 0o600
    assert stat.S_IMODE(file_of(paths).parent.stat().st_mode) == 0o700


def test_part_of_a_list_serves_until_a_whole_one_is_there(paths: Paths) -> None:
    write(paths, PART)
    assert read_directory(paths, CORP) == directory.unfinished(paths, CORP) == PART
    write(paths, WHOLE)
    assert read_directory(paths, CORP) == WHOLE
    assert directory.unfinished(paths, CORP) is None
    write(paths, PART)
    assert read_directory(paths, CORP) == WHOLE
    directory.forget_unfinished(paths, CORP)
    directory.forget_unfinished(paths, CORP)
    assert directory.unfinished(paths, CORP) is None


def test_whole_list_that_cannot_be_written_ends_the_part(paths: Paths) -> None:
    """What comes next is asked for anew, not taken from an old part."""
    write(paths, PART)
    file_of(paths).with_suffix("").with_suffix(".json").mkdir()
    with pytest.raises(CredhelperError, match="not a regular file"):
        write(paths, WHOLE)
    assert directory.unfinished(paths, CORP) is None


def test_each_session_has_its_own(paths: Paths) -> None:
    write(paths, WHOLE)
    assert read_directory(paths, replace(CORP, start_url="https://other.awsapps.com/start")) is None
    assert read_directory(paths, replace(CORP, name="other")) is None
    # Another way to write the same address is the same session.
    assert read_directory(paths, replace(CORP, start_url="https://D-93670bd35a.awsapps.com/start#/")) == WHOLE
    assert read_directory(paths, replace(CORP, name="a\udcff")) is None


def test_how_long_a_list_counts() -> None:
    assert WHOLE.recent(WHOLE.listed_at)
    assert WHOLE.recent(WHOLE.listed_at + directory.CURRENT_FOR - 1)
    assert not WHOLE.recent(WHOLE.listed_at + directory.CURRENT_FOR)
    assert not WHOLE.recent(WHOLE.listed_at - 1)


def damaged(**changes: Any) -> bytes:
    return json.dumps({**json.loads(encode(WHOLE)), **changes}).encode()


ENTRY = {"id": "100000000001", "name": "a", "email": "b", "roles": ["Admin"]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        damaged(schema=2),
        damaged(listed_at="then"),
        damaged(listed_at=float("nan")),
        damaged(listed_at=-1),
        damaged(listed_at=1e300),
        damaged(accounts=7),
        damaged(accounts=[7]),
        damaged(accounts=[{}]),
        damaged(accounts=[ENTRY, ENTRY]),
        damaged(accounts=[{**ENTRY, "id": "1"}]),
        damaged(accounts=[{**ENTRY, "id": 100000000001}]),
        damaged(accounts=[{**ENTRY, "name": None}]),
        damaged(accounts=[{**ENTRY, "name": "a\x1b[2J"}]),
        damaged(accounts=[{**ENTRY, "name": "\ud800"}]),
        damaged(accounts=[{**ENTRY, "email": "a\nb"}]),
        damaged(accounts=[{**ENTRY, "email": "a" * 257}]),
        damaged(accounts=[{**ENTRY, "roles": 7}]),
        damaged(accounts=[{**ENTRY, "roles": "Admin"}]),
        damaged(accounts=[{**ENTRY, "roles": {"Admin": 1}}]),
        damaged(accounts=[{**ENTRY, "roles": [7]}]),
        damaged(accounts=[{**ENTRY, "roles": [""]}]),
        damaged(accounts=[{**ENTRY, "roles": ["a\nb"]}]),
        damaged(accounts=[{**ENTRY, "roles": ["a" * 300]}]),
    ],
)
def test_damage_counts_as_nothing_known(paths: Paths, data: bytes) -> None:
    write(paths, WHOLE)
    file_of(paths).write_bytes(data)
    assert read_directory(paths, CORP) is None
    assert account_name(paths, CORP, ADMIN.account_id) is None


def test_list_with_gaps_is_never_a_whole_one() -> None:
    found = decode(damaged(accounts=[{**ENTRY, "roles": None}]))
    assert found is not None
    assert not found.complete
    found = decode(damaged(complete="yes"))
    assert found is not None
    assert not found.complete


@pytest.mark.parametrize("what", ["a folder", "a FIFO", "a link to itself"])
def test_what_is_no_file_counts_as_nothing_known(paths: Paths, what: str) -> None:
    write(paths, WHOLE)
    file = file_of(paths)
    file.unlink()
    if what == "a folder":
        file.mkdir()
    elif what == "a FIFO":
        os.mkfifo(file)
    else:
        file.symlink_to(file)
    assert read_directory(paths, CORP) is None


TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20)
ACCOUNTS = st.builds(
    KnownAccount,
    st.from_regex("[0-9]{12}", fullmatch=True).filter(str.isascii),
    TEXTS,
    TEXTS,
    st.none() | st.lists(TEXTS.filter(bool), max_size=3).map(tuple),
)


@given(st.lists(ACCOUNTS, max_size=5, unique_by=lambda known: known.account_id), st.floats(0, 2e9))
def test_what_is_written_is_read(accounts: list[KnownAccount], listed_at: float) -> None:
    complete = all(known.roles is not None for known in accounts)
    found = Directory(tuple(accounts), complete, listed_at)
    assert decode(encode(found)) == found


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(data: bytes) -> None:
    assert decode(data) is None
