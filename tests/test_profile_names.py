"""The template language, and one name for each account and role."""

from __future__ import annotations

import random
import re
import shlex
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credhelper.errors import UsageError
from credhelper.headers import parse_header
from credhelper.profile_names import (
    DEFAULT_TEMPLATE,
    MOST,
    Selection,
    Subject,
    Template,
    assign,
    folded,
    trouble,
    unread_by,
)

ONE = Subject("reply", "012345678901", "Corp Dev", "b.paques+dev@mail.reply.com", "AWSAdministratorAccess")
TEMPLATES = [
    DEFAULT_TEMPLATE,
    "{account_name}",
    "{role}",
    "{session}",
    "{account_email|before_at}/{role|dashed}",
    "{account_name|first:1}",
    "{account_id|last:4}.{role|remove:AWS}",
]
texts = st.text(max_size=30) | st.sampled_from(
    ["Sandbox", "sandbox", "Sändbox", "SAND BOX", "日本", "a@b.c", "default"]
)
subjects = st.builds(
    Subject,
    st.sampled_from(["s", "other", "ö"]),
    st.sampled_from([f"{number:012}" for number in range(5)]),
    texts,
    texts,
    st.sampled_from(["Admin", "admin", "a=b", "a,b", "ReadOnly"]),
)


def name(template: str, **changes: str) -> str:
    return Template.parse(template).render(replace(ONE, **changes))


# --- one name -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (DEFAULT_TEMPLATE, "corp-dev.AWSAdministratorAccess"),
        ("{account_name}", "Corp-Dev"),
        ("{account_name|upper}", "CORP-DEV"),
        ("{account_name|lower}", "corp-dev"),
        ("{account_id}:{role}", "012345678901:AWSAdministratorAccess"),
        ("{account_email}", "b.paques+dev@mail.reply.com"),
        ("{account_email|before_at}", "b.paques+dev"),
        ("{account_email|after_at}", "mail.reply.com"),
        ("{account_email|after_at|before_dot}", "mail"),
        ("{account_email|before_plus}", "b.paques"),
        ("{account_email|after_plus}", "dev"),
        ("{session}-{account_email|before_plus}", "reply-b.paques"),
        ("reply-{account_email|before_plus}", "reply-b.paques"),
        ("{role|dashed}", "aws-administrator-access"),
        ("{role|slug}", "awsadministratoraccess"),
        ("{role|remove:AWS|remove:Access|lower}", "administrator"),
        ("{account_id|last:4}", "8901"),
        ("{account_id|first:3}", "012"),
        ("{account_name|slug}/{role|remove:AWS|dashed}", "corp-dev/administrator-access"),
        ("x_1@{session}+y", "x_1@reply+y"),
    ],
)
def test_templates(template: str, expected: str) -> None:
    assert name(template) == expected


@pytest.mark.parametrize(
    ("account", "expected"),
    [
        ("Größe & Maß: Ørsted Łódź", "Grosse-Mass-Orsted-Lodz"),
        ("  'quoted' \"name\" [x] #1;  ", "quoted-name-x-1"),
        ("$(rm -rf ~) `x` {role}", "rm-rf-x-role"),
        ("a\nb\tc\x1b[31m", "a-b-c-31m"),
        ("--help", "help"),
        ("Corp - Dev", "Corp-Dev"),
        ("..", "012345678901"),
        ("日本", "012345678901"),
        ("日本 dev", "dev"),
        ("", "012345678901"),
        ("\udcff\ufeff", "012345678901"),
        ("ﬁne", "fine"),
        ("É́", "E"),
    ],
)
def test_odd_accounts(account: str, expected: str) -> None:
    assert name("{account_name}", account_name=account) == expected


def test_mail_without_its_signs() -> None:
    assert name("{account_email|before_at}", account_email="paques") == "paques"
    assert name("{account_email|after_at}", account_email="paques") == "paques"
    assert name("{account_email|before_plus}", account_email="b.paques@x") == "b.paques"
    assert name("{account_email|after_plus}", account_email="b.paques@x") == "012345678901"


def test_what_a_role_could_not_be_called() -> None:
    assert name("{role}", role="日本") == "role"
    assert name("{session}", session="日本") == "session"


