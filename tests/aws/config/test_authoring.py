"""Writing profiles into a config and taking them out: what is made, what is refused, what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from credhelper.aws.config import disable, enable, parse_config
from credhelper.aws.config.authoring import (
    NewProfile,
    WrittenProfile,
    add_profiles,
    marked_profiles,
    remove_profiles,
    written_profiles,
)
from credhelper.aws.config.edit import Edit
from credhelper.errors import ConfigError, UsageError
from credhelper.model import Session

HELPER = "/home/b/.local/share/credhelper/credential-process"
CORP = Session("corp", "https://d-93670bd35a.awsapps.com/start", "eu-west-1")
OTHER = Session("other", "https://d-9999999999.awsapps.com/start", "us-east-1")
ONE = NewProfile("reply-b.paques", CORP, "123456789012", "AWSAdministratorAccess", "eu-west-1", "json")
TWO = NewProfile("two", CORP, "210987654321", "ReadOnly")

SECTION = b"""\
[sso-session corp]
#credhelper: added section 45ea895e
sso_start_url = https://d-93670bd35a.awsapps.com/start
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""
MANAGED = b"""\

[profile reply-b.paques]
#credhelper: added section 2da65941, blank line
region = eu-west-1
output = json
#credhelper: added
credential_process = /home/b/.local/share/credhelper/credential-process corp 123456789012 AWSAdministratorAccess
#credhelper: sso_session = corp
#credhelper: sso_account_id = 123456789012
#credhelper: sso_role_name = AWSAdministratorAccess
"""
PLAIN = b"""\

[profile reply-b.paques]
#credhelper: added section 2da65941, blank line
region = eu-west-1
output = json
sso_session = corp
sso_account_id = 123456789012
sso_role_name = AWSAdministratorAccess
"""
HAND = b"""\
[default]
region = eu-west-1

# of my own
[profile mine]
sso_session = corp
sso_account_id = 123456789012
sso_role_name = ReadOnly

[sso-session corp]
sso_start_url = https://D-93670bd35a.awsapps.com/start/#/
sso_region = eu-west-1
sso_registration_scopes = sso:account:access
"""


def add(data: bytes, *profiles: NewProfile, managed: bool = True) -> Edit:
    return add_profiles(data, profiles, helper=HELPER, managed=managed)


def refused(edit: Edit, name: str) -> str:
    return dict(edit.refused)[name]


# --- what is made ---------------------------------------------------------------------------------------------------


def test_into_nothing() -> None:
    edit = add(b"", ONE)
    assert edit.data == SECTION + MANAGED
    assert (edit.changed, edit.added_sessions) == (["reply-b.paques"], ["corp"])
    assert add(b"", ONE, managed=False).data == SECTION + PLAIN


def test_the_form_that_disable_and_enable_know() -> None:
    edit = add(b"", ONE)
    assert disable(edit.data, None).data == SECTION + PLAIN
    assert enable(SECTION + PLAIN, None, helper=HELPER, credentials={}).data == edit.data


def test_what_it_says() -> None:
    expected = WrittenProfile(
        "reply-b.paques",
        "corp",
        "123456789012",
        "AWSAdministratorAccess",
        "eu-west-1",
        "json",
        managed=True,
        own_name=False,
        untouched=True,
    )
    assert written_profiles(SECTION + MANAGED) == {"reply-b.paques": expected}
    assert written_profiles(SECTION + PLAIN) == {"reply-b.paques": replace(expected, managed=False)}
    assert written_profiles(HAND) == {}


def test_a_session_of_the_same_start_url_is_used() -> None:
    edit = add(HAND, replace(ONE, session=replace(CORP, name="another")))
    assert edit.data == HAND + MANAGED
    assert edit.added_sessions == []


