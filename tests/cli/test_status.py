from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from credhelper import __version__, cli, client
from credhelper.agent import Agent
from credhelper.cli import status
from credhelper.errors import DaemonUnavailable
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.machine import Machine, profile, section

NOW = 1_800_000_000.0
DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """One run of the program: exit code, stdout, stderr."""

    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(list(arguments))
        output, error = capsys.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, output, error

    return call


@pytest.fixture
def machine(paths: Paths, standin: StandIn) -> Machine:
    machine = Machine(paths, standin)
    machine.set_up()
    return machine


def check_schema(document: dict[str, Any]) -> None:
    """As DESIGN, section 3, promises it."""

    def date(value: object) -> bool:
        return value is None or (isinstance(value, str) and DATE.fullmatch(value) is not None)

    assert list(document) == ["schema", "daemon", "sessions", "profiles"]
    assert document["schema"] == 1
    assert list(document["daemon"]) == ["running", "pid", "version", "socket"]
    for session in document["sessions"]:
        assert list(session) == [
            "name",
            "start_url",
            "region",
            "state",
            "reason",
            "expires_at",
            "refreshable",
            "next_action",
            "next_action_at",
        ]
        assert session["state"] in {"active", "renewing", "offline", "expiring", "expired", "logged_out"}
        assert isinstance(session["refreshable"], bool)
        assert date(session["expires_at"])
        assert date(session["next_action_at"])
    for found in document["profiles"]:
        assert list(found) == [
            "name",
            "session",
            "account_id",
            "role_name",
            "managed",
            "shadowed",
            "expires_at",
        ]
        assert isinstance(found["managed"], bool)
        assert isinstance(found["shadowed"], bool)
        assert date(found["expires_at"])


def test_json_without_a_daemon(machine: Machine, run: Run) -> None:
    code, output, error = run("status", "--json")
    assert (code, error) == (0, "")
    document = json.loads(output)
    check_schema(document)
    assert document["daemon"] == {"running": False, "pid": None, "version": None, "socket": None}
    assert document["sessions"][0]["state"] == "logged_out"
    assert not Agent(machine.paths).running()  # to look is not to start


def test_json_with_a_daemon(machine: Machine, run: Run) -> None:
    machine.log_in()
    agent = Agent(machine.paths)
    agent.start()
    code, output, error = run("status", "--json")
    assert (code, error) == (0, "")
    document = json.loads(output)
    check_schema(document)
    assert document["daemon"]["running"] is True
    assert document["daemon"]["version"] == __version__
    assert document["sessions"][0]["state"] == "active"
    assert document["profiles"][0]["expires_at"] is None
    agent.call("credentials", session="corp", account="100000000001", role="AWSAdministratorAccess")
    _, output, _ = run("status", "--json")
    check_schema(json.loads(output))
    assert json.loads(output)["profiles"][0]["expires_at"] is not None


def test_exit_code(machine: Machine, run: Run) -> None:
    assert run("status")[0] == 0
    assert run("status", "--exit-code")[0] == 3
    assert run("status", "--exit-code", "--json")[0] == 3
    machine.log_in()
    assert run("status", "--exit-code")[0] == 0
    machine.config.write_text(section(machine.session) + section(Session("lab", "https://d-2", "eu-west-1")))
    assert run("status", "--exit-code")[0] == 3


def test_nothing_to_show(paths: Paths, run: Run) -> None:
    code, output, _ = run("status")
    assert code == 0
    assert "No session in the AWS config." in output
    assert run("status", "--exit-code")[0] == 3


def test_usage(run: Run) -> None:
    code, _, error = run("status", "--watch", "--json")
    assert code == 2
    assert "exclude each other" in error


def test_daemon_that_cannot_be_used_is_said(machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Agent, timeout: float = 5.0) -> dict[str, Any]:
        raise DaemonUnavailable("it does not answer", "Run `credhelper daemon restart`") from client.Broken("x")

    monkeypatch.setattr(Agent, "status", broken)
    code, _, error = run("status")
    assert code == 1
    assert "it does not answer" in error


