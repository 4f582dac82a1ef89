"""Login with PKCE against the real stand-in."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import replace
from typing import NoReturn
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import pytest

from credhelper.aws import draft
from credhelper.aws.login import flow
from credhelper.aws.login.failures import LoginFailed
from credhelper.aws.login.flow import Method, Pace
from credhelper.aws.login.pkce import PATIENCE
from credhelper.aws.records import LoginRecords
from credhelper.errors import CredhelperError
from credhelper.model import DEFAULT_SCOPE
from credhelper.standin import DEFAULT_START_URL, Fault
from credhelper.standin.browser import visit
from tests.aws.login.conftest import Desk
from tests.aws.login.people import Person, redirect_address


def test_a_login_writes_a_token_that_can_be_renewed(desk: Desk) -> None:
    with Person(at_page=visit) as person:
        token = desk.log_in(person)
        assert "You are logged in" in str(person.seen)
        assert "<strong>corp</strong>" in str(person.seen)
    kept = desk.cache.read("corp")
    assert kept is not None
    assert replace(kept, lifetime=token.lifetime) == token
    assert token.start_url == DEFAULT_START_URL
    assert token.region == "eu-west-1"
    assert token.refreshable(desk.clock.now())
    assert token.lifetime == 3600
    assert token.expires_at == pytest.approx(desk.clock.now() + 3600, abs=30)
    assert stat.S_IMODE(desk.cache.path("corp").stat().st_mode) == 0o600
    record = desk.records.read("corp")
    assert record is not None
    assert record.matches(token)
    assert record.endpoints == desk.standin.endpoints
    assert person.ended == 1
    assert desk.standin.calls("CreateToken", detail="authorization_code")[0].error_code is None


def test_the_address_has_what_the_aws_cli_sends(desk: Desk) -> None:
    with Person(at_page=visit) as person:
        desk.log_in(person)
    parts = urlsplit(person.pages[0])
    query = parse_qs(parts.query)
    assert parts.path == "/authorize"
    assert list(query) == [
        "response_type",
        "client_id",
        "redirect_uri",
        "state",
        "code_challenge_method",
        "scopes",
        "code_challenge",
    ]
    assert query["scopes"] == [DEFAULT_SCOPE]
    assert query["code_challenge_method"] == ["S256"]
    assert query["redirect_uri"][0].startswith("http://127.0.0.1:")
    assert query["redirect_uri"][0].endswith("/oauth/callback")


def test_no_two_logins_share_state_or_challenge(desk: Desk) -> None:
    with Person(at_page=visit) as person:
        desk.log_in(person)
        desk.log_in(person)
    first, second = (parse_qs(urlsplit(page).query) for page in person.pages)
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_a_denied_login_writes_nothing_and_says_so_on_both_sides(desk: Desk) -> None:
    with Person(at_page=lambda url: visit(url, deny=True)) as person:
        with pytest.raises(LoginFailed, match="denied"):
            desk.log_in(person)
        assert "You are not logged in" in str(person.seen)
        assert "<p>The request was denied in the browser.</p>" in str(person.seen)
    assert desk.cache.read("corp") is None
    assert desk.records.read("corp") is None
    assert person.ended == 1


def test_the_browser_hears_that_the_code_could_not_be_redeemed(desk: Desk) -> None:
    desk.standin.fault("CreateToken", Fault.error("InvalidGrantException"), 1)
    with Person(at_page=visit) as person:
        with pytest.raises(LoginFailed, match="not accepted"):
            desk.log_in(person)
        assert "You are not logged in" in str(person.seen)
    assert desk.cache.read("corp") is None


def test_the_browser_hears_that_the_token_could_not_be_kept(desk: Desk) -> None:
    def meanwhile(url: str) -> object:
        desk.cache.path("corp").mkdir(parents=True)
        return visit(url)

    with Person(at_page=meanwhile) as person:
        with pytest.raises(CredhelperError):
            desk.log_in(person)
        assert "could not be kept" in str(person.seen)


@pytest.mark.parametrize("method", list(Method))
@pytest.mark.parametrize("obstacle", ["a file for the folder", "a folder for the file"])
def test_a_cache_that_cannot_be_written_is_noticed_before_anybody_is_asked(
    desk: Desk, obstacle: str, method: Method
) -> None:
    path = desk.cache.path("corp")
    if obstacle == "a folder for the file":
        path.mkdir(parents=True)
    else:
        path.parent.parent.mkdir(parents=True)
        path.parent.write_bytes(b"")
    with Person() as person, pytest.raises(CredhelperError) as refusal:
        desk.log_in(person, method)
    assert str(path.parent) in refusal.value.message
    assert refusal.value.remedy
    assert (person.pages, person.codes, desk.standin.calls()) == ([], [], [])


def access_token(desk: Desk) -> str | None:
    kept = desk.cache.read("corp")
    return None if kept is None else kept.access_token


def full(fd: int, size: int) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("method", list(Method))
def test_a_full_disk_is_noticed_before_anybody_is_asked(
    desk: Desk, method: Method, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On which an empty file can still be made."""
    monkeypatch.setattr(draft, "_make_room", full)
    with Person() as person, pytest.raises(CredhelperError, match="No space left"):
        desk.log_in(person, method)
    assert (person.pages, person.codes, desk.standin.calls()) == ([], [], [])
    assert not list(desk.cache.folder.iterdir())


def test_room_for_the_token_is_kept_while_the_person_logs_in(desk: Desk) -> None:
    reserved: list[int] = []

    def meanwhile(url: str) -> object:
        for folder in (desk.cache.folder, desk.records._folder):
            reserved.extend(path.stat().st_blocks * 512 for path in folder.glob(".credhelper-*"))
        return visit(url)

    with Person(at_page=meanwhile) as person:
        token = desk.log_in(person)
    assert len(reserved) == 2
    assert min(reserved) >= 8192
    assert access_token(desk) == token.access_token
    assert not list(desk.cache.folder.glob(".credhelper-*"))


