"""`enable` and `disable` case by case: the shape, what is refused, and whose change wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from credhelper.aws.config import Edit, disable, enable, parse_config, parse_credentials, profiles_of
from credhelper.errors import ConfigError, UsageError

HELPER = "/home/b/.local/share/credhelper/credential-process"
SESSION = b"""
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""
LEGACY = b"""\
[profile %s]
sso_start_url = https://%s.awsapps.com/start/
sso_region = eu-west-1
sso_account_id = 123456789012
sso_role_name = Admin
"""
NAMED = b"""\
[profile a]
region = eu-west-1
sso_session = corp
sso_account_id = 123456789012
sso_role_name = Admin
"""


def _enable(data: bytes, *names: str, **options: bool) -> Edit:
    return enable(data, names or None, helper=HELPER, credentials={}, **options)


def _legacy(name: str, host: str = "d-1") -> bytes:
    return LEGACY % (name.encode(), host.encode())


def _process(data: bytes, name: str) -> str:
    return parse_config(data).profiles[name]["credential_process"].removeprefix(HELPER + " ")


# --- the shape ----------------------------------------------------------------------------------------------------


def test_a_legacy_profile_gains_a_marked_session() -> None:
    data = b"[profile reply-b.paques]\nregion = eu-west-1\n" + _legacy("x").split(b"\n", 1)[1] + b"output = json\n"
    edit = _enable(data)
    head, _, section = edit.data.partition(b"[sso-session")
    assert head.decode() == (
        "[profile reply-b.paques]\n"
        "region = eu-west-1\n"
        "#credhelper: added\n"
        f"credential_process = {HELPER} d-1 123456789012 Admin\n"
        "#credhelper: sso_start_url = https://d-1.awsapps.com/start/\n"
        "#credhelper: sso_region = eu-west-1\n"
        "#credhelper: sso_account_id = 123456789012\n"
        "#credhelper: sso_role_name = Admin\n"
        "output = json\n"
        "\n"
    )
    mark = section.splitlines()[1]
    assert mark.startswith(b"#credhelper: added section ")
    assert section.replace(mark + b"\n", b"").decode() == (
        " d-1]\n"
        "sso_start_url = https://d-1.awsapps.com/start/\n"
        "sso_region = eu-west-1\n"
        "sso_registration_scopes = sso:account:access\n"
    )
    assert (edit.changed, edit.added_sessions) == (["reply-b.paques"], ["d-1"])
    undone = disable(edit.data, None)
    assert (undone.data, undone.changed, undone.removed_sessions) == (data, ["reply-b.paques"], ["d-1"])
    assert not undone.warnings


def test_a_session_stays_as_it_is() -> None:
    edit = _enable(NAMED + SESSION)
    assert edit.data.endswith(SESSION)
    assert _process(edit.data, "a") == "corp 123456789012 Admin"
    assert not edit.warnings
    assert not edit.added_sessions


def test_indentation_and_continuations_and_ends_of_lines() -> None:
    data = b"[profile a]\r\n\tsso_session = corp\r\n\tsso_x =\r\n\t\ty = 1\r\n\r\n\tsso_account_id = 1\r\n"
    data += b"\tsso_role_name = R" + SESSION.replace(b"\n", b"\r\n")
    edit = _enable(data)
    assert edit.data.startswith(
        b"[profile a]\r\n#credhelper: added\r\n\tcredential_process = "
        + HELPER.encode()
        + b" corp 1 R\r\n#credhelper: \tsso_session = corp\r\n#credhelper: \tsso_x =\r\n"
        + b"#credhelper: \t\ty = 1\r\n\r\n#credhelper: \tsso_account_id = 1\r\n"
    )
    assert b"\n" not in edit.data.replace(b"\r\n", b"")
    assert disable(edit.data, None).data == data


def test_duplicates_and_both_kinds_of_default() -> None:
    data = (
        b"[default]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = R\n"
        b"[profile default]\nsso_session = corp\nsso_account_id = 1\n"
        b"sso_account_id = 2\n[profile default]\nsso_role_name = S\n" + SESSION
    )
    edit = _enable(data, "default")
    assert edit.data.count(b"\nsso_") == SESSION.count(b"\nsso_")
    assert [line for line in edit.data.decode().splitlines() if line.startswith("credential_process")] == [
        f"credential_process = {HELPER} corp 1 R",
        f"credential_process = {HELPER} corp 2 S",
    ]
    assert disable(edit.data, ["default"]).data == data


