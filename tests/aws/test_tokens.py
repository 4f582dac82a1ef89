from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper import files
from credhelper.aws.tokens import TokenCache, parse_date, parse_token, render_token
from credhelper.dates import DATE_FORMAT, format_date
from credhelper.errors import CredhelperError, TokenUnreadable
from credhelper.model import Session, Token
from credhelper.paths import Paths
from tests.sandbox import PROJECT
from tests.support import Processes

NOW = 1_800_000_000.0
URL = "https://d-93670bd35a.awsapps.com/start/"
SESSION = Session("work", URL, "eu-west-1")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
# Dates have whole seconds, of four-digit years.
MOMENT = st.integers(0, 4_000_000_000).map(float)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
KNOWN = {"accessToken", "expiresAt", "startUrl", "region", "refreshToken", "clientId", "clientSecret"} | {
    "registrationExpiresAt"
}
TOKENS = st.builds(
    Token,
    access_token=TEXT,
    expires_at=MOMENT,
    start_url=st.none() | TEXT,
    region=st.none() | TEXT,
    refresh_token=st.none() | TEXT,
    client_id=st.none() | TEXT,
    client_secret=st.none() | TEXT,
    registration_expires_at=st.none() | MOMENT,
    extra=st.dictionaries(st.text().filter(lambda name: name not in KNOWN), JSON, max_size=3),
)