def test_watch_until_interrupted(machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0

    def sleep(_: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    code, output, _ = run("status", "--watch")
    assert code == 130
    assert "logged out" in output


# --- the tables -----------------------------------------------------------------------------------------------------


def shown(document: dict[str, Any], width: int = 80) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(status.render(document, NOW))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def document(**session: Any) -> dict[str, Any]:
    one = {
        "name": "corp",
        "start_url": "https://d-1",
        "region": "eu-west-1",
        "state": "active",
        "reason": "renews itself",
        "expires_at": "2027-01-15T09:00:00Z",
        "refreshable": True,
        "next_action": "renew",
        "next_action_at": "2027-01-15T08:40:00Z",
    }
    return {
        "schema": 1,
        "daemon": {"running": True, "pid": 7, "version": "9.9", "socket": "/x"},
        "sessions": [{**one, **session}],
        "profiles": [
            {
                "name": f"dev-{kind}",
                "session": "corp",
                "account_id": "123456789012",
                "role_name": "AWSAdministratorAccess",
                "managed": kind != "unmanaged",
                "shadowed": kind == "shadowed",
                "expires_at": "2027-01-15T08:30:00Z" if kind == "warm" else None,
            }
            for kind in ("warm", "cold", "shadowed", "unmanaged")
        ],
    }


def test_tables_fit_in_eighty_columns() -> None:
    text = shown(document())
    assert all(len(line) <= 80 for line in text.splitlines())
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "active" in lines["corp"]
    assert "1 h 00 min" in lines["corp"]
    assert "renews itself in 40 min" in lines["corp"]
    assert "in memory" in lines["dev-warm"]
    assert "on demand" in lines["dev-cold"]
    assert "shadowed" in lines["dev-shadowed"]
    assert "not managed" in lines["dev-unmanaged"]
    assert "The daemon 9.9 runs (pid 7)." in text


@pytest.mark.parametrize("width", [80, 40, 20])
def test_long_names_are_folded_not_cut(width: int) -> None:
    name = "a-very-long-session-name-" * 4
    text = shown(document(name=name), width)
    assert all(len(line) <= width for line in text.splitlines())
    assert "".join(text.split()).count("-") >= name.count("-")


def test_names_cannot_play_with_the_terminal() -> None:
    text = shown(document(name="\x1b]0;pwned\x07[red]x\u202e", reason="\x1b[2J", state="expired"), 200)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"state": "expired", "reason": "the session has run out"},
            "the session has run out; run: credhelper login corp",
        ),
        ({"state": "logged_out", "reason": "not logged in", "expires_at": None}, "logged out"),
        (
            {"state": "offline", "reason": "AWS cannot be reached", "next_action_at": "2027-01-15T08:00:20Z"},
            "(in 20 s)",
        ),
        ({"state": "renewing", "reason": "is being renewed", "next_action_at": "2027-01-15T08:00:00Z"}, "(now)"),
        ({"next_action_at": "2027-01-15T07:00:00Z"}, "renews itself now"),
        ({"state": "expiring", "reason": "this login cannot be renewed", "next_action": "warn"}, "cannot be renewed"),
    ],
)
def test_what_comes_next(changes: dict[str, Any], words: str) -> None:
    assert words in shown(document(**changes), 120)


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (-1, "none"),
        (0, "none"),
        (1, "1 s"),
        (99, "99 s"),
        (100, "1 min"),
        (3599, "59 min"),
        (3600, "1 h 00 min"),
        (28_740, "7 h 59 min"),
        (48 * 3600, "2 d 0 h"),
    ],
)
def test_span(left: float, text: str) -> None:
    assert status.span(NOW + left, NOW) == text
    assert status.span(None, NOW) == "-"


def test_many_profiles(machine: Machine, run: Run) -> None:
    machine.write_config("".join(profile(f"p{number}", machine.paths, "corp") for number in range(300)))
    code, output, _ = run("status")
    assert code == 0
    assert "p299" in output
