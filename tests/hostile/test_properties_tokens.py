"""Any bytes in the files of the token cache and of our records: an error value, and a daemon that goes on."""

from __future__ import annotations

import contextlib
import json
import tempfile
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper.agent import Agent
from credhelper.aws import tokens
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.errors import TokenUnreadable
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import StandIn
from fuzz import targets
from fuzz.targets import tokens as target
from tests.machine import Machine

NOW = target.NOW
SESSION = Session("corp", "https://d-1.awsapps.com/start/", "eu-west-1")
FIELDS = [*target._TOKEN, *target._RECORD, "vendor"]
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from([10**400, "2027-01-15T08:00:00Z", "0001-01-01T00:00:00Z", SESSION.start_url, "https://["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
almost = st.builds(
    lambda base, changes: json.dumps({**base, **changes}).encode(),
    st.sampled_from([target._TOKEN, target._RECORD]),
    st.dictionaries(st.sampled_from(FIELDS), json_values, max_size=4),
)
torn = st.builds(lambda data, at: data[:at], almost, st.integers(0, 400))


@settings(max_examples=300)
@given(st.binary() | almost | torn)
def test_one_file(data: bytes) -> None:
    target.one(data)


@settings(max_examples=40)
@given(st.lists(st.binary() | almost | torn, min_size=1, max_size=4))
def test_a_folder_of_them(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as top, mock.patch.object(tokens, "_PATIENCE", 0.0):
        cache = TokenCache(Path(top), Path(top) / "locks")
        for number, content in enumerate(contents):
            name = cache.path(SESSION.name) if number == 0 else Path(top) / f"{number}.json"
            name.write_bytes(content)
        for path, token in cache.all():
            assert path.suffix == ".json"
            LoginRecords(Path(top)).matching(token)
        with contextlib.suppress(TokenUnreadable):
            found = cache.find(SESSION, NOW)
            assert found is None or found.token.access_token


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """A home folder with one session, before its first login."""
    made = Machine(paths, standin)
    made.set_up()
    return made


@pytest.mark.parametrize("case", [path.name for path in targets.cases("tokens")])
def test_a_running_daemon_goes_on(machine: Machine, daemon: Agent, case: str) -> None:
    """What the fuzzer found, where the daemon looks: as the session's token, as another's, and as a record."""
    content = (targets.CASES / "tokens" / case).read_bytes()
    for path in (
        machine.token_file,
        machine.cache.folder / "other.json",
        machine.paths.state / "logins" / "0.json",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    daemon.call("reload", timeout=20)
    (session,) = daemon.status(timeout=20)["sessions"]
    assert session["state"] in {"active", "expiring", "expired", "logged_out"}
    machine.log_in()
    daemon.call("reload", timeout=20)
    (session,) = daemon.status(timeout=20)["sessions"]
    assert session["state"] == "active"
