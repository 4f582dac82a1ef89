"""What is remembered of how a session's profiles were written."""

from __future__ import annotations

import stat
from dataclasses import replace

import pytest

from credhelper.aws.profile_styles import Style, remember_style, remembered_style
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Selection

CORP = Session("corp", "https://d-93670bd35a.awsapps.com/start", "eu-west-1")
STYLE = Style("{role}.{account_id}", "eu-west-1", "json", ("dev*", "größe"), ("x",))


def test_there_and_back(paths: Paths) -> None:
    assert remembered_style(paths, CORP) is None
    for style in (Style(), STYLE):
        remember_style(paths, CORP, style)
        assert remembered_style(paths, CORP) == style
    (path,) = (paths.state / "profiles").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert STYLE.selection == Selection(("dev*", "größe"), ("x",))


def test_by_start_url_and_region(paths: Paths) -> None:
    remember_style(paths, CORP, STYLE)
    assert remembered_style(paths, Session("x", "https://D-93670bd35a.awsapps.com/start/#/", "eu-west-1")) == STYLE
    assert remembered_style(paths, replace(CORP, legacy=True)) == STYLE
    assert remembered_style(paths, replace(CORP, region="us-east-1")) is None
    assert remembered_style(paths, replace(CORP, start_url="https://d-1.awsapps.com/start")) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"\xff",
        b"[" * 100_000,
        b'{"template": 1}',
        b'{"template": "{nosuch}"}',
        b'{"region": ["x"]}',
        b'{"include": 1}',
        b'{"exclude": [1]}',
    ],
)
def test_damage_says_nothing(paths: Paths, damage: bytes) -> None:
    remember_style(paths, CORP, STYLE)
    (path,) = (paths.state / "profiles").iterdir()
    path.write_bytes(damage)
    assert remembered_style(paths, CORP) is None
    path.unlink()
    path.mkdir()
    assert remembered_style(paths, CORP) is None


def test_what_is_missing_is_as_without_flags(paths: Paths) -> None:
    remember_style(paths, CORP, STYLE)
    (path,) = (paths.state / "profiles").iterdir()
    path.write_text('{"output": "text"}')
    assert remembered_style(paths, CORP) == Style(DEFAULT_TEMPLATE, None, "text")
