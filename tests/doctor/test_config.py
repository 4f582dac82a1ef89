"""Configs that some client stumbles over."""

from __future__ import annotations

import pytest

from credhelper import resources
from credhelper.agent import Agent
from tests.doctor.clinic import Clinic
from tests.machine import profile, section

THEME = "AWS config"


@pytest.mark.parametrize(
    ("text", "check", "said"),
    [
        ("no header\n", "config-unparsable", "line"),
        ("[dev]\nsso_region = eu-west-1\n", "config-header", "`profile `"),
        ("[profile two words]\nregion = eu-west-1\n", "config-header", "no client can read that name"),
        ("[profile lost]\nsso_session = gone\n", "session-missing", "[sso-session gone] is not there, and lost"),
        ("[sso-session x]\nsso_region = a\n[profile y]\nsso_session = x\n", "session-missing", "lacks sso_start_url"),
        ("[sso-session x]\nsso_start_url = http://x\nsso_region = eu-west-1\n", "session-start-url", "http://x"),
    ],
)
def test_faults_of_the_config(clinic: Clinic, text: str, check: str, said: str) -> None:
    clinic.machine.write_config(text)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == (check, "problem")
    assert said in finding.text
    assert finding.mend.command
    clinic.machine.write_config()
    assert clinic.look(THEME) == []


def test_a_key_that_is_misspelled(clinic: Clinic) -> None:
    path = clinic.machine.config
    path.write_text(path.read_text().replace("sso_registration_scopes", "sso_registration_scope"))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("session-key", "hint")
    assert finding.cause == "It may be meant for sso_registration_scopes"


def test_a_region_that_is_misspelled(clinic: Clinic) -> None:
    path = clinic.machine.config
    path.write_text(path.read_text().replace("sso_region = eu-west-1", "sso_region = eu-wst-1"))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("session-region", "hint")
    assert finding.cause == "It may be meant for eu-west-1"
    for region in ("us-gov-west-1", "cn-north-1", "eusc-de-east-1"):
        path.write_text(path.read_text().replace("sso_region = eu-wst-1", f"sso_region = {region}"))
        assert clinic.look(THEME) == []


@pytest.mark.parametrize("region", ["eu west 1", "eu-west-1.example.com/", "x; true", "e" * 64, "-eu", "eu-west-1."])
def test_a_region_that_can_be_none(clinic: Clinic, region: str) -> None:
    path = clinic.machine.config
    path.write_text(path.read_text().replace("sso_region = eu-west-1", f"sso_region = {region}"))
    finding = clinic.one(THEME, "Network")  # not that AWS cannot be reached: nobody is asked
    assert (finding.check, finding.kind) == ("session-region", "problem")
    assert finding.text == f"session corp: sso_region is no name of a region: {region}"
    assert clinic.machine.standin.calls() == []


def test_no_config(clinic: Clinic) -> None:
    clinic.machine.config.unlink()
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("config-missing", "credhelper setup")
    clinic.machine.config.mkdir()
    finding = clinic.one(THEME)
    assert finding.check == "config-unreadable"
    assert "not a regular file" in finding.text


def test_a_variable_that_names_no_file(clinic: Clinic) -> None:
    clinic.patch.setenv("AWS_CONFIG_FILE", "~/work/config")
    finding = clinic.one(THEME)
    assert finding.text == "AWS_CONFIG_FILE names ~/work/config, which is not there"
    assert finding.mend.command == "unset AWS_CONFIG_FILE"


def test_a_credentials_file_that_nobody_can_read(clinic: Clinic) -> None:
    path = clinic.paths.aws / "credentials"
    path.write_text("keys = none\n")
    assert clinic.one(THEME).check == "credentials-unparsable"
    path.unlink()
    path.mkdir()
    assert clinic.one(THEME).check == "credentials-unreadable"


def test_a_config_that_the_daemon_does_not_know(clinic: Clinic, daemon: Agent) -> None:
    machine = clinic.machine
    other = clinic.paths.home / "work config"
    other.write_text(section(machine.session).replace("corp", "work") + profile("client", clinic.paths, "work"))
    clinic.patch.setenv("AWS_CONFIG_FILE", str(other))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("config-unknown", "problem")
    assert finding.mend.command == "credhelper enable client"
    assert "daemon reads ~/work config" in clinic.mended(finding, THEME)
    assert other in resources.known_configs(clinic.paths)
    assert "work" in {session["name"] for session in daemon.status()["sessions"]}


def test_what_one_command_would_mend_is_mended_each(clinic: Clinic) -> None:
    """A helper that is gone and a config that is not known have one command for a person, and a fix each."""
    other = clinic.paths.home / "other-config"
    clinic.machine.config.rename(other)
    clinic.patch.setenv("AWS_CONFIG_FILE", str(other))
    clinic.paths.helper.unlink()
    first, second = clinic.look("Installation", THEME)
    assert (first.check, second.check) == ("helper-missing", "config-unknown")
    assert first.mend.command == second.mend.command == "credhelper enable dev"
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look("Installation", THEME) == []


def test_a_relative_name(clinic: Clinic) -> None:
    clinic.patch.chdir(clinic.paths.aws)
    clinic.patch.setenv("AWS_CONFIG_FILE", "config")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("config-relative", "hint")
    assert finding.mend.command == f"export AWS_CONFIG_FILE={clinic.machine.config}"
