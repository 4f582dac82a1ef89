"""Files that others could read or write."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from credhelper.doctor import modes, shared
from tests.doctor.clinic import Clinic

THEME = "File modes"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_token_files(clinic: Clinic) -> None:
    clinic.machine.token_file.chmod(0o644)
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("modes-tokens", "chmod 600 ~/.aws/sso/cache/*.json")
    clinic.mended(finding, THEME)
    assert mode(clinic.machine.token_file) == 0o600


def test_the_aws_clis_own_credentials(clinic: Clinic) -> None:
    folder = clinic.paths.cli_cache
    folder.mkdir(parents=True)
    (folder / "0.json").write_text("{}")
    (folder / "0.json").chmod(0o640)
    clinic.mended(clinic.one(THEME), THEME)


@pytest.mark.parametrize("name", [".aws", ".aws/sso/cache"])
def test_folders_that_others_could_write_to(clinic: Clinic, name: str) -> None:
    folder = clinic.paths.home / name
    folder.chmod(0o777)
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("modes-folder", f"chmod go-w ~/{name}")
    clinic.mended(finding, THEME)
    assert mode(folder) == 0o755


@pytest.mark.parametrize("name", [".aws/config", ".config/credhelper/config.toml"])
def test_files_that_others_could_write_to(clinic: Clinic, name: str) -> None:
    path = clinic.paths.home / name
    path.chmod(0o666)
    finding = clinic.one(THEME)
    assert finding.check == "modes-writable"
    clinic.mended(finding, THEME)
    assert mode(path) == 0o644


@pytest.mark.parametrize("name", [".aws", ".aws/config", ".config/credhelper/config.toml"])
def test_a_group_of_ones_own_is_nobody_else(clinic: Clinic, name: str) -> None:
    """Many systems give each user a group, and a umask of 002 with it."""
    path = clinic.paths.home / name
    path.chmod(mode(path) | 0o020)
    clinic.patch.setattr(modes, "is_private_group", lambda gid: gid == path.stat().st_gid)
    assert clinic.look(THEME) == []
    clinic.patch.setattr(modes, "is_private_group", lambda _: False)
    check = "modes-folder" if path.is_dir() else "modes-writable"
    assert (check, f"others can write to ~/{name}") in [(found.check, found.text) for found in clinic.look(THEME)]


def test_another_users_folder(clinic: Clinic) -> None:
    uid = clinic.paths.aws.stat().st_uid
    clinic.patch.setattr(os, "geteuid", lambda: uid + 1)
    first, *_ = clinic.look(THEME)
    assert (first.check, first.text) == ("modes-folder", f"~/.aws belongs to another user (uid {uid})")
    assert first.mend.command == f"sudo chown {uid + 1} ~/.aws"
    assert not first.mend.can_be_done


def test_modes_on_a_disk_of_windows_mean_nothing(clinic: Clinic) -> None:
    clinic.paths.aws.chmod(0o777)
    clinic.machine.config.chmod(0o777)
    clinic.machine.token_file.chmod(0o777)
    assert {finding.check for finding in clinic.look(THEME)} == {"modes-tokens", "modes-folder", "modes-writable"}
    clinic.patch.setattr(shared, "is_wsl", lambda: True)
    clinic.patch.setattr(shared, "_WINDOWS", re.compile(re.escape(str(clinic.paths.aws.resolve()))))
    assert clinic.look(THEME) == []


def test_access_keys_that_others_could_read(clinic: Clinic) -> None:
    path = clinic.paths.aws / "credentials"
    path.write_text("[mine]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = made-up\n")
    path.chmod(0o644)
    finding = clinic.one(THEME)
    assert finding.check == "modes-keys"
    clinic.mended(finding, THEME)
    assert mode(path) == 0o600


def test_our_own_state(clinic: Clinic) -> None:
    clinic.paths.state.mkdir(parents=True, exist_ok=True)
    clinic.paths.state.chmod(0o755)
    record = clinic.paths.state / "network.json"
    record.write_text("{}")
    record.chmod(0o644)
    finding = clinic.one(THEME)
    assert finding.check == "modes-state"
    clinic.mended(finding, THEME)
    assert (mode(clinic.paths.state), mode(record)) == (0o700, 0o600)


def test_a_fix_changes_no_more_than_it_says(clinic: Clinic) -> None:
    clinic.machine.token_file.chmod(0o644)
    before = clinic.machine.config.read_bytes(), mode(clinic.machine.config)
    result = clinic.run("doctor")
    assert mode(clinic.machine.token_file) == 0o644  # to look changes nothing
    assert "chmod 600" in result.out
    clinic.run("doctor", "--fix", "--yes")
    assert mode(clinic.machine.token_file) == 0o600
    assert (clinic.machine.config.read_bytes(), mode(clinic.machine.config)) == before
