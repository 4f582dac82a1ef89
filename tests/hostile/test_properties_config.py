"""What holds for every config file, also one that somebody has changed by hand after `enable`.

The properties are those of the fuzzer's targets; here hypothesis makes the files, from the parts that real ones have.
"""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from credhelper.aws.config import disable, enable
from credhelper.aws.config.apply import Plan, diff
from fuzz.targets import editor, reader
from tests.aws.config.generated import configs, messy_configs, working_configs

anything = configs() | working_configs() | messy_configs() | st.binary()


@st.composite
def changed_since(draw: st.DrawFn) -> bytes:
    """An enabled config in which lines were moved, doubled, dropped, or parts of another one put in."""
    data = enable(draw(working_configs()), None, helper=editor.HELPER, credentials={}).data
    lines = data.splitlines(keepends=True)
    others = draw(messy_configs()).splitlines(keepends=True) or [b"\n"]
    for place in draw(st.lists(st.integers(0, 60), max_size=6)):
        at = min(place, len(lines))
        what = draw(st.sampled_from(["insert", "double", "drop", "move", "indent"]))
        if what == "insert":
            lines.insert(at, draw(st.sampled_from(others)))
        elif what == "double":
            lines[at:at] = lines[max(0, at - 3) : at]
        elif what == "drop":
            del lines[at : at + 1]
        elif what == "move" and at < len(lines):
            lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
        elif at < len(lines):
            lines[at] = b"  " + lines[at]
    return b"".join(lines)


@settings(max_examples=200)
@given(anything | changed_since())
def test_reading(data: bytes) -> None:
    reader.one(data)


@settings(max_examples=150)
@given(anything | changed_since(), st.booleans())
def test_editing(data: bytes, force: bool) -> None:
    editor.check(data, force=force)


@settings(max_examples=50)
@given(changed_since())
def test_what_was_changed_since_can_be_enabled_and_disabled_and_stays(data: bytes) -> None:
    there = data
    for _ in range(2):
        enabled = enable(there, None, helper=editor.HELPER, credentials={}).data
        assert editor.lost(there, enabled, exact=False) == []
        there = disable(enabled, None).data
        assert editor.lost(enabled, there, exact=False) == []


@settings(max_examples=100)
@given(messy_configs(), st.text("abcXYZ019/+", min_size=20, max_size=40))
def test_no_secret_is_shown_by_a_diff(data: bytes, secret: str) -> None:
    line = f"\naws_secret_access_key = {secret}\nAWS_Session_Token: {secret}\n".encode()
    data = data.replace(b"\n", line, 2)
    for edit in (enable(data, None, helper=editor.HELPER, credentials={}), disable(data, None)):
        assert secret not in "\n".join(diff(Plan(Path("config"), data, edit)))
