"""The home folder, the settings, the command, the helper."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from credhelper import shell_files
from credhelper.doctor import installation
from credhelper.errors import CredhelperError
from credhelper.model import Session
from tests.doctor.clinic import Clinic
from tests.machine import section

THEME = "Installation"


def check_helper(clinic: Clinic) -> None:
    """It answers without a daemon's help, as it must without arguments."""
    done = subprocess.run([clinic.paths.helper], capture_output=True, check=False, timeout=30)
    assert done.returncode == 2


def pretend_statvfs(clinic: Clinic, **changes: int) -> None:
    statvfs = os.statvfs

    def pretend(path: Path) -> object:
        found = statvfs(path)
        return SimpleNamespace(**{name: getattr(found, name) for name in dir(found) if name[:2] == "f_"} | changes)

    clinic.patch.setattr(os, "statvfs", pretend)


def test_a_helper_that_is_gone(clinic: Clinic) -> None:
    clinic.paths.helper.unlink()
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("helper-missing", "problem")
    assert finding.mend.command == "credhelper enable dev"
    clinic.mended(finding, THEME)
    check_helper(clinic)


def test_a_library_that_is_gone(clinic: Clinic) -> None:
    (clinic.paths.data / "lib" / "credhelper_client.py").unlink()
    clinic.mended(clinic.one(THEME), THEME)
    check_helper(clinic)


def test_a_mode_that_was_lost(clinic: Clinic) -> None:
    clinic.paths.helper.chmod(0o600)
    finding = clinic.one(THEME)
    assert finding.check == "helper-mode"
    clinic.mended(finding, THEME)
    check_helper(clinic)


def test_a_home_that_is_mounted_noexec(clinic: Clinic) -> None:
    clinic.paths.helper.chmod(0o600)  # what the kernel then says of every file
    clinic.patch.setattr(installation, "_NOEXEC", 8)  # of which macOS knows nothing
    pretend_statvfs(clinic, f_flag=8)
    finding = clinic.one(THEME)
    assert finding.check == "helper-noexec"
    assert finding.mend.command is not None
    assert finding.mend.command.startswith("sudo mount -o remount,exec /")
    assert not finding.mend.can_be_done


@pytest.mark.parametrize("what", ["the daemon's interpreter", "the helper's interpreter", "damage"])
def test_an_upgrade_that_took_an_interpreter_away(clinic: Clinic, what: str) -> None:
    lines = clinic.paths.helper.read_text().splitlines(keepends=True)
    if what == "the daemon's interpreter":
        lines[-1] = "main(sys.argv[1:], ['/gone/bin/python', '-m', 'credhelper', 'daemon', 'run'])\n"
    elif what == "the helper's interpreter":
        lines[0] = "#!/gone/bin/python -IS\n"
    else:
        del lines[-1]
    clinic.paths.helper.write_text("".join(lines))
    finding = clinic.one(THEME)
    assert finding.check == "helper-upgrade"
    assert "damaged" in finding.text if what == "damage" else "/gone/bin/python, which is gone" in finding.text
    clinic.mended(finding, THEME)
    check_helper(clinic)


def test_a_helper_that_does_not_run(clinic: Clinic) -> None:
    (clinic.paths.data / "lib" / "credhelper_client.py").write_text("raise ImportError('half a file')\n")
    finding = clinic.one(THEME)
    assert finding.check == "helper-fails"
    assert "half a file" in finding.text
    clinic.mended(finding, THEME)


def test_a_helper_that_hangs(clinic: Clinic) -> None:
    clinic.patch.setattr(installation, "_HELPER_WITHIN", 0.3)
    (clinic.paths.data / "lib" / "credhelper_client.py").write_text("import time\ntime.sleep(600)\n")
    assert "no answer within" in clinic.one(THEME).text


def test_a_helper_of_another_version(clinic: Clinic) -> None:
    path = clinic.paths.helper
    path.write_text(path.read_text().replace("# credhelper ", "# credhelper 0.0."))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("helper-older", "hint")
    clinic.mended(finding, THEME)


def test_a_helper_of_another_installation(clinic: Clinic) -> None:
    path = clinic.paths.helper
    path.write_text(path.read_text().replace("'-P'", "'-P', '-B'"))
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("helper-other", "hint")
    clinic.mended(finding, THEME)


def test_a_folder_that_others_could_write_to(clinic: Clinic) -> None:
    clinic.paths.data.chmod(0o777)
    finding = clinic.one(THEME)
    assert finding.check == "helper-exposed"
    assert finding.mend.command == f"chmod go-w {clinic.paths.data}"
    clinic.mended(finding, THEME)


