"""The whole wizard in a pseudo-terminal, from an empty home folder on; and again, when something has changed."""

from __future__ import annotations

import re

from credhelper.aws.config.authoring import written_profiles
from tests.cli.setup.wizard import CTRL_U, DOWN, ENTER, START, TAB, Wizard, accounts, list_of


def test_from_nothing_to_working(wizard: Wizard) -> None:
    with wizard.start("--hook", "bash") as seen:
        seen.wait_for("Start URL:")
        assert wizard.files == {}
        seen.type(f"{START}/#/console?account_id=100000000002&role_name=AWSReadOnlyAccess{ENTER}")
        screen = list_of(seen, "Accounts and roles:")
        shown = seen.raw().decode()
        assert f"Identity Center: {START}" in shown
        assert "Region: eu-west-1, as the portal says" in shown
        assert "Accounts of d-93670bd35a: 2 with 4 roles of yours." in screen
        assert "  4 of 4 chosen" in screen.splitlines()
        assert re.search(r"> \[x\] Client Production +100000000002 +AWSAdministratorAccess", screen)
        seen.type("client prod admin")
        seen.wait_until(lambda screen: "Sandbox" not in screen)
        seen.type(TAB + CTRL_U)
        seen.wait_for("3 of 4 chosen")
        seen.type(ENTER)
        screen = list_of(seen, "Names of the profiles:")
        assert re.search(r"  client-production\.AWSReadOnlyAccess +Client Production, AWSReadOnlyAccess", screen)
        assert "client-production.AWSAdministratorAccess" not in screen
        assert "Rather like client-production-aws-read-only-access" in screen
        seen.type(DOWN + ENTER)
        seen.wait_until(lambda screen: "  reply-sandbox-aws-administrator-access" in screen and "These are" in screen)
        assert wizard.files == {}
        seen.type(ENTER)
        screen = seen.wait_for("[Y/n]")
        assert f"Write this to {wizard.config}?" in screen
        assert "+[profile reply-sandbox-aws-read-only-access]" in screen
        assert "+region = eu-west-1" in screen
        assert wizard.files == {}
        seen.type(ENTER)
        screen = seen.wait_for("Let bash read the hook from")
        assert "3 profiles written" in screen
        assert "# >>> credhelper hook" in screen
        assert set(wizard.files) == {str(wizard.config), str(wizard.paths.helper)}
        seen.type(ENTER)
        screen = seen.wait_for("aws s3 ls --profile client-production-aws-read-only-access")
        assert seen.wait() == 0
        assert "$ credhelper whoami client-production-aws-read-only-access" in screen
        assert re.search("account: +100000000002", screen)
        assert "arn:aws:sts::100000000002:assumed-role/AWSReservedSSO_AWSReadOnlyAccess" in screen
    assert len(wizard.browser.opened()) == 1
    assert (wizard.config.stat().st_mode & 0o777, wizard.paths.aws.stat().st_mode & 0o777) == (0o600, 0o700)
    assert b"credhelper hook" in (wizard.paths.home / ".bashrc").read_bytes()
    assert list(written_profiles(wizard.config.read_bytes())) == [
        "client-production-aws-read-only-access",
        "reply-sandbox-aws-administrator-access",
        "reply-sandbox-aws-read-only-access",
    ]
    _again_with_a_new_account(wizard)
    _again_with_less(wizard)
    _again_with_nothing_new(wizard)


def _again_with_a_new_account(wizard: Wizard) -> None:
    before = wizard.config.read_bytes()
    wizard.standin.configure(accounts=accounts(3))
    with wizard.start("--hook", "bash") as seen:
        screen = list_of(seen, "Which Identity Center?")
        assert f"> d-93670bd35a  {START}" in screen
        seen.type(ENTER)
        list_of(seen, "Accounts and roles:")
        seen.interrupt()
        assert seen.wait() == 130
    with wizard.start("--hook", "bash") as seen:
        list_of(seen, "Which Identity Center?")
        seen.type(ENTER)
        screen = list_of(seen, "Accounts and roles:")
        # What was left out stays so, what there was not to choose then is taken, also after a run that was given up.
        assert "  5 of 6 chosen" in screen.splitlines()
        assert re.search(r"> \[ \] Client Production +100000000002 +AWSAdministratorAccess", screen)
        assert re.search(r"\[x\] Client Staging +100000000003 +AWSAdministratorAccess", screen)
        seen.type(ENTER)
        screen = list_of(seen, "Names of the profiles:")
        assert re.search("  client-staging-aws-read-only-access", screen)
        assert re.search("  reply-sandbox-aws-read-only-access +as now", screen)
        seen.type(ENTER)
        seen.wait_for(f"Write this to {wizard.config}?")
        seen.type(ENTER)
        seen.wait_for("aws s3 ls --profile")
        screen = seen.screen()
        assert "2 profiles written" in screen
        assert ".bashrc has the hook already" in screen
        assert seen.wait() == 0
    assert wizard.config.read_bytes().startswith(before)
    assert len(wizard.browser.opened()) == 1  # logged in already


def _again_with_less(wizard: Wizard) -> None:
    with wizard.start("--hook", "none") as seen:
        seen.wait_for("Which Identity Center?")
        seen.type(ENTER)
        seen.wait_for("Enter: go on")
        seen.type(f"sandbox/admin{TAB}{ENTER}")
        screen = seen.wait_for("[Y/n]")
        assert "-[profile reply-sandbox-aws-administrator-access]" in screen
        seen.type(ENTER)
        seen.wait_for("aws s3 ls --profile")
        assert "1 profile removed: reply-sandbox-aws-administrator-access." in seen.screen()
        assert seen.wait() == 0


def _again_with_nothing_new(wizard: Wizard) -> None:
    before = wizard.files
    with wizard.start("--hook", "none") as seen:
        seen.wait_for("Which Identity Center?")
        seen.type(ENTER)
        screen = list_of(seen, "Accounts and roles:")
        assert "  4 of 6 chosen" in screen.splitlines()
        seen.type(ENTER)
        seen.wait_for("aws s3 ls --profile")
        assert "is as it should be; nothing to change." in seen.screen()
        assert seen.wait() == 0
    assert wizard.files == before


def test_a_glob_for_names_that_are_changed_then_takes_nothing_away(wizard: Wizard) -> None:
    with wizard.start("--hook", "none", "--include", "client-production.*") as seen:
        seen.wait_for("Start URL:")
        seen.type(f"d-93670bd35a{ENTER}")
        assert "  2 of 2 chosen" in list_of(seen, "Accounts and roles:").splitlines()
        seen.type(ENTER)
        list_of(seen, "Names of the profiles:")
        seen.type(DOWN + ENTER)
        seen.wait_until(lambda screen: "  client-production-aws-read-only-access" in screen and "These are" in screen)
        seen.type(ENTER)
        seen.wait_for("Write this to")
        seen.type(ENTER)
        seen.wait_for("aws s3 ls --profile")
        assert seen.wait() == 0
    names = ["client-production-aws-administrator-access", "client-production-aws-read-only-access"]
    assert list(written_profiles(wizard.config.read_bytes())) == names
    with wizard.start("--hook", "none") as seen:
        list_of(seen, "Which Identity Center?")
        seen.type(ENTER)
        assert "  2 of 4 chosen" in list_of(seen, "Accounts and roles:").splitlines()
        seen.type(ENTER)
        seen.wait_for("aws s3 ls --profile")
        assert "nothing to change" in seen.screen()
        assert seen.wait() == 0
    assert list(written_profiles(wizard.config.read_bytes())) == names
