"""Any config file, enabled and disabled: undone to the byte, no line lost, the same to other clients."""

from __future__ import annotations

import re
import zlib

from credhelper.aws.config import Document, Edit, disable, enable, parse_config, parse_helper_line, profiles_of
from credhelper.aws.config.document import strip_inline_comment
from credhelper.errors import ConfigError
from fuzz import configs

MAX_LEN = 400
WORDS = configs.WORDS
LINES = True
seeds = configs.seeds

HELPER = "/home/b/.local/share/credhelper/credential-process"
_MARK = b"#credhelper: "


def one(data: bytes) -> None:
    chance = zlib.crc32(data)
    # Half of all that is looked at, for each input: the other half for one that is nearly the same.
    check(data, force=bool(chance & 1), ours=bool(chance & 2), others=not chance & 2)


def check(data: bytes, *, force: bool, ours: bool = True, others: bool = True) -> None:
    """Whatever must hold for every file, as we see it and as others do; AssertionError where it does not.

    Where marks of ours stand in it already, in whatever order and company, no more than that it costs nobody a line.
    """
    try:
        edit = _enable(data, force=force)
    except ConfigError:
        assert configs.as_botocore(data) is None, "a config that other clients read is refused"
        return
    assert lost(data, edit.data, exact=_MARK not in data) == []
    undone = disable(edit.data, None)
    if _MARK in data:
        assert lost(edit.data, undone.data, exact=False) == []
        assert lost(data, disable(data, None).data, exact=False) == []
        return
    assert undone.data == data, "not undone to the byte"
    if not edit.changed:
        assert edit.data == data, "nothing was changed, it says"
        return
    if ours:
        _managed(data, edit, force=force)
    if others:
        _same_to_others(data, edit)


def _managed(data: bytes, edit: Edit, *, force: bool) -> None:
    """What was enabled is managed, and says what it said; there is nothing left to enable."""
    again = _enable(edit.data, force=force)
    assert again.data == edit.data, "enabling twice is not enabling once"
    assert not again.changed
    before, after = (
        {profile.name: profile for profile in profiles_of(parse_config(content), {}, None)}
        for content in (data, edit.data)
    )
    inherited = parse_config(data).inherited  # which only force overlooks
    for name in edit.changed:
        assert after[name].managed
        assert after[name].session is not None
        assert not [key for key in after[name].shadowed_by if key.startswith("sso_") and key not in inherited]
        if not before[name].managed:
            assert after[name].account_id == before[name].account_id
            assert after[name].role_name == before[name].role_name


def lost(before: bytes, after: bytes, *, exact: bool) -> list[bytes]:
    """The first of the user's lines of `before` that `after` has neither in force nor out of force, in their order.

    Where not `exact`, sections that bear the mark of an added one may go, blank lines may, and the ends of
    lines do not count: a mark may have stood between a `\\r` and a `\\n`, or an added newline at the end.
    """
    mine = configs.lines(before) if exact else _without_added_sections(before)
    there = iter(configs.lines(after))
    for line in mine:
        if line.startswith(_MARK) or _is_helper_line(line):
            continue  # ours to change
        if exact:
            wanted = {line, _MARK + line}
            if not line.endswith((b"\r", b"\n")):  # it was the last, and something stands below it now
                wanted |= {start + line + end for start in (b"", _MARK) for end in (b"\n", b"\r\n", b"\r")}
            found = any(other in wanted for other in there)
        else:
            wanted = {line.rstrip(b"\r\n"), _MARK + line.rstrip(b"\r\n")}
            found = any(other.rstrip(b"\r\n") in wanted for other in there)
        if not found:
            return [line]
    return []


def _without_added_sections(data: bytes) -> list[bytes]:
    document = Document.parse(data)
    going: set[int] = set()
    for section in document.sections:
        inside = range(section.start, section.end)
        if any(document.lines[at].raw.startswith(_MARK + b"added section ") for at in inside):
            going.update(inside)
    return [line.raw for at, line in enumerate(document.lines) if at not in going and line.raw.strip()]


def _is_helper_line(line: bytes) -> bool:
    value = re.split("[=:]", line.decode("utf-8", "surrogateescape"), maxsplit=1)[-1].strip()
    return parse_helper_line(strip_inline_comment(value).strip(), HELPER) is not None


def _same_to_others(data: bytes, edit: Edit) -> None:
    """What the AWS CLI and boto3 see: the same profiles, and of each the same but for what was asked for."""
    before = configs.as_botocore(data)
    if before is None:
        return
    after = configs.as_botocore(edit.data)
    assert after is not None, "the AWS CLI could read it, and now it cannot"
    assert list(before["profiles"]) == list(after["profiles"])
    inherited = parse_config(data).inherited
    for name, values in before["profiles"].items():
        now = after["profiles"][name]
        if name not in edit.changed:
            assert now == values, "a profile was changed that nobody asked for"
            continue
        for key, value in values.items():
            if key.startswith("sso_"):
                assert now.get(key) in {None, value, inherited.get(key)}
            elif key != "credential_process":
                assert now[key] == value, "another key was changed"
        assert set(now) - {"credential_process"} <= set(values), "a key came from nowhere"
    for name, values in before["sso_sessions"].items():
        assert after["sso_sessions"][name] == values


def _enable(data: bytes, *, force: bool) -> Edit:
    return enable(data, None, helper=HELPER, credentials={}, force=force)
