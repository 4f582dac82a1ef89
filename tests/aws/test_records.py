from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.aws.records import LoginRecord, LoginRecords
from credhelper.model import Endpoints, Token

TOKEN = Token("hush1", 5000.0, None, "eu-west-1", "hush2", "hush-client", "hush3", lifetime=3600.0)
ENDPOINTS = Endpoints(oidc="http://127.0.0.1:1", portal="https://x", sts=None)
RECORD = LoginRecord.of(TOKEN, ENDPOINTS, 1400.0)


@pytest.fixture
def records(home: Path) -> LoginRecords:
    return LoginRecords(home / "state" / "logins")


def the_file(home: Path) -> Path:
    (path,) = (home / "state" / "logins").iterdir()
    return path


def test_round_trip(records: LoginRecords) -> None:
    assert records.read("s") is None
    records.write("s", RECORD)
    assert records.read("s") == RECORD
    assert records.read("S") is None


def test_record_holds_what_was_fetched() -> None:
    assert RECORD.endpoints == ENDPOINTS
    assert (RECORD.logged_in_at, RECORD.lifetime, RECORD.expires_at) == (1400.0, 3600.0, 5000.0)


def test_file_is_private_and_holds_no_secret(records: LoginRecords, home: Path) -> None:
    records.write("../s", RECORD)
    path = the_file(home)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    assert "hush" not in text


def test_record_belongs_to_the_renewals_of_its_login() -> None:
    renewed = Token("new", 9000.0, None, None, "rt2", "hush-client", "secret")
    assert RECORD.matches(renewed)
    assert not RECORD.matches(Token("at", 5000.0, None, None, "rt", "other", "secret"))
    assert not RECORD.matches(Token("at", 5000.0, None, None))


def test_record_of_a_token_without_client_matches_nothing() -> None:
    bare = Token("at", 5000.0, None, None)
    assert not LoginRecord.of(bare, ENDPOINTS, 0.0).matches(bare)


def test_remove(records: LoginRecords) -> None:
    records.write("s", RECORD)
    records.remove("s")
    records.remove("s")
    assert records.read("s") is None


@given(
    st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda x: json.dumps(x).encode())
)
def test_garbage_counts_as_none(data: bytes) -> None:
    import tempfile  # noqa: PLC0415 - a folder for each example

    with tempfile.TemporaryDirectory() as folder:
        records = LoginRecords(Path(folder))
        records.write("s", RECORD)
        (path,) = Path(folder).iterdir()
        path.write_bytes(data)
        assert records.read("s") is None


@pytest.mark.parametrize("name", ["client", "endpoints", "logged_in_at", "lifetime", "expires_at"])
@pytest.mark.parametrize("value", [None, [], {}, "x", 10**400, float("nan"), float("inf"), -1.0, 1e300])
def test_damaged_field_never_raises(records: LoginRecords, home: Path, name: str, value: object) -> None:
    records.write("s", RECORD)
    content = json.loads(the_file(home).read_bytes())
    content[name] = value
    the_file(home).write_text(json.dumps(content))
    damaged = records.read("s")
    assert damaged is None or name in {"client", "endpoints"}
    del content[name]
    the_file(home).write_text(json.dumps(content))
    assert LoginRecords(home / "state" / "logins").read("s") is None


@pytest.mark.parametrize("data", [b"", b"{}", b"half of a rec"])
def test_one_that_was_read_counts_when_it_is_garbled(records: LoginRecords, home: Path, data: bytes) -> None:
    """Else a token of other endpoints would go to AWS's own."""
    records.write("s", RECORD)
    assert records.read("s") == RECORD
    the_file(home).write_bytes(data)
    assert records.read("s") == RECORD
    records.remove("s")
    assert records.read("s") is None


def test_endpoint_of_the_wrong_kind_is_none(records: LoginRecords, home: Path) -> None:
    records.write("s", RECORD)
    content = json.loads(the_file(home).read_bytes())
    content["endpoints"]["oidc"] = 7
    the_file(home).write_text(json.dumps(content))
    damaged = records.read("s")
    assert damaged is None or damaged.endpoints.oidc is None


def test_fifo_in_its_place_counts_as_none(records: LoginRecords, home: Path) -> None:
    records.write("s", RECORD)
    path = the_file(home)
    path.unlink()
    os.mkfifo(path)
    assert records.read("s") is None