@pytest.mark.parametrize(
    "session", [replace(CORP, start_url="https://d-1111111111.awsapps.com/start"), replace(CORP, region="us-east-1")]
)
def test_a_session_of_another_start_url_or_region_is_not_overwritten(session: Session) -> None:
    edit = add(HAND, replace(ONE, session=session))
    assert edit.data.startswith(HAND)
    assert edit.added_sessions == ["corp-2"]
    sessions = parse_config(edit.data).sessions
    assert sessions["corp"] == parse_config(HAND).sessions["corp"]
    assert (sessions["corp-2"]["sso_start_url"], sessions["corp-2"]["sso_region"]) == (
        session.start_url,
        session.region,
    )
    assert written_profiles(edit.data)["reply-b.paques"].session == "corp-2"


def test_of_two_sections_with_one_start_url_the_one_that_is_meant() -> None:
    data = HAND + b"[sso-session twin]\n" + HAND.partition(b"[sso-session corp]\n")[2]
    assert b" twin 1234" in add(data, replace(ONE, session=replace(CORP, name="twin"))).data
    assert b" corp 1234" in add(data, ONE).data


def test_a_name_that_profiles_use_without_a_section_is_not_free() -> None:
    data = b"[profile lost]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = x\n"
    assert add(data, ONE).added_sessions == ["corp-2"]


def test_a_session_s_name_that_no_header_holds() -> None:
    assert add(b"", replace(ONE, session=replace(CORP, name="my corp]"))).added_sessions == ["d-93670bd35a"]


def test_one_section_for_all_and_it_goes_with_the_last() -> None:
    edit = add(b"", ONE, TWO, replace(TWO, name="three", session=OTHER))
    assert edit.added_sessions == ["corp", "other"]
    rest = remove_profiles(edit.data, ["reply-b.paques", "three"])
    assert rest.removed_sessions == ["other"]
    last = remove_profiles(rest.data, ["two"])
    assert (last.data, last.removed_sessions) == (b"", ["corp"])


def test_default_and_names_with_a_blank() -> None:
    edit = add(b"", replace(ONE, name="default"), replace(TWO, name="my two"))
    assert b"\n[default]\n" in edit.data
    assert b'\n[profile "my two"]\n' in edit.data
    assert set(written_profiles(edit.data)) == {"default", "my two"}
    assert edit.warnings == ["my two: CDK, Terraform and the SDKs for JavaScript and Go cannot read that name"]
    assert remove_profiles(edit.data, ["default", "my two"]).data == b""


@pytest.mark.parametrize("end", [b"\r\n", b"\r"])
def test_the_file_s_own_ends_of_line(end: bytes) -> None:
    data = HAND.replace(b"\n", end)
    edit = add(data, ONE, TWO)
    assert edit.data.replace(end, b"\n").startswith(HAND)
    assert b"\n" not in edit.data.replace(end, b"")
    again = add(edit.data, replace(ONE, output="text"))
    assert b"\n" not in again.data.replace(end, b"")
    assert remove_profiles(again.data, ["two", "reply-b.paques"]).data == data


def test_a_byte_order_mark_stays() -> None:
    data = b"\xef\xbb\xbf" + HAND
    edit = add(data, ONE)
    assert edit.data.startswith(data)
    assert remove_profiles(edit.data, ["reply-b.paques"]).data == data


# --- again ----------------------------------------------------------------------------------------------------------


def test_other_values_are_written_where_it_stands() -> None:
    data = add(HAND, ONE, TWO).data + b"\n# below\n[profile last]\nregion = x\n"
    edit = add(data, replace(ONE, account_id="000000000001", region=None, output="text"))
    assert edit.changed == ["reply-b.paques"]
    before, after = data.splitlines(), edit.data.splitlines()
    at = before.index(b"[profile reply-b.paques]")
    assert before[: at + 1] == after[: at + 1]
    assert b"\n".join(after).endswith(b"\n".join(before[at + 9 :]))
    assert written_profiles(edit.data)["reply-b.paques"].account_id == "000000000001"