def test_headers_that_contradict_each_other_are_refused() -> None:
    other_kind = b"[profile default]\nregion = x\n" + NAMED.replace(b"[profile a]", b"[default]") + SESSION
    spelled = NAMED + NAMED.replace(b"[profile a]", b'[profile "a"]').replace(b"Admin", b"Other") + SESSION
    assert "[profile default]" in _enable(other_kind, "default").refused[0][1]
    assert "several headers" in _enable(spelled, "a").refused[0][1]
    agreeing = NAMED + NAMED.replace(b"[profile a]", b'[profile "a"]') + SESSION
    edit = _enable(agreeing, "a")
    assert edit.data.count(b"\ncredential_process") == 2
    assert disable(edit.data, None).data == agreeing


def test_an_empty_session_name_is_none() -> None:
    data = _legacy("a") + b"sso_session =\n"
    edit = _enable(data)
    assert _process(edit.data, "a").startswith("d-1 ")
    assert disable(edit.data, None).data == data


# --- sessions of legacy profiles -----------------------------------------------------------------------------------


def test_one_section_for_one_start_url() -> None:
    data = _legacy("a") + _legacy("b").replace(b"/start/", b"/start#/") + _legacy("c", "d-2")
    edit = _enable(data)
    assert edit.added_sessions == ["d-1", "d-2"]
    assert _process(edit.data, "b").startswith("d-1 ")
    first = disable(edit.data, ["a", "c"])
    assert first.removed_sessions == ["d-2"]
    assert disable(first.data, ["b"]).data == data


def test_an_equal_session_is_used_again() -> None:
    data = _legacy("a", "CORP") + SESSION
    edit = _enable(data)
    assert not edit.added_sessions
    assert _process(edit.data, "a").startswith("corp ")
    assert disable(edit.data, None).data == data


def test_a_taken_name_is_never_overwritten() -> None:
    data = _legacy("a", "corp").replace(b"eu-west-1", b"us-east-1") + SESSION
    edit = _enable(data)
    assert edit.added_sessions == ["corp-2"]
    assert SESSION in edit.data
    assert disable(edit.data, None).data == data


def test_a_name_that_another_profile_uses_without_a_section_is_not_free() -> None:
    data = b"[profile b]\nsso_session = d-1\nsso_account_id = 1\nsso_role_name = R\n" + _legacy("a")
    edit = _enable(data)
    assert (edit.changed, edit.added_sessions) == (["a"], ["d-1-2"])
    assert disable(edit.data, None).data == data


def test_a_section_that_was_deleted_is_added_again() -> None:
    enabled = _enable(_legacy("a")).data
    without = enabled[: enabled.index(b"\n[sso-session")]
    again = _enable(without)
    (name,) = again.added_sessions
    assert _process(again.data, "a") == f"{name} 123456789012 Admin"
    assert disable(again.data, None).data == disable(without, None).data == _legacy("a")


@pytest.mark.parametrize("order", [("a", "c"), ("c", "a")])
def test_a_final_newline_that_was_added_goes_with_the_last_section(order: tuple[str, str]) -> None:
    data = (_legacy("a") + _legacy("c", "d-2")).rstrip(b"\n")
    edited = _enable(data, "a").data
    edited = _enable(edited, "c").data
    for name in order:
        edited = disable(edited, [name]).data
    assert edited == data


def test_a_section_that_another_profile_uses_stays_while_it_does() -> None:
    user = b"[profile mine]\nsso_session = d-1\n"
    edited = disable(_enable(_legacy("a")).data + user, None).data
    assert edited.startswith(_legacy("a"))
    assert "d-1" in parse_config(edited).sessions
    assert disable(edited.replace(user, b""), None).data == _legacy("a")


