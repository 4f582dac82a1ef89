"""`credhelper profiles` with its commands, on a machine with a stand-in for AWS."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from credhelper.aws.config import parse_config
from credhelper.aws.config.authoring import marked_profiles, written_profiles
from credhelper.aws.profile_styles import remembered_style
from credhelper.cli import planned, profiles
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import discover
from credhelper.errors import ConfigError, CredhelperError, LoginNeeded, UsageError
from credhelper.paths import Paths
from credhelper.resources import known_configs
from credhelper.standin import DEFAULT_REGION, DEFAULT_START_URL, Fault, StandIn
from credhelper.standin.settings import Account
from tests.machine import Machine

ACCOUNTS = {
    "100000000001": Account("100000000001", "Corp Dev", "b.paques@reply.com", ("Admin", "ReadOnly")),
    "100000000002": Account("100000000002", "Corp Prod", "aws+prod@reply.com", ("ReadOnly",)),
    "100000000003": Account("100000000003", "Empty", "empty@reply.com", ()),
}
NAMES = {"corp-dev.Admin", "corp-dev.ReadOnly", "corp-prod.ReadOnly"}


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """Logged in to `corp`, with the one hand-made profile `dev`; no daemon runs."""
    standin.configure(accounts=ACCOUNTS)
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    return machine


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "is_terminal", lambda: True)


def run(*arguments: str, answers: str = "") -> tuple[int, str]:
    """The exit code and output of `profiles ARGUMENTS`; its CredhelperErrors are raised."""
    result = CliRunner().invoke(profiles.command, list(arguments), input=answers, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    code: int = result.return_value
    return code, result.output


def written(machine: Machine) -> set[str]:
    return set(written_profiles(machine.config.read_bytes()))


def edit(machine: Machine, old: str, new: str) -> bytes:
    text = machine.config.read_text()
    assert old in text
    machine.config.write_text(text.replace(old, new))
    return machine.config.read_bytes()


class TestDiscover:
    def test_writes_what_the_person_has(self, machine: Machine) -> None:
        before = machine.config.read_bytes()
        code, output = run("discover", "--yes", "--output", "json")
        assert code == 0
        assert "3 profiles written: corp-dev.Admin, corp-dev.ReadOnly, corp-prod.ReadOnly." in output
        assert f"Region of the profiles: {DEFAULT_REGION}" in output
        data = machine.config.read_bytes()
        assert data.startswith(before)
        assert set(written_profiles(data)) == NAMES
        helper = machine.paths.helper
        assert parse_config(data).profiles["corp-prod.ReadOnly"] == {
            "region": DEFAULT_REGION,
            "output": "json",
            "credential_process": f"{helper} corp 100000000002 ReadOnly",
        }
        assert os.access(helper, os.X_OK)
        assert machine.config in known_configs(machine.paths)

    def test_again_changes_nothing(self, machine: Machine) -> None:
        run("discover", "--yes", "--template", "{role}@{account_name|slug}", "--exclude", "*prod*")
        data = machine.config.read_bytes()
        code, output = run("discover", "--yes")
        assert (code, machine.config.read_bytes()) == (0, data)
        assert f"As the last time: --template '{{role}}@{{account_name|slug}}' --region {DEFAULT_REGION}" in output
        assert "Left out by the globs: 1 role." in output
        assert "Left as they are: 2 profiles: they are there already" in output
        assert "Nothing to change." in output

    def test_an_account_that_comes_later_adds_its_profiles_alone(self, machine: Machine) -> None:
        run("discover", "--yes")
        data = machine.config.read_bytes()
        # Sorted before the others, and with the name of one that is there.
        machine.standin.configure(
            accounts={"000000000009": Account("000000000009", "corp dev", "x@y", ("Admin",)), **ACCOUNTS}
        )
        code, output = run("discover", "--yes")
        assert code == 0
        assert "1 profile written: corp-dev.Admin-000000000009." in output
        assert machine.config.read_bytes().startswith(data)

    def test_a_lost_state_folder_changes_no_name(self, machine: Machine) -> None:
        run("discover", "--yes", "--template", "{role}.{account_id}")
        for path in (machine.paths.state / "profiles").iterdir():
            path.unlink()
        data = machine.config.read_bytes()
        run("discover", "--yes")
        assert machine.config.read_bytes() == data

    def test_a_renamed_account_keeps_its_profiles(self, machine: Machine) -> None:
        run("discover", "--yes")
        data = machine.config.read_bytes()
        renamed = Account("100000000001", "Something Else", "other@reply.com", ("Admin", "ReadOnly"))
        machine.standin.configure(accounts={**ACCOUNTS, "100000000001": renamed})
        run("discover", "--yes")
        assert machine.config.read_bytes() == data

    def test_another_template_renames_what_it_wrote(self, machine: Machine) -> None:
        run("discover", "--yes", "--region", "us-east-1")
        run("add", "mine", "--session", "corp", "--account-id", "100000000001", "--role", "Admin", "--yes")
        code, output = run("discover", "--yes", "--template", "{session}-{account_email|before_at}.{role}")
        assert code == 0
        assert "3 profiles removed" in output
        assert written(machine) == {
            "mine",
            "corp-b.paques.Admin",
            "corp-b.paques.ReadOnly",
            "corp-aws+prod.ReadOnly",
        }
        assert written_profiles(machine.config.read_bytes())["corp-b.paques.Admin"].region == "us-east-1"

    def test_another_template_takes_nothing_away_where_nothing_can_be_written(self, machine: Machine) -> None:
        run("discover", "--yes")
        machine.config.write_text("[DEFAULT]\nsso_region = x\n" + machine.config.read_text())
        data = machine.config.read_bytes()
        code, output = run("discover", "--yes", "--template", "{account_id}.{role}")
        assert code == 1
        assert "Mind: corp-dev.Admin stays, because what was to replace it is refused" in output
        assert machine.config.read_bytes() == data
        machine.config.write_bytes(data.partition(b"\n")[2].partition(b"\n")[2])
        run("discover", "--yes", "--template", "{account_id}.{role}")
        assert written(machine) == {"100000000001.Admin", "100000000001.ReadOnly", "100000000002.ReadOnly"}

    def test_region_and_output_are_changed_where_they_are_given(self, machine: Machine) -> None:
        run("discover", "--yes", "--include", "*dev*")
        run("discover", "--yes", "--include", "*", "--output", "text")
        found = written_profiles(machine.config.read_bytes())
        assert {profile.output for profile in found.values()} == {"text"}
        assert {profile.region for profile in found.values()} == {DEFAULT_REGION}
        run("discover", "--yes", "--region", "")
        assert {profile.region for profile in written_profiles(machine.config.read_bytes()).values()} == {None}

    @pytest.mark.parametrize(
        ("globs", "expected"),
        [
            (["--include", "corp-dev.*", "--exclude", "*.Admin"], {"corp-dev.ReadOnly"}),
            (["--include", "admin", "--include", "*prod*"], {"corp-dev.Admin", "corp-prod.ReadOnly"}),
            (["--exclude", "*"], set()),
        ],
    )
    def test_globs(self, machine: Machine, globs: list[str], expected: set[str]) -> None:
        run("discover", "--yes", *globs)
        assert written(machine) == expected

    def test_globs_are_taken_back(self, machine: Machine) -> None:
        run("discover", "--yes", "--exclude", "*dev*", "--include", "nothing")
        run("discover", "--yes", "--exclude", "", "--include", "")
        assert written(machine) == NAMES

    def test_what_a_person_wrote_or_changed_is_left_alone(self, machine: Machine) -> None:
        machine.write_config(
            "[profile corp-prod.readonly]\nregion = x\n\n"
            "[profile corp-dev.ReadOnly]\nsso_session = corp\nsso_account_id = 100000000001\n"
            "sso_role_name = ReadOnly\n"
        )
        mine = machine.config.read_bytes()
        run("discover", "--yes")
        data = edit(
            machine, "#credhelper: sso_role_name = Admin\n", "#credhelper: sso_role_name = Admin\ncli_pager =\n"
        )
        assert data.startswith(mine)
        assert written(machine) == {"corp-prod.ReadOnly-100000000002"}
        assert run("discover", "--yes", "--template", "{account_id}.{role}", "--region", "us-east-1")[0] == 0
        after = machine.config.read_text()
        assert after.startswith(mine.decode())
        assert written(machine) == {"100000000002.ReadOnly", "100000000001.ReadOnly"}
        assert "corp-dev.Admin" in marked_profiles(machine.config.read_bytes())

    def test_dry_run(self, machine: Machine) -> None:
        before = machine.config.read_bytes()
        code, output = run("discover", "--dry-run")
        assert code == 0
        assert "+[profile corp-dev.Admin]\n" in output
        assert "3 profiles would be written" in output
        assert machine.config.read_bytes() == before
        assert remembered_style(machine.paths, machine.session) is None

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("n\n", 1)])
    def test_asks(self, machine: Machine, answer: str, code: int) -> None:
        assert run("discover", answers=answer)[0] == code
        assert written(machine) == (NAMES if code == 0 else set())
        assert (remembered_style(machine.paths, machine.session) is not None) is (code == 0)

    @pytest.mark.usefixtures("machine")
    def test_nobody_to_ask(self) -> None:
        with pytest.raises(CredhelperError) as caught:
            run("discover")
        assert caught.value.remedy == "Say --yes"

    @pytest.mark.usefixtures("terminal")
    def test_a_long_diff_is_shown_in_part(self, machine: Machine) -> None:
        machine.standin.configure(accounts=40)
        code, output = run("discover", answers="n\n")
        assert code == 1
        assert "more lines; --dry-run shows all of them." in output
        assert output.count("\n") < 230
        assert "Write 80 profiles in" in output

    def test_wrong_template_is_said_before_anybody_is_asked(self, machine: Machine) -> None:
        with pytest.raises(UsageError, match=r"character 2: there is no field \{acount_name\}"):
            run("discover", "--template", "{acount_name}", "--yes")
        assert not machine.standin.calls("ListAccounts")

    @pytest.mark.parametrize("flags", [("--region", "eu west"), ("--region", "eu-wst-1"), ("--output", "{json}")])
    def test_wrong_defaults_are_said_before_anybody_is_asked(self, machine: Machine, flags: tuple[str, str]) -> None:
        with pytest.raises(UsageError, match=f"'{flags[1]}'"):
            run("discover", *flags, "--yes")
        assert not machine.standin.calls("ListAccounts")

    def test_many_that_are_refused_are_counted(self, machine: Machine) -> None:
        machine.config.write_text("[DEFAULT]\nsso_region = x\n" + machine.config.read_text())
        machine.standin.configure(accounts=5)
        code, output = run("discover", "--yes")
        assert code == 1
        assert "Refused: 10 profiles: [DEFAULT] gives sso_region to every profile" in output

    def test_login_needed(self, machine: Machine) -> None:
        machine.token_file.unlink()
        before = machine.config.read_bytes()
        with pytest.raises(LoginNeeded):
            run("discover", "--yes", "--prune")
        assert machine.config.read_bytes() == before


class TestPrune:
    @pytest.fixture(autouse=True)
    def written_before(self, machine: Machine) -> bytes:
        run("discover", "--yes")
        run("add", "mine", "--session", "corp", "--account-id", "100000000002", "--role", "ReadOnly", "--yes")
        machine.config.write_bytes(
            machine.config.read_bytes()
            + b"\n[profile hand]\nsso_session = corp\nsso_account_id = 100000000002\nsso_role_name = ReadOnly\n"
        )
        return machine.config.read_bytes()

    def lose(self, machine: Machine) -> None:
        machine.standin.configure(accounts={"100000000001": ACCOUNTS["100000000001"]})

    def test_only_with_the_flag(self, machine: Machine, written_before: bytes) -> None:
        self.lose(machine)
        code, output = run("discover", "--yes")
        assert code == 0
        assert "you do not have the roles of 2 profiles any more: corp-prod.ReadOnly, mine. --prune removes" in output
        assert machine.config.read_bytes() == written_before
        code, output = run("discover", "--yes", "--prune")
        assert "2 profiles removed: corp-prod.ReadOnly, mine." in output
        assert set(parse_config(machine.config.read_bytes()).profiles) == {
            "dev",
            "corp-dev.Admin",
            "corp-dev.ReadOnly",
            "hand",
        }

    def test_changed_ones_stay(self, machine: Machine) -> None:
        self.lose(machine)
        edit(machine, "[profile corp-prod.ReadOnly]", "[profile corp-prod.ReadOnly] # mine now")
        run("discover", "--yes", "--prune")
        assert written(machine) == {"corp-dev.Admin", "corp-dev.ReadOnly"}
        assert "corp-prod.ReadOnly" in parse_config(machine.config.read_bytes()).profiles

    def test_globs_remove_nothing(self, machine: Machine, written_before: bytes) -> None:
        run("discover", "--yes", "--prune", "--exclude", "*")
        assert machine.config.read_bytes() == written_before

    def test_other_sessions_are_none_of_its_business(self, machine: Machine) -> None:
        run(
            *("add", "far", "--session", "other", "--start-url", "https://d-9999999999.awsapps.com/start"),
            *("--sso-region", "us-east-1", "--account-id", "100000000002", "--role", "ReadOnly", "--yes"),
        )
        self.lose(machine)
        run("discover", "corp", "--yes", "--prune")
        assert written(machine) == {"corp-dev.Admin", "corp-dev.ReadOnly", "far"}

    def test_an_empty_list_removes_nothing(self, machine: Machine, written_before: bytes) -> None:
        machine.standin.configure(accounts={"100000000003": ACCOUNTS["100000000003"]})
        code, output = run("discover", "--yes", "--prune")
        assert code == 0
        assert "nothing is removed, because AWS lists no account with a role for you." in output
        assert machine.config.read_bytes() == written_before

    def test_a_list_that_fails_removes_nothing(self, machine: Machine, written_before: bytes) -> None:
        self.lose(machine)
        machine.standin.fault("ListAccountRoles", Fault.error("InvalidRequestException", status=400), times=None)
        with pytest.raises(CredhelperError):
            run("discover", "--yes", "--prune")
        assert machine.config.read_bytes() == written_before


class TestAdd:
    FLAGS = ("--account-id", "100000000002", "--role", "ReadOnly", "--yes")
    NEW = ("--start-url", "https://d-9999999999.awsapps.com/start/#/?tab=accounts", "--sso-region", "us-east-1")

    def test_into_nothing(self, paths: Paths) -> None:
        code, output = run(
            "add", "reply-b.paques", *self.NEW, *self.FLAGS, "--region", "eu-south-1", "--output", "json"
        )
        assert code == 0
        assert "1 profile written: reply-b.paques." in output
        path = paths.aws / "config"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        config = parse_config(path.read_bytes())
        assert config.profiles["reply-b.paques"] == {
            "region": "eu-south-1",
            "output": "json",
            "credential_process": f"{paths.helper} d-9999999999 100000000002 ReadOnly",
        }
        assert config.sessions["d-9999999999"]["sso_start_url"] == "https://d-9999999999.awsapps.com/start"
        run("remove", "reply-b.paques", "--yes")
        assert path.read_bytes() == b""

    def test_again_with_another_account(self, machine: Machine) -> None:
        run("add", "x", "--session", "corp", *self.FLAGS)
        code, output = run("add", "x", "--session", "corp", "--account-id", "1" * 12, "--role", "R", "--yes")
        assert code == 0
        assert f"Changed: x: account 100000000002 → {'1' * 12}, role ReadOnly → R\n1 profile changed: x." in output
        assert marked_profiles(machine.config.read_bytes())["x"].account_id == "1" * 12
        code, output = run("add", "x", "--session", "corp", "--account-id", "1" * 12, "--role", "R", "--yes")
        assert (code, "Nothing to change." in output) == (0, True)

    def test_again_keeps_what_is_not_said(self, machine: Machine) -> None:
        more = ("--region", "eu-central-1", "--output", "yaml")
        run("add", "x", "--session", "corp", *self.FLAGS, *more)
        before = machine.config.read_bytes()
        assert "Nothing to change." in run("add", "x", "--session", "corp", *self.FLAGS)[1]
        assert machine.config.read_bytes() == before
        output = run("add", "x", "--session", "corp", *self.FLAGS, "--region", "", "--output", "")[1]
        assert "Changed: x: region eu-central-1 → none, output yaml → none\n" in output
        assert "region" not in parse_config(machine.config.read_bytes()).profiles["x"]

    def test_an_account_as_the_console_writes_it(self, machine: Machine) -> None:
        run("add", "x", "--session", "corp", "--account-id", "1000-0000-0002", "--role", "R", "--yes")
        assert written_profiles(machine.config.read_bytes())["x"].account_id == "100000000002"

    @pytest.mark.usefixtures("daemon")
    @pytest.mark.parametrize(
        ("account", "role", "said"),
        [
            ("100000000001", "Admn", "you had no role Admn in 100000000001; did you mean Admin?"),
            ("100000000002", "Xyz", "you had no role Xyz in 100000000002; there were ReadOnly"),
            ("999999999999", "Admin", "999999999999 was not among them"),
            ("100000000001", "Admin", None),
        ],
    )
    def test_what_was_not_listed_is_said(self, machine: Machine, account: str, role: str, said: str | None) -> None:
        discover(Desk.of(machine.paths, os.environ), machine.session, lambda _: None)
        code, output = run("add", "x", "--session", "corp", "--account-id", account, "--role", role, "--yes")
        assert code == 0
        if said is None:
            assert "when your accounts were listed" not in output
        else:
            assert f"Mind: when your accounts were listed, {said}." in output
        assert "x" in written(machine)

    def test_a_name_that_is_taken_by_hand(self, machine: Machine) -> None:
        before = machine.config.read_bytes()
        code, output = run("add", "dev", "--session", "corp", *self.FLAGS)
        assert code == 1
        assert "Refused: dev: it was written by hand, and is left alone" in output
        assert machine.config.read_bytes() == before

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["-x"], "no such option|begins like an option|No such option"),
            (["a]b"], "']' cannot stand in it"),
            (['a"b'], "cannot stand in it"),
            (["a#b"], "cannot stand in it"),
            (["a\tb"], "cannot stand in it"),
            (["a\u202eb"], "cannot stand in it"),
            ([" a"], "begins or ends with a blank"),
            ([""], "it is empty"),
            (["a", "--session", "nosuch"], "nosuch"),
            (["a", "--session", "corp", "--yes"], "no account is given"),
            (["a", "--session", "corp", "--account-id", "1" * 12, "--yes"], "no role is given"),
        ],
    )
    def test_wrong_usage(self, machine: Machine, arguments: list[str], said: str) -> None:
        before = machine.config.read_bytes()
        with pytest.raises((UsageError, click.UsageError), match=said):
            run("add", *arguments)
        assert machine.config.read_bytes() == before

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            (("--account-id", "12", "--role", "R"), "'12' is no account id"),
            (("--account-id", "1" * 12, "--role", "R\nregion = x"), r"is no role name"),
            (("--account-id", "1" * 12, "--role", "R", "--region", "a b"), "there is no region 'a b'"),
            (("--account-id", "1" * 12, "--role", "R", "--region", "eu-wst-1"), "there is no region 'eu-wst-1'"),
            (("--account-id", "1" * 12, "--role", "R", "--output", "pdf"), "'pdf' is no output format"),
            (("--account-id", "1" * 12, "--role", "R", "--output", "x;y"), "'x;y' is no output format"),
        ],
    )
    def test_what_no_config_should_hold(self, machine: Machine, flags: tuple[str, ...], said: str) -> None:
        before = machine.config.read_bytes()
        with pytest.raises(UsageError, match=said) as caught:
            run("add", "x", "--session", "corp", *flags, "--yes")
        assert caught.value.remedy
        assert machine.config.read_bytes() == before


class TestRemove:
    def test_gives_the_same_bytes(self, machine: Machine) -> None:
        before = machine.config.read_bytes()
        run("discover", "--yes")
        code, output = run("remove", "--all", "--yes")
        assert code == 0
        assert "3 profiles removed: corp-dev.Admin, corp-dev.ReadOnly, corp-prod.ReadOnly." in output
        assert machine.config.read_bytes() == before
        assert "credhelper wrote no profile here." in run("remove", "--all", "--yes")[1]

    @pytest.mark.usefixtures("terminal")
    def test_by_hand_only_with_force_and_after_asking(self, machine: Machine) -> None:
        before = machine.config.read_bytes()
        code, output = run("remove", "dev", "--yes")
        assert code == 1
        assert "Refused: dev: it was written by hand" in output
        assert "credhelper profiles remove --force dev" in output
        assert run("remove", "dev", "--force", answers="n\n")[0] == 1
        assert machine.config.read_bytes() == before
        code, output = run("remove", "dev", "--force", answers="y\n")
        assert code == 0
        assert "Remove 1 profile in" in output
        assert "dev" not in parse_config(machine.config.read_bytes()).profiles
        assert "corp" in parse_config(machine.config.read_bytes()).sessions

    @pytest.mark.usefixtures("machine")
    @pytest.mark.parametrize("arguments", [[], ["--all", "x"], ["--all", "--force"], ["nosuch"]])
    def test_wrong_usage(self, arguments: list[str]) -> None:
        with pytest.raises(UsageError):
            run("remove", *arguments, "--yes")

    def test_a_source_of_others(self, machine: Machine) -> None:
        run("discover", "--yes")
        machine.config.write_bytes(
            machine.config.read_bytes()
            + b"\n[profile chained]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = corp-dev.Admin\n"
        )
        assert (
            "Mind: chained has corp-dev.Admin for its source_profile" in run("remove", "corp-dev.Admin", "--yes")[1]
        )


class TestList:
    def test_json(self, machine: Machine) -> None:
        run("discover", "--yes")
        edit(machine, "#credhelper: sso_role_name = Admin", "#credhelper: sso_role_name = Admin\ncli_pager =")
        found = {profile["name"]: profile for profile in json.loads(run("--json")[1])["profiles"]}
        assert list(found) == ["dev", "corp-dev.Admin", "corp-dev.ReadOnly", "corp-prod.ReadOnly"]
        assert found["corp-prod.ReadOnly"] == {
            "name": "corp-prod.ReadOnly",
            "source": None,
            "session": "corp",
            "session_missing": False,
            "account_id": "100000000002",
            "account_name": "Corp Prod",
            "role_name": "ReadOnly",
            "region": DEFAULT_REGION,
            "output": None,
            "managed": True,
            "shadowed": False,
            "written": "credhelper",
        }
        assert [found[name]["written"] for name in ("dev", "corp-dev.Admin")] == [None, "edited"]

    @pytest.mark.usefixtures("machine")
    def test_table(self) -> None:
        run("discover", "--yes")
        lines = [line.split() for line in run()[1].splitlines()]
        assert lines[3][:6] == ["corp-dev.Admin", "100000000001", "Corp", "Dev", "Admin", "corp"]
        assert lines[3][-1] == "credhelper"
        assert lines[2][-1] == "you"

    def test_every_kind(self, machine: Machine) -> None:
        machine.write_config(
            "[profile plain]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = R\n"
            "[profile lost]\nsso_session = gone\nsso_account_id = 1\nsso_role_name = R\n"
            "[profile chained]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = dev\n"
            "[profile shadow]\nsso_session = corp\nsso_account_id = 1\nsso_role_name = R\n"
            f"credential_process = {machine.paths.helper} corp 1 R\n"
            "[profile a\x1b]0;b\x07c]\nregion = x\n"
        )
        (machine.paths.aws / "credentials").write_text("[keys]\naws_access_key_id = AKIA\n[dev]\nregion = x\n")
        lines = run()[1].splitlines()[2:]
        cells = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in lines]
        assert [(row[0], row[-2]) for row in cells] == [
            ("dev", "credhelper"),
            ("plain", "sso, not enabled"),
            ("lost", "no session"),
            ("chained", "from dev"),
            ("shadow", "shadowed"),
            ("a\\x1b]0;b\\x07c", "other"),
            ("keys", "other"),
        ]
        assert cells[3][1:3] == ["123456789012", "deploy"]

    @pytest.mark.usefixtures("machine")
    @pytest.mark.parametrize("flags", [(), ("--json",)])
    def test_by_its_name(self, flags: tuple[str, ...]) -> None:
        run("discover", "--yes")
        done = run("list", *flags)
        assert done == run(*flags)
        assert done[0] == 0
        assert "corp-prod.ReadOnly" in done[1]

    def test_nothing(self) -> None:
        assert "Write some: credhelper setup" in run()[1]
        assert json.loads(run("--json")[1]) == {"schema": 1, "profiles": []}

    @pytest.mark.usefixtures("machine")
    def test_json_is_for_the_list(self) -> None:
        with pytest.raises(click.UsageError):
            run("--json", "remove", "dev")


@pytest.mark.usefixtures("terminal")
class TestASharedFile:
    """A config that really lies elsewhere, as WSL homes and mounted volumes have it."""

    @pytest.fixture
    def target(self, machine: Machine, tmp_path: Path) -> Path:
        path = tmp_path / "shared-config"
        machine.config.rename(path)
        machine.config.symlink_to(path)
        return path

    def test_is_asked_about_first(self, target: Path) -> None:
        before = target.read_bytes()
        code, output = run("discover", answers="n\n")
        assert (code, "another system may share it" in output) == (1, True)
        assert target.read_bytes() == before

    def test_yes_answers_that_too(self, machine: Machine, target: Path) -> None:
        assert run("discover", "--yes")[0] == 0
        assert machine.config.is_symlink()
        assert set(written_profiles(target.read_bytes())) == NAMES

    def test_a_link_to_what_is_yet_to_be_made(self, machine: Machine, target: Path) -> None:
        target.unlink()
        flags = ("--account-id", "100000000002", "--role", "ReadOnly", "--yes")
        assert run("add", "x", *TestAdd.NEW, *flags)[0] == 0
        assert machine.config.is_symlink()
        assert set(written_profiles(target.read_bytes())) == {"x"}


def obstacle_folder(path: Path) -> None:
    path.mkdir()


def obstacle_garbage(path: Path) -> None:
    path.write_bytes(b"\x7fELF\x02\x01\x01\x00\xff\xfe" * 20)


@pytest.mark.parametrize("obstacle", [obstacle_folder, obstacle_garbage])
def test_a_config_that_is_none(paths: Paths, obstacle: Callable[[Path], None]) -> None:
    paths.aws.mkdir()
    obstacle(paths.aws / "config")
    with pytest.raises(ConfigError):
        run("add", "x", "--start-url", DEFAULT_START_URL, "--sso-region", "eu-west-1", *TestAdd.FLAGS)


def test_a_device_swallows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    with pytest.raises(ConfigError, match="there is no AWS config at /dev/null"):
        run("add", "x", "--start-url", DEFAULT_START_URL, "--sso-region", "eu-west-1", *TestAdd.FLAGS)
