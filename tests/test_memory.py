"""What a process holds is in no core dump and open to no other process of its user."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile import cores
from tests.hostile.strangers import need_root, script
from tests.support import Processes

SECLUDE = "from credhelper import memory\nmemory.seclude(for_good={for_good})\n"


def dumped(text: str, folder: Path, number: int = signal.SIGABRT) -> bool:
    """Whether an interpreter that runs `text` and dies by a signal leaves a core, though its limits were raised."""
    command = [sys.executable, "-c", f"{text}\nprint('ready', flush=True)\nimport time\ntime.sleep(60)"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        cores.allow(process.pid)
        process.send_signal(number)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -number  # it has been waited for
    assert os.WTERMSIG(status) == number
    return os.WCOREDUMP(status) or any(folder.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: prlimit and prctl")
@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGQUIT, signal.SIGSEGV])
def test_no_core_is_written_even_where_the_limit_allows_it(tmp_path: Path, number: int) -> None:
    need_root()
    assert not dumped(SECLUDE.format(for_good=False), tmp_path, number)


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: prlimit and prctl")
def test_others_are_dumped_where_the_machine_does_that(tmp_path: Path) -> None:
    """So the test above can fail. What a secluded process starts is as it was, but for the soft limit."""
    need_root()
    plain = dumped("pass", tmp_path)
    for core in tmp_path.iterdir():
        core.unlink()
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    # A program that takes the cores may not be there, and a hard limit may not be ours to raise. Then what follows
    # says alone that the kernel would dump the one process and not the other.
    assert plain or not cores.are_files() or hard == 0
    dumpable = "import ctypes\nprint(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    for text, wanted in (("", "1\n"), (SECLUDE.format(for_good=False), "0\n")):
        done = subprocess.run([sys.executable, "-c", text + dumpable], capture_output=True, text=True, check=True)
        assert done.stdout == wanted
    text = f"import os, subprocess, sys\n{SECLUDE.format(for_good=False)}"
    inner = "import ctypes, resource; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(4))"
    done = subprocess.run(
        [sys.executable, "-c", f"{text}subprocess.run([sys.executable, '-c', {inner!r}], check=True)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"1 (0, {hard})\n"


def test_limits() -> None:
    read = "import resource\nprint(resource.getrlimit(resource.RLIMIT_CORE))"
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    for for_good, wanted in ((False, (0, hard)), (True, (0, 0))):
        text = SECLUDE.format(for_good=for_good) + read
        done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
        assert done.stdout == f"{wanted}\n"


@pytest.mark.parametrize("error", ["ImportError", "MemoryError"])
def test_a_python_without_ctypes(tmp_path: Path, error: str) -> None:
    """Some are built without libffi, and hardened systems give it no memory; the limit holds all the same, and drafts
    are made without `fallocate`."""
    (tmp_path / "ctypes.py").write_text(f"raise {error}")
    text = (
        f"import resource, sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
        "from credhelper import memory\nfrom credhelper.aws import draft\nmemory.seclude(for_good=True)\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), draft._allocate(1, 10))"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("(0, 0) False\n", "")


_LOOK = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what):
    try:
        return what()
    except OSError as error:
        return error.strerror
def attach():
    if libc.ptrace(16, argument, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.waitpid(argument, 0)
    libc.ptrace(17, argument, 0, 0)
    return "attached"
tell([
    attempt(lambda: open(f"/proc/{argument}/mem", "rb").close() or "read"),
    attempt(lambda: open(f"/proc/{argument}/environ", "rb").close() or "read"),
    attempt(attach),
])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other OS: ptrace and /proc")
@pytest.mark.parametrize("secluded", [True, False])
def test_nobody_of_the_same_user_looks_in(processes: Processes, *, secluded: bool) -> None:
    """Both processes are of another user than root, whom nothing keeps out."""
    need_root()
    seclude = "memory.seclude(for_good=False)\n" if secluded else ""
    # Who has just become another user cannot be looked into anyway; that is undone first.
    text = f"ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)\n{seclude}tell('ready')\nsys.stdin.read()"
    imports = "import ctypes\nfrom credhelper import memory\n"
    holder = imports + script(text)[3]
    process = processes.python("-c", holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == '"ready"\n'
    looker = imports + script(_LOOK, process.pid)[3]
    done = subprocess.run([sys.executable, "-c", looker], capture_output=True, text=True, check=True)
    kept_out = '["Permission denied", "Permission denied", "Operation not permitted"]\n'
    assert (done.stdout == kept_out) is secluded, done.stdout
