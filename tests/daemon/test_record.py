from __future__ import annotations

from dataclasses import replace

import pytest

from credhelper.aws.directory import Directory, KnownAccount, encode, read_directory, unfinished
from credhelper.daemon.record import Record
from credhelper.model import Session
from credhelper.paths import Paths

CORP = Session("corp", "https://d-93670bd35a.awsapps.com/start/", "eu-west-1")
PART = Directory((KnownAccount("100000000001", "Alpha", "", None),), complete=False, listed_at=1_800_000_000.0)
LATER = replace(PART, listed_at=1_800_000_001.0)
WHOLE = Directory((), complete=True, listed_at=1_800_000_002.0)


@pytest.fixture
def record(paths: Paths) -> Record:
    return Record(paths, CORP)


def write(record: Record, number: int, found: Directory) -> None:
    record.write(number, encode(found), complete=found.complete)


def test_part_is_read_again(record: Record, paths: Paths) -> None:
    assert record.unfinished() is None
    write(record, record.number(), PART)
    assert record.unfinished() == PART
    assert Record(paths, CORP).unfinished() == PART


@pytest.mark.parametrize(("later", "left"), [(LATER, LATER), (WHOLE, None)])
def test_what_comes_late_does_not_undo_what_is_newer(
    record: Record, later: Directory, left: Directory | None
) -> None:
    early, late = record.number(), record.number()
    write(record, late, later)
    write(record, early, PART)
    assert record.unfinished() == left


def test_nothing_outlives_a_logout(record: Record, paths: Paths) -> None:
    early = record.number()
    write(record, record.number(), PART)
    record.void()
    assert record.unfinished() is None
    write(record, early, PART)
    record.forget()
    write(record, early, PART)
    assert unfinished(paths, CORP) is None
    assert read_directory(paths, CORP) is None


def test_what_is_learned_after_a_logout_stays(record: Record, paths: Paths) -> None:
    write(record, record.number(), PART)
    record.void()
    write(record, record.number(), LATER)
    record.forget()
    assert record.unfinished() == LATER
    write(record, record.number(), WHOLE)
    assert read_directory(paths, CORP) == WHOLE
    assert record.unfinished() is None