def test_a_sweep_while_the_person_logs_in_costs_nothing_but_the_room(desk: Desk) -> None:
    def meanwhile(url: str) -> object:
        with desk.cache.lock("corp"), desk.cache.draft("corp"):  # a renewal of the token that is replaced
            pass
        assert not list(desk.cache.folder.glob(".credhelper-*"))
        return visit(url)

    with Person(at_page=meanwhile) as person:
        token = desk.log_in(person)
    assert access_token(desk) == token.access_token


@pytest.mark.parametrize("own", [True, False])
def test_a_record_that_cannot_be_written_costs_no_login_to_aws_s_own_endpoints(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, own: bool
) -> None:
    def refuse(*_: object) -> NoReturn:
        raise CredhelperError("the disk is full")

    monkeypatch.setattr(LoginRecords, "write", refuse)
    if own:  # the stand-in's count as AWS's own
        monkeypatch.setattr(flow, "Endpoints", lambda: desk.center.endpoints)
    with Person(at_page=visit) as person:
        if own:
            assert desk.log_in(person).access_token == access_token(desk)
            return
        with pytest.raises(CredhelperError, match="the disk is full"):
            desk.log_in(person)
    assert access_token(desk) is None, "it would be sent to AWS's own"


def test_silence_of_the_server_is_an_error_that_names_the_network(desk: Desk) -> None:
    desk.standin.fault("RegisterClient", Fault.drop())
    with Person() as person, pytest.raises(LoginFailed, match="cannot be reached"):
        desk.log_in(person)
    assert person.pages == []


def test_a_captive_portal_is_named(desk: Desk) -> None:
    desk.standin.fault("RegisterClient", Fault.captive_page())
    with Person() as person, pytest.raises(LoginFailed, match="web page answered"):
        desk.log_in(person)


def test_the_login_ends_when_nobody_comes(desk: Desk) -> None:
    ticks = iter([0.0, 1.0, PATIENCE - 0.001, PATIENCE + 1])
    with Person() as person, pytest.raises(LoginFailed, match="10 minutes"):
        desk.log_in(person, pace=Pace(monotonic=lambda: next(ticks)))
    assert person.ended == 1


def test_a_pasted_address_is_taken(desk: Desk) -> None:
    with Person(at_page=lambda url: person.paste(f"  {redirect_address(url)}\n")) as person:
        token = desk.log_in(person)
    assert desk.cache.read("corp") is not None
    assert token.refresh_token


def test_wrong_pastes_are_explained_and_the_next_try_counts(desk: Desk) -> None:
    def paste(url: str) -> None:
        right = redirect_address(url)
        person.paste("\nhttps://example.com/\n")
        person.paste(right.partition("&state=")[0] + "\n")
        person.paste(right[:-4] + "AAAA\n")
        person.paste(right + "\n")

    with Person(at_page=paste) as person:
        desk.log_in(person)
    assert [
        next(words for words in ("not the address", "cut off", "another login") if words in said)
        for said in person.said
    ] == ["not the address", "cut off", "another login"]


def test_the_end_of_input_leaves_the_browser_its_chance(desk: Desk) -> None:
    def act(url: str) -> str:
        person.hang_up()
        return visit(url)

    with Person(at_page=act) as person:
        desk.log_in(person)
    assert desk.cache.read("corp") is not None


def test_a_legacy_session_gets_a_refresh_token_under_its_start_url(desk: Desk) -> None:
    legacy = replace(desk.session, name="d-93670bd35a", scopes=("codewhisperer:completions",), legacy=True)
    with Person(at_page=visit) as person:
        token = desk.log_in(person, session=legacy)
    assert token.refresh_token
    found = desk.cache.find(legacy, desk.clock.now())
    assert found is not None
    assert found.key == DEFAULT_START_URL
    assert not found.borrowed
    assert parse_qs(urlsplit(person.pages[0]).query)["scopes"] == [f"codewhisperer:completions {DEFAULT_SCOPE}"]


@pytest.mark.parametrize("code", ["InvalidClientException", "UnauthorizedClientException"])
def test_a_registration_that_aws_has_dropped_is_made_anew_once(desk: Desk, code: str) -> None:
    desk.standin.fault("CreateToken", Fault.error(code), 1)
    with Person(at_page=visit) as person:
        desk.log_in(person)
    assert len(desk.standin.calls("RegisterClient")) == 2
    assert len(person.pages) == 2
    assert any("registering it anew" in said for said in person.said)


def test_a_second_refusal_of_the_registration_is_final(desk: Desk) -> None:
    desk.standin.fault("CreateToken", Fault.error("InvalidClientException"))
    with Person(at_page=visit) as person, pytest.raises(LoginFailed):
        desk.log_in(person)
    assert len(person.pages) == 2


def test_a_stray_request_does_not_end_the_login(desk: Desk) -> None:
    def act(url: str) -> str:
        redirect = parse_qs(urlsplit(url).query)["redirect_uri"][0]
        for wrong in (f"{redirect}?code=x&state=wrong", f"{redirect}?code=x", redirect.replace("oauth", "o")):
            _expect_400(wrong)
        return visit(url)

    with Person(at_page=act) as person:
        desk.log_in(person)
        assert "You are logged in" in str(person.seen)


def _expect_400(address: str) -> None:
    with pytest.raises(HTTPError) as refusal:
        urlopen(address, timeout=10)  # noqa: S310 - our own listener
    with refusal.value as error:
        assert error.code == 400
        assert b"Not part of this login" in error.read()