def test_what_is_different_is_said() -> None:
    data = add(HAND, ONE, TWO).data
    other = replace(ONE, session=OTHER, account_id="000000000001", role_name="R", region=None, output="text")
    edit = add(data, other, TWO)
    assert dict(edit.revised) == {
        "reply-b.paques": "session corp → other, account 123456789012 → 000000000001, "
        "role AWSAdministratorAccess → R, region eu-west-1 → none, output json → text"
    }
    assert add(data, replace(ONE, own_name=True)).revised == [("reply-b.paques", "its name is your own from now on")]
    assert add_profiles(data, [TWO], helper="/new" + HELPER).revised == [("two", "the helper's place")]
    assert add(data, ONE).revised == []


def test_what_was_disabled_stays_so() -> None:
    edit = add(SECTION + PLAIN, ONE)
    assert (edit.data, edit.unchanged) == (SECTION + PLAIN, [("reply-b.paques", "it is there already")])
    assert not written_profiles(add(SECTION + PLAIN, replace(ONE, output=None)).data)["reply-b.paques"].managed


def test_a_helper_that_has_moved() -> None:
    edit = add_profiles(SECTION + MANAGED, [ONE], helper="/new home/credhelper/credential-process")
    assert edit.changed == ["reply-b.paques"]
    assert b"credential_process = /new\\ home/credhelper/credential-process corp" in edit.data
    assert "reply-b.paques" in written_profiles(edit.data)


def test_a_name_of_a_person_s_own_stays_one() -> None:
    edit = add(b"", replace(ONE, own_name=True))
    assert b", own name, blank line" in edit.data
    assert written_profiles(add(edit.data, replace(ONE, output=None)).data)["reply-b.paques"].own_name


# --- whose it is ----------------------------------------------------------------------------------------------------

EDITS = {
    "a value": (b"output = json", b"output = text"),
    "a new key": (b"output = json\n", b"output = json\ncli_pager = less\n"),
    "a key gone": (b"output = json\n", b""),
    "a comment inside": (b"output = json\n", b"output = json\n# why json\n"),
    "a comment beside": (b"output = json\n", b"output = json # why\n"),
    "a comment beside the header": (b"paques]\n", b"paques] # me\n"),
    "spaces": (b"output = json", b"output=json"),
    "a blank line inside": (b"output = json\n", b"output = json\n\n"),
    "another account in the helper line": (b"corp 123456789012 A", b"corp 123456789013 A"),
    "another account in the old lines": (b"sso_account_id = 123456789012", b"sso_account_id = 123456789013"),
    "another process": (b"credential_process = /", b"credential_process = /bin/echo /"),
    "a live sso_ line": (b"#credhelper: sso_session", b"sso_session"),
    "the mark's digest": (b"section 2da65941", b"section 00000000"),
    "a second section": (b"\n[profile reply", b"\n[profile reply-b.paques]\nregion = x\n[profile reply"),
    "another name": (b"profile reply-b", b"profile reply-c"),
}


@pytest.mark.parametrize("case", EDITS)
def test_what_was_changed_is_the_person_s(case: str) -> None:
    old, new = EDITS[case]
    data = (SECTION + MANAGED).replace(old, new)
    assert data != SECTION + MANAGED
    assert written_profiles(data) == {}
    (name,) = marked_profiles(data)
    edit = remove_profiles(data, [name])
    assert (edit.data, edit.removed) == (data, [])
    assert refused(edit, name) == "it was changed by hand since it was written"
    assert add(data, replace(ONE, name=name, role_name="Another")).data == data


def test_without_the_mark_it_is_the_person_s() -> None:
    data = (SECTION + MANAGED).replace(b"#credhelper: added section 2da65941, blank line\n", b"")
    assert marked_profiles(data) == {}
    assert refused(remove_profiles(data, ["reply-b.paques"]), "reply-b.paques") == "it was written by hand"


@pytest.mark.parametrize("after", [b"\n# customer B\n[profile b]\nregion = x\n", b"# the end", b"\n\n\n"])
def test_what_stands_behind_it_does_not_count(after: bytes) -> None:
    data = SECTION + MANAGED + after
    assert "reply-b.paques" in written_profiles(data)
    assert remove_profiles(data, ["reply-b.paques"]).data.endswith(after.lstrip(b"\n") or b"\n")


