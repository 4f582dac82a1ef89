"""Ctrl-C, and no, at each question: nothing is left half-done, and the next run begins where it should."""

from __future__ import annotations

import pytest

from credhelper.standin import Fault
from tests.cli.setup.wizard import CTRL_A, ENTER, START, UP, Wizard, list_of
from tests.shells.terminal import Terminal

OWN = f"""\
[profile mine]
sso_start_url = {START}/
sso_region = eu-west-1
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
"""
# What is waited for, then typed.
Step = tuple[str, str]
URL: Step = ("Start URL:", f"d-93670bd35a{ENTER}")
CHOSEN: Step = ("Enter: go on", ENTER)
NAMED: Step = ("Names of the profiles:", ENTER)
SERVED: Step = ("serve them too?", "n" + ENTER)
THE_ONE: Step = ("Which Identity Center?", ENTER)

STAGES: dict[str, tuple[str, list[Step], str]] = {
    "which center": (OWN, [], "Which Identity Center?"),
    "start url": ("", [], "Start URL:"),
    "start url again": ("", [("Start URL:", f"two words{ENTER}")], "no https address"),
    "accounts": ("", [URL], "Enter: go on"),
    "names": ("", [URL, CHOSEN], "Names of the profiles:"),
    "template": ("", [URL, CHOSEN, ("Names of the profiles:", UP + ENTER)], "Template (Enter"),
    "own profiles": (OWN, [THE_ONE, CHOSEN, NAMED], "serve them too?"),
    "diff": (OWN, [THE_ONE, CHOSEN, NAMED, SERVED], "Write this to"),
}


def go(seen: Terminal, steps: list[Step]) -> None:
    for wanted, keys in steps:
        seen.wait_for(wanted)
        seen.type(keys)


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_changes_nothing(wizard: Wizard, stage: str) -> None:
    config, steps, question = STAGES[stage]
    if config:
        wizard.write_config(config)
    before = wizard.files
    with wizard.start("--hook", "bash", columns=120) as seen:
        go(seen, steps)
        seen.wait_for(question)
        seen.interrupt()
        assert seen.wait() == 130
        screen = seen.wait_for("Stopped; your AWS config is as it was.")
    assert "Traceback" not in screen
    assert wizard.files == before


def test_ctrl_c_where_the_region_is_asked_for(wizard: Wizard) -> None:
    wizard.standin.configure(portal_region=None)
    with wizard.start() as seen:
        go(seen, [URL])
        screen = list_of(seen, "Region:")
        assert "the access portal's page does not say it." in screen
        seen.interrupt()
        assert seen.wait() == 130
    assert wizard.files == {}
    assert wizard.browser.opened() == []


def test_ctrl_c_during_the_login(wizard: Wizard) -> None:
    with wizard.start("--no-browser") as seen:
        go(seen, [URL])
        seen.wait_for("paste the address")
        seen.interrupt()
        assert seen.wait() == 130
        seen.wait_for("Stopped; your AWS config is as it was.")
    assert wizard.files == {}
    assert not list(wizard.paths.token_cache.glob("*.json")) or "accessToken" not in "".join(
        path.read_text() for path in wizard.paths.token_cache.glob("*.json")
    )


def test_ctrl_c_while_accounts_are_listed(wizard: Wizard) -> None:
    wizard.standin.fault("ListAccountRoles", Fault.hold())
    with wizard.start() as seen:
        go(seen, [URL])
        wizard.standin.wait_for("ListAccountRoles", done=None)
        seen.wait_for("Accounts of d-93670bd35a")
        seen.interrupt()
        assert seen.wait() == 130
        seen.wait_for("Stopped; your AWS config is as it was.")
    wizard.standin.clear_faults()
    assert wizard.files == {}


def test_no_to_the_diff_writes_nothing(wizard: Wizard) -> None:
    wizard.write_config(OWN)
    before = wizard.files
    with wizard.start("--hook", "bash") as seen:
        go(seen, [THE_ONE, CHOSEN, NAMED, SERVED, ("Write this to", "n" + ENTER)])
        assert seen.wait() == 1
        assert "Nothing was written." in seen.screen()
    assert wizard.files == before


def test_ctrl_c_at_the_hook_leaves_profiles_that_work(wizard: Wizard) -> None:
    with wizard.start("--hook", "bash") as seen:
        go(seen, [URL, CHOSEN, NAMED, ("Write this to", ENTER)])
        seen.wait_for("Let bash read the hook from")
        seen.interrupt()
        assert seen.wait() == 130
        seen.wait_for("Stopped; the profiles are written and work.")
    assert not (wizard.paths.home / ".bashrc").exists()
    assert wizard.call("whoami", "reply-sandbox.AWSReadOnlyAccess").code == 0


def test_no_to_the_hook_goes_on(wizard: Wizard) -> None:
    with wizard.start("--hook", "bash") as seen:
        go(seen, [URL, CHOSEN, NAMED, ("Write this to", ENTER), ("Let bash read the hook from", "n" + ENTER)])
        seen.wait_for("aws s3 ls --profile")
        assert seen.wait() == 0
    assert not (wizard.paths.home / ".bashrc").exists()


def test_nothing_chosen_writes_nothing(wizard: Wizard) -> None:
    with wizard.start("--hook", "none") as seen:
        seen.wait_for("Start URL:")
        seen.type(f"d-93670bd35a{ENTER}")
        seen.wait_for("Enter: go on")
        seen.type(f"{CTRL_A}{ENTER}")
        assert seen.wait() == 1
        assert "Nothing is chosen" in seen.screen()
    assert wizard.files == {}


def test_a_config_that_is_changed_meanwhile_is_not_overwritten(wizard: Wizard) -> None:
    wizard.write_config("[profile mine]\nregion = eu-west-1\n")
    with wizard.start("--hook", "none") as seen:
        go(seen, [URL, CHOSEN, NAMED])
        seen.wait_for("Write this to")
        wizard.write_config("[profile mine]\nregion = eu-west-2\n")
        seen.type(ENTER)
        assert seen.wait() == 1
        assert "was changed by another program" in seen.screen().replace("\n", " ")
    assert wizard.config.read_text() == "[profile mine]\nregion = eu-west-2\n"
