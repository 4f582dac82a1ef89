from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.model import RoleCredentials, Session, Token, normalize_start_url


@pytest.mark.parametrize(
    "url",
    [
        "https://d-1.awsapps.com/start",
        "https://d-1.awsapps.com/start/",
        "https://d-1.awsapps.com/start/#",
        "https://d-1.awsapps.com/start#/",
        "https://d-1.awsapps.com/start/#/?tab=accounts",
        "HTTPS://D-1.AWSApps.com/start",
        " https://d-1.awsapps.com/start\n",
        "https://d-1.awsapps.com/start /",
    ],
)
def test_spellings_of_one_start_url(url: str) -> None:
    assert normalize_start_url(url) == "https://d-1.awsapps.com/start"


@pytest.mark.parametrize("url", ["https://d-1.awsapps.com/Start", "https://d-2.awsapps.com/start", "http://[", ""])
def test_other_start_urls(url: str) -> None:
    assert normalize_start_url(url) != "https://d-1.awsapps.com/start"


@given(
    st.from_regex(r"[A-Za-z0-9.-]{1,20}", fullmatch=True),
    st.from_regex(r"(/[A-Za-z0-9._-]{1,8}){0,3}", fullmatch=True),
    st.lists(st.sampled_from(["/", " ", "\n"]), max_size=4).map("".join),
    st.sampled_from(["", "#", "#/", "#/?tab=accounts"]),
)
def test_decorations_make_no_difference(host: str, path: str, end: str, fragment: str) -> None:
    plain = normalize_start_url(f"https://{host}{path}")
    assert normalize_start_url(f"HTTPS://{host.upper()}{path}{end}{fragment}") == plain
    assert normalize_start_url(plain) == plain


@given(st.text())
def test_any_text_has_a_normal_form(url: str) -> None:
    assert isinstance(normalize_start_url(url), str)


def test_cache_key() -> None:
    assert Session("s", "https://x/start", "eu-west-1").cache_key == "s"
    assert Session("s", "https://x/start/#", "eu-west-1", legacy=True).cache_key == "https://x/start/#"


def test_repr_shows_no_secret() -> None:
    token = Token("hush1", 0, None, None, "hush2", "hush3", "hush4", extra={"x": "hush5"})
    credentials = RoleCredentials("AKIA", "hush6", "hush7", 0, 0)
    assert "hush" not in f"{token!r}{token!s}{credentials!r}{credentials!s}"


def test_refreshable() -> None:
    assert Token("a", 0, None, None, "r", "c", "s").refreshable(1)
    assert Token("a", 0, None, None, "r", "c", "s", registration_expires_at=2).refreshable(1)
    assert not Token("a", 0, None, None, "r", "c", "s", registration_expires_at=1).refreshable(1)
    assert not Token("a", 9, None, None, None, "c", "s").refreshable(1)
    assert not Token("a", 9, None, None, "r", None, "s").refreshable(1)
    assert not Token("a", 9, None, None, "r", "c", None).refreshable(1)
