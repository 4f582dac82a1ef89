"""Configs that another system reads too."""

from __future__ import annotations

import re
from pathlib import Path

from credhelper.doctor import shared
from credhelper.surroundings import Surroundings
from tests.doctor.clinic import Clinic

THEME = "Shared folders"


def test_a_link_that_leads_out_of_the_home_folder(clinic: Clinic, tmp_path: Path) -> None:
    config = clinic.machine.config
    config.rename(tmp_path / "config")
    config.symlink_to(tmp_path / "config")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("shared-config", "hint")
    assert "outside of your home folder" in finding.text


def test_in_a_container_with_the_hosts_files(clinic: Clinic) -> None:
    clinic.patch.setattr(shared, "mounts", lambda: [clinic.paths.aws, Path("/")])
    clinic.patch.setattr(shared, "look", lambda _: Surroundings())
    assert clinic.look(THEME) == []  # a home folder of several file systems is no container
    clinic.patch.setattr(shared, "look", lambda _: Surroundings(container=True))
    finding = clinic.one(THEME)
    assert (finding.check, finding.text) == (
        "shared-container",
        f"{clinic.paths.aws} comes from outside of this container",
    )


def test_in_wsl_with_the_config_of_windows(clinic: Clinic) -> None:
    clinic.patch.setattr(shared, "is_wsl", lambda: True)
    assert clinic.look(THEME) == []
    clinic.patch.setattr(shared, "_WINDOWS", re.compile(re.escape(str(clinic.paths.aws.resolve()))))
    assert clinic.one(THEME).check == "shared-windows"


def test_without_managed_profiles_it_is_nobodys_trouble(clinic: Clinic, tmp_path: Path) -> None:
    config = clinic.machine.config
    (tmp_path / "config").write_text("[profile plain]\nregion = eu-west-1\n")
    config.unlink()
    config.symlink_to(tmp_path / "config")
    assert clinic.look(THEME) == []


def test_mount_points(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "21 1 0:19 / / rw - ext4 /dev/sda rw\n40 21 0:40 / /home/b/my\\040files rw - 9p C: rw\ncut short\n"
    )
    assert shared.mounts(table) == [Path("/home/b/my files"), Path("/")]
    assert shared.mounts(tmp_path / "none") == []