def test_a_profile_that_names_a_helper_elsewhere(clinic: Clinic) -> None:
    machine = clinic.machine
    machine.write_config("[profile lab]\nsso_session = corp\nsso_account_id = 100000000002\nsso_role_name = Admin\n")
    assert clinic.run("enable", "lab", "--yes").code == 0
    old = machine.config.read_text()
    machine.config.write_text(old.replace(str(clinic.paths.helper), "/old/home/credhelper/credential-process"))
    first, second = clinic.look(THEME)
    assert (first.check, first.kind, first.mend.command) == ("helper-path", "problem", "credhelper enable lab")
    assert (second.check, second.mend.verb) == ("helper-path", ())
    assert second.text.startswith("dev names a helper that is not there: /old/home/")
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look(THEME) == [second]  # a line that a person wrote is the person's
    machine.config.write_text(
        machine.config.read_text().replace("/old/home/credhelper/credential-process", str(clinic.paths.helper))
    )
    assert clinic.look(THEME) == []
    assert machine.config.read_text() == old


def test_settings_that_cannot_be_read(clinic: Clinic) -> None:
    clinic.paths.settings.write_text("wait_for_login = \n")
    finding = clinic.one(THEME)
    assert finding.check == "settings"
    assert finding.mend.command == "vi ~/.config/credhelper/config.toml"


@pytest.mark.parametrize(
    ("editor", "shown"), [("nano", "nano"), ("code --wait", "code --wait"), ("a; rm -rf x", "vi"), ("", "vi")]
)
def test_the_persons_editor(clinic: Clinic, editor: str, shown: str) -> None:
    clinic.paths.settings.write_text("wait_for_login = \n")
    clinic.patch.setenv("EDITOR", editor)
    assert clinic.one(THEME).mend.command == f"{shown} ~/.config/credhelper/config.toml"


def test_another_credhelper_on_the_path(clinic: Clinic, tmp_path: Path) -> None:
    other = tmp_path / "credhelper"
    other.write_text("#!/bin/sh\necho credhelper, version 0.0.9\n")
    clinic.patch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert clinic.look(THEME) == []  # it cannot be run
    other.chmod(0o755)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("command-other", "hint")
    assert finding.text.endswith(f"{other}, version 0.0.9")
    other.write_text(f'#!/bin/sh\nexec {sys.executable} -m credhelper "$@"\n')  # a shim that leads here
    clinic.patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    assert clinic.look(THEME) == []
    other.write_text("#!/bin/sh\nexit 1\n")
    assert clinic.one(THEME).text.endswith("which does not run")


def test_a_disk_without_room(clinic: Clinic) -> None:
    pretend_statvfs(clinic, f_bavail=0)
    assert clinic.one(THEME).check == "disk-full"
    pretend_statvfs(clinic, f_bavail=0, f_blocks=0)  # one that does not tell
    assert clinic.look(THEME) == []
    pretend_statvfs(clinic, f_flag=os.ST_RDONLY)
    assert clinic.one(THEME).check == "disk-read-only"


def test_somebody_elses_home(clinic: Clinic) -> None:
    clinic.patch.setattr(os, "geteuid", lambda: 4711)
    checks = [finding.check for finding in clinic.look(THEME)]
    assert "home-owner" in checks


def test_settings_of_what_is_not_there(clinic: Clinic) -> None:
    path = clinic.paths.settings
    path.write_text(path.read_text() + 'browser = "no-such-browser --new"\n[sessions.crop]\nsession_cap = 28800\n')
    first, second = clinic.look(THEME)
    assert (first.check, first.kind) == ("settings-browser", "hint")
    assert first.text == "the browser of session corp is not there: no-such-browser --new"
    assert (second.check, second.cause) == ("settings-session", "It may be meant for corp")
    path.write_text(path.read_text().replace("no-such-browser", "sh").replace("crop", "corp2"))
    clinic.machine.write_config(section(Session("corp2", "https://d-2.awsapps.com/start", "eu-west-1")))
    assert clinic.look(THEME) == []


def test_a_home_with_no_managed_profile_needs_no_helper(clinic: Clinic) -> None:
    clinic.paths.settings.unlink()
    clinic.machine.config.write_text("[profile plain]\nregion = eu-west-1\n")
    clinic.paths.helper.unlink()
    assert clinic.look(THEME) == []


def test_paths_are_quoted_for_a_shell(clinic: Clinic) -> None:
    path = clinic.paths.settings
    path.write_text("nonsense")
    finding = clinic.one(THEME)
    assert finding.mend.command is not None
    assert Path(shlex.split(finding.mend.command)[1].replace("~", str(clinic.paths.home))) == path


def test_an_installation_without_its_command(clinic: Clinic) -> None:
    def none() -> str:
        raise CredhelperError("this installation has no command `credhelper`", "Install credhelper again")

    clinic.patch.setattr(shell_files, "own_command", none)
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.words) == ("command-missing", "Install credhelper again")