def test_a_section_that_was_changed_is_the_users() -> None:
    enabled = _enable(_legacy("a")).data
    changed = enabled.replace(b"scopes = sso:account:access", b"scopes = sso:account:access, more")
    undone = disable(changed, None)
    assert parse_config(undone.data).sessions["d-1"]["sso_registration_scopes"] == "sso:account:access, more"
    assert b"credhelper" not in undone.data
    assert undone.data.startswith(_legacy("a"))
    assert "[sso-session d-1]" in undone.warnings[0]


def test_comments_and_profiles_behind_an_added_section_stay() -> None:
    enabled = _enable(_legacy("a").rstrip(b"\n")).data
    undone = disable(enabled + b"# mine\n[profile z]\nregion = x\n", None)
    assert undone.data == _legacy("a") + b"# mine\n[profile z]\nregion = x\n"


# --- what is refused, left out, warned of ---------------------------------------------------------------------------


def test_a_name_that_is_not_there_suggests_the_nearest() -> None:
    with pytest.raises(UsageError, match="Did you mean production"):
        _enable(_legacy("production"), "prodcution")
    with pytest.raises(UsageError, match="lists those"):
        disable(_legacy("production"), ["x"])


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"region = x", "no sso_"),
        (b"role_arn = arn\nsource_profile = b", "assumes a role"),
        (b"credential_process = /bin/x", "of its own"),
        (b"sso_session = corp", "no account or no role"),
        (b"sso_session = nowhere\nsso_account_id = 1\nsso_role_name = R", "not there"),
        (b"sso_session = half\nsso_account_id = 1\nsso_role_name = R", "lacks"),
        (b"sso_start_url = https://x\nsso_account_id = 1\nsso_role_name = R", "neither"),
        (b"sso_session = corp\nsso_account_id = 1\n  2\nsso_role_name = R", "several lines"),
    ],
)
def test_profiles_that_cannot_be_enabled(body: bytes, reason: str) -> None:
    data = b"[profile p]\n" + body + SESSION + b"[sso-session half]\n"
    by_name, among_all = _enable(data, "p"), _enable(data)
    assert by_name.data == among_all.data == data
    assert [name for name, _ in by_name.refused] == ["p"]
    assert reason in by_name.refused[0][1]
    assert [name for name, _ in among_all.unchanged] == ["p"]
    assert not among_all.refused


def test_another_process_gives_way_only_to_force() -> None:
    data = NAMED.replace(b"sso_session", b"credential_process = /bin/x --y\nsso_session") + SESSION
    assert _enable(data).data == data
    assert "--force" in _enable(data).refused[0][1]
    forced = _enable(data, "a", force=True)
    assert _process(forced.data, "a") == "corp 123456789012 Admin"
    assert b"#credhelper: credential_process = /bin/x --y\n" in forced.data
    assert disable(forced.data, None).data == data


def test_a_profile_that_assumes_a_role_is_refused_even_with_sso_keys() -> None:
    data = NAMED + b"role_arn = arn:x\n" + SESSION
    assert "role_arn" in _enable(data, "a", force=True).refused[0][1]


def test_sso_keys_that_every_profile_inherits() -> None:
    data = b"[DEFAULT]\nsso_region = x\n" + NAMED + SESSION
    assert "[DEFAULT]" in _enable(data).refused[0][1]
    assert _enable(data, force=True).changed == ["a"]
    other = b"[DEFAULT]\nsso_account_id = 2\n" + NAMED + SESSION
    assert "[DEFAULT]" in _enable(other, force=True).refused[0][1]  # the AWS CLI would enter that account instead


def test_access_keys_that_win_are_warned_of() -> None:
    keys = parse_credentials(b"[a]\naws_access_key_id = AK\naws_secret_access_key = S\n")
    edit = enable(NAMED + SESSION, ["a"], helper=HELPER, credentials=keys)
    assert edit.changed == ["a"]
    assert "the credentials file" in edit.warnings[0]
    assert "the config" in _enable(NAMED + b"aws_access_key_id = AK\n" + SESSION).warnings[0]


def test_missing_scopes_and_odd_account_ids_are_warned_of() -> None:
    data = NAMED.replace(b"123456789012", b"1234") + SESSION.replace(b"sso_registration_scopes", b"# scopes")
    assert ["12-digit" in warning or "scopes" in warning for warning in _enable(data).warnings] == [True, True]