def test_long_names_are_cut_and_stay_apart() -> None:
    long = [name("{account_name}.{role}", account_name="x" * 300, role=role) for role in ("A", "B")]
    assert {len(text) for text in long} == {MOST}
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("template", "place", "said", "remedy"),
    [
        ("{acount_name}", 2, "there is no field {acount_name}", "Did you mean account_name?"),
        ("{role}.{}", 9, "there is no field {}", "The fields are account_name, account_id"),
        ("{role.__class__}", 2, "there is no field", "The fields are"),
        ("{role[0]}", 2, "there is no field", "The fields are"),
        ("{role!r}", 2, "there is no field", "The fields are"),
        ("{0}", 2, "there is no field {0}", "The fields are"),
        ("x{role", 2, "a brace stands alone", "Write fields as {account_name}"),
        ("x}", 2, "a brace stands alone", "Write fields as {account_name}"),
        ("{{role}}", 1, "a brace stands alone", "Write fields as {account_name}"),
        ("{role|}", 7, "there is no filter ''", "The filters are slug"),
        ("{role|slugs}", 7, "there is no filter 'slugs'", "Did you mean slug?"),
        ("{role|lower|first}", 13, "'first' needs something behind it", "Write |first:4"),
        ("{role|remove:}", 7, "'remove' needs something behind it", "Write |remove:TEXT"),
        ("{role|first:x}", 7, "'first' needs a number from 1 to 100", "Write |first:4"),
        ("{role|first:0}", 7, "'first' needs a number from 1 to 100", "Write |first:4"),
        ("{role|last:-1}", 7, "'last' needs a number", "Write |last:4"),
        ("{role|last:²}", 7, "'last' needs a number", "Write |last:4"),
        ("{role|slug:x}", 7, "'slug' takes nothing behind it", "Write |slug"),
        ("my {role}", 3, "' ' cannot stand in a name", "Letters, digits and . _ - @ + : / can"),
        ("{role}#", 7, "'#' cannot stand in a name", "can"),
        ("é{role}", 1, "'é' cannot stand in a name", "can"),
        ("-{role}", 1, "a name cannot begin with '-'", "Begin with"),
        ("/{role}", 1, "a name cannot begin with '/'", "Begin with"),
    ],
)
def test_wrong_templates(template: str, place: int, said: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template.parse(template)
    assert caught.value.message.startswith(f"the template {template!r} is wrong at character {place}: {said}")
    assert remedy in (caught.value.remedy or "")


@pytest.mark.parametrize("template", ["", "plain"])
def test_a_template_without_fields(template: str) -> None:
    with pytest.raises(UsageError, match="has no field") as caught:
        Template.parse(template)
    assert DEFAULT_TEMPLATE in (caught.value.remedy or "")


@given(st.text() | st.text(alphabet="{}|:abroleunt_m.-"))
def test_any_text_is_a_template_or_an_error(text: str) -> None:
    try:
        made = Template.parse(text).render(ONE)
    except UsageError:
        return
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._@+:/-]*", made)


@given(st.sampled_from(TEMPLATES), subjects)
def test_any_name_can_stand_anywhere(template: str, subject: Subject) -> None:
    made = Template.parse(template).render(subject)
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._@+:/-]*", made)
    assert len(made) <= MOST
    assert shlex.quote(made) == made
    assert parse_header(f"profile {made}") == ("profile", made)
    assert trouble(made) is None
    assert unread_by(made) is None


# --- many names -----------------------------------------------------------------------------------------------------


def subject(account: int, role: str = "Admin", called: str = "Sandbox", session: str = "s") -> Subject:
    return Subject(session, f"{account:012}", called, "x@y", role)


def names(*found: Subject, template: str = DEFAULT_TEMPLATE, taken: tuple[str, ...] = ()) -> list[str]:
    return list(assign(found, Template.parse(template), taken).values())


def test_accounts_of_one_name_get_their_ids_all_of_them() -> None:
    assert names(subject(1), subject(2), subject(3, called="other")) == [
        "sandbox.Admin-000000000001",
        "sandbox.Admin-000000000002",
        "other.Admin",
    ]


def test_roles_that_the_template_leaves_out() -> None:
    assert names(subject(1, "A"), subject(1, "B"), template="{account_name}") == ["Sandbox-A", "Sandbox-B"]
    assert names(subject(1, "A"), subject(1, "B"), subject(2, "A"), template="{account_name}") == [
        "Sandbox-000000000001-A",
        "Sandbox-000000000001-B",
        "Sandbox-000000000002-A",
    ]


def test_sessions_that_the_template_leaves_out() -> None:
    assert names(subject(1), subject(1, session="t")) == ["sandbox.Admin-s", "sandbox.Admin-t"]


