"""`setup` where nobody is asked: by flags and `--yes`, in a pipe, and what it says where it would have to ask."""

from __future__ import annotations

import re
import shlex
import subprocess

import click
import pytest

from credhelper.agent import Agent
from credhelper.aws.config import parse_config
from credhelper.aws.config.authoring import written_profiles
from credhelper.aws.directory import read_directory
from credhelper.aws.profile_styles import remembered_style
from credhelper.cli import group
from credhelper.model import Session
from credhelper.standin import Fault
from tests.cli.setup.wizard import START, Wizard, accounts
from tests.cli.terminal import COMMAND, Result, environment

YES = ("setup", "--yes", "--hook", "none")
ALL = [
    "client-production.AWSAdministratorAccess",
    "client-production.AWSReadOnlyAccess",
    "reply-sandbox.AWSAdministratorAccess",
    "reply-sandbox.AWSReadOnlyAccess",
]


def profiles(wizard: Wizard) -> list[str]:
    return sorted(parse_config(wizard.config.read_bytes()).profiles)


def test_yes_takes_all_and_does_it_once(wizard: Wizard) -> None:
    command = shlex.join([*COMMAND, "setup", "--yes", "--start-url", "d-93670bd35a"])
    # The shell that it is typed into counts, not that of the logins.
    typed = subprocess.run(
        ["bash", "-c", f"{command}; exit $?"],
        env={**environment(), "SHELL": "/bin/zsh"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    done = Result(typed.returncode, typed.stdout, typed.stderr)
    assert done.code == 0, done.err
    assert "4 profiles written" in done.out
    assert "arn:aws:sts::100000000002:assumed-role/AWSReservedSSO_AWSAdministratorAccess" in done.out
    assert "All is ready" in done.out
    assert profiles(wizard) == ALL
    assert [path.name for path in wizard.paths.home.glob(".*rc")] == [".bashrc"]
    assert Agent(wizard.paths).running()
    written = wizard.config.read_bytes()
    again = wizard.call(*YES)
    assert again.code == 0
    assert "Already logged in to d-93670bd35a" in again.out
    assert "nothing to change" in again.out
    assert wizard.config.read_bytes() == written
    assert len(wizard.browser.opened()) == 1
    session = Session("d-93670bd35a", START, "eu-west-1")
    directory = read_directory(wizard.paths, session)
    assert directory is not None
    assert [account.name for account in directory.accounts] == ["Reply Sandbox", "Client Production"]


def test_flags_say_what_questions_ask(wizard: Wizard) -> None:
    wizard.standin.configure(portal_region=None)
    done = wizard.call(
        *YES,
        *("--start-url", f"{START}/#/", "--sso-region", "eu-central-1", "--session", "acme"),
        *(
            "--include",
            "client*",
            "--exclude",
            "*Admin*",
            "--template",
            "{session}.{account_email|after_plus}.{role|last:14}",
        ),
        *("--region", "eu-south-1", "--output", "json"),
    )
    assert done.code == 0, done.err
    assert wizard.standin.calls("PortalPage") == []
    found = parse_config(wizard.config.read_bytes())
    assert found.sessions["acme"]["sso_region"] == "eu-central-1"
    assert list(found.profiles) == ["acme.client.production.ReadOnlyAccess"]
    (written,) = written_profiles(wizard.config.read_bytes()).values()
    assert (written.account_id, written.role_name) == ("100000000002", "AWSReadOnlyAccess")
    assert (written.region, written.output) == ("eu-south-1", "json")
    # The style is remembered, by `profiles discover` too, and another template renames.
    wizard.standin.configure(accounts=accounts(4))
    again = wizard.call(*YES)
    assert again.code == 0
    assert "Left out by --include 'client*' --exclude '*Admin*', as the last time: 6 roles." in again.out
    assert profiles(wizard) == ["acme.client.production.ReadOnlyAccess", "acme.client.staging.ReadOnlyAccess"]
    assert wizard.call("profiles", "discover", "--yes").code == 0
    assert profiles(wizard) == ["acme.client.production.ReadOnlyAccess", "acme.client.staging.ReadOnlyAccess"]
    assert wizard.call(*YES, "--template", "{account_name|slug}-{role|lower}").code == 0
    assert profiles(wizard) == ["client-production-awsreadonlyaccess", "client-staging-awsreadonlyaccess"]


def test_dry_run_looks_and_writes_nothing(wizard: Wizard) -> None:
    done = wizard.call(*YES, "--start-url", START, "--dry-run")
    assert done.code == 0
    assert "+[profile reply-sandbox.AWSReadOnlyAccess]" in done.out
    assert wizard.files == {}


OWN = f"""\
[profile mine]
sso_start_url = {START}/
sso_region = eu-west-1
sso_account_id = 100000000001
sso_role_name = AWSReadOnlyAccess
region = eu-west-2

[profile other]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = mine
"""


def test_own_profiles_are_served_and_nothing_else_of_them_changes(wizard: Wizard) -> None:
    wizard.write_config(OWN)
    assert wizard.call(*YES).code == 0
    found = parse_config(wizard.config.read_bytes()).profiles
    assert str(wizard.paths.helper) in found["mine"]["credential_process"]
    assert found["mine"]["region"] == "eu-west-2"
    # The account and role that `mine` is for need no second profile.
    assert sorted(found) == sorted([*ALL[:3], "mine", "other"])
    assert wizard.call("whoami", "mine").code == 0
    assert wizard.call("disable", "mine", "--yes").code == 0
    assert OWN.splitlines()[0:6] == wizard.config.read_text().splitlines()[0:6]


def test_own_profiles_may_be_left_alone(wizard: Wizard) -> None:
    wizard.write_config(OWN)
    assert wizard.call(*YES, "--no-enable").code == 0
    assert wizard.config.read_text().startswith(OWN)


def test_lost_access_is_named_and_kept(wizard: Wizard) -> None:
    wizard.standin.configure(accounts=accounts(3))
    assert wizard.call(*YES, "--start-url", START).code == 0
    wizard.standin.configure(accounts=accounts(2))
    done = wizard.call(*YES)
    assert done.code == 0
    assert "You do not have the roles of 2 profiles any more: client-staging" in done.out
    assert "client-staging.AWSReadOnlyAccess" in profiles(wizard)


@pytest.mark.parametrize(
    ("config", "arguments", "message"),
    [
        ("", (), "there is no terminal to ask on"),
        ("", ("--yes",), "no start URL is given"),
        ("", ("--yes", "--session", "acme"), "no start URL is given"),
        (OWN, ("--yes", "--session", "acme"), "there is no session 'acme'"),
        (
            OWN + OWN.replace("mine", "m2").replace("d-9", "d-8").replace("profile other", "profile o2"),
            ("--yes",),
            "there are several sessions",
        ),
        (OWN, ("--yes", "--sso-region", "eu-west-2"), "is in eu-west-1, not in eu-west-2"),
        ("", ("--yes", "--start-url", "https://aws.acme.example"), "is no access portal of AWS's"),
        (
            "",
            ("--yes", "--start-url", "acme", "--sso-region", "eu-wst-1"),
            "no region 'eu-wst-1' Did you mean eu-west-1?",
        ),
        (
            "",
            ("--yes", "--start-url", "acme", "--region", "mars"),
            "there is no region 'mars' Write it as in eu-west-1",
        ),
        ("", ("--yes", "--start-url", "acme", "--output", "a b"), "'a b' is no output format"),
        ("", ("--yes", "--start-url", "https://me:secret@acme.awsapps.com/start"), "has no user name in it"),
        (OWN, ("--yes", "--start-url", START, "--session", "a ]b"), "'a ]b' cannot be a session's name"),
        ("", ("--yes", "--start-url", "acme", "--template", "{nothing}"), "there is no field {nothing}"),
        (
            OWN + "[sso-session acme]\nsso_start_url = https://x.awsapps.com/start\nsso_region = eu-west-1\n",
            ("--yes", "--start-url", "acme2", "--session", "acme"),
            "the session 'acme' is there already",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    wizard: Wizard, config: str, arguments: tuple[str, ...], message: str
) -> None:
    if config:
        wizard.write_config(config)
    before = wizard.files
    done = wizard.call("setup", *arguments)
    assert done.code == 2
    assert message in " ".join(done.err.split())
    assert "secret" not in done.err
    assert wizard.files == before
    assert wizard.browser.opened() == []


@pytest.mark.parametrize("config", ["this is no config\n", f"\ufeff{OWN}", f"[profile x\nregion = y\n{OWN}"])
def test_a_config_that_cannot_be_read_is_told_of_first(wizard: Wizard, config: str) -> None:
    wizard.write_config(config)
    done = wizard.call(*YES, "--start-url", START)
    assert done.code == 1
    assert re.search("cannot (be )?read", " ".join(done.err.split()))
    assert wizard.config.read_text() == config
    assert (done.out, wizard.browser.opened()) == ("", [])


def called_without(wizard: Wizard, closed: str, *arguments: str) -> Result:
    """`setup` where the caller closed some of the descriptors."""
    done = subprocess.run(
        ["sh", "-c", f"{shlex.join([*COMMAND, 'setup', '--start-url', START, *arguments])} {closed}"],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_closed_descriptors_are_nobody_to_ask(wizard: Wizard, closed: str) -> None:
    done = called_without(wizard, closed)
    assert done.code == 2
    assert "2>" in closed or "there is no terminal to ask on" in done.err
    assert wizard.files == {}


def test_closed_descriptors_hinder_nothing(wizard: Wizard) -> None:
    done = called_without(wizard, "<&- >&- 2>&-", "--yes", "--hook", "none")
    assert done.code == 0
    assert profiles(wizard) == ALL


def test_what_fails_after_the_write_costs_nothing_that_was_chosen(
    wizard: Wizard, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C just then: names of accounts that come later are like those that were written."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("credhelper.resources.remember_config", interrupt)
    template = "{account_name|slug}-{role|lower}"
    given = ["setup", "--yes", "--hook", "none", "--start-url", START, "--template", template]
    with pytest.raises(click.Abort):
        group.main(given, standalone_mode=False)
    assert "Stopped in the middle of writing" in capsys.readouterr().err
    assert len(profiles(wizard)) == 4
    remembered = remembered_style(wizard.paths, Session("d-93670bd35a", START, "eu-west-1"))
    assert remembered is not None
    assert remembered.template == template


def test_a_region_that_nobody_tells(wizard: Wizard) -> None:
    wizard.standin.configure(portal_region=None)
    done = wizard.call(*YES, "--start-url", "acme")
    assert done.code == 2
    assert "the region is not known: the access portal's page does not say it" in done.err
    assert "Say --sso-region REGION" in done.err


def test_an_identity_that_nobody_tells_is_the_exit_code_and_undoes_nothing(wizard: Wizard) -> None:
    wizard.standin.fault("GetCallerIdentity", Fault.error("AccessDenied", status=403))
    done = wizard.call(*YES, "--start-url", START)
    assert done.code == 1
    assert "The profiles are written all the same." in done.out
    assert "All is ready" not in done.out
    assert profiles(wizard) == ALL


def test_nobody_to_be(wizard: Wizard) -> None:
    wizard.standin.configure(accounts={})
    done = wizard.call(*YES, "--start-url", START)
    assert done.code == 1
    assert "there is no account and role for you" in done.err
    assert wizard.files == {}


def test_globs_that_leave_nothing(wizard: Wizard) -> None:
    done = wizard.call(*YES, "--start-url", START, "--include", "nothing*")
    assert done.code == 2
    assert "leave no account and role" in done.err
    assert wizard.files == {}


def test_a_config_of_ones_own(wizard: Wizard) -> None:
    own = wizard.paths.home / "work" / "aws config"
    done = wizard.call(*YES, "--start-url", START, AWS_CONFIG_FILE=str(own))
    assert done.code == 0, done.err
    assert sorted(parse_config(own.read_bytes()).profiles) == ALL
    assert not wizard.config.exists()
    assert "All is ready" in done.out


def test_another_region_of_a_center_leaves_the_first_ones_profiles_alone(wizard: Wizard) -> None:
    assert wizard.call(*YES, "--start-url", START, "--session", "first").code == 0
    before = wizard.config.read_bytes()
    done = wizard.call(*YES, "--start-url", START, "--session", "second", "--sso-region", "us-east-1")
    assert done.code == 0, done.err
    assert wizard.config.read_bytes().startswith(before)
    found = written_profiles(wizard.config.read_bytes())
    assert [profile.session for profile in found.values()] == ["first"] * 4 + ["second"] * 4
    assert [profile.region for profile in found.values()] == ["eu-west-1"] * 4 + ["us-east-1"] * 4