def content(**changes: Any) -> dict[str, Any]:
    fields = {
        "startUrl": URL,
        "region": "eu-west-1",
        "accessToken": "at",
        "expiresAt": format_date(NOW + 3600),
        "clientId": "ci",
        "clientSecret": "cs",
        "registrationExpiresAt": format_date(NOW + 86400),
        "refreshToken": "rt",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


def raw(**changes: Any) -> bytes:
    return json.dumps(content(**changes)).encode()


@pytest.fixture
def cache(paths: Paths) -> TokenCache:
    paths.token_cache.mkdir(parents=True)
    return TokenCache(paths.token_cache, paths.locks)


def put(cache: TokenCache, key: str, data: bytes, mtime: float = NOW) -> Path:
    path = cache.path(key)
    path.write_bytes(data)
    os.utime(path, (mtime, mtime))
    return path


# --- dates ----------------------------------------------------------------------------------------------------------


@given(MOMENT)
def test_date_round_trip(moment: float) -> None:
    assert parse_date(format_date(moment)) == moment
    assert parse_date(format_date(moment).removesuffix("Z") + "UTC") == moment


def test_dates_in_the_wild() -> None:
    assert parse_date("2027-01-15T08:00:00Z") == NOW
    assert parse_date("2027-01-15T08:00:00UTC") == NOW
    assert parse_date("2027-01-15T08:00:00.123456Z") == NOW
    assert parse_date(format_date(parse_date("0001-01-01T00:00:00Z"))) < 0  # Go's date that is none
    assert format_date(NOW) == "2027-01-15T08:00:00Z"
    assert format_date(NOW + 0.9) == "2027-01-15T08:00:00Z"


@pytest.mark.parametrize(
    "text",
    [
        None,
        7,
        True,
        ["2027"],
        "",
        "Z",
        "soon",
        "2027-01-15",
        "2027-01-15T08:00:00",
        "2027-01-15T08:00:00+01:00",
        "2027-13-15T08:00:00Z",
        "2027-01-15T08:00:00.Z",
        "2027-01-15T08:00:00.xZ",
        "9" * 100 + "Z",
    ],
)
def test_what_is_no_date_in_utc(text: object) -> None:
    with pytest.raises(ValueError, match=r"date|does not match|remains"):
        parse_date(text)


@given(st.text())
def test_any_text_is_a_date_or_not(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(parse_date(text), float)


# --- one file -------------------------------------------------------------------------------------------------------


def test_all_fields() -> None:
    token = parse_token(raw(), NOW)
    assert token == Token(
        access_token="at",
        expires_at=NOW + 3600,
        start_url=URL,
        region="eu-west-1",
        refresh_token="rt",
        client_id="ci",
        client_secret="cs",
        registration_expires_at=NOW + 86400,
        lifetime=3600,
    )


@given(TOKENS)
def test_round_trip_keeps_everything(token: Token) -> None:
    again = parse_token(render_token(token), token.expires_at - token.lifetime)
    assert again == token


def test_unknown_fields_are_kept() -> None:
    rendered = json.loads(render_token(parse_token(raw(vendor={"a": [1, None]}, scopes=["x"]), NOW)))
    assert rendered == content(vendor={"a": [1, None]}, scopes=["x"])


def test_other_clients_read_what_we_write(home: Path) -> None:
    from botocore.utils import JSONFileCache, SSOTokenLoader  # noqa: PLC0415 - slow to import

    cache = TokenCache(home / ".aws" / "sso" / "cache", home / "locks")
    cache.write("work", parse_token(raw(), NOW))
    cache.write(URL, parse_token(raw(accessToken="legacy"), NOW))
    load = SSOTokenLoader(JSONFileCache(str(cache.folder)))
    assert load(URL, session_name="work") == content()
    assert load(URL) == content(accessToken="legacy")
    assert time.strptime(content()["expiresAt"], DATE_FORMAT)


@pytest.mark.parametrize(
    ("mtime", "lifetime"),
    [
        (NOW, 3600.0),
        (NOW + 3000, 600.0),
        (NOW + 3600, 3600.0),  # the file is younger than its token's end: an hour is as good as any guess
        (NOW + 9999, 3600.0),
        (NOW - 8 * 3600, 9 * 3600.0),
        (0.0, 3600.0),
    ],
)
def test_lifetime(mtime: float, lifetime: float) -> None:
    assert parse_token(raw(), mtime).lifetime == lifetime


@pytest.mark.parametrize("name", sorted(KNOWN - {"accessToken", "expiresAt"}))
@pytest.mark.parametrize("value", [None, "", 7, [], {}, True])
def test_optional_field_of_any_kind(name: str, value: object) -> None:
    data = content()
    data[name] = value
    token = parse_token(json.dumps(data).encode(), NOW)
    assert token.access_token == "at"
    assert parse_token(render_token(token), NOW) == token


@pytest.mark.parametrize("name", ["accessToken", "expiresAt"])
@pytest.mark.parametrize("value", [None, "", 7, [], {}])
def test_needed_field_of_the_wrong_kind(name: str, value: object) -> None:
    data = content()
    data[name] = value
    with pytest.raises(TokenUnreadable):
        parse_token(json.dumps(data).encode(), NOW)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_garbage_is_unreadable_and_nothing_else(data: bytes) -> None:
    with pytest.raises(TokenUnreadable):
        parse_token(data, NOW)


@given(st.dictionaries(st.sampled_from(sorted(KNOWN)) | st.text(), JSON | st.just("2027-01-15T08:00:00Z")))
def test_any_object_is_a_token_or_unreadable(data: dict[str, Any]) -> None:
    try:
        token = parse_token(json.dumps(data).encode(), NOW)
    except TokenUnreadable:
        return
    assert token.access_token == data["accessToken"]


@given(st.integers(0, len(raw()) - 1))
def test_no_part_of_a_file_is_a_token(length: int) -> None:
    with pytest.raises(TokenUnreadable):
        parse_token(raw()[:length], NOW)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 100,
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"accessToken": ' + b"9" * 10_000 + b"}",
        raw().replace(b"{", b'{"x": ' + b"[" * 900 + b"]" * 900 + b",", 1),
        raw().replace(b"{", b'{"x": NaN,', 1),
        raw().replace(b"{", b'{"x": [1e999],', 1),
        raw(expiresAt="9999-12-31T23:59:60Z"),
        b"null",
        b"\xef\xbb\xbf{}",
    ],
)
def test_nasty_garbage(data: bytes) -> None:
    with pytest.raises(TokenUnreadable) as caught:
        parse_token(data, NOW)
    assert len(str(caught.value)) < 100


def test_message_holds_nothing_of_the_content() -> None:
    with pytest.raises(TokenUnreadable) as caught:
        parse_token(b'{"accessToken": "hush", "expiresAt": "hush"}', NOW)
    assert "hush" not in str(caught.value)


# --- the folder -----------------------------------------------------------------------------------------------------


