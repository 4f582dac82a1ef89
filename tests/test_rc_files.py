"""The marked block: put in and taken out without a trace, and recognised whatever has become of it."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credhelper.errors import CredhelperError
from credhelper.rc_files import BlockDamaged, blocks, put_in, take_out

LINE = 'if [ -r "$HOME/x" ]; then . "$HOME/x"; fi'
NEWER = 'if [ -r "$HOME/y" ]; then . "$HOME/y"; fi'
BLOCK = put_in(b"", LINE)
PIECES = [b"alias x=y", b"", b"\n", b"\r\n", b"\r", b" ", b"# comment", b"\f", b"\x00\xff", b"# >>> conda >>>", b"fi"]
FILES = st.one_of(st.none(), st.lists(st.sampled_from(PIECES), max_size=8).map(b"".join), st.binary(max_size=40))


def usual(data: bytes | None) -> None:
    """Neither in UTF-16 nor with a mark of ours: hypothesis also tries what it finds in the source."""
    assume(not (data or b"").startswith((b"\xff\xfe", b"\xfe\xff")))
    assume(b"credhelper hook" not in (data or b""))


def cut(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


# --- both ways ------------------------------------------------------------------------------------------------------


@given(FILES)
def test_in_and_out_gives_the_same_bytes(data: bytes | None) -> None:
    usual(data)
    assert take_out(put_in(data, LINE)) == data


@given(FILES)
def test_a_second_time_changes_nothing(data: bytes | None) -> None:
    usual(data)
    once = put_in(data, LINE)
    assert put_in(once, LINE) == once
    assert [block.edited for block in blocks(once)] == [False]


@given(FILES)
def test_a_newer_line_takes_the_place_of_the_older(data: bytes | None) -> None:
    usual(data)
    renewed = put_in(put_in(data, LINE), NEWER)
    assert renewed == put_in(data, NEWER)
    assert take_out(renewed) == data


@given(FILES, st.lists(st.sampled_from(PIECES), max_size=5).map(b"\n".join))
def test_what_is_written_behind_the_block_stays(data: bytes | None, more: bytes) -> None:
    usual(data)
    assume(more)
    out = take_out(put_in(data, LINE) + more)
    old = data or b""
    # Where there was no newline at the end, what follows still begins a line of its own.
    assert out in {old + more, old + b"\n" + more, old + b"\r\n" + more}
    if old and not old.endswith(b"\n"):
        assert out != old + more


@given(st.binary(max_size=200))
def test_any_bytes_are_understood_or_refused(data: bytes) -> None:
    try:
        out = take_out(data)
    except BlockDamaged:
        return
    assert out == data or blocks(data)


# --- how it looks ---------------------------------------------------------------------------------------------------


def test_the_block_is_marked_and_says_what_it_is() -> None:
    begin, remark, line, end = BLOCK.decode().splitlines()
    assert begin.startswith("# >>> credhelper hook (")
    assert "hook --uninstall" in remark
    assert (line, end) == (LINE, "# <<< credhelper hook <<<")


def test_a_file_with_crlf_keeps_it_and_the_shell_sees_no_carriage_return() -> None:
    data = put_in(b"a\r\nb\r\n", LINE)
    assert data.count(b"\n") == data.count(b"\r\n") == 6
    assert LINE.encode() + b" #\r\n" in data
    assert take_out(data) == b"a\r\nb\r\n"


@pytest.mark.parametrize("data", [b"a\r\nb", b"a\nb\r", b"\r", b"a"])
def test_exactly_the_newline_that_was_added_goes(data: bytes) -> None:
    assert take_out(put_in(data, LINE)) == data


def test_an_empty_file_that_was_there_stays() -> None:
    assert take_out(put_in(b"", LINE)) == b""
    assert take_out(put_in(None, LINE)) is None
    assert take_out(put_in(None, LINE) + b"mine\n") == b"mine\n"


def test_utf_16_is_refused() -> None:
    with pytest.raises(CredhelperError, match="UTF-16"):
        put_in("Set-Alias x y\r\n".encode("utf-16"), LINE)


# --- what has become of it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edited",
    [
        BLOCK.replace(b"$HOME", b"/home/b"),
        BLOCK.replace(b"\nif", b"\nexport MINE=1\nif"),
        BLOCK.replace(b"\nif", b"\n#if"),
        BLOCK.replace(b"hook (", b"hook, file added ("),
        BLOCK.replace(b">>>\n", b">>> mine\n", 1),
        BLOCK.replace(b"# <<<", b"  # <<<"),
        b"# >>> credhelper hook >>>\n# <<< credhelper hook <<<\n",
    ],
)
def test_an_edited_block_is_known(edited: bytes) -> None:
    (block,) = blocks(b"a\n" + edited + b"b\n")
    assert block.edited
    assert take_out(b"a\n" + edited + b"b\n") == b"a\nb\n"
    (renewed,) = blocks(put_in(b"a\n" + edited + b"b\n", LINE))
    assert not renewed.edited


def test_other_ends_of_line_are_no_edit() -> None:
    (block,) = blocks(BLOCK.replace(b"\n", b"\r\n"))
    assert not block.edited


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\n" + b"".join(cut(BLOCK)[:-1]), "line 2.*does not end"),
        (b"a\n" + b"".join(cut(BLOCK)[1:]), "line 4.*does not begin"),
        (b"".join(cut(BLOCK)[:1]) + BLOCK, "line 1.*does not end"),
        (BLOCK + cut(BLOCK)[-1], "line 5.*does not begin"),
    ],
)
def test_half_a_block_is_refused(data: bytes, message: str) -> None:
    for attempt in (lambda: put_in(data, LINE), lambda: take_out(data), lambda: blocks(data)):
        with pytest.raises(BlockDamaged, match=message) as caught:
            attempt()
        assert "by hand" in (caught.value.remedy or "")


def test_of_two_blocks_one_stays() -> None:
    data = b"a\n" + BLOCK + b"b\n" + put_in(b"", NEWER) + b"c\n"
    assert put_in(data, LINE) == b"a\n" + BLOCK + b"b\nc\n"
    assert take_out(data) == b"a\nb\nc\n"
