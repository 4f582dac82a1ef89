"""The demo as a person runs it: a process of its own, with and without a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pexpect
import psutil
import pytest

from credhelper.agent import Agent
from credhelper.demo.schedule import Schedule
from credhelper.demo.world import World
from credhelper.paths import Paths
from docs.pictures.terminal import Terminal
from tests.demo.around import ASTRAY, HOME_PATH, gone, processes_of, terminal
from tests.demo.ends import over
from tests.support import Processes
from tests.waiting import wait_until

WHOLE = [sys.executable, "-P", "-m", "credhelper", "demo"]
QUICK = [sys.executable, str(Path(__file__).with_name("quick.py"))]


@dataclass(frozen=True)
class Told:
    code: int
    out: str
    err: str

    def number(self, name: str) -> int:
        found = re.search(rf"^\s*{name}\s+(\d+)", self.out, re.MULTILINE)
        assert found, f"no {name!r} in:\n{self.out}"
        return int(found[1])


def told(command: list[str], **environ: str) -> Told:
    done = subprocess.run(
        command,
        env={**os.environ, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def test_at_full_length_without_a_terminal(before: None, runtime_folder: Path) -> None:
    run = told(WHOLE, **ASTRAY)
    assert (run.code, run.err) == (0, ""), run.out
    assert "\x1b" not in run.out
    assert "\r" not in run.out
    assert re.findall(r"^Step (\d) of 6: ", run.out, re.MULTILINE) == list("123456")
    length = re.search(r"^Summary after (\d+) s$", run.out, re.MULTILINE)
    assert length
    assert int(length[1]) < 60
    calls, expected = run.number("Calls of the programs"), run.number("failed, as they had to")
    assert run.number("failed, unexpectedly") == 0
    assert calls >= 40
    assert 4 <= expected <= 12
    assert run.number("Tokens renewed") >= 4
    assert run.number("Logins") == 4
    # The last answers may have come after the last look, the last calls after the programs' end.
    assert run.number("Answers of the helper") >= calls - expected - 4
    assert run.number("Calls to AWS for them") < run.number("Answers of the helper") / 2
    assert run.number("Calls to AWS for tokens") >= run.number("Tokens renewed") + 4
    assert "the daemon warns: session corp ends in" in run.out
    assert "Run: credhelper login client" in run.out
    assert gone(run.out)
    assert list(runtime_folder.iterdir()) == []


def test_on_a_terminal(before: None) -> None:
    child = pexpect.spawn(QUICK[0], QUICK[1:], dimensions=(24, 80), encoding="utf-8", timeout=60, env=terminal())
    child.expect(pexpect.EOF)
    child.close()
    seen = child.before or ""
    assert child.exitstatus == 0, seen
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", seen)
    assert "credhelper demo   ●○○○○○  step 1 of 6" in plain
    assert re.search(r"corp-dev +AWS answers: 111122223333 Deploy", plain)
    assert re.search(r"calls +✓+ +\d+ ok", plain)
    assert re.search(r"token +━+─* +\d+ s  renews itself", plain)
    assert re.search(r"client-prod +call failed: a person must log in", plain)
    assert re.search(r"calls +✓+✗+ +\d+ ok  \d+ failed", plain)
    assert re.search(r"token +─+ +0 s  OVER: log in", plain)
    assert re.search(r"client-prod +✓+✗+✓+\s", plain), "the summary shows each call again"
    assert "Summary after" in plain
    assert "No call failed that should not have." in plain
    assert "Traceback" not in plain
    assert seen.rstrip().endswith("credhelper login NAME")
    assert seen.count("\x1b[?25h") >= seen.count("\x1b[?25l") > 0, "the cursor is given back"
    # No line of the picture is wider than the terminal, which would push its lines about.
    assert max(len(line) for line in re.split(r"[\r\n]+", plain)) <= 80
    assert gone(plain)


def test_no_colour_where_none_is_wanted() -> None:
    child = pexpect.spawn(
        QUICK[0],
        [*QUICK[1:], "denied"],
        dimensions=(24, 80),
        encoding="utf-8",
        timeout=60,
        env=terminal(NO_COLOR="1"),
    )
    child.expect(pexpect.EOF)
    child.close()
    seen = child.before or ""
    assert child.exitstatus == 1, seen
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", seen)
    assert "\x1b[?25h" in seen, "the cursor is given back after trouble, too"


def read_until(child: subprocess.Popen[str], mark: str) -> str:
    """What the demo has written up to the line with `mark`."""
    assert child.stdout is not None
    text = ""
    for line in child.stdout:
        text += line
        if mark in line:
            return text
    raise AssertionError(f"no {mark!r} in:\n{text}")


def test_interrupted(processes: Processes, before: None) -> None:
    child = processes.start(WHOLE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = read_until(child, "AWS knows the program")
    folder = HOME_PATH.findall(text)[0]
    environ = {"HOME": folder, "XDG_RUNTIME_DIR": f"{folder}/run"}
    daemon = Agent(Paths(Path(folder)), environ).status()["daemon"]["pid"]
    assert psutil.pid_exists(daemon)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "Summary" not in out
    assert out.endswith("Interrupted. The demo's world has ended, and nothing of it is left.\n")
    assert over(daemon)
    assert gone(text)


def test_interrupted_on_a_terminal() -> None:
    with Terminal(WHOLE, terminal(), columns=80, lines=24) as seen:
        seen.wait(lambda text: "step 2 of 6" in text, 30.0, "the second page")
        seen.press("\x03")
        assert seen.end(30.0) == 130
        text = seen.text().strip()
    assert text == "Interrupted. The demo's world has ended, and nothing of it is left."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_ended_while_a_command_starts_the_daemon(processes: Processes, number: signal.Signals) -> None:
    child = processes.start(QUICK, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = read_until(child, "you run: credhelper login corp")
    child.send_signal(number)
    child.communicate(timeout=30)
    assert child.returncode == 128 + number
    assert gone(text)


@pytest.mark.parametrize(
    ("trouble", "message"), [("denied", "Not today"), ("no-role", "no access to this account and role")]
)
def test_a_failure_that_should_not_be(trouble: str, message: str) -> None:
    run = told([*QUICK, trouble])
    assert run.code == 1, run.out
    assert re.search(
        rf"^Not as it should be: (corp-dev|client-prod): a call failed .*{message}", run.out, re.MULTILINE
    )
    assert run.number("failed, unexpectedly") >= 1
    assert "No call failed that should not have" not in run.out
    assert "\x1b" not in run.out
    assert gone(run.out)


@pytest.mark.parametrize("guarded", [True, False])
def test_killed(processes: Processes, guarded: bool) -> None:
    child = processes.start(QUICK, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    text = read_until(child, "AWS knows the program")
    folder = HOME_PATH.findall(text)[0]
    environ = {"HOME": folder, "XDG_RUNTIME_DIR": f"{folder}/run"}
    daemon = Agent(Paths(Path(folder)), environ).status()["daemon"]["pid"]
    if not guarded:
        (guard,) = [line.split()[0] for line in processes_of(folder) if "guard.py" in line]
        psutil.Process(int(guard)).kill()
    child.kill()
    child.wait()
    if not guarded:
        assert Path(folder).exists()
        with World(Schedule()):  # the next demo
            assert not Path(folder).exists()
    assert wait_until(lambda: over(daemon) and not Path(folder).exists() and processes_of(folder) == [])


def test_kept() -> None:
    run = told([sys.executable, "-c", "import sys; sys.argv[1:] = ['denied']; " + KEEP])
    assert run.code == 1, run.out
    folder = Path(HOME_PATH.findall(run.out)[-1])
    try:
        assert f"The temporary home folder is kept: {folder}" in run.out
        assert "credential_process" in (folder / ".aws" / "config").read_text()
        assert wait_until(lambda: processes_of(str(folder)) == [])
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)


KEEP = f"""
import functools, runpy
from credhelper import cli, demo
quick = runpy.run_path({QUICK[1]!r})
demo.play = functools.partial(demo.play, schedule=quick["QUICK"], prepare=quick["prepare"])
cli.main(["demo", "--keep"])
"""