def test_file_names() -> None:
    cache = TokenCache(Path("/c"), Path("/l"))
    assert cache.path("work").name == hashlib.sha1(b"work").hexdigest() + ".json"  # noqa: S324 - botocore's rule
    assert cache.path(URL).name == hashlib.sha1(URL.encode()).hexdigest() + ".json"  # noqa: S324 - botocore's rule
    assert cache.path("é\udcff").name == hashlib.sha1(b"\xc3\xa9\xff").hexdigest() + ".json"  # noqa: S324 - as above


def test_missing_file_is_none(cache: TokenCache, paths: Paths) -> None:
    assert cache.read("work") is None
    assert TokenCache(paths.home / "none", paths.locks).read("work") is None
    assert list(TokenCache(paths.home / "none", paths.locks).all()) == []


def test_write_is_private_and_whole(cache: TokenCache) -> None:
    token = parse_token(raw(), NOW)
    path = put(cache, "work", b"older and much longer" * 1000)
    path.chmod(0o644)
    cache.write("work", token)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert json.loads(path.read_bytes()) == content()
    assert list(cache.folder.iterdir()) == [path]


def test_write_makes_private_folders(paths: Paths) -> None:
    cache = TokenCache(paths.token_cache, paths.locks)
    cache.write("work", parse_token(raw(), NOW))
    assert stat.S_IMODE(paths.token_cache.stat().st_mode) == 0o700


def test_write_through_a_link(cache: TokenCache, home: Path) -> None:
    (home / "elsewhere").mkdir()
    cache.path("work").symlink_to(home / "elsewhere" / "t.json")
    cache.write("work", parse_token(raw(), NOW))
    assert cache.path("work").is_symlink()
    assert cache.read("work") is not None


def test_half_written_file_is_read_again(cache: TokenCache, monkeypatch: pytest.MonkeyPatch) -> None:
    """The AWS CLI truncates, then writes: what was half a file is whole at the next look."""
    path = put(cache, "work", raw()[:20])
    looks: list[float] = []

    def finish_writing(seconds: float) -> None:
        looks.append(seconds)
        path.write_bytes(raw() if len(looks) == 3 else raw()[: 20 * len(looks)])

    monkeypatch.setattr(time, "sleep", finish_writing)
    token = cache.read("work")
    assert token is not None
    assert token.access_token == "at"
    assert len(looks) == 3


