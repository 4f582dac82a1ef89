"""`setup` in narrow and tiny terminals, with a long list, and where lists cannot be shown."""

from __future__ import annotations

import re

import pytest

from credhelper.aws.config import parse_config
from credhelper.standin import Account
from tests.cli.setup.wizard import CTRL_A, CTRL_U, DOWN, ENTER, PAGE_DOWN, UP, Wizard, list_of


def test_forty_columns(wizard: Wizard) -> None:
    wizard.standin.configure(portal_region=None)
    wizard.write_config(
        "[sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = eu-west-1\n"
    )
    with wizard.start("--hook", "none", "--device", columns=40) as seen:
        screen = list_of(seen, "Which Identity Center?")
        assert "> acme  https://acme.awsapps.com/start" in screen
        seen.type(DOWN + ENTER)
        seen.wait_for("Start URL:")
        seen.type(f"wrong words{ENTER}")
        seen.wait_for("no https address")
        seen.type(f"d-93670bd35a{ENTER}")
        screen = list_of(seen, "Region:")
        assert "Europe (Ireland)" in screen
        seen.type("oregon")
        screen = seen.wait_for("> us-west-2       US West (Oregon)")
        assert "/ oregon_" in screen
        seen.type(ENTER)
        screen = list_of(seen, "Accounts and roles:")
        assert re.search(r"> \[x\] Client Product… +AWSAdministrato…", screen)
        assert screen.splitlines()[-2:] == [
            "  type to search, Tab: take or leave",
            "  Ctrl-A: all shown, Enter: go on",
        ]
        seen.type(ENTER)
        screen = list_of(seen, "Names of the profiles:")
        assert "  reply-sandbox.AWSReadOnlyAccess" in screen.splitlines()
        seen.type(UP + ENTER)
        seen.wait_for("Enter alone goes back")
        seen.type(ENTER)
        list_of(seen, "Names of the profiles:")
        seen.type(UP + ENTER)
        seen.wait_for("Template (Enter")
        seen.type(f"{{nothing}}{ENTER}")
        seen.wait_for("there is no field")
        seen.type(f"b.{{account_email|after_plus}}.{{role|last:14}}{ENTER}")
        seen.wait_for("  b.reply.sandbox.istratorAccess")
        seen.wait_for("These are good")
        seen.type(ENTER)
        screen = seen.wait_for("[Y/n]")
        assert re.search(r"\? Write this to\n\S+/config\?\s\[Y/n\]", screen)
        seen.type(f"maybe{ENTER}")
        seen.wait_for("that is no answer")
        seen.type(f"{CTRL_U}Yes{ENTER}")
        seen.wait_for("All is ready")
        assert seen.wait() == 0
    found = parse_config(wizard.config.read_bytes())
    assert found.sessions["d-93670bd35a"]["sso_region"] == "us-west-2"
    assert len(found.profiles) == 4


def test_many_accounts_and_a_long_diff(wizard: Wizard) -> None:
    many = [f"Account {number:03}" for number in range(150)]
    wizard.standin.configure(
        accounts={
            str(100000000001 + at): Account(str(100000000001 + at), name, "", ("Admin",))
            for at, name in enumerate(many)
        }
    )
    with wizard.start("--hook", "none", "--template", "{account_name|slug}", lines=24) as seen:
        seen.wait_for("Start URL:")
        seen.type(f"d-93670bd35a{ENTER}")
        screen = list_of(seen, "Accounts and roles:", 60)
        assert "  150 of 150 chosen" in screen.splitlines()
        assert "  1 of 150" in screen.splitlines()
        seen.type(PAGE_DOWN)
        seen.wait_until(lambda screen: re.search(r"> \[x\] Account 015", screen))
        seen.type(f" {PAGE_DOWN}{PAGE_DOWN}")  # Space takes and leaves too, before a search
        seen.wait_for("149 of 150 chosen")
        seen.type(f"{CTRL_A}{CTRL_A}account 07{CTRL_A}")
        screen = seen.wait_for("15 of 150 chosen")  # ids are searched too
        assert "Account 008" not in screen
        seen.type(f"{CTRL_U}{CTRL_A}")
        seen.wait_for("150 of 150 chosen")
        seen.type(ENTER)
        screen = seen.wait_for("[Y/n/a]")
        assert re.search(r"… and \d{4} lines more", screen)
        seen.type(f"a{ENTER}")
        seen.wait_for("+[profile account-149]", limit=30)
        seen.wait_for("[Y/n/a]")
        seen.type(f"n{ENTER}")
        assert seen.wait() == 1
    assert wizard.files == {}


def test_accounts_of_one_name_are_told_apart_in_a_narrow_terminal(wizard: Wizard) -> None:
    ids = ("100000000001", "100000000002")
    wizard.standin.configure(
        accounts={number: Account(number, "Production of Client Services", "", ("Administrator",)) for number in ids}
    )
    with wizard.start("--hook", "none", columns=60) as seen:
        seen.wait_for("Start URL:")
        seen.type(f"d-93670bd35a{ENTER}")
        screen = list_of(seen, "Accounts and roles:")
        assert re.findall(r"\[x\] Production of .+…  (\d{12})  Administrator$", screen, re.MULTILINE) == list(ids)
        seen.interrupt()
        assert seen.wait() == 130


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_can_show_no_lists(wizard: Wizard, term: str) -> None:
    with wizard.start(TERM=term) as seen:
        assert seen.wait() == 2
        assert "there is no terminal to ask on" in seen.screen()


def test_a_tiny_terminal_still_shows_the_line_that_is_pointed_at(wizard: Wizard) -> None:
    with wizard.start(lines=8, columns=30, NO_COLOR="1") as seen:
        seen.wait_for("Start URL:")
        seen.type(f"d-93670bd35a{ENTER}")
        seen.wait_until(lambda screen: "> [x]" in screen)
        seen.type(DOWN + DOWN + DOWN)
        seen.wait_until(lambda screen: "> [x] Reply" in screen and "AWSRead" in screen)
        assert not re.search(rb"\x1b\[[0-9;]*\b[349][0-7]m", seen.raw())
        seen.interrupt()
        assert seen.wait() == 130
