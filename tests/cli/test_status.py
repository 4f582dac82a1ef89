from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from rich.console import Console

from credhelper import __version__, cli, client, resources
from credhelper.agent import Agent
from credhelper.cli.tables import Report, span
from credhelper.errors import DaemonUnavailable
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.standin import StandIn
from docs.pictures.terminal import Terminal
from tests.aws.test_readable import OBSTACLES
from tests.cli.terminal import COMMAND, environment
from tests.machine import Machine, profile, section
from tests.support import Processes

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


@pytest.fixture(autouse=True)
def helper(paths: Paths) -> None:
    """As `enable` leaves it."""
    resources.install_helper(paths)


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


def stopped_after(looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C at the pause after this many looks."""
    left = iter(range(looks - 1))

    def sleep(_: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)


def test_watch_without_a_terminal_makes_report_after_report(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped_after(3, monkeypatch)
    code, output, _ = run("status", "--watch")
    assert code == 130
    assert output.count("logged out") == 3
    assert len(re.findall(r"(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", output)) == 3
    assert "\x1b" not in output


def test_watch_keeps_within_its_terminal(machine: Machine) -> None:
    machine.write_config("".join(profile(f"p{number}", machine.paths, "corp") for number in range(60)))
    with Terminal([*COMMAND, "status", "--watch"], {**environment(), "TERM": "xterm"}, columns=80, lines=20) as seen:
        text = seen.wait(lambda text: "The daemon does not run" in text, 20.0, "the daemon's line")
    assert re.search(r"^and \d\d more profiles$", text, re.MULTILINE)


def test_watch_ends_with_its_reader(machine: Machine, processes: Processes) -> None:
    process = processes.start([*COMMAND, "status", "--watch"], env=environment(), stdout=PIPE, stderr=PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    assert any("corp" in process.stdout.readline() for _ in range(8))
    process.stdout.close()
    assert process.wait(20) == 1
    assert process.stderr.read() == ""


# --- what is wrong around it ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--watch"]])
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_config_that_is_no_file(machine: Machine, run: Run, obstacle: str, arguments: list[str]) -> None:
    machine.config.unlink()
    OBSTACLES[obstacle](machine.config)
    code, output, error = run("status", *arguments)
    assert (code, output) == (1, "")
    first, remedy = error.splitlines()
    assert str(machine.config) in first
    assert remedy.strip()


@pytest.mark.usefixtures("daemon")
def test_a_config_that_is_no_file_where_the_daemon_still_knows_it(machine: Machine, run: Run) -> None:
    assert run("status")[0] == 0
    machine.config.unlink()
    machine.config.mkdir()
    assert run("status")[0] == 1


def test_a_config_that_botocore_refuses(machine: Machine, run: Run) -> None:
    machine.config.write_text(machine.config.read_text() + "nonsense\n")
    said = f"the AWS CLI and boto3 cannot read {machine.config}: line 10 is neither a [section] nor `key = value`"
    assert run("status")[1].splitlines()[-1] == f"Mind: {said}"
    assert run("status", "--json")[2] == f"credhelper: {said}\n"


def test_a_config_of_the_environment_that_is_not_there(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    assert run("status", "--json")[2] == ""
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent/config")
    code, _, error = run("status", "--json")
    assert (code, error) == (0, "credhelper: AWS_CONFIG_FILE names /nonexistent/config, which is not there\n")


@pytest.mark.parametrize("with_daemon", [False, True])
def test_settings_that_cannot_be_used_are_said(machine: Machine, run: Run, with_daemon: bool) -> None:
    machine.paths.settings.write_text("[network\n")
    if with_daemon:
        code, _, error = run("daemon", "start")
        assert code == 0
        assert f"{machine.paths.settings} is not valid TOML" in error
        assert f"{machine.paths.settings} is not valid TOML" in run("daemon", "status")[2]
    code, output, error = run("status", "--json")
    check_schema(json.loads(output))
    (line,) = error.splitlines()
    assert line.startswith(f"credhelper: {machine.paths.settings} is not valid TOML")
    code, output, error = run("status")
    assert (code, error) == (0, "")
    assert output.splitlines()[-1].startswith(f"Mind: {machine.paths.settings} is not valid TOML")


@pytest.mark.parametrize("name", ["credentials", "config.toml"])
@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_other_files_that_are_none(machine: Machine, run: Run, name: str, obstacle: str) -> None:
    path = machine.paths.settings if name == "config.toml" else machine.paths.aws / name
    path.unlink(missing_ok=True)
    OBSTACLES[obstacle](path)
    code, output, error = run("status", "--json")
    assert code == 0
    assert json.loads(output)["sessions"]
    assert error.startswith(f"credhelper: {path} ")


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_a_token_file_that_is_none(machine: Machine, run: Run, obstacle: str) -> None:
    machine.token_file.parent.mkdir(parents=True)
    OBSTACLES[obstacle](machine.token_file)
    code, output, _ = run("status", "--json")
    assert code == 0
    assert str(machine.token_file) in json.loads(output)["sessions"][0]["reason"]


def test_token_files_that_others_may_read(machine: Machine, run: Run) -> None:
    machine.log_in()
    assert "other users" not in run("status")[1]
    machine.token_file.chmod(0o644)
    said = f"other users may read 1 file that may hold tokens. Run: chmod 600 {machine.token_file.parent}/*.json\n"
    assert f"Mind: {said}" in run("status")[1]
    assert run("status", "--json")[2] == f"credhelper: {said}"


def test_what_shadows_a_helper_line(machine: Machine, run: Run) -> None:
    """As `aws configure set sso_account_id …` leaves it."""
    text = machine.config.read_text()
    machine.config.write_text(text.replace("[profile dev]\n", "[profile dev]\nsso_account_id = 1\n"))
    line = run("status")[1].splitlines()[-1]
    assert line.startswith("Mind: dev is shadowed: sso_account_id wins over its helper line in some programs.")
    assert line.endswith("Run: credhelper enable dev")
    machine.config.write_text(text)
    (machine.paths.aws / "credentials").write_text("[dev]\naws_access_key_id = x\naws_secret_access_key = y\n")
    line = run("status")[1].splitlines()[-1]
    assert line.startswith("Mind: dev is shadowed: aws_access_key_id, aws_secret_access_key wins")
    assert "Take the access key out" in line


def test_a_helper_that_is_not_there(machine: Machine, run: Run) -> None:
    assert "is not there" not in run("status")[1]
    machine.paths.helper.unlink()
    said = f"the helper {machine.paths.helper} is not there, so no program gets credentials from it. "
    assert f"Mind: {said}Run: credhelper enable dev\n" in run("status")[1]
    assert run("status", "--json")[2] == f"credhelper: {said}Run: credhelper enable dev\n"
    assert run("enable", "dev", "--yes")[0] == 0
    assert "is not there" not in run("status")[1]


def test_a_session_that_is_not_there(machine: Machine, run: Run) -> None:
    lost = "[profile {}]\nsso_session = nowhere\nsso_account_id = 100000000001\nsso_role_name = R\n"
    ours = profile("e", machine.paths, "half")
    plain = "[profile f]\nregion = x\n"
    text = machine.config.read_text()
    machine.config.write_text(text + lost.format("c") + lost.format("d") + ours + plain + "[sso-session half]\n")
    output = run("status")[1]
    rows = {line.split()[0]: line for line in output.splitlines() if line}
    assert all(rows[name].endswith("  no session") for name in "cde")
    assert rows["f"].endswith("  not managed")
    remedy = "Write it: aws configure sso-session"
    assert f"Mind: [sso-session nowhere] is not there, and c, d cannot do without it. {remedy}\n" in output
    assert (
        f"Mind: [sso-session half] lacks sso_start_url or sso_region, and e cannot do without it. {remedy}" in output
    )


def test_what_has_run_out_is_renewed_by_nobody_without_the_daemon(machine: Machine, run: Run) -> None:
    machine.log_in(expiresAt="2020-01-01T00:00:00Z")
    output = " ".join(run("status")[1].split())
    assert "is being renewed" not in output
    assert "it is renewed at the next call" in output
    assert "`credhelper daemon start` starts it, and so does the next call." in output
    (session,) = json.loads(run("status", "--json")[1])["sessions"]
    assert (session["state"], session["next_action"], session["next_action_at"]) == ("renewing", None, None)


@pytest.mark.usefixtures("daemon")
def test_a_config_that_the_daemon_does_not_know(
    machine: Machine, run: Run, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    machine.log_in()
    lab = Session("lab", "https://d-2.awsapps.com/start", "eu-west-1")
    other = home / "work-config"
    other.write_text(section(lab) + profile("dev", machine.paths, "lab", account="200000000002"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(other))
    code, output, _ = run("status", "--json")
    assert code == 0
    document = json.loads(output)
    check_schema(document)
    assert document["daemon"]["running"] is True
    assert [session["name"] for session in document["sessions"]] == ["lab", "corp"]
    assert [session["state"] for session in document["sessions"]] == ["logged_out", "active"]
    assert document["sessions"][1]["next_action_at"] is not None
    (dev,) = document["profiles"]
    assert (dev["session"], dev["account_id"], dev["expires_at"]) == ("lab", "200000000002", None)


# --- the tables -----------------------------------------------------------------------------------------------------


def shown(document: dict[str, Any], width: int = 80, encoding: str = "utf-8") -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    Console(file=stream, width=width, color_system=None).print(Report(document, now=NOW))
    stream.flush()
    return raw.getvalue().decode(encoding)


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


@pytest.mark.parametrize("width", [88, 80, 60, 40, 24])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_every_row_of_a_profile_is_one_line_that_fits(width: int, encoding: str) -> None:
    made = document(name="a-very-long-session-name-" * 4)
    made["profiles"].append({**made["profiles"][0], "name": "uni-é-" * 9, "expires_at": "2027-01-15T08:00:42Z"})
    lines = shown(made, width, encoding).splitlines()
    assert all(len(line) <= width and line == line.rstrip() for line in lines)
    titles = [line.partition("  ")[0] for line in lines]
    profiles = lines[titles.index("profile") :]
    assert profiles.index("") == 2 + len(made["profiles"])
    for kind, line in zip(("warm", "cold", "shadowed", "unmanaged", ""), profiles[2:], strict=False):
        assert line.startswith(f"dev-{kind}"[:5] if kind else "uni")
    assert titles[0] == "session"
    if width >= 60:
        assert all(line.split("  ")[-1].strip() for line in profiles[2:7])
        assert "in memory, 42 s" in profiles[6]
        assert ("..." if encoding == "ascii" else "…") in profiles[6]
    if width == 80:
        assert "AWSAdministratorAccess" in shown(document(), width)


@pytest.mark.parametrize(("width", "least"), [(80, 23), (60, 26), (40, 26), (30, 16)])
def test_names_that_begin_alike_are_told_apart_on_a_narrow_terminal(width: int, least: int) -> None:
    """No column stays empty beside a name that is cut, and the time gives way before the name does."""
    made = document()
    names = [f"account-{number:04}.AWSAdministratorAccess" for number in range(4)]
    made["profiles"] = [{**made["profiles"][0], "name": name} for name in names]
    lines = shown(made, width).splitlines()
    rows = [line for line in lines if line.startswith("account-")]
    for row, name in zip(rows, names, strict=True):
        assert row.startswith(name[:least])
        assert row.endswith("in memory, 30 min" if width > 40 else " 30 min")
    titles = next(line for line in lines if line.startswith("profile"))
    assert max(map(len, [titles, *rows])) == width
    assert len(set(rows)) == len(rows)


def test_a_path_is_not_broken_inside() -> None:
    """Where there is no room beside a row the sentence stands below it."""
    path = "/home/someone/.aws/sso/cache/0123456789abcdef0123456789abcdef01234567.json"
    lines = shown(document(reason=f"the token file {path} cannot be understood", state="logged_out")).splitlines()
    assert any(line.split() == [path] for line in lines)
    assert all(len(line) <= 80 for line in lines)


def test_a_file_gets_every_row_whole(machine: Machine, run: Run) -> None:
    """Each on a line of its own, for whoever searches them, and without blanks at the end."""
    role, name = "R" * 64, "p" * 120
    machine.write_config(profile(name, machine.paths, "corp", role=role))
    output = run("status")[1]
    assert any(line.split() == [name, "corp", "100000000001", role, "on", "demand"] for line in output.splitlines())
    assert all(line == line.rstrip() for line in output.splitlines())


@pytest.mark.parametrize("height", [20, 12, 6, 3, 1])
def test_a_screen_has_what_matters_first(height: int) -> None:
    made = document()
    first = made["profiles"]
    made["profiles"] = [{**first[1], "name": f"cold-{number}"} for number in range(200)] + first
    made["profiles"].append({**first[1], "name": "lost", "session": None})
    said = [f"Mind: {number}, " + "which takes many words " * 5 for number in range(9)]
    console = Console(file=io.StringIO(), width=80, color_system=None)
    lines = ["".join(part.text for part in line).rstrip() for line in console.render_lines(
        Report(made, said, NOW, height=height))]  # fmt: skip
    assert len(lines) <= height
    text = "\n".join(lines)
    if height > 1:
        assert "The daemon 9.9 runs (pid 7)." in text
    if height >= 12:
        assert "corp" in text
        assert "dev-shadowed" in text
        assert re.search(r"^and \d+ more profiles$", text, re.MULTILINE)
        assert re.search(r"^and \d+ more remarks$", text, re.MULTILINE)
    if height == 20:
        assert text.index("lost") < text.index("cold-0")
        shown_profiles = sum(line.startswith(("dev-", "cold-", "lost")) for line in lines)
        assert f"and {205 - shown_profiles} more profiles" in lines
        assert lines.index("The daemon 9.9 runs (pid 7).") > 10


def test_a_screen_with_room_changes_no_order() -> None:
    made = document()
    made["profiles"].reverse()
    console = Console(file=io.StringIO(), width=80, color_system=None)
    lines = console.render_lines(Report(made, ["Mind: it"], NOW, height=40))
    text = "\n".join("".join(part.text for part in line) for line in lines)
    assert text.index("dev-unmanaged") < text.index("dev-warm")
    assert "more" not in text


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
            {
                "state": "offline",
                "reason": "AWS cannot be reached",
                "next_action_at": "2027-01-15T08:00:20Z",
            },
            "renewal is tried again in 20 s: AWS cannot be reached",
        ),
        (
            {"state": "renewing", "reason": "is being renewed", "next_action_at": "2027-01-15T08:00:00Z"},
            "is being renewed",
        ),
        (
            {"reason": "renewal is tried again: no answer", "next_action_at": "2027-01-15T08:00:20Z"},
            "renewal is tried again in 20 s: no answer",
        ),
        (
            {
                "reason": "renews itself; the token file x cannot be understood: it is not JSON",
                "next_action_at": "2027-01-15T08:00:34Z",
            },
            "renews itself in 34 s; the token file x cannot be understood: it is not JSON",
        ),
        ({"next_action_at": "2027-01-15T07:00:00Z"}, "renews itself now"),
        (
            {"state": "expiring", "reason": "this login cannot be renewed", "next_action": "warn"},
            "this login cannot be renewed; run: credhelper login corp",
        ),
        ({"next_action_at": "2027-01-15T08:00:00Z"}, "renews itself now"),
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
    assert span(NOW + left, NOW) == text
    assert span(None, NOW) == "-"


def test_many_profiles(machine: Machine, run: Run) -> None:
    machine.write_config("".join(profile(f"p{number}", machine.paths, "corp") for number in range(300)))
    code, output, _ = run("status")
    assert code == 0
    assert "p299" in output
