"""What botocore refuses, held beside botocore itself, and headers that nobody can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credhelper.aws.config.complaints import complaints, unparsable

GOOD = b"[profile a]\nregion = x\n"


def refused_by_botocore(path: Path, data: bytes) -> bool:
    path.write_bytes(data)
    try:
        raw_config_parse(str(path))
    except ConfigParseError:
        return True
    return False


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"x = y\n" + GOOD, "line 1 stands before the first [section]"),
        (GOOD + b"nonsense\n", "line 3 is neither"),
        (GOOD + b"[profile b\n", "line 3 is neither"),
        (GOOD + GOOD, "line 3: [profile a] is there already"),
        (GOOD + b"region = y\n", "line 3: [profile a] has region already"),
        (b"\xef\xbb\xbf" + GOOD, "byte order mark"),
        (GOOD + b"# caf\xe9\n", "line 3 is not UTF-8"),
        (GOOD + b"s3 =\n  nonsense\n", "[profile a] s3: an indented line"),
    ],
)
def test_what_botocore_refuses(tmp_path: Path, data: bytes, words: str) -> None:
    assert refused_by_botocore(tmp_path / "config", data)
    assert words in (unparsable(data) or "")
    (first,) = complaints(data)
    assert first.startswith("the AWS CLI and boto3 cannot read this config")


@pytest.mark.parametrize(
    "data",
    [b"", GOOD, GOOD + b"s3 =\n  a = b\n", b"[a]\n[b]\n", GOOD + b"key: value\n", GOOD + b"empty =\n", b"# x\n\n"],
)
def test_what_it_takes(tmp_path: Path, data: bytes) -> None:
    assert not refused_by_botocore(tmp_path / "config", data)
    assert complaints(data) == []


LINES = st.sampled_from(
    [
        b"[profile a]",
        b"[profile b]",
        b"[",
        b"]",
        b"a = b",
        b"c: d",
        b"  e = f",
        b"  g",
        b"s3 =",
        b"=",
        b"",
        b"# x",
        b"\xff",
    ]
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(LINES, max_size=8))
def test_it_agrees_with_botocore(tmp_path: Path, lines: list[bytes]) -> None:
    data = b"\n".join(lines)
    assert (unparsable(data) is not None) == refused_by_botocore(tmp_path / "config", data)


def test_headers_that_nobody_can_read() -> None:
    data = b'[profile "my]\nsso_session = corp\n[profile a b]\n[work]\nsso_session = corp\n[preview]\nx = y\n'
    first, second, third = complaints(data)
    assert first.startswith('line 1: [profile "my] was passed over')
    assert "no client can read that name" in first
    assert second.startswith("line 3: [profile a b] was passed over")
    assert third.startswith("line 4: [work] was passed over")
    assert "begins with `profile `" in third


def test_many_are_counted() -> None:
    assert len(complaints(b"".join(b'[profile "p%d]\n' % number for number in range(50)))) == 6
