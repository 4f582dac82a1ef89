"""What must hold for every config there is: undoing is exact, doing twice is doing once, the helper is what runs."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

from botocore.configloader import load_config
from botocore.exceptions import ConfigParseError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from credhelper.aws.config import Edit, disable, enable, parse_config, parse_helper_line, profiles_of, sessions_of
from tests.aws.config.generated import configs, messy_configs, working_configs

HELPER = "/home/b/.local/share/credhelper/credential-process"

anything = configs() | working_configs() | messy_configs() | st.binary()


def _enable(data: bytes, names: list[str] | None = None, *, force: bool = False) -> Edit:
    return enable(data, names, helper=HELPER, credentials={}, force=force)


@settings(deadline=None)
@given(anything, st.booleans())
@example(
    b"[profile a]\nsso_session=s\nsso_account_id=1\n=\n\tsso_role_name=R\n"
    b"[sso-session s]\nsso_start_url=u\nsso_region=r",
    False,
)
def test_disabling_gives_the_same_bytes(data: bytes, force: bool) -> None:
    assert disable(_enable(data, force=force).data, None).data == data


@settings(deadline=None)
@given(anything, st.booleans())
def test_both_are_idempotent(data: bytes, force: bool) -> None:
    once = _enable(data, force=force).data
    again = _enable(once, force=force)
    assert again.data == once
    assert not again.changed
    assert disable(data, None).data == data


@settings(deadline=None)
@given(anything, st.randoms(use_true_random=False))
def test_one_by_one_in_any_order(data: bytes, order: random.Random) -> None:
    names = _enable(data).changed
    edited = data
    for name in order.sample(names, len(names)):
        edited = _enable(edited, [name]).data
    for name in order.sample(names, len(names)):
        edited = disable(edited, [name]).data
    assert edited == data


@settings(deadline=None)
@given(anything)
def test_reading_never_fails_and_enabled_profiles_are_managed(data: bytes) -> None:
    config = parse_config(data)
    sessions_of(config)
    before = {profile.name: profile for profile in profiles_of(config, config, None)}
    edit = _enable(data)
    after = {profile.name: profile for profile in profiles_of(parse_config(edit.data), {}, None)}
    for name in edit.changed:
        assert after[name].managed
        assert after[name].session is not None
        assert not [key for key in after[name].shadowed_by if key.startswith("sso_")]
        if not before[name].managed:
            assert after[name].account_id == before[name].account_id
            assert after[name].role_name == before[name].role_name


@settings(deadline=None)
@given(working_configs() | messy_configs(), st.booleans())
def test_botocore_accepts_it_and_runs_the_helper(data: bytes, force: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config"
        path.write_bytes(data)
        try:
            before = load_config(str(path))
        except ConfigParseError:
            return
        edit = _enable(data, force=force)
        path.write_bytes(edit.data)
        after = load_config(str(path))
    for name in edit.changed:
        if name not in before["profiles"]:  # a header that only other clients understand
            continue
        values = after["profiles"][name]
        sso = {key: value for key, value in before["profiles"][name].items() if key.startswith("sso_")}
        if not sso:
            continue
        assert not [key for key in values if key.startswith("sso_") and not _inherited(edit.data, key)]
        helper = parse_helper_line(values["credential_process"])
        assert helper is not None
        assert helper.helper == HELPER
        assert helper.session in after["sso_sessions"]
        if "sso_account_id" in sso:
            assert helper.account_id == sso["sso_account_id"].split(" ;")[0]


def _inherited(data: bytes, key: str) -> bool:
    return key in parse_config(data).inherited