def test_one_that_is_there_by_hand_and_says_the_same() -> None:
    edit = add(HAND, NewProfile("mine", CORP, "123456789012", "ReadOnly"))
    assert (edit.data, edit.unchanged) == (HAND, [("mine", "it is there already, by hand")])
    assert refused(add(HAND, replace(TWO, name="mine")), "mine") == "it was written by hand, and is left alone"
    elsewhere = replace(CORP, name="far", region="us-east-1")  # the same center, but another of its regions
    edit = add(HAND, NewProfile("mine", elsewhere, "123456789012", "ReadOnly"))
    assert refused(edit, "mine") == "it was written by hand, and is left alone"


def test_by_force() -> None:
    data = (SECTION + MANAGED).replace(b"output = json", b"output = text") + b"\n" + HAND.partition(b"[sso-s")[0]
    edit = remove_profiles(data, ["reply-b.paques", "mine"], force=True)
    assert edit.removed == ["reply-b.paques", "mine"]
    assert edit.data == b"\n[default]\nregion = eu-west-1\n\n# of my own\n\n"


def test_a_section_that_was_changed_stays() -> None:
    data = SECTION.replace(b"access\n", b"access\n# note\nx = y\n") + MANAGED
    edit = remove_profiles(data, ["reply-b.paques"])
    assert b"x = y" in edit.data
    assert edit.warnings == ["[sso-session corp] was changed since it was added, and stays"]


# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (replace(ONE, name="a\nb"), "that cannot be a profile's name: '\\n' cannot stand in it"),
        (replace(ONE, name="a]"), "that cannot be a profile's name: ']' cannot stand in it"),
        (replace(ONE, account_id="1"), "'1' is no account id"),
        (replace(ONE, account_id="12345678901\u0662"), "is no account id"),
        (replace(ONE, role_name="x\ny"), "is no role name"),
        (replace(ONE, role_name=""), "'' is no role name"),
        (replace(ONE, role_name="a #b"), "is no role name"),
        (replace(ONE, region="eu\nwest"), "is no region"),
        (replace(ONE, output="a b"), "'a b' is no output format"),
        (replace(ONE, session=replace(CORP, region="")), "'' is no region"),
        (replace(ONE, session=replace(CORP, start_url="https://x\n[y]")), "is no start URL"),
        (replace(ONE, session=replace(CORP, start_url="https://x/ #y")), "is no start URL"),
    ],
)
def test_nothing_that_could_break_out_of_its_line(profile: NewProfile, said: str) -> None:
    edit = add(HAND, profile, TWO)
    assert said in refused(edit, profile.name)
    assert edit.changed == ["two"]
    assert add(HAND, profile).data == HAND


def test_named_twice() -> None:
    edit = add(b"", ONE, replace(ONE, output="text"))
    assert edit.data == SECTION + MANAGED
    assert refused(edit, "reply-b.paques") == "it is named twice"


def test_names_that_a_person_could_mix_up() -> None:
    edit = add(HAND, replace(TWO, name="Mine"))
    assert edit.warnings == ["Mine and mine are hard to tell apart"]


def test_inherited_sso_keys() -> None:
    data = b"[DEFAULT]\nsso_account_id = 1\n" + HAND
    edit = add(data, ONE)
    assert edit.data == data
    assert "[DEFAULT] gives sso_account_id to every profile" in refused(edit, "reply-b.paques")


def test_a_helper_that_no_config_holds() -> None:
    with pytest.raises(ConfigError):
        add_profiles(b"", [ONE], helper="/a\nb/credhelper/credential-process")


def test_removing_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="no profile 'repl'"):
        remove_profiles(SECTION + MANAGED, ["repl"])


def test_sources_of_others_are_warned_of() -> None:
    data = SECTION + MANAGED + b"\n[profile x]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = reply-b.paques\n"
    assert remove_profiles(data, ["reply-b.paques"]).warnings == [
        "x has reply-b.paques for its source_profile, and cannot do without it"
    ]
