"""The safety net itself: what the fixtures promise holds."""

from __future__ import annotations

import os
import pwd
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from credhelper.standin import StandIn
from tests.sandbox import PROJECT, RealHomeTouched, leaked_secrets
from tests.support import Processes
from tests.waiting import wait_until

REAL_HOME = Path(os.path.realpath(pwd.getpwuid(os.getuid()).pw_dir))
CONFTEST = PROJECT / "tests" / "conftest.py"


def run_tests(tmp_path: Path, text: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run pytest on a file with this text, under the project's own configuration and conftest."""
    folder = tmp_path / "suite"
    folder.mkdir(parents=True)
    (folder / "test_inner.py").write_text(text)
    (folder / "conftest.py").write_text("from tests.conftest import *\nfrom tests.conftest import _sandbox\n")
    command = [sys.executable, "-m", "pytest", "-c", str(PROJECT / "pyproject.toml"), "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, "--rootdir", str(folder), str(folder)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(PROJECT), **environ},
    )


def test_home_is_empty_and_ours(home: Path, runtime_folder: Path) -> None:
    assert Path.home() == home
    assert list(home.iterdir()) == []
    assert stat.S_IMODE(runtime_folder.stat().st_mode) == 0o700
    assert os.environ["XDG_RUNTIME_DIR"] == str(runtime_folder)
    assert len(str(runtime_folder / "credhelper" / "agent.sock")) < 60


def test_environment_is_clean() -> None:
    names = {name for name in os.environ if name.startswith(("AWS_", "CREDHELPER_")) or "proxy" in name.lower()}
    assert names == {"AWS_EC2_METADATA_DISABLED"}


@pytest.mark.parametrize(
    "touch",
    [
        lambda path: path.read_bytes(),
        lambda path: path.write_bytes(b""),
        lambda path: path.mkdir(),
        lambda path: path.unlink(),
        lambda path: os.rename("/tmp/none", path),  # noqa: S108, PTH104 - must be refused by its second argument
        lambda path: os.open(path, os.O_RDONLY),
        lambda path: os.listdir(os.fsencode(path)),  # noqa: PTH208 - as bytes
    ],
)
def test_real_home_is_refused(touch: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch) -> None:
    from tests import conftest  # noqa: PLC0415 - the hook of this very run

    with pytest.raises(RealHomeTouched, match="must not touch the real home"):
        touch(REAL_HOME / ".credhelper-tripwire")
    assert conftest._TRIPWIRE.violations
    conftest._TRIPWIRE.violations.clear()


def test_real_socket_is_refused() -> None:
    from tests import conftest  # noqa: PLC0415 - the hook of this very run

    with socket.socket(socket.AF_UNIX) as sock, pytest.raises(RealHomeTouched):
        sock.connect(f"/tmp/credhelper-{os.getuid()}/agent.sock")  # noqa: S108 - the real one
    conftest._TRIPWIRE.violations.clear()


def test_swallowed_touch_fails_the_test(tmp_path: Path) -> None:
    done = run_tests(
        tmp_path,
        "import contextlib, os, pwd\n"
        "def test_it():\n"
        "    with contextlib.suppress(BaseException):\n"
        "        open(pwd.getpwuid(os.getuid()).pw_dir + '/.credhelper-tripwire')\n",
    )
    assert done.returncode == 1
    assert "the real home folder was touched: open" in done.stdout


def test_skip_fails_the_run_on_ci_only(tmp_path: Path) -> None:
    text = "import pytest\ndef test_it():\n    pytest.skip('no such thing')\n"
    assert run_tests(tmp_path / "a", text, CI="").returncode == 0
    done = run_tests(tmp_path / "b", text, CI="true")
    assert done.returncode == 1
    assert "skipped, which fails a run with CI=true" in done.stdout


def test_skip_for_another_system_passes_on_ci(tmp_path: Path) -> None:
    text = "import pytest\ndef test_it():\n    pytest.skip('other OS: macOS')\n"
    assert run_tests(tmp_path, text, CI="true").returncode == 0


def test_no_tests_fails_the_run(tmp_path: Path) -> None:
    assert run_tests(tmp_path, "x = 1\n").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_leaked_secret_fails_the_test(tmp_path: Path) -> None:
    done = run_tests(
        tmp_path,
        "def test_it(standin, home):\n    (home / 'leak').write_text(standin.seed_session()['accessToken'])\n",
    )
    assert done.returncode == 1
    assert "a secret of the stand-in was found in" in done.stdout


def test_secrets_may_lie_in_the_token_cache(standin: StandIn, home: Path) -> None:
    token = standin.seed_session()["accessToken"]
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    (cache / "x.json").write_text(token)
    assert leaked_secrets([home], standin.secrets()) == []
    assert leaked_secrets([home], standin.secrets(), output=f"-{token}-") == ["captured output"]


def test_process_that_ignores_sigterm_is_killed_and_told() -> None:
    registry = Processes()
    code = (
        "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); signal.pause()"
    )
    process = registry.python("-c", code, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    assert "ignored SIGTERM" in registry.end(timeout=0.1)[0]
    assert process.returncode == -9


def test_wait_until_says_what_it_saw() -> None:
    with pytest.raises(AssertionError, match=r"waited 0 s for the moon; the last look gave \[\]"):
        wait_until(list, timeout=0, what="the moon")
