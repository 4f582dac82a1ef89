"""`credhelper profiles` at a terminal: what it asks for, what it shows, and what Ctrl-C leaves."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from credhelper import files
from credhelper.agent import Agent
from credhelper.aws.config.authoring import written_profiles
from credhelper.aws.directory import unfinished
from credhelper.cli.desk import Desk
from credhelper.cli.discovery import discover
from credhelper.errors import FileChanged
from credhelper.paths import Paths
from credhelper.standin import DEFAULT_REGION, Fault, StandIn
from tests.cli.terminal import COMMAND, environment
from tests.cli.test_profiles import ACCOUNTS, NAMES, run, written
from tests.machine import Machine
from tests.shells.terminal import Terminal
from tests.support import Processes
from tests.waiting import wait_until

ENTER, CTRL_C, DOWN = "\r", "\x03", "\x1b[B"


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    """Logged in to `corp`, with the one hand-made profile `dev`; no daemon runs."""
    standin.configure(accounts=ACCOUNTS)
    machine = Machine(paths, standin)
    machine.set_up()
    machine.log_in()
    return machine


def terminal(machine: Machine, *arguments: str, lines: int = 50, columns: int = 100) -> Terminal:
    environ = {**environment(), "TERM": "xterm-256color"}
    return Terminal([*COMMAND, "profiles", *arguments], environ, machine.paths.home, lines=lines, columns=columns)


def test_add_asks_for_what_is_not_said(machine: Machine) -> None:
    with terminal(machine, "add", "mine", "--session", "corp") as seen:
        seen.wait_for("Account id:")
        seen.type("12" + ENTER)
        seen.wait_for("It has 12 digits")
        seen.type("1000-0000-0002" + ENTER)
        seen.wait_for("Role (permission set):")
        seen.type("Read Only" + ENTER)
        seen.wait_for("is no role name")
        seen.type("ReadOnly" + ENTER)
        seen.wait_for(f"Region of the profile [{DEFAULT_REGION}]:")
        seen.type("AWSReadOnlyAccess" + ENTER)
        seen.wait_for("there is no region")
        seen.type("eu-south-1" + ENTER)
        seen.wait_for("Output format [json]:")
        seen.type("pdf" + ENTER)
        seen.wait_for("is no output format")
        seen.type(ENTER)
        seen.wait_for("Write 1 profile in")
        seen.type("y" + ENTER)
        assert seen.wait() == 0
    found = written_profiles(machine.config.read_bytes())["mine"]
    assert (found.account_id, found.role_name) == ("100000000002", "ReadOnly")
    assert (found.region, found.output, found.own_name) == ("eu-south-1", "json", True)


def test_add_offers_accounts_and_roles_that_were_listed(machine: Machine, daemon: Agent) -> None:
    discover(Desk.of(machine.paths, os.environ), machine.session, lambda _: None)
    with terminal(machine, "add", "mine", "--session", "corp", "--region", "", "--output", "") as seen:
        seen.wait_for("Corp Prod  100000000002  (1 role)")
        assert "Empty" not in seen.screen()
        seen.type(ENTER)
        seen.wait_for("Role:")
        seen.type(DOWN + ENTER)
        seen.wait_for("Write 1 profile in")
        seen.type("y" + ENTER)
        assert seen.wait() == 0
    found = written_profiles(machine.config.read_bytes())["mine"]
    assert (found.account_id, found.role_name, found.region) == ("100000000001", "ReadOnly", None)


@pytest.mark.parametrize("question", ["Account id:", "Role (permission set):", "Region of", "Output", "Write 1"])
def test_ctrl_c_at_any_question_of_add_writes_nothing(machine: Machine, question: str) -> None:
    before = machine.config.read_bytes()
    answers = {"Account id:": "100000000002", "Role (permission set):": "ReadOnly", "Region of": "", "Output": ""}
    with terminal(machine, "add", "mine", "--session", "corp") as seen:
        for asked, answer in answers.items():
            seen.wait_for(asked)
            if asked == question:
                break
            seen.type(answer + ENTER)
        seen.wait_for(question)
        seen.type(CTRL_C)
        assert seen.wait() == 130
    assert machine.config.read_bytes() == before


def test_discover_on_a_narrow_terminal(machine: Machine) -> None:
    with terminal(machine, "discover", columns=40) as seen:
        seen.wait_for("Write 3 profiles in")
        seen.type("y" + ENTER)
        assert seen.wait() == 0
    assert written(machine) == NAMES


def test_ctrl_c_in_the_walk_writes_nothing_and_the_next_one_goes_on(
    machine: Machine, daemon: Agent, processes: Processes
) -> None:
    before = machine.config.read_bytes()
    held = machine.standin.fault("ListAccountRoles", Fault.hold(), times=None, detail="100000000003")
    process = processes.start([*COMMAND, "profiles", "discover", "--yes", "--prune"], env=environment())
    machine.standin.wait_for("ListAccountRoles", 2)
    wait_until(lambda: _kept(machine) == 2, 30, "the two to be written down")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    assert machine.config.read_bytes() == before
    held.remove()
    assert run("discover", "--yes")[0] == 0
    assert written(machine) == NAMES
    asked = [call.detail for call in machine.standin.calls("ListAccountRoles")]
    assert (asked.count("100000000001"), asked.count("100000000002")) == (1, 1)


def _kept(machine: Machine) -> int:
    """Of how many accounts the daemon has written the roles down."""
    part = unfinished(machine.paths, machine.session)
    return sum(account.roles is not None for account in part.accounts) if part else 0


def test_an_edit_in_the_meantime_is_never_overwritten(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = files.replace
    after = machine.config.read_bytes() + b"# meanwhile\n"

    def late(path: Path, data: bytes, **options: bytes) -> None:
        if path == machine.config:
            path.write_bytes(after)
        replace(path, data, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "replace", late)
    with pytest.raises(FileChanged):
        run("discover", "--yes")
    assert machine.config.read_bytes() == after


def test_keys_are_not_shown_where_a_profile_is_removed(machine: Machine) -> None:
    machine.write_config("[profile keys]\naws_access_key_id = AKIA\naws_secret_access_key = hidden-one\n")
    code, output = run("remove", "keys", "--force", "--dry-run")
    assert (code, "-aws_secret_access_key = …" in output, "hidden-one" in output) == (0, True, False)
