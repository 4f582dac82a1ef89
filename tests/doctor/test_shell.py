"""The shell hook."""

from __future__ import annotations

import pytest

from credhelper import shell_files
from credhelper.doctor.examination import examine
from credhelper.doctor.scene import Scene
from tests.doctor.clinic import Clinic

THEME = "Shell"


def test_none_is_installed(clinic: Clinic) -> None:
    assert clinic.run("hook", "bash", "--uninstall", "--yes").code == 0
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("hook-absent", "hint")
    assert finding.mend.command == "credhelper hook bash --install"
    assert not finding.mend.can_be_done  # whether to have it is the person's own choice
    clinic.patch.setenv("_CREDHELPER_IN", "bash")  # `eval "$(credhelper hook bash)"` is a way too
    assert clinic.look(THEME) == []


@pytest.mark.parametrize("shell", ["zsh", "fish", "powershell"])
def test_other_shells(clinic: Clinic, shell: str) -> None:
    clinic.patch.setenv("SHELL", f"/usr/bin/{shell.replace('powershell', 'pwsh')}")
    assert clinic.one(THEME).check == "hook-absent"
    assert clinic.run("hook", shell, "--install", "--yes").code == 0
    assert clinic.look(THEME) == []


def test_a_shell_that_we_have_no_hook_for(clinic: Clinic) -> None:
    clinic.patch.setenv("SHELL", "/bin/ksh")
    assert clinic.look(THEME) == []


def test_a_block_whose_file_is_gone(clinic: Clinic) -> None:
    installed = shell_files.installed_file(clinic.paths, "bash")
    before = installed.read_bytes()
    installed.unlink()
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("hook-file", "problem")
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look(THEME) == []
    assert installed.read_bytes() == before


def test_half_a_block(clinic: Clinic) -> None:
    rc = clinic.paths.home / ".bashrc"
    rc.write_text(rc.read_text().replace("# <<< credhelper hook <<<\n", ""))
    finding = clinic.one(THEME)
    assert finding.check == "hook-damaged"
    assert "begins and does not end" in finding.text


def test_a_block_in_a_file_that_not_every_shell_reads(clinic: Clinic) -> None:
    rc = clinic.paths.home / ".bashrc"
    (clinic.paths.home / ".bash_profile").write_bytes(rc.read_bytes())
    rc.write_text("")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("hook-place", "hint")
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look(THEME) == []


def test_a_shell_that_was_opened_before(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credhelper.doctor.environment._parent_shell", lambda: "bash")
    environ = {"HOME": str(clinic.paths.home), "SHELL": "/bin/zsh"}  # what it is counts, not what is usual
    (theme,) = examine(Scene(clinic.paths, environ, interactive=True), [THEME])
    (finding,) = theme.findings
    assert finding.check == "hook-not-loaded"
    assert finding.mend.command == "source ~/.local/share/credhelper/shell/credhelper.bash"
    environ["_CREDHELPER_IN"] = "bash"
    (theme,) = examine(Scene(clinic.paths, environ, interactive=True), [THEME])
    assert theme.findings == []
