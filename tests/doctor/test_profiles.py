"""What wins over a helper line."""

from __future__ import annotations

import pytest

from tests.doctor.clinic import Clinic
from tests.machine import profile, section

THEME = "Profiles"
KEYS = "aws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = made-up\n"
# As Cloud9 begins the file that it keeps.
CLOUD9 = (
    "# Do not modify this file, if this file is modified it will not be updated. If the file is deleted, it will be "
    f"recreated on Mon Nov 23 2026.\n# 0123456789abcdef #\n\n[default]\n{KEYS}aws_session_token = x\n"
)


def write_enabled(clinic: Clinic, *names: str) -> None:
    """Profiles as `enable` leaves them."""
    machine = clinic.machine
    machine.config.write_text(
        section(machine.session)
        + "".join(
            f"[profile {name}]\nsso_session = corp\nsso_account_id = 100000000001\nsso_role_name = Admin\n\n"
            for name in names
        )
    )
    assert clinic.run("enable", "--all", "--yes").code == 0
    assert clinic.look(THEME) == []


def test_sso_keys_that_came_back(clinic: Clinic) -> None:
    write_enabled(clinic, "dev", "-odd")
    whole = clinic.machine.config.read_bytes()
    # `aws configure sso` writes its keys after the last line of the section.
    again = b"sso_session = corp\nsso_account_id = 100000000001\nsso_role_name = Admin\n"
    clinic.machine.config.write_bytes(whole.rstrip(b"\n") + b"\n" + again)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("shadowed-sso", "problem")
    assert "sso_session, sso_account_id, sso_role_name came back" in finding.text
    assert finding.mend.command == "credhelper enable -- -odd"
    result = clinic.run("doctor", "--fix", "--yes")
    assert "shadowed" in result.out
    assert clinic.look(THEME) == []
    assert clinic.machine.config.read_bytes().rstrip() == whole.rstrip()


def test_many_that_are_shadowed_are_no_long_command(clinic: Clinic) -> None:
    names = [f"p{number}" for number in range(30)]
    write_enabled(clinic, *names)
    config = clinic.machine.config
    config.write_text(
        config.read_text().replace("#credhelper: added\ncred", "sso_region = x\n#credhelper: added\ncred")
    )
    finding = clinic.one(THEME)
    assert "p0, p1, p2, p3, p4 and 25 more are shadowed: sso_region came back" in finding.text
    assert finding.mend.command == "credhelper doctor --fix"
    clinic.run("doctor", "--fix", "--yes")
    assert clinic.look(THEME) == []


def test_what_default_in_capitals_gives_to_all(clinic: Clinic) -> None:
    clinic.machine.write_config("[DEFAULT]\nsso_region = eu-west-1\n")
    finding = clinic.one(THEME)
    assert finding.check == "shadowed-inherited"
    assert not finding.mend.can_be_done
    assert finding.mend.words == "Take sso_region out of [DEFAULT]"


@pytest.mark.parametrize("in_config", [False, True])
def test_access_keys_of_the_same_name(clinic: Clinic, in_config: bool) -> None:
    config, credentials = clinic.machine.config, clinic.paths.aws / "credentials"
    if in_config:
        config.write_text(config.read_text().rstrip() + "\n" + KEYS)
    else:
        credentials.write_text(f"[dev]\n{KEYS}")
    finding = clinic.one(THEME)
    assert finding.check == "shadowed-keys"
    assert ("~/.aws/config" if in_config else "[dev] of ~/.aws/credentials") in finding.text
    assert "made-up" not in f"{finding}"
    assert not finding.mend.can_be_done  # they may be the only copy
    credentials.unlink(missing_ok=True)
    clinic.machine.write_config()
    assert clinic.look(THEME) == []


def test_the_keys_that_cloud9_keeps(clinic: Clinic) -> None:
    credentials = clinic.paths.aws / "credentials"
    credentials.write_text(CLOUD9)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("cloud9-default", "problem")
    assert finding.mend.command is not None
    assert finding.mend.command.endswith("--managed-credentials-action DISABLE && rm ~/.aws/credentials")
    clinic.patch.setenv("AWS_PROFILE", "dev")
    assert clinic.one(THEME).kind == "hint"
    # With other sections in the file nothing of them may go.
    credentials.write_text(f"{CLOUD9}[mine]\n{KEYS}")
    command = clinic.one(THEME).mend.command
    assert command is not None
    assert "rm" not in command.split()
    # Without the comment it is known by the variables of its terminal.
    credentials.write_text(f"[default]\n{KEYS}aws_session_token = x\n")
    assert clinic.look(THEME) == []
    clinic.patch.setenv("C9_PID", "4711")
    assert clinic.one(THEME).check == "cloud9-default"
    credentials.write_text(f"[default]\n{KEYS}")  # a person's own
    assert clinic.look(THEME) == []


def test_cloud9_over_a_managed_default(clinic: Clinic) -> None:
    machine = clinic.machine
    line = profile("default", clinic.paths, "corp").replace("[profile default]", "[default]")
    machine.config.write_text(section(machine.session) + line)
    (clinic.paths.aws / "credentials").write_text(CLOUD9)
    clinic.patch.setenv("AWS_PROFILE", "default")
    finding = clinic.one(THEME)  # told once, with its own cause
    assert (finding.check, finding.kind) == ("cloud9-default", "problem")
    assert "win over the helper line" in finding.cause


def test_profiles_that_are_not_enabled(clinic: Clinic) -> None:
    clinic.machine.write_config(
        "[profile lab]\nsso_session = corp\nsso_account_id = 100000000002\nsso_role_name = Admin\n"
    )
    odd = "sso_session = corp\nsso_account_id = 100000000002\nsso_role_name = Admin\ncredential_process = /bin/own\n"
    clinic.machine.config.write_text(clinic.machine.config.read_text() + f"\n[profile odd]\n{odd}")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("unmanaged", "hint")
    assert finding.mend.command == "credhelper enable lab"
    assert clinic.run("enable", "lab", "--yes").code == 0
    assert clinic.look(THEME) == []
