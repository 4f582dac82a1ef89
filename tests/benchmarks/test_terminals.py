"""The benchmarks' shells: in a terminal of their own, told apart by what they do, and gone at the end."""

from __future__ import annotations

import shutil
from pathlib import Path

import psutil
import pytest

from benchmarks.rounds import Unusable
from benchmarks.shells import Kind, _forks
from benchmarks.terminals import Shell, forks, lifetime

BASH = [shutil.which("bash") or "/bin/bash", "--noprofile", "--norc", "-i"]


@pytest.fixture(name="environ")
def _environ(home: Path) -> dict[str, str]:
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8", "HISTFILE": ""}


def test_lines_run_in_a_terminal(environ: dict[str, str], home: Path) -> None:
    with Shell(BASH, environ) as shell:
        shell.run([f"tty >{home}/tty", f"stty size >{home}/size", f"ps -o tpgid= -p $$ >{home}/group"])
        assert (home / "tty").read_text().startswith("/dev/")
        assert (home / "size").read_text() == "24 80\n"
        assert int((home / "group").read_text()) > 0, "it has a foreground, so Ctrl-C has an address"
        shell.run([":"] * 300)
        with pytest.raises(TimeoutError, match="is not shown"):
            shell.run(["sleep 600"], limit=0.3)
        pid = shell.pid
    assert not psutil.pid_exists(pid)


def test_a_life_ends_by_itself(environ: dict[str, str], home: Path) -> None:
    lifetime(BASH, environ, f"echo here >{home}/seen\rexit\r")
    assert (home / "seen").read_text() == "here\n"
    with Shell(BASH, environ, b"exit 7\r") as shell:
        assert shell.end() == 7


def test_processes_are_counted(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("strace") is None:
        pytest.skip("no strace on this machine")
    plain = forks(BASH, environ, [":"] * 3)
    assert forks(BASH, environ, ["(:)", "/bin/true", "x=$(echo 1)"]) - plain == 3
    kind, other = Kind(tuple(BASH), environ), Kind((*BASH[:-1], "--rcfile", "/dev/null", "-i"), environ)
    same = _forks("same", kind, other, 2)
    assert (same.figure, same.met) == ("0", True)
    busy = Kind(kind.command, {**environ, "PROMPT_COMMAND": "/bin/true"})
    row = _forks("busy", busy, kind, 2)
    assert row.met is False
    assert int(row.figure) >= 3, "one at each prompt"
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Unusable, match="strace"):
        forks(BASH, environ, [])
    assert _forks("uncounted", kind, kind, 1).met is None
