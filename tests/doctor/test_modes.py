"""Files that others could read or write."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

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