def test_profiles_that_are_not_enabled() -> None:
    by_hand = f"[profile a]\ncredential_process = {HELPER} s 1 r\n".encode()
    assert disable(NAMED, ["a"]).unchanged == [("a", "it is not enabled")]
    assert not disable(NAMED, None).unchanged
    assert "by hand" in disable(by_hand, None).refused[0][1]
    assert _enable(by_hand, "a").unchanged == [("a", "it is enabled already")]


# --- what changed in between ---------------------------------------------------------------------------------


def test_a_process_that_the_user_set_stays() -> None:
    data = NAMED + SESSION
    enabled = _enable(data).data
    line = next(line for line in enabled.splitlines() if line.startswith(b"credential_process"))
    changed = enabled.replace(line, b"credential_process = /bin/mine")
    assert "--force" in _enable(changed).refused[0][1]
    restored = disable(changed, None).data
    assert restored == NAMED.replace(b"sso_session", b"credential_process = /bin/mine\nsso_session") + SESSION


def test_a_key_that_the_user_set_again_wins() -> None:
    data = NAMED + SESSION
    changed = _enable(data).data.replace(b"region = eu-west-1\n", b"region = eu-west-1\nsso_role_name = New\n", 1)
    expected = NAMED.replace(b"sso_role_name = Admin\n", b"").replace(b"-1\n", b"-1\nsso_role_name = New\n") + SESSION
    assert disable(changed, None).data == expected
    again = _enable(changed)
    assert again.changed == ["a"]
    assert _process(again.data, "a") == "corp 123456789012 New"
    assert b"Admin" not in again.data
    assert disable(again.data, None).data == expected


def test_a_helper_line_that_the_user_edited_is_followed() -> None:
    data = NAMED.replace(b"sso_role_name = Admin", b"  sso_role_name   =  Admin  ; spare").replace(
        b"  sso", b"sso", 1
    )
    edited = _enable(data + SESSION).data.replace(b" 123456789012 Admin", b" 210987654321 Admin")
    undone = disable(edited, None)
    assert undone.data == data.replace(b"123456789012", b"210987654321") + SESSION
    assert "sso_account_id" in undone.warnings[0]


def test_remembered_lines_that_were_deleted_are_written_anew() -> None:
    enabled = _enable(_legacy("a")).data
    kept = b"".join(line for line in enabled.splitlines(keepends=True) if not line.startswith(b"#credhelper: sso_"))
    undone = disable(kept, None)
    profile = profiles_of(parse_config(undone.data), {}, None)[0]
    assert profile.session is not None
    assert (profile.session.name, profile.account_id, profile.role_name) == ("d-1", "123456789012", "Admin")
    assert len(undone.warnings) == 3


def test_a_deleted_helper_line_is_put_back() -> None:
    enabled = _enable(NAMED + SESSION).data
    line = next(line for line in enabled.splitlines(keepends=True) if line.startswith(b"credential_process"))
    without = enabled.replace(line, b"")
    assert _enable(without).data == enabled
    assert disable(without, None).data == NAMED + SESSION


def test_a_moved_home() -> None:
    enabled = _enable(NAMED + SESSION).data
    moved = enable(enabled, None, helper="/new/credhelper/credential-process", credentials={})
    assert moved.changed == ["a"]
    assert moved.data == enabled.replace(HELPER.encode(), b"/new/credhelper/credential-process")
    assert disable(moved.data, None).data == NAMED + SESSION


def test_what_is_enabled_already() -> None:
    enabled = _enable(NAMED + SESSION).data
    again = _enable(enabled)
    assert (again.data, again.unchanged) == (enabled, [("a", "it is enabled already")])


def test_what_could_not_be_given_back_to_the_byte_is_refused() -> None:
    """No client reads this file: in one profile a value goes on in a line that is indented less than its key."""
    case = Path(__file__).parents[3] / "fuzz/cases/editor/continuation-indented-less-than-its-property"
    with pytest.raises(ConfigError, match="give back to the byte"):
        _enable(case.read_bytes(), force=True)