def test_file_that_vanishes_between_two_looks_is_a_logout(cache: TokenCache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(cache, "work", b"")
    monkeypatch.setattr(time, "sleep", lambda _: path.unlink())
    assert cache.read("work") is None


def test_file_that_vanishes_during_a_look_is_a_logout(cache: TokenCache, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(cache, "work", raw())
    read = files.read_bytes

    def read_and_remove(at: Path) -> bytes:
        data = read(at)
        path.unlink()
        return data

    monkeypatch.setattr(files, "read_bytes", read_and_remove)
    assert cache.read("work") is None


@pytest.mark.parametrize("data", [b"", b"{", b"garbage", b"{}", b'{"clientId": "x"}'])
def test_garbage_that_stays_is_unreadable(cache: TokenCache, data: bytes) -> None:
    path = put(cache, "work", data)
    with pytest.raises(TokenUnreadable, match="cannot be understood") as caught:
        cache.read("work")
    assert caught.value.remedy == "Log in again to replace it"
    assert path.read_bytes() == data


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
def test_what_is_no_file_is_unreadable(cache: TokenCache, make: Callable[[Path], None]) -> None:
    make(cache.path("work"))
    with pytest.raises(TokenUnreadable):
        cache.read("work")
    assert list(cache.all()) == []


def test_remove(cache: TokenCache) -> None:
    put(cache, "work", raw())
    assert cache.remove("work")
    assert not cache.remove("work")
    assert list(cache.folder.iterdir()) == []


def test_nothing_is_to_be_removed_where_a_file_stands_for_the_folder(paths: Paths) -> None:
    paths.token_cache.parent.mkdir(parents=True)
    paths.token_cache.write_bytes(b"")
    assert TokenCache(paths.token_cache, paths.locks).remove("work") is False


def test_remove_what_a_link_leads_to(cache: TokenCache, tmp_path: Path) -> None:
    path = put(cache, "linked", raw())
    target = path.rename(tmp_path / "elsewhere.json")
    path.symlink_to(target)
    assert cache.remove("linked")
    assert not target.exists()
    assert not path.is_symlink()


def test_remove_that_fails(cache: TokenCache) -> None:
    cache.path("work").mkdir()
    with pytest.raises(CredhelperError, match="cannot be removed"):
        cache.remove("work")


def test_all_passes_over_what_is_no_token(cache: TokenCache) -> None:
    path = put(cache, "work", raw())
    registration = {"clientId": "ci", "clientSecret": "cs", "expiresAt": format_date(NOW), "scopes": []}
    (cache.folder / f"{'0' * 40}.json").write_text(json.dumps(registration))
    (cache.folder / f"{'1' * 40}.json").write_bytes(b"{")
    (cache.folder / f"{'2' * 40}.json").mkdir()
    os.mkfifo(cache.folder / f"{'3' * 40}.json")
    (cache.folder / "notes.txt").write_bytes(raw())
    assert [found for found, _ in cache.all()] == [path]


LOCK_HOLDER = """
import pathlib, sys
from credhelper.aws.tokens import TokenCache
with TokenCache(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])).lock("work"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_holds_between_processes_and_lies_outside_the_cache(
    cache: TokenCache, paths: Paths, processes: Processes
) -> None:
    holder = processes.python(
        "-c", LOCK_HOLDER, str(paths.token_cache), str(paths.locks),
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(CredhelperError, match="busy with this token"), cache.lock("work", timeout=0):
        pytest.fail("two holders")
    with cache.lock("other", timeout=0):
        pass
    holder.stdin.close()
    with cache.lock("work", timeout=10):
        pass
    assert list(cache.folder.iterdir()) == []


# --- whose token ----------------------------------------------------------------------------------------------------


def test_own_token(cache: TokenCache) -> None:
    put(cache, "work", raw())
    found = cache.find(SESSION, NOW)
    assert found is not None
    assert (found.key, found.borrowed) == ("work", False)


def test_nothing_to_find(cache: TokenCache) -> None:
    assert cache.find(SESSION, NOW) is None


@pytest.mark.parametrize("url", [URL, URL.rstrip("/"), URL + "#/", URL.replace("d-93670bd35a", "D-93670BD35A"), None])
def test_own_token_with_any_spelling_of_the_start_url(cache: TokenCache, url: str | None) -> None:
    put(cache, "work", raw(startUrl=url))
    assert cache.find(SESSION, NOW) is not None


def test_token_of_another_start_url_is_not_used(cache: TokenCache) -> None:
    put(cache, "work", raw(startUrl="https://d-other.awsapps.com/start/"))
    assert cache.find(SESSION, NOW) is None


def test_token_that_is_over_is_found_where_it_can_be_renewed_or_there_is_no_other(cache: TokenCache) -> None:
    put(cache, "work", raw())
    late = NOW + 7200
    found = cache.find(SESSION, late)
    assert found is not None
    assert found.token.refreshable(late)
    put(cache, "work", raw(refreshToken=None))
    found = cache.find(SESSION, late)
    assert found is not None
    assert not found.token.refreshable(late)


@pytest.mark.parametrize("url", [URL, URL.rstrip("/"), URL + "#/"])
@pytest.mark.parametrize(
    "own", [None, {"expiresAt": format_date(NOW - 1), "refreshToken": None}, {"startUrl": "https://x"}]
)
def test_legacy_login_is_borrowed_until_it_ends(cache: TokenCache, url: str, own: dict[str, Any] | None) -> None:
    if own is not None:
        put(cache, "work", raw(**own))
    put(cache, url, raw(startUrl=url, accessToken="legacy", refreshToken=None))
    found = cache.find(SESSION, NOW)
    assert found is not None
    assert (found.key, found.borrowed, found.token.access_token) == (url, True, "legacy")
    after = cache.find(SESSION, NOW + 3600)
    assert after is not None
    # Where there is no other, the one that has run out: with nothing found, that would look like a logout.
    assert after.borrowed is (own is None or "startUrl" in own)
    assert after.token.expires_at <= NOW + 3600


def test_own_token_comes_before_a_legacy_one(cache: TokenCache) -> None:
    put(cache, URL, raw(accessToken="legacy"))
    put(cache, "work", raw(expiresAt=format_date(NOW - 1)))
    found = cache.find(SESSION, NOW)
    assert found is not None
    assert not found.borrowed


@pytest.mark.parametrize(
    "fields",
    [
        {"startUrl": "https://d-other.awsapps.com/start/"},
        {"startUrl": None},
        {"region": "us-east-1"},
    ],
)
def test_what_is_not_borrowed(cache: TokenCache, fields: dict[str, Any]) -> None:
    put(cache, URL, raw(**fields))
    assert cache.find(SESSION, NOW) is None


def test_token_of_another_session_is_not_borrowed(cache: TokenCache) -> None:
    put(cache, "other-session", raw())
    assert cache.find(SESSION, NOW) is None


def test_legacy_session_has_its_own_file(cache: TokenCache) -> None:
    put(cache, URL, raw())
    found = cache.find(Session("d-1", URL, "eu-west-1", legacy=True), NOW)
    assert found is not None
    assert (found.key, found.borrowed) == (URL, False)
    assert cache.find(Session("d-1", URL.rstrip("/"), "eu-west-1", legacy=True), NOW) is None


def test_unreadable_own_token_is_told_and_not_passed_over(cache: TokenCache) -> None:
    put(cache, "work", b"{")
    put(cache, URL, raw())
    with pytest.raises(TokenUnreadable):
        cache.find(SESSION, NOW)


# --- half a character -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["accessToken", "startUrl"])
@pytest.mark.parametrize("value", ["\ud800", "https://d-1\udc80"])
def test_half_a_character_where_it_matters(name: str, value: str) -> None:
    with pytest.raises(TokenUnreadable, match=f"its {name} is no text"):
        parse_token(raw(**{name: value}), NOW)


@pytest.mark.parametrize("name", ["region", "clientId", "clientSecret", "refreshToken"])
def test_half_a_character_elsewhere_is_nothing(name: str) -> None:
    assert parse_token(raw(**{name: "\ud800"}), NOW) == parse_token(raw(**{name: None}), NOW)


def test_half_a_character_in_any_file_is_passed_over(cache: TokenCache) -> None:
    (cache.folder / "0.json").write_text(
        r'{"accessToken":"x","expiresAt":"2099-01-01T00:00:00Z","startUrl":"\ud800"}'
    )
    put(cache, URL, raw(accessToken="legacy", refreshToken=None))
    found = cache.find(SESSION, NOW)
    assert found is not None
    assert found.borrowed


# --- an own token that is over for good -----------------------------------------------------------------------------


def test_own_token_that_cannot_be_renewed_any_more_gives_way_to_a_legacy_one(cache: TokenCache) -> None:
    put(cache, "work", raw(accessToken="own"))
    put(cache, URL, raw(accessToken="legacy", expiresAt=format_date(NOW + 9000)))

    def found(now: float, **known: Any) -> str:
        token = cache.find(SESSION, now, **known)
        assert token is not None
        return token.token.access_token

    late = NOW + 3601
    assert found(late) == "own"
    assert found(late, refused="another") == "own"
    assert found(late, refused="own") == "legacy"
    assert found(NOW, refused="own") == "own"
    assert found(NOW, refused="own", rejected={"own"}) == "legacy"
    assert found(NOW, rejected={"own"}) == "own"  # it can be renewed
    assert found(NOW + 9001, refused="own") == "own"


def test_drafts_that_nobody_is_at_work_on_are_removed_at_once(cache: TokenCache) -> None:
    """A process that was killed left them; whoever lives and writes holds the lock."""
    dead, alive = (cache.folder / f".credhelper-{cache.path(key).stem}-abc" for key in ("killed", "writing"))
    for draft in (dead, alive):
        draft.write_bytes(b"half")
    with cache.lock("writing"):
        cache.remove_leftovers()
        assert not dead.exists()
        assert alive.exists()
    cache.remove_leftovers()
    assert not alive.exists()


def test_the_next_writer_removes_what_a_killed_one_left(cache: TokenCache) -> None:
    left = cache.folder / f".credhelper-{cache.path('s').stem}-abc"
    left.write_bytes(b"half")
    with cache.lock("s"), cache.draft("s"):
        assert not left.exists()
