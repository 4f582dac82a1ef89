"""The benchmarks' one command works: every part of it, in the smallest size, with no word on how quick it was."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import discovery, idle, pages, peers
from benchmarks.idle import Rest
from benchmarks.rounds import Task, Unusable, interleaved, process, try_out
from benchmarks.storm import Storm, at_once
from benchmarks.table import Row, Section, duration, render, spread, timed
from tests.support import Processes
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]


def cells(table: str) -> dict[str, list[str]]:
    """The table's rows by their first cell."""
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines() if "|" in line]
    return {row[0].strip(): row for row in rows}


@pytest.fixture(name="no_parts")
def _no_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Other people's programs have tests of their own; here none has been obtained."""
    monkeypatch.setenv("CREDHELPER_TEST_PARTS", str(tmp_path / "parts"))


def test_everything_is_measured_once(
    no_parts: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idle, "_PROFILES", 20)
    words = ["--rounds", "2", "--callers", "5", "--profiles", "10", "--rest", "0.5"]
    assert command.main(words) in {0, 1}  # a budget may be missed on a busy machine
    out = capsys.readouterr().out
    rows = cells(out)
    assert f"`python -m benchmarks {' '.join(words)}`" in out
    assert rows["calls to AWS"][1] == "1"
    assert rows["callers that failed or said anything on stderr"][1] == "0"
    assert rows["connections that the daemon held at once"][1] == "5"
    assert rows["daemons that began to listen"][1] == "1"
    assert rows["helper, warm"][2] == "2"
    for shell in filter(shutil.which, ("bash", "zsh", "fish")):
        assert re.search(r" [mµ]s$", rows[f"{shell}: the hook adds to the start"][1])
        assert re.search(r" [mµ]s$", rows[f"{shell}: the hook adds to each prompt"][1])
        if shutil.which("strace"):
            assert rows[f"{shell}: processes that the hook starts in 50 prompts"][1] == "0"
            assert rows[f"{shell}: processes that the hook starts by then"][1] == "0"
    assert rows["asked as by bash"][1].endswith(" ms")
    for measured in (
        "floor: `python -I -S -c pass`",
        "helper, warm",
        "helper, cold: the role is not in memory",
        "helper, no daemon: it starts one, which asks AWS",
        "through the helper, warm",
        "botocore's own SSO provider, token cached",
        "`credhelper enable --all --yes`",
        "helper, warm, with 10 profiles",
        "with 2 profiles",
        "`credhelper --help`",
    ):
        assert rows[measured][1].endswith(" ms") or rows[measured][1].endswith(" s"), measured
    assert rows["resident memory with boto3 loaded"][1].endswith(" MB")
    assert "get it by `python -m tests.parts.aws_cli`" in rows["aws configure export-credentials (AWS CLI v2)"][-1]
    for peer in ("aws-sso-util credential-process", "granted credential-process", "aws-vault export"):
        assert peers.GET in rows[peer][-1]


def test_the_command_explains_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "--quick" in done.stdout
    assert not done.stderr


def test_the_page_takes_new_figures_and_keeps_its_words(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(command.PAGE.read_text())
    pages.put(page, "figures", "new figures\n")
    once = page.read_text()
    pages.put(page, "figures", "newer figures\n")
    assert "new figures" in once
    assert page.read_text() == once.replace("new figures", "newer figures")
    (tmp_path / "other.md").write_text("# No place\n")
    with pytest.raises(ValueError, match="no place"):
        pages.put(tmp_path / "other.md", "figures", "figures")


def test_figures_of_a_busy_machine_are_not_written_unless_one_insists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(before := command.PAGE.read_text())
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "measure", lambda *_: [Section("All")])
    cores = os.cpu_count() or 1
    monkeypatch.setattr(os, "getloadavg", lambda: (0.6 * cores, 0.0, 0.0))
    with pytest.raises(SystemExit) as caught:
        command.main(["--write"])
    assert caught.value.code == 2
    assert "other work" in capsys.readouterr().err
    assert page.read_text() == before
    assert command.main(["--write", "--anyway"]) == 0
    assert "busy with other work" in page.read_text()
    monkeypatch.setattr(os, "getloadavg", lambda: (0.4 * cores, 0.0, 0.0))
    assert command.main(["--write"]) == 0
    assert "**All**" in page.read_text()
    written = page.read_text().partition("<!-- figures -->")[2].partition("<!-- end of figures -->")[0]
    assert "busy with other work" not in written


def test_tasks_take_turns() -> None:
    seen: list[str] = []
    tasks = {
        "a": Task(lambda: seen.append("a"), before=lambda: seen.append("before a")),
        "b": Task(lambda: seen.append("b"), every=2),
    }
    times = interleaved(tasks, 3, warm_up=1)
    a = ["before a", "a"]
    assert seen == ["b", *a, *a, "b", *a, *a, "b"], "another begins in each round"
    assert {name: len(values) for name, values in times.items()} == {"a": 3, "b": 2}


