"""What must hold for every config there is when profiles are written into it and taken out again."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from credhelper.aws.config import disable, enable, parse_config, parse_helper_line, profiles_of
from credhelper.aws.config.authoring import (
    NewProfile,
    add_profiles,
    marked_profiles,
    remove_profiles,
    written_profiles,
)
from credhelper.aws.config.edit import Edit
from credhelper.model import Session
from tests.aws.config.generated import configs, messy_configs, working_configs

HELPER = "/home/b/.local/share/credhelper/credential-process"
SESSIONS = [
    Session("s", "https://s.awsapps.com/start", "eu-west-1"),
    Session("s", "https://d-1.awsapps.com/start", "eu-west-1"),
    Session("corp", "https://d-2.awsapps.com/start/#", "us-east-1"),
    Session("of äll", "https://d-3.awsapps.com/start", "us-east-1"),
]

anything = configs() | working_configs() | messy_configs() | st.binary()
new_profiles = st.lists(
    st.builds(
        NewProfile,
        st.sampled_from(["a", "b", "c d", "ö", "default", "x.Admin", "X.admin", "y@z+1/2:3", "a" * 200]),
        st.sampled_from(SESSIONS),
        st.sampled_from(["123456789012", "000000000001"]),
        st.sampled_from(["Admin", "Read.Only@1"]),
        st.sampled_from([None, "eu-west-1"]),
        st.sampled_from([None, "json"]),
        st.booleans(),
    ),
    max_size=5,
)


def add(data: bytes, profiles: list[NewProfile], *, managed: bool = True) -> Edit:
    return add_profiles(data, profiles, helper=HELPER, managed=managed)


@settings(deadline=None)
@given(anything, new_profiles, st.booleans(), st.randoms(use_true_random=False))
def test_what_was_written_can_be_taken_out_to_the_byte(
    data: bytes, profiles: list[NewProfile], managed: bool, order: random.Random
) -> None:
    assume(not marked_profiles(data))
    edit = add(data, profiles, managed=managed)
    assert remove_profiles(edit.data, edit.changed).data == data
    one_by_one = edit.data
    for name in order.sample(edit.changed, len(edit.changed)):
        one_by_one = remove_profiles(one_by_one, [name]).data
    assert one_by_one == data


@settings(deadline=None)
@given(anything, new_profiles, st.booleans())
def test_twice_is_once(data: bytes, profiles: list[NewProfile], managed: bool) -> None:
    once = add(data, profiles, managed=managed)
    again = add(once.data, profiles, managed=managed)
    assert again.data == once.data
    assert not again.changed


@settings(deadline=None)
@given(anything, new_profiles, new_profiles)
def test_what_is_there_stays_to_the_byte(data: bytes, first: list[NewProfile], second: list[NewProfile]) -> None:
    """Also when what was written is written anew with other values."""
    before = add(data, first)
    edit = add(before.data, second)
    assert edit.data.startswith(data)
    names = {*before.changed, *edit.changed}
    assert remove_profiles(edit.data, sorted(names)).data == data


@settings(deadline=None)
@given(anything, new_profiles, st.booleans())
def test_what_is_written_says_it(data: bytes, profiles: list[NewProfile], managed: bool) -> None:
    edit = add(data, profiles, managed=managed)
    config = parse_config(edit.data)
    found = {profile.name: profile for profile in profiles_of(config, {})}
    written = written_profiles(edit.data)
    wanted = {profile.name: profile for profile in reversed(profiles)}
    for name in edit.changed:
        profile, ours, new = found[name], written[name], wanted[name]
        assert (profile.managed, profile.shadowed_by) == (managed, ())
        assert profile.session is not None
        assert (profile.session.same_start, profile.session.region) == (new.session.same_start, new.session.region)
        said = (new.account_id, new.role_name, new.region, new.output)
        assert (profile.account_id, profile.role_name, profile.region, profile.output) == said
        assert (ours.account_id, ours.role_name, ours.region, ours.output) == said
        assert (ours.session, ours.managed, ours.own_name) == (profile.session.name, managed, new.own_name)


@settings(deadline=None)
@given(anything, new_profiles, st.booleans())
def test_disabling_and_enabling_leave_it_ours(data: bytes, profiles: list[NewProfile], managed: bool) -> None:
    edit = add(data, profiles, managed=managed)
    assume(edit.changed)
    plain = disable(edit.data, edit.changed).data
    ours = enable(plain, edit.changed, helper=HELPER, credentials={}).data
    for form, is_managed in ((plain, False), (ours, True)):
        written = written_profiles(form)
        assert set(edit.changed) <= set(written)
        assert {written[name].managed for name in edit.changed} == {is_managed}
        assert add(form, profiles, managed=managed).data == form
        assert remove_profiles(form, edit.changed).data == remove_profiles(edit.data, edit.changed).data
    if managed:
        assert ours == edit.data


@settings(deadline=None)
@given(working_configs() | messy_configs(), new_profiles)
def test_botocore_reads_it(data: bytes, profiles: list[NewProfile]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data)
        try:
            before = load_config(str(path))
        except ConfigParseError:
            return
        edit = add(data, profiles)
        path.write_bytes(edit.data)
        after = load_config(str(path))
    for name, values in before["profiles"].items():
        assert after["profiles"][name] == values
    for name in edit.changed:
        values = after["profiles"][name]
        assert not [key for key in values if key.startswith("sso_")]
        line = parse_helper_line(values["credential_process"])
        assert line is not None
        assert line.session in after["sso_sessions"]


@settings(deadline=None)
@given(working_configs(), new_profiles, st.data())
def test_any_change_by_hand_makes_it_the_user_s(data: bytes, profiles: list[NewProfile], more: st.DataObject) -> None:
    edit = add(data, profiles)
    assume(edit.changed)
    name = more.draw(st.sampled_from(edit.changed))
    lines = edit.data.splitlines(keepends=True)
    end = lines[-1][len(lines[-1].rstrip(b"\r\n")) :] or b"\n"
    document = parse_config(edit.data).document
    section = next(section for section in document.sections if section.profile == name)
    last = max(at for at in range(section.start, section.end) if document.lines[at].text.strip())
    at = more.draw(st.integers(section.start + 1, last))
    new = more.draw(
        st.sampled_from([b"region = other", b"cli_pager =", b"# mine", b"sso_session = s", b"  x = y", b""])
    )
    changed = b"".join(
        [*(line.raw for line in document.lines[:at]), new + end, *(line.raw for line in document.lines[at:])]
    )
    assert name not in written_profiles(changed)
    refused = remove_profiles(changed, [name])
    assert refused.data == changed
    assert [one for one, _ in refused.refused] == [name]
    assert add(changed, [profile for profile in profiles if profile.name == name]).data == changed


@settings(deadline=None)
@given(anything, new_profiles, new_profiles, st.data())
def test_whatever_a_person_does_in_between_stays(
    data: bytes, first: list[NewProfile], second: list[NewProfile], more: st.DataObject
) -> None:
    lines = add(data, first).data.splitlines(keepends=True)
    for _ in range(more.draw(st.integers(0, 3))):
        at = more.draw(st.integers(0, len(lines)))
        what = more.draw(st.sampled_from(["drop", "double", "insert", "section"]))
        if what == "drop":
            del lines[at : at + 1]
        elif what == "double":
            lines[at:at] = lines[at : at + 1]
        elif what == "insert":
            mark = b"#credhelper: added section 12345678, blank line, final newline\n"
            texts = [b"\n", b"# mine\n", b"x = y\n", b"[profile q]\n", b"#credhelper: added\n", mark]
            lines.insert(at, more.draw(st.sampled_from(texts)))
        else:
            del lines[at : at + 8]
    between = b"".join(lines)
    edit = add(between, second)
    assert add(edit.data, second).data == edit.data
    there = parse_config(between).profiles
    new = [name for name in edit.changed if name not in there]
    gone = remove_profiles(edit.data, new)
    assert gone.removed == new
    for name, values in there.items():
        if name not in edit.changed:
            assert parse_config(edit.data).profiles[name] == values
            assert parse_config(gone.data).profiles[name] == values
    if new == edit.changed and not gone.removed_sessions and not gone.warnings:
        assert gone.data == between
