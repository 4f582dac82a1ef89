"""Which profiles are proposed for what AWS lists, beside what is in the config."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.aws.config.authoring import NewProfile, add_profiles, remove_profiles, written_profiles
from credhelper.aws.directory import Directory, KnownAccount
from credhelper.aws.profile_styles import Style
from credhelper.aws.proposal import Proposal, propose
from credhelper.errors import UsageError
from credhelper.model import Session

HELPER = "/home/b/.local/share/credhelper/credential-process"
CORP = Session("corp", "https://d-93670bd35a.awsapps.com/start", "eu-west-1")
DEV, PROD = "000000000001", "000000000002"
BOTH = {DEV: ("Dev", ("Admin", "Read")), PROD: ("Prod", ("Read",))}
HAND = (
    b"[sso-session corp]\nsso_start_url = https://d-93670bd35a.awsapps.com/start/\nsso_region = eu-west-1\n\n"
    b"[profile dev.Admin]\nsso_session = corp\nsso_account_id = 000000000001\nsso_role_name = Admin\n\n"
    b"[profile dev.Read]\nregion = x\n\n"
)

Accounts = Mapping[str, tuple[str, tuple[str, ...] | None]]


def directory(accounts: Accounts, *, complete: bool = True) -> Directory:
    known = (KnownAccount(one, name, f"{name}@x", roles) for one, (name, roles) in accounts.items())
    return Directory(tuple(known), complete, 0.0)


def proposed(accounts: Accounts, data: bytes = b"", style: Style | None = None, **options: Any) -> Proposal:
    return propose(directory(accounts), CORP, data, style or Style(), **options)


def carried_out(data: bytes, proposal: Proposal, *, prune: bool = False) -> bytes:
    gone = [*proposal.renamed, *(proposal.lost if prune else ())]
    return add_profiles(remove_profiles(data, gone).data, proposal.add, helper=HELPER).data


def named(proposal: Proposal) -> list[str]:
    return [profile.name for profile in proposal.add]


def test_all_that_is_listed() -> None:
    proposal = proposed(BOTH, style=Style(region="eu-west-1", output="json"))
    assert proposal.add == (
        NewProfile("dev.Admin", CORP, DEV, "Admin", "eu-west-1", "json"),
        NewProfile("dev.Read", CORP, DEV, "Read", "eu-west-1", "json"),
        NewProfile("prod.Read", CORP, PROD, "Read", "eu-west-1", "json"),
    )
    assert (proposal.renamed, proposal.lost, proposal.why_kept, proposal.left_out) == ({}, (), None, 0)


def test_names_do_not_depend_on_globs() -> None:
    same = {DEV: ("Sandbox", ("A",)), PROD: ("Sandbox", ("A",))}
    assert named(proposed(same, style=Style(include=(DEV,)))) == [f"sandbox.A-{DEV}"]
    assert proposed(same, style=Style(include=(DEV,))).left_out == 1


def test_what_is_there_by_hand() -> None:
    """The same under its name counts as there; another under that name is a name that is taken."""
    proposal = proposed(BOTH, HAND)
    assert named(proposal) == ["dev.Admin", f"dev.Read-{DEV}", "prod.Read"]
    edit = add_profiles(HAND, proposal.add, helper=HELPER)
    assert edit.data.startswith(HAND)
    assert edit.unchanged == [("dev.Admin", "it is there already, by hand")]


def test_names_in_the_credentials_file_are_taken() -> None:
    proposal = propose(directory(BOTH), CORP, b"", Style(), taken=["PROD.read"])
    assert named(proposal) == ["dev.Admin", "dev.Read", f"prod.Read-{PROD}"]


def test_a_profile_keeps_region_and_output_unless_asked() -> None:
    data = carried_out(b"", proposed(BOTH, style=Style(region="eu-west-1")))
    other = Style(region="us-east-1", output="text")
    assert {profile.region for profile in proposed(BOTH, data, other).add} == {"eu-west-1"}
    changed = proposed(BOTH, data, other, set_region=True).add
    assert {(profile.region, profile.output) for profile in changed} == {("us-east-1", None)}
    changed = proposed(BOTH, data, other, set_output=True).add
    assert {(profile.region, profile.output) for profile in changed} == {("eu-west-1", "text")}


def test_another_template_renames_only_when_asked() -> None:
    data = carried_out(b"", proposed(BOTH))
    style = Style("{role}.{account_id}")
    assert carried_out(data, proposed(BOTH, data, style)) == data
    proposal = proposed(BOTH, data, style, rename=True)
    assert proposal.renamed == {
        "dev.Admin": f"Admin.{DEV}",
        "dev.Read": f"Read.{DEV}",
        "prod.Read": f"Read.{PROD}",
    }
    assert set(written_profiles(carried_out(data, proposal))) == set(proposal.renamed.values())


def test_names_can_change_places() -> None:
    data = carried_out(b"", proposed({DEV: ("B", ("A",)), PROD: ("A", ("B",))}, style=Style("{account_name}")))
    assert {name: one.account_id for name, one in written_profiles(data).items()} == {"A": PROD, "B": DEV}
    proposal = proposed({DEV: ("B", ("A",)), PROD: ("A", ("B",))}, data, Style("{role}"), rename=True)
    after = carried_out(data, proposal)
    assert {name: one.account_id for name, one in written_profiles(after).items()} == {"A": DEV, "B": PROD}


def test_what_the_globs_leave_out_is_renamed_too() -> None:
    """Else one profile could be given the name that another one still has."""
    data = carried_out(b"", proposed(BOTH))
    proposal = proposed(BOTH, data, Style("{account_id}.{role}", exclude=("*",)), rename=True)
    assert len(proposal.renamed) == 3


def test_what_was_changed_by_hand_keeps_its_name_and_counts_as_there() -> None:
    data = carried_out(b"", proposed(BOTH)).replace(b"\n[profile dev.Read]\n", b"\n[profile dev.Read] # mine\n")
    proposal = proposed(BOTH, data, Style("{account_id}.{role}"), rename=True)
    assert "dev.Read" not in proposal.renamed
    assert f"{DEV}.Read" not in named(proposal)
    edit = add_profiles(remove_profiles(data, proposal.renamed).data, proposal.add, helper=HELPER)
    assert edit.unchanged == [("dev.Read", "it is there already, by hand")]
    assert not edit.refused


def test_profiles_with_a_name_of_their_own_have_nothing_to_do_with_it() -> None:
    data = add_profiles(b"", [NewProfile("mine", CORP, DEV, "Admin", own_name=True)], helper=HELPER).data
    assert named(proposed(BOTH, data)) == ["dev.Admin", "dev.Read", "prod.Read"]
    assert proposed(BOTH, data, Style("{account_id}.{role}"), rename=True).renamed == {}
    assert proposed({PROD: BOTH[PROD]}, data).lost == ("mine",)


# --- what was lost --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accounts", "lost"),
    [
        (BOTH, ()),
        ({DEV: BOTH[DEV]}, ("prod.Read",)),
        ({DEV: ("Dev", ("Admin",)), PROD: BOTH[PROD]}, ("dev.Read",)),
        ({"000000000009": ("New", ("Admin",))}, ("dev.Admin", "dev.Read", "prod.Read")),
        # Listed, and no role of it: AWS would not say.
        ({DEV: ("Dev", ()), PROD: BOTH[PROD]}, ()),
    ],
)
def test_what_is_not_listed_any_more_is_lost(accounts: Accounts, lost: tuple[str, ...]) -> None:
    data = carried_out(b"", proposed(BOTH)) + b"\n[profile hand]\nsso_session = corp\nsso_account_id = 000000000002\n"
    proposal = proposed(accounts, data)
    assert proposal.lost == lost
    after = carried_out(data, proposal, prune=True)
    assert set(written_profiles(data)) - set(written_profiles(after)) == set(lost)
    assert b"[profile hand]" in after


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (directory({DEV: BOTH[DEV]}, complete=False), "not all accounts and roles could be listed"),
        (directory({DEV: BOTH[DEV], "000000000003": ("x", None)}), "not all accounts and roles could be listed"),
        (directory({}), "AWS lists no account with a role for you"),
        (directory({DEV: ("Dev", ())}), "AWS lists no account with a role for you"),
    ],
)
def test_a_list_with_gaps_says_nothing_of_what_was_lost(found: Directory, why: str) -> None:
    data = carried_out(b"", proposed(BOTH))
    proposal = propose(found, CORP, data, Style())
    assert (proposal.lost, proposal.why_kept) == ((), why)


def test_what_belongs_to_another_session_is_not_lost() -> None:
    others = [replace(CORP, start_url="https://d-1.awsapps.com/start"), replace(CORP, region="us-east-1")]
    data = b""
    for number, session in enumerate(others):
        data = add_profiles(data, [NewProfile(f"x{number}", session, PROD, "Read")], helper=HELPER).data
    assert len(written_profiles(data)) == 2
    assert proposed({DEV: BOTH[DEV]}, data).lost == ()
    assert named(proposed({PROD: BOTH[PROD]}, data)) == ["prod.Read"]


def test_what_was_changed_by_hand_is_not_lost() -> None:
    data = carried_out(b"", proposed(BOTH)).replace(b"\n[profile prod.Read]\n", b"\n[profile prod.Read] # mine\n")
    assert proposed({DEV: BOTH[DEV]}, data).lost == ()


def test_wrong_template() -> None:
    with pytest.raises(UsageError):
        proposed(BOTH, style=Style("x"))


# --- whatever comes -------------------------------------------------------------------------------------------------

roles = st.lists(st.sampled_from(["A", "B", "a", "C.x"]), max_size=3, unique=True).map(tuple)
accounts = st.dictionaries(
    st.sampled_from([DEV, PROD, "000000000003", "000000000004"]),
    st.tuples(st.sampled_from(["Dev", "dev", "Prod", "日本", "", "dev.A"]), roles),
    max_size=4,
)
styles = st.builds(
    Style,
    st.sampled_from(
        ["{account_name|slug}.{role}", "{account_name}", "{role}", "{session}", "{account_id}/{role|lower}"]
    ),
    include=st.sampled_from([(), ("*a*",)]),
    exclude=st.sampled_from([(), ("dev*",), ("C*",)]),
)


def targets(data: bytes) -> dict[tuple[str, str], str]:
    return {(one.account_id, one.role_name): name for name, one in written_profiles(data).items()}


@given(st.lists(accounts, min_size=1, max_size=3), styles, st.sampled_from([b"", HAND]), st.booleans())
def test_one_run_after_the_other(runs: list[Accounts], style: Style, data: bytes, prune: bool) -> None:
    """Each run writes what is missing, twice is once, no name changes, and what is not ours stays as it is."""
    mine = data
    for listed in runs:
        before = targets(data)
        proposal = proposed(listed, data, style)
        data = carried_out(data, proposal, prune=prune)
        after = targets(data)
        assert data.startswith(mine)
        assert {target: name for target, name in before.items() if target in after} == {
            target: name for target, name in after.items() if target in before
        }
        if not prune:
            assert before.keys() <= after.keys()
        assert len({name.casefold() for name in after.values()}) == len(after)
        _check_complete(listed, style, after, mine)
        assert carried_out(data, proposed(listed, data, style), prune=prune) == data
    assert remove_profiles(data, written_profiles(data)).data == mine


def _check_complete(listed: Accounts, style: Style, after: dict[tuple[str, str], str], mine: bytes) -> None:
    if style.include or style.exclude:
        return
    there: Iterable[tuple[str, str]] = {(DEV, "Admin")} if mine else set()
    wanted = {(account, role) for account, (_, found) in listed.items() for role in found or ()}
    assert wanted - set(there) <= after.keys()


@given(accounts, styles, styles, st.sampled_from([b"", HAND]))
def test_renaming_is_as_if_it_had_always_been_so(listed: Accounts, first: Style, second: Style, mine: bytes) -> None:
    first, second = (replace(style, include=(), exclude=()) for style in (first, second))
    data = carried_out(mine, proposed(listed, mine, first))
    renamed = carried_out(data, proposed(listed, data, second, rename=True))
    assert targets(renamed) == targets(carried_out(mine, proposed(listed, mine, second)))
    assert renamed.startswith(mine)


def test_two_centers_side_by_side() -> None:
    """The same names of accounts in both: the second one's get what tells them apart, and each is pruned alone."""
    other = Session("other", "https://d-9999999999.awsapps.com/start", "us-east-1")
    accounts = {"000000000007": BOTH[DEV], PROD: BOTH[PROD]}
    data = carried_out(b"", proposed(BOTH))
    both = carried_out(data, propose(directory(accounts), other, data, Style()))
    assert both.startswith(data)
    assert {name: one.session for name, one in written_profiles(both).items()} == {
        **dict.fromkeys(("dev.Admin", "dev.Read", "prod.Read"), "corp"),
        **dict.fromkeys(("dev.Admin-000000000007", "dev.Read-000000000007", f"prod.Read-{PROD}"), "other"),
    }
    for listed, session in ((BOTH, CORP), (accounts, other)):
        again = propose(directory(listed), session, both, Style())
        assert (carried_out(both, again), again.lost) == (both, ())
    only_dev = propose(directory({DEV: BOTH[DEV]}), CORP, both, Style())
    assert only_dev.lost == ("prod.Read",)


def test_two_sessions_of_one_start_url() -> None:
    """One in another region has profiles of its own; to one in the same region they move, as is said."""
    data = carried_out(b"", proposed(BOTH))
    far = replace(CORP, name="far", region="us-east-1")
    proposal = propose(directory(BOTH), far, data, Style())
    assert named(proposal) == [f"dev.Admin-{DEV}", f"dev.Read-{DEV}", f"prod.Read-{PROD}"]
    edit = add_profiles(data, proposal.add, helper=HELPER)
    assert edit.data.startswith(data)
    assert edit.revised == []
    assert proposed(BOTH, edit.data).add == proposed(BOTH, data).add
    twin = replace(CORP, name="twin")
    text = data + b"\n[sso-session twin]\n" + data.partition(b"]\n")[2].partition(b"\n\n")[0] + b"\n"
    edit = add_profiles(text, propose(directory(BOTH), twin, text, Style()).add, helper=HELPER)
    assert edit.revised == [(name, "session corp → twin") for name in ("dev.Admin", "dev.Read", "prod.Read")]