def test_only_the_failure_of_a_foreign_program_is_borne() -> None:
    failing = process([sys.executable, "-c", "raise SystemExit(1)"], os.environ)
    seen: list[str] = []
    tasks = {"theirs": Task(failing.run, foreign=True), "ours": Task(lambda: seen.append("ours"))}
    assert interleaved(tasks, 2)["theirs"] == []
    assert seen == ["ours"] * 3
    with pytest.raises(subprocess.CalledProcessError):
        interleaved({"ours": failing}, 1)


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; sys.exit('\\x1b[31mnobody is logged in\\x1b[0m')", "exit 1: `nobody is logged in`"),
        ("print('{}')", "exit 0: `{}`"),
        ("import time; time.sleep(60)", "no answer in 0.5 s"),
    ],
)
def test_a_program_without_credentials_cannot_be_measured(program: str, reason: str) -> None:
    with pytest.raises(Unusable) as caught:
        try_out([sys.executable, "-c", program], os.environ, timeout=0.5 if "sleep" in program else 15)
    assert str(caught.value) == reason


def test_a_missing_program_and_a_broken_one_say_so(no_parts: None) -> None:
    with pytest.raises(Unusable, match=r"benchmarks\.peers"):
        peers.executable("granted")
    with pytest.raises(Unusable, match="does not start"):
        try_out(["/nowhere/program"], {})


def test_a_crowd_tells_what_became_of_each() -> None:
    program = "import sys; print('out', flush=True); sys.exit('err')"
    answers = at_once([[sys.executable, "-I", "-S", "-c", program]] * 4, {"PATH": "/usr/bin"})
    assert [(one.status, one.output, one.error) for one in answers] == [(1, "out\n", "err\n")] * 4
    assert min(one.seconds for one in answers) > 0


def test_a_crowd_goes_when_it_is_told_to(tmp_path: Path) -> None:
    began = [tmp_path / f"began {number}" for number in range(4)]
    with Storm([["/bin/touch", str(path)] for path in began], {"PATH": "/usr/bin"}) as storm:
        assert not any(path.exists() for path in began)
        storm.release()
        assert [one.status for one in storm.answers()] == [0] * 4
    assert all(path.exists() for path in began)


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: /proc tells who woke")
def test_wake_ups_are_counted(processes: Processes) -> None:
    """One that wakes when it is told to has been seen to wake, one that sleeps has not."""
    program = "import sys\nfor line in sys.stdin: print(flush=True)"
    child = processes.python("-c", program, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(b"ready?\n")
    child.stdin.flush()
    child.stdout.readline()
    sleeping = Rest(child.pid)
    wait_until(lambda: sleeping.seconds > 0.4)
    sleeping.end(0)
    assert sleeping.wakes <= 1  # it may have been on its way back to sleep
    watched = Rest(child.pid)
    for times in (1, 2):
        looked = watched.seconds
        wait_until(lambda looked=looked: watched.seconds > looked + 0.25)  # type: ignore[misc]
        before = watched.wakes
        child.stdin.write(b"wake\n")
        child.stdin.flush()
        wait_until(lambda before=before: watched.wakes > before, what=f"wake-up {times}")  # type: ignore[misc]
    watched.end(0)
    assert watched.switches >= 2
    child.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: /proc tells who woke")
@pytest.mark.parametrize(
    ("program", "spins"),
    [("while True: pass", True), ("import time\nwhile True: time.sleep(0.01)", False)],
    ids=["spins", "wakes 100 times a second"],
)
def test_who_never_rests_wakes_at_every_look(processes: Processes, program: str, *, spins: bool) -> None:
    child = processes.python("-c", f"print(flush=True)\n{program}", stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    watched = Rest(child.pid)
    wait_until(lambda: watched.looks >= 10, timeout=30)
    watched.end(0)
    # One look may find a spinning process where a busy machine let it stand.
    assert watched.wakes >= watched.looks * 0.8
    rows = {row.what.partition(",")[0]: row for row in idle.rest_rows("here", watched)}
    assert rows["wake-ups a minute"].met is False
    if spins:
        assert rows["processor time a minute"].met is False


def test_a_table_says_which_budget_was_kept() -> None:
    section = Section("A | B")
    section.rows = [
        timed("quick", [0.001, 0.002, 0.003], [0.002], most_ratio=1.3),
        timed("slow", [1.5], [0.001], most=1.0),
        Row("absent", note="two\nlines"),
    ]
    assert render([section]).splitlines()[2:] == [
        r"| **A \| B** | | | | | | | |",
        "| quick | 2.0 ms | 3 | 1.0 ms – 3.0 ms | 1.00 × | ≤ 1.3 × | yes |  |",
        "| slow | 1.50 s | 1 | 1.50 s – 1.50 s | 1500 × | ≤ 1.00 s | **no** |  |",
        "| absent | – |  |  |  |  |  | two lines |",
    ]
    assert spread([number / 1000 for number in range(21)]) == "2.0 ms – 18.0 ms"
    assert [duration(value) for value in (0.00061, 0.0999, 0.25, 2)] == ["610 µs", "99.9 ms", "250 ms", "2.00 s"]


def test_list_of_all_accounts_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert discovery.main(["--accounts", "18", "--callers", "2"]) in {0, 1}  # so few are begun and ended slowly
    rows = cells(capsys.readouterr().out)
    whole, parts, beside = (rows[what] for what in list(rows)[2:5])
    assert (whole[0], whole[1], whole[2], whole[5]) == ("at one go", "19", "0", "0")
    assert int(parts[1]) >= 21
    assert int(beside[1]) > 19
    assert parts[5] == beside[5] == "0"
    assert int(rows["cold role, daemon at rest"][1]) == 2
    assert int(rows["warm, during a list"][1]) >= 1