def test_case_alone_tells_nothing_apart() -> None:
    assert names(subject(1), subject(2, called="SANDBOX"), template="{account_name}") == [
        "Sandbox-000000000001",
        "SANDBOX-000000000002",
    ]
    assert names(subject(1), taken=("SANDBOX.ADMIN",)) == ["sandbox.Admin-000000000001"]


def test_default_is_never_given() -> None:
    assert names(subject(1, called="Default"), template="{account_name}") == ["Default-000000000001"]


def test_roles_that_come_to_the_same_get_a_digest() -> None:
    first, second = names(subject(1, "a=b"), subject(1, "a,b"))
    assert first != second
    assert re.fullmatch(r"sandbox\.a-b-[0-9a-f]{8}", first)


def test_all_ways_out_taken() -> None:
    one = subject(1)
    taken: tuple[str, ...] = ()
    for _ in range(5):
        (made,) = names(one, taken=taken)
        assert made not in taken
        taken += (made,)


def test_an_account_that_is_called_as_another_one_s_way_out() -> None:
    found = names(subject(1), subject(2), subject(3, called="sandbox.Admin-000000000001"), template="{account_name}")
    assert len({folded(made) for made in found}) == 3


def test_those_known_keep_their_names() -> None:
    template = Template.parse(DEFAULT_TEMPLATE)
    first = assign([subject(2)], template, ())
    assert first == {subject(2): "sandbox.Admin"}
    both = assign([subject(1), subject(2)], template, (), first)
    assert both == {subject(2): "sandbox.Admin", subject(1): "sandbox.Admin-000000000001"}


@given(
    st.lists(subjects, max_size=12),
    st.sampled_from(TEMPLATES),
    st.lists(texts, max_size=3),
    st.randoms(use_true_random=False),
)
def test_each_has_one_of_its_own_in_any_order(
    found: list[Subject], template: str, taken: list[str], order: random.Random
) -> None:
    # Two subjects that differ in nothing but what an account is called are one role.
    found = list({(one.session, one.account_id, one.role): one for one in found}.values())
    parsed = Template.parse(template)
    assigned = assign(found, parsed, taken)
    assert list(assigned) == found
    alike = [folded(made) for made in assigned.values()]
    assert len(set(alike)) == len(alike)
    assert not set(alike) & {folded(text) for text in (*taken, "default")}
    assert assign(order.sample(found, len(found)), parsed, taken) == assigned
    for made in assigned.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._@+:/-]*", made)
        assert len(made) <= MOST


@given(st.lists(subjects, max_size=8), st.lists(subjects, max_size=8), st.sampled_from(TEMPLATES))
def test_what_comes_later_changes_no_name(before: list[Subject], later: list[Subject], template: str) -> None:
    parsed = Template.parse(template)
    found = {(one.session, one.account_id, one.role): one for one in (*later, *before)}
    old = [one for one in dict.fromkeys(before) if one in found.values()]
    first = assign(old, parsed, ())
    second = assign(found.values(), parsed, (), first)
    assert {one: second[one] for one in old} == first
    assert len({folded(made) for made in second.values()}) == len(found)


# --- which of them --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("include", "exclude", "taken"),
    [
        ((), (), True),
        (("corp dev",), (), True),
        (("CORP*",), (), True),
        (("0123*",), (), True),
        (("*@mail.reply.com",), (), True),
        (("AWSA*",), (), True),
        (("my-name",), (), True),
        (("corp",), (), False),
        (("nothing", "corp*"), (), True),
        ((), ("corp*",), False),
        (("corp*",), ("*admin*",), False),
        (("[c]orp dev",), (), True),
        (("[",), (), False),
    ],
)
def test_selection(include: tuple[str, ...], exclude: tuple[str, ...], taken: bool) -> None:
    assert Selection(include, exclude).takes(ONE, "my-name") is taken


# --- names that people type -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["a", "reply-b.paques", "corp/dev:admin", "my profile", "größe", "日本", "a=b", "100%"]
)
def test_names_of_a_person_s_own(text: str) -> None:
    assert trouble(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        " a",
        "a ",
        "-a",
        "a]",
        "[a",
        "a'b",
        'a"',
        "a\\b",
        "a#b",
        "a;b",
        "a\nb",
        "a\0",
        "a\u200bb",
        "\udcff",
        "a  b",
    ],
)
def test_names_that_no_header_could_hold(text: str) -> None:
    assert trouble(text)


@pytest.mark.parametrize("text", ["my profile", "größe", "a=b", "a~b", "a,b"])
def test_names_that_not_every_sdk_reads(text: str) -> None:
    assert ("Terraform" in (unread_by(text) or "")) is (" " in text)
    assert "CDK" in (unread_by(text) or "")
