"""Client registrations between logins."""

from __future__ import annotations

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from credhelper.aws.login.flow import Method
from credhelper.aws.login.registration import LEAST_LEFT, Registrations, Wanted
from credhelper.dates import format_date
from credhelper.model import Endpoints
from credhelper.standin.browser import visit
from tests.aws.login.conftest import Desk
from tests.aws.login.people import Person


@pytest.fixture
def wanted(desk: Desk) -> Wanted:
    return Wanted(desk.session, desk.session.scopes, ("refresh_token",))


@pytest.fixture
def registrations(desk: Desk) -> Registrations:
    return Registrations(desk.cache.folder, desk.clock)


def made(desk: Desk) -> int:
    return len(desk.standin.calls("RegisterClient"))


def file_of(desk: Desk, registrations: Registrations, wanted: Wanted) -> Path:
    return registrations.path(wanted, desk.center.endpoints.oidc)


def test_it_is_kept_and_used_again(desk: Desk, registrations: Registrations, wanted: Wanted) -> None:
    first = registrations.get(desk.center, wanted)
    assert registrations.get(desk.center, wanted) == first
    assert made(desk) == 1
    path = file_of(desk, registrations, wanted)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(json.loads(path.read_bytes())) == {"clientId", "clientSecret", "expiresAt", "scopes", "grantTypes"}


def test_a_mode_that_others_loosened_is_tightened(desk: Desk, registrations: Registrations, wanted: Wanted) -> None:
    registrations.get(desk.center, wanted)
    path = file_of(desk, registrations, wanted)
    path.chmod(0o644)
    registrations.get(desk.center, wanted, fresh=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(("method", "count"), [(Method.DEVICE, 1), (Method.PKCE, 2)])
def test_two_logins(desk: Desk, method: Method, count: int) -> None:
    """One that AWS has dropped is answered by an error with a device code, but by a page in the browser alone."""
    with Person(at_page=visit, at_code=lambda _, complete: visit(complete)) as person:
        desk.log_in(person, method)
        desk.log_in(person, method)
    assert made(desk) == count


def test_each_method_has_its_own(desk: Desk) -> None:
    with Person(at_page=visit, at_code=lambda _, complete: visit(complete)) as person:
        desk.log_in(person)
        desk.log_in(person, Method.DEVICE)
    assert made(desk) == 2


def test_it_is_no_token(desk: Desk, registrations: Registrations, wanted: Wanted) -> None:
    registrations.get(desk.center, wanted)
    assert list(desk.cache.all()) == []


def test_one_that_ends_soon_is_replaced(desk: Desk, registrations: Registrations, wanted: Wanted) -> None:
    registrations.get(desk.center, wanted)
    path = file_of(desk, registrations, wanted)
    content = json.loads(path.read_bytes())
    for left, count in ((LEAST_LEFT + 60, 1), (LEAST_LEFT - 60, 2)):
        path.write_text(json.dumps({**content, "expiresAt": format_date(desk.clock.now() + left)}))
        registrations.get(desk.center, wanted)
        assert made(desk) == count


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"clientId": 1, "clientSecret": "x", "expiresAt": "2099-01-01T00:00:00Z"}',
        b'{"clientId": "", "clientSecret": "x", "expiresAt": "2099-01-01T00:00:00Z"}',
        b'{"clientId": "x", "clientSecret": "x", "expiresAt": 1}',
        b'{"clientId": "x", "clientSecret": "x"}',
    ],
)
def test_garbage_counts_as_none(desk: Desk, registrations: Registrations, wanted: Wanted, garbage: bytes) -> None:
    path = file_of(desk, registrations, wanted)
    path.parent.mkdir(parents=True)
    path.write_bytes(garbage)
    registrations.get(desk.center, wanted)
    assert made(desk) == 1
    registrations.get(desk.center, wanted)
    assert made(desk) == 1


def test_one_that_cannot_be_kept_still_serves(desk: Desk, registrations: Registrations, wanted: Wanted) -> None:
    file_of(desk, registrations, wanted).mkdir(parents=True)
    assert registrations.get(desk.center, wanted).client_id


def test_names_differ_wherever_a_registration_must(registrations: Registrations, wanted: Wanted) -> None:
    session = wanted.session
    others = [
        wanted,
        replace(wanted, session=replace(session, start_url="https://other.awsapps.com/start")),
        replace(wanted, session=replace(session, region="us-east-1")),
        replace(wanted, scopes=("sso:account:access", "x:y")),
        replace(wanted, grant_types=()),
        replace(wanted, redirect_uris=("http://127.0.0.1/oauth/callback",)),
    ]
    names = {registrations.path(other, None) for other in others}
    assert len(names) == len(others)
    assert registrations.path(wanted, Endpoints(oidc="http://127.0.0.1:1").oidc) not in names
    assert registrations.path(replace(wanted, session=replace(session, name="other")), None) in names
