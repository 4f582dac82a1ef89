"""What a person left out, kept for the next time."""

from __future__ import annotations

import pytest

from credhelper.aws.left_out import left_out, remember_left_out
from credhelper.aws.profile_styles import style_file
from credhelper.model import Session
from credhelper.paths import Paths

CORP = Session("corp", "https://corp.awsapps.com/start", "eu-west-1")
OTHER = Session("other", "https://other.awsapps.com/start", "eu-west-1")
TARGETS = {("100000000001", "Admin"), ("100000000002", "ReadOnly")}


def test_it_is_kept_for_each_session(paths: Paths) -> None:
    assert left_out(paths, CORP) == set()
    remember_left_out(paths, CORP, TARGETS)
    assert left_out(paths, CORP) == TARGETS
    assert left_out(paths, OTHER) == set()
    remember_left_out(paths, CORP, [])
    assert left_out(paths, CORP) == set()


def test_a_session_that_got_a_section_or_another_spelling_is_the_same(paths: Paths) -> None:
    remember_left_out(paths, CORP, TARGETS)
    assert left_out(paths, Session("corp-2", "https://CORP.awsapps.com/start/#/", "eu-west-1")) == TARGETS
    assert left_out(paths, Session("corp", "https://corp.awsapps.com/start", "eu-west-2")) == set()


def test_nothing_is_written_where_nothing_was_left_out(paths: Paths) -> None:
    remember_left_out(paths, CORP, [])
    assert not paths.state.exists()


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[", b"null", b"[1]", b'["ab"]', b'[["1"]]', b"[[[], {}]]", b'[["1", "Admin"]]', b"[" * 99_999],
)
def test_damage_says_nothing(paths: Paths, content: bytes) -> None:
    remember_left_out(paths, CORP, TARGETS)
    (path,) = style_file(paths, CORP).parent.iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(content)
    assert left_out(paths, CORP) == set()
