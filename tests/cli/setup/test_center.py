"""From what a person says to the session that is meant, without questions."""

from __future__ import annotations

import os

import pytest

from credhelper.cli.setup.center import Wanted, find_session
from credhelper.errors import UsageError
from credhelper.model import Session
from tests.cli.setup.wizard import START, Wizard

LEGACY = """\
[profile old]
sso_start_url = https://acme.awsapps.com/start/#/
sso_region = eu-central-1
sso_account_id = 100000000001
sso_role_name = Admin
"""
SECTION = """\
[sso-session work]
sso_start_url = https://acme.awsapps.com/start#
sso_region = eu-central-1
sso_registration_scopes = sso:account:access, codewhisperer:completions
"""
SCOPES = ("sso:account:access", "codewhisperer:completions")


def found(
    wizard: Wizard, start_url: str | None = None, region: str | None = None, name: str | None = None
) -> Session:
    return find_session(Wanted(start_url, region, name), wizard.paths, os.environ, ask=False)


def test_a_new_one_is_called_after_its_start_url(wizard: Wizard) -> None:
    assert found(wizard, f"{START}/#/") == Session("d-93670bd35a", START, "eu-west-1")
    assert wizard.standin.calls("PortalPage")


def test_a_region_in_the_address_needs_no_page(wizard: Wizard) -> None:
    session = found(wizard, "https://ssoins-1234.portal.ap-south-1.app.aws/#/")
    assert session == Session("ssoins-1234", "https://ssoins-1234.portal.ap-south-1.app.aws", "ap-south-1")
    assert found(wizard, START, "us-east-2").region == "us-east-2"
    assert wizard.standin.calls("PortalPage") == []


def test_one_that_is_there_is_used_as_it_is(wizard: Wizard) -> None:
    wizard.write_config(SECTION)
    same = Session("work", "https://acme.awsapps.com/start#", "eu-central-1", SCOPES)
    assert found(wizard) == found(wizard, "acme") == found(wizard, "acme", name="work") == same
    assert found(wizard, name="work", region="eu-central-1") == same
    assert found(wizard, "acme", name="corp") == same  # one section for one center
    assert wizard.standin.calls("PortalPage") == []


def test_an_old_profiles_session_is_the_one_that_enable_would_make(wizard: Wizard) -> None:
    wizard.write_config(LEGACY)
    assert found(wizard, "acme") == Session("acme", "https://acme.awsapps.com/start/#/", "eu-central-1")


def test_another_region_of_the_same_center_is_another_session(wizard: Wizard) -> None:
    wizard.write_config(SECTION)
    assert found(wizard, "acme", "eu-west-3") == Session("acme", "https://acme.awsapps.com/start", "eu-west-3")


def test_a_name_that_another_center_has_is_never_taken(wizard: Wizard) -> None:
    wizard.write_config(SECTION.replace("work", "d-93670bd35a"))
    assert found(wizard, START).name == "d-93670bd35a-2"
    with pytest.raises(UsageError, match="is there already"):
        found(wizard, START, name="d-93670bd35a")
    # Nor one that a profile refers to.
    wizard.write_config("[profile x]\nsso_session = d-93670bd35a\nsso_account_id = 1\nsso_role_name = y\n")
    assert found(wizard, START).name == "d-93670bd35a-2"


@pytest.mark.parametrize("name", ["two words", "a/b", "-", "", "é"])
def test_a_name_that_no_section_could_have(wizard: Wizard, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be a session's name"):
        found(wizard, START, name=name)
