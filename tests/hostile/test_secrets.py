"""No secret that AWS ever gave out is found anywhere but in AWS's own token cache and in the helper's own answers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from credhelper import resources
from credhelper.agent import Agent
from credhelper.aws.identity_center import DeviceAuthorization, Registration, TokenGrant
from credhelper.aws.renewal import Held, Outcome, Result
from credhelper.aws.tokens import Found
from credhelper.model import Network, RoleCredentials, Token
from credhelper.paths import Paths
from credhelper.standin import Fault, PlacedFault, write_browser_script
from credhelper.standin.browser import visit
from credhelper.standin.grants import Grants
from credhelper.standin.sessions import Mint
from tests import sandbox
from tests.hostile import cores
from tests.hostile.evidence import Search, Watch
from tests.machine import ACCOUNT, ROLE, Machine
from tests.support import MakeStandIn, Processes
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other OS: reads /proc")

COMMAND = [sys.executable, "-m", "credhelper"]

# The daemon with its log at its most talkative: asyncio tells of every step that it makes.
_TALKATIVE = """
import asyncio, logging
from credhelper.daemon import process

start_log = process.start_log
def talk(paths, *, foreground):
    start_log(paths, foreground=True)
    for name in ("credhelper", "asyncio"):
        logging.getLogger(name).setLevel(logging.DEBUG)
process.start_log = talk

loop = asyncio.base_events.BaseEventLoop
begin = loop.__init__
def slow(self):
    begin(self)
    self.slow_callback_duration = 0
loop.__init__ = slow

from credhelper.cli import main
main(["daemon", "run"])
"""

# A login that meets a bug at the worst moment: the error's text, its notes, its cause and the locals hold all tokens.
_BUG = """
from credhelper.aws import tokens
from credhelper.cli import main

def fail(self, key, token, draft=None):
    kept = [token.access_token, token.refresh_token, token.client_secret]
    try:
        raise ValueError(*kept)
    except ValueError as error:
        bug = RuntimeError(f"cannot write {kept}")
        bug.add_note(str(kept))
        raise bug from error

tokens.TokenCache.write = fail
main(["login", "corp", "--force"])
"""

# A daemon in which a renewal meets such a bug.
_BUG_IN_DAEMON = """
from credhelper.aws import renewal

def fail(session, *, cache, **_):
    token = cache.read(session.cache_key)
    kept = [token.access_token, token.refresh_token]
    raise RuntimeError(*kept) from ValueError(*kept)

