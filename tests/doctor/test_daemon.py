"""The background process."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest

from credhelper import __version__, client
from credhelper.agent import Agent
from credhelper.daemon.singleton import Singleton, is_free
from credhelper.doctor import daemon as module
from credhelper.doctor import scene
from tests.doctor.clinic import Clinic
from tests.support import Processes, Serve
from tests.waiting import wait_until

THEME = "Daemon"
_OLD = """\
import sys
import credhelper
credhelper.__version__ = "0.0.9"
from credhelper.__main__ import main
sys.argv = ["credhelper", "daemon", "run"]
main()
"""


def test_none(clinic: Clinic) -> None:
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("daemon-absent", "credhelper daemon start")
    assert clinic.run("doctor", "--fix", "--yes").code == 0
    assert clinic.look(THEME) == []
    assert Agent(clinic.paths).running()


def test_none_is_needed(clinic: Clinic) -> None:
    clinic.machine.config.write_text("[profile plain]\nregion = eu-west-1\n")
    assert clinic.look(THEME) == []


def test_one_that_cannot_be_reached_from_here(clinic: Clinic) -> None:
    clinic.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    theirs = Singleton(clinic.paths)  # as one in a container that shares the home folder
    assert theirs.acquire()
    try:
        finding = clinic.one(THEME)
        assert (finding.check, finding.kind) == ("daemon-elsewhere", "problem")
        assert not finding.mend.can_be_done
    finally:
        theirs.release()
    assert clinic.one(THEME).check == "daemon-absent"


def test_one_of_an_older_version(clinic: Clinic, processes: Processes) -> None:
    agent = Agent(clinic.paths)
    old = processes.start([sys.executable, "-c", _OLD], stdout=PIPE, stderr=PIPE)
    wait_until(agent.running, what="the old daemon")
    finding = clinic.one(THEME)
    assert finding.check == "daemon-older"
    assert finding.text == f"the daemon is of version 0.0.9, the program of {__version__}"
    result = clinic.run("doctor", "--fix", "--yes")
    assert (result.code, clinic.look(THEME)) == (0, [])
    assert old.wait(10) == 0
    assert agent.status()["daemon"]["version"] == __version__


def test_one_of_a_newer_installation(clinic: Clinic, daemon: Agent) -> None:
    clinic.patch.setattr(module, "__version__", "0.0.9")
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("daemon-newer", "hint")
    assert finding.text == f"the daemon is of version {__version__}, this program of 0.0.9"
    assert not finding.mend.can_be_done  # neither may undo what the other one does
    clinic.patch.setattr(module, "__version__", "10.0")  # by numbers, not by letters
    assert clinic.one(THEME).check == "daemon-older"


def test_one_with_the_code_of_before(clinic: Clinic, daemon: Agent) -> None:
    now = time.time()
    clinic.patch.setattr(module, "_newest", lambda: now + 60)
    finding = clinic.one(THEME)
    assert (finding.check, finding.kind) == ("daemon-older", "hint")
    clinic.patch.setattr(module, "_newest", lambda: now - 60)
    assert clinic.look(THEME) == []
    clinic.patch.undo()
    assert module._newest() <= time.time() + 1


def test_one_that_does_not_answer(clinic: Clinic, daemon: Agent) -> None:
    clinic.patch.setattr(scene, "_DAEMON_WITHIN", 0.3)
    pid = daemon.listening_process()
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(signal.SIGSTOP)
    try:
        finding = clinic.one(THEME)
        assert finding.check == "daemon-broken"
        assert "did not answer in time" in finding.text
        assert finding.mend.command == "credhelper daemon restart"
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("answer", [b"nonsense", b"[]"])
def test_one_that_answers_nonsense(clinic: Clinic, serve: Serve, runtime_folder: Path, answer: bytes) -> None:
    (runtime_folder / "credhelper").mkdir(mode=0o700)
    serve("credhelper/agent.sock", client.encode_reply(0, answer))
    assert clinic.one(THEME).check == "daemon-broken"


def test_a_folder_that_others_could_enter(clinic: Clinic, daemon: Agent, runtime_folder: Path) -> None:
    folder = runtime_folder / "credhelper"
    folder.chmod(0o755)
    finding = clinic.one(THEME)
    assert (finding.check, finding.mend.command) == ("daemon-folder", f"chmod 700 {folder}")
    clinic.mended(finding, THEME)
    assert daemon.running()


@pytest.mark.parametrize("leads_to", ["", "nothing", "credhelper"])
def test_a_link_in_the_folders_place(clinic: Clinic, runtime_folder: Path, tmp_path: Path, leads_to: str) -> None:
    (runtime_folder / "credhelper").symlink_to(runtime_folder / leads_to if leads_to else tmp_path)
    finding = clinic.one(THEME)
    assert finding.check == "daemon-folder"
    assert not finding.mend.can_be_done


def test_a_folder_in_the_logs_place(clinic: Clinic, daemon: Agent) -> None:
    daemon.call("stop")
    wait_until(lambda: is_free(clinic.paths), what="the daemon's end")
    os.replace(clinic.paths.log, clinic.paths.log.with_suffix(".kept"))  # noqa: PTH105 - a folder follows
    clinic.paths.log.mkdir()
    assert [finding.check for finding in clinic.look(THEME)] == ["daemon-absent", "daemon-log"]
    clinic.paths.log.rmdir()