renewal.renew = fail
from credhelper.cli import main
main(["daemon", "run"])
"""


class Scene:
    """A machine, a stand-in that remembers codes too, and everything that programs say."""

    def __init__(self, machine: Machine, processes: Processes, codes: set[str], folder: Path) -> None:
        self.machine = machine
        self.said: dict[str, bytes] = {}
        self.answers: list[bytes] = []
        self._codes = codes
        self._processes = processes
        self._spoken = folder / "daemon-said"
        browser = write_browser_script(machine.paths.home / "browser")
        self.environ = {
            **os.environ,
            **machine.standin.environment,
            "BROWSER": str(browser.path),
            "PYTHONPATH": str(sandbox.PROJECT),
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONFAULTHANDLER": "1",
        }

    def secrets(self) -> set[str]:
        """Every secret so far, with the codes and PKCE verifiers of the logins."""
        return {*self.machine.standin.secrets(), *self._codes}

    def run(self, *command: str, code: int = 0) -> str:
        """Run a program to its end; what it says is evidence."""
        done = subprocess.run(
            command, env=self.environ, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
        )
        self.said[f"{len(self.said)} {' '.join(command[1:4])}"] = done.stdout + done.stderr
        assert done.returncode == code, done.stdout + done.stderr
        return (done.stdout + done.stderr).decode()

    def credhelper(self, *arguments: str, code: int = 0) -> str:
        return self.run(*COMMAND, *arguments, code=code)

    def python(self, script: str, code: int = 0) -> str:
        return self.run(sys.executable, "-c", script, code=code)

    def helper(self, role: str = ROLE, code: int = 0, *, direct: bool = False) -> None:
        """One call; on success its stdout is the one place where secrets belong."""
        start = [*COMMAND, "credential-process"] if direct else [str(self.machine.paths.helper)]
        done = subprocess.run(
            [*start, "corp", ACCOUNT, role], env=self.environ, capture_output=True, timeout=60, check=False
        )
        assert done.returncode == code, done.stderr
        self.said[f"{len(self.said)} helper"] = done.stderr if code == 0 else done.stdout + done.stderr
        if code == 0:
            self.answers.append(done.stdout)

    def daemon(self, script: str) -> subprocess.Popen[bytes]:
        """A daemon in the foreground; `end` takes what it said."""
        with self._spoken.open("wb") as said:  # a pipe that nobody reads would hold it up
            process = self._processes.python("-X", "dev", "-c", script, env=self.environ, stdout=said, stderr=said)
        agent = Agent(self.machine.paths)
        wait_until(lambda: process.poll() is not None or agent.running(), 20, "the daemon")
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        process.wait(30)
        self.said[f"{len(self.said)} in the foreground"] = self._spoken.read_bytes()

    def log_in_by_device(self) -> None:
        process = self._processes.start(
            [*COMMAND, "login", "corp", "--device", "--no-browser", "--force"],
            env={**self.environ, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        said = b""
        assert process.stdout is not None
        while not (found := re.search(rb"(http\S+user_code=\S+)\s", said)):
            part = process.stdout.readline()
            assert part, said
            said += part
        visit(found[1].decode())
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, said + rest
        self.said["login by device code"] = said + rest


@pytest.fixture
def scene(
    paths: Paths, make_standin: MakeStandIn, processes: Processes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Scene:
    codes: set[str] = set()
    plain, by_code = Mint.plain, Grants._by_code

    def remember(self: Mint, size: int) -> str:
        value = plain(self, size)
        if size >= 64:  # authorization and device codes; the smaller ones are the ids of clients
            codes.add(value)
        return value

    def note(self: Grants, registration: Any, params: Any, now: float) -> Any:
        codes.add(params["codeVerifier"])
        return by_code(self, registration, params, now)

    monkeypatch.setattr(Mint, "plain", remember)
    monkeypatch.setattr(Grants, "_by_code", note)
    standin = make_standin(rotate_refresh_tokens=True, device_interval=1)
    machine = Machine(paths, standin)
    machine.set_up()
    machine.write_settings()
    resources.install_helper(paths)
    return Scene(machine, processes, codes, tmp_path)


def renewals(scene: Scene) -> None:
    """Tokens that live for seconds, renewed with rotation."""
    machine, standin = scene.machine, scene.machine.standin
    for _ in range(2):
        standin.configure(token_lifetime=3)
        scene.credhelper("login", "corp", "--force")
        short = machine.token()["accessToken"]
        standin.configure(token_lifetime=3600)
        wait_until(lambda short=short: machine.token()["accessToken"] != short)  # type: ignore[misc]


def refusals_that_repeat_what_they_were_sent(scene: Scene) -> None:
    machine, standin = scene.machine, scene.machine.standin
    token = machine.token()

    def echo(operation: str, code: str, secret: str) -> PlacedFault:
        return standin.fault(operation, Fault.error(code, message=f"not good: {secret} {secret[:40]}"))

    codes = ["InvalidRequestException", "TooManyRequestsException", "ResourceNotFoundException"]
    for number, code in enumerate(codes):
        with echo("GetRoleCredentials", code, token["accessToken"]):
            scene.helper(f"Role{number}", code=1)
    for code, secret in (("InternalServerException", "refreshToken"), ("InvalidClientException", "clientSecret")):
        with echo("CreateToken", code, token[secret]):
            scene.credhelper("login", "corp", "--force", code=1)
    scene.helper("Nope", code=1)


def bugs(scene: Scene, daemon: subprocess.Popen[bytes]) -> None:
    """One in a command, which leaves a report, and one in the daemon, of which its log tells where it was."""
    machine = scene.machine
    report = re.search(r"Please report it with (\S+)", scene.python(_BUG, code=70))
    assert report
    assert "builtins.RuntimeError" in Path(report[1]).read_text()
    assert "builtins.ValueError" in Path(report[1]).read_text()
    scene.end(daemon)
    daemon = scene.daemon(_BUG_IN_DAEMON)
    machine.log_in(expiresAt="2020-01-01T00:00:00Z")
    wait_until(lambda: "failed in an unforeseen way" in machine.paths.log.read_text())
    scene.end(daemon)
    text = machine.paths.log.read_text()
    assert "Traceback, without values:\nbuiltins.RuntimeError" in text
    assert "builtins.ValueError" in text
    machine.paths.log.write_text(text.replace("Traceback", "(expected)"))


def test_no_secret_is_anywhere_else(scene: Scene, runtime_folder: Path) -> None:
    machine, standin = scene.machine, scene.machine.standin
    home = machine.paths.home
    watch = Watch(home)
    try:
        daemon = scene.daemon(_TALKATIVE)
        scene.credhelper("login", "corp")
        scene.helper()
        renewals(scene)
        scene.log_in_by_device()
        scene.helper("AWSReadOnlyAccess")
        refusals_that_repeat_what_they_were_sent(scene)
        assert "dev" in scene.credhelper("status")
        scene.credhelper("status", "--json")
        scene.credhelper("whoami", "dev")
        scene.credhelper("daemon", "status")
        bugs(scene, daemon)
        assert any(b"Executing <" in said for said in scene.said.values()), "it was not talkative"
        scene.credhelper("login", "corp")
        scene.helper(direct=True)
        scene.helper()
        assert Search(scene.secrets()).files(home) == []
        scene.credhelper("logout", "--all")
        scene.helper(code=3)
    finally:
        watch.stop()

    search = Search(scene.secrets())
    assert len(standin.secrets()) > 25
    # The search finds what is there to be found.
    assert all(search.finds(answer) for answer in scene.answers)
    assert len(scene.answers) == 4
    assert {name for name, said in scene.said.items() if search.finds(said)} == set()
    assert {(what, text[:80]) for what, text in watch.seen if search.finds(text)} == set()
    assert search.files(home) == []
    assert search.files(runtime_folder) == []
    seen = b"\n".join(watch.processes)
    browser = b"/standin/browser.py\0http://127.0.0.1:"
    for program in (b"daemon\0run", b"login\0corp", b"credential-process", browser, b"logout"):
        assert program in seen, f"no process of {program!r} was looked at while it lived"
    assert [value for value in standin.secrets() if value in machine.paths.log.read_text()] == []


# --- core dumps and limits ------------------------------------------------------------------------------------------


@pytest.fixture
def logged_in(scene: Scene) -> Scene:
    scene.machine.log_in()
    return scene


def no_core(pid: int) -> bool:
    return "Max core file size        0 " in Path(f"/proc/{pid}/limits").read_text()


@pytest.mark.parametrize("number", [signal.SIGABRT, signal.SIGQUIT, signal.SIGSEGV])
def test_daemon_that_aborts_leaves_no_core(
    logged_in: Scene, processes: Processes, number: int, tmp_path: Path
) -> None:
    """Though somebody mighty raised its limit; faulthandler's word on stderr holds no values either."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to raise another process's limit")
    process = processes.start(
        [*COMMAND, "daemon", "run"],
        env=logged_in.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        preexec_fn=cores.allow,
    )
    agent = Agent(logged_in.machine.paths)
    wait_until(agent.running, 20)
    logged_in.helper()
    works_in = Path(f"/proc/{process.pid}/cwd").resolve()
    before = cores.found(tmp_path, works_in)
    assert no_core(process.pid)
    cores.allow(process.pid)
    process.send_signal(number)
    _, status = os.waitpid(process.pid, 0)
    process.returncode = -number
    out, err = process.communicate(timeout=10)
    assert os.WTERMSIG(status) == number
    assert not os.WCOREDUMP(status)
    assert cores.found(tmp_path, works_in) == before
    assert not Search(logged_in.secrets()).finds(out + err)
    logged_in.helper()  # the next call starts another one


@pytest.mark.parametrize("what", ["login", "direct", "whoami"])
def test_other_holders_of_secrets_leave_no_core(
    logged_in: Scene, processes: Processes, what: str, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to raise another process's limit")
    standin = logged_in.machine.standin
    operation = {"login": "CreateToken", "direct": "GetRoleCredentials", "whoami": "GetCallerIdentity"}[what]
    arguments = {
        "login": ["login", "corp", "--force"],
        "direct": ["credential-process", "corp", ACCOUNT, ROLE],
        "whoami": ["whoami", "dev"],
    }[what]
    with standin.fault(operation, Fault.silence()):
        process = processes.start(
            [*COMMAND, *arguments],
            env=logged_in.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            preexec_fn=cores.allow,
        )
        standin.wait_for(operation, done=None)
        assert no_core(process.pid)
        cores.allow(process.pid)
        process.send_signal(signal.SIGABRT)
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -signal.SIGABRT
    process.communicate(timeout=20)
    assert not os.WCOREDUMP(status)
    assert cores.found(tmp_path) == set()


# --- repr -----------------------------------------------------------------------------------------------------------


def _token() -> Token:
    return Token("hush-a", 1.0, "https://x", "r", "hush-r", "hush-i", "hush-s", 2.0, extra={"more": "hush-x"})


@pytest.mark.parametrize(
    "make",
    [
        _token,
        lambda: Found("corp", _token()),
        lambda: Held(_token(), "hush-b"),
        lambda: Outcome(Result.UNSAVED, _token(), Held(_token(), "hush-b")),
        lambda: RoleCredentials("ASIA", "hush-k", "hush-t", 1.0, 2.0),
        lambda: Registration("hush-i", "hush-s", 1.0),
        lambda: TokenGrant("hush-a", 1.0, "hush-r"),
        lambda: DeviceAuthorization("hush-d", "USER", "https://x", "https://x", 1.0, 1.0),
        lambda: Network({"https": "http://me:hush@proxy"}, None, None),
    ],
)
def test_repr_holds_no_secret(make: Callable[[], object]) -> None:
    made = make()
    assert "hush" not in f"{made!r} {made} {[made]} {json.dumps(str(made))}"


def test_helper_s_bug_is_told_without_values() -> None:
    script = (
        "from credhelper import client\n"
        "def run(arguments, command):\n    raise RuntimeError('hush')\n"
        "client.run = run\nclient.main([], [])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (70, "")
    assert done.stderr == "credhelper: a bug in the helper: RuntimeError. Please report it\n"
