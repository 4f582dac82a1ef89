"""SIGKILL in the middle of renewals: `python -m benchmarks.kills [--count N] [--worlds N] [--write]`.

Half of the worlds rotate refresh tokens, half do not. In each, a helper call makes the daemon renew its session's
token, and the daemon is killed at a random moment of that: before the request, between request and reply, between
reply and write, during the write. Then the token file must be whole, the very call whose daemon was killed and the
next one must be served, and nothing half-written may be left. Where AWS does not rotate, no session may be lost;
where it does, one is lost where AWS had taken the request and the daemon had not yet written the answer down, and is
logged in to again. How long that is after AWS has answered is what `benchmarks/window.py` measures.

A call that is not answered within its 5 s counts as late, is made again to see what has become of the session, and
makes the exit code 1 like anything else that must not be. `--write` puts the table into docs/endurance.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import NoReturn

import psutil

from benchmarks import pages
from benchmarks.patience import let_the_helper_wait
from benchmarks.window import SESSION, Home, home
from credhelper import resources
from credhelper.agent import Agent
from credhelper.daemon.singleton import is_free
from credhelper.files import TEMPORARY
from credhelper.standin import Fault, Settings, StandIn

RENEW, REFRESH = "CreateToken", "refresh_token"
FIELDS = {
    "startUrl",
    "region",
    "accessToken",
    "expiresAt",
    "clientId",
    "clientSecret",
    "registrationExpiresAt",
    "refreshToken",
}
# Where a kill fell.
BEFORE, ASKED, ANSWERED, WRITING, WRITTEN = (
    "before the request",
    "between request and reply",
    "between reply and write",
    "during the write",
    "after the rename",
)
PLACES = (BEFORE, ASKED, ANSWERED, WRITING, WRITTEN)
# What a kill is aimed at, and how often: the moments around the reply are the interesting ones.
_AIMS = {"draft": 0.15, "request": 0.2, "reply": 0.5, "any": 0.15}
_LIFETIME = 60  # longer than one kill and what follows it: each has one renewal to fall in
_ROLE = "AWSAdministratorAccess"
_PATIENCE = 15.0
_ON_ITS_WAY = 0.1
_LOGIN_NEEDED = 3


@dataclass
class Tally:
    """What came of the kills of one world or of several.

    Attributes:
        kills, lost: by where they fell.
        late: calls that were not answered within their 5 s.
        wrong: what must not be.
    """

    kills: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    late: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        self.kills += other.kills
        self.lost += other.lost
        self.late += other.late
        self.wrong += other.wrong


class Killer:
    """One world, in which the daemon is killed again and again.

    Args:
        rotate: whether the stand-in does.
        patient: give each call a minute.
    """

    def __init__(self, made: Home, standin: StandIn, *, rotate: bool, seed: int, patient: bool) -> None:
        self.tally = Tally()
        self._home = made
        self._standin = standin
        self._agent = Agent(made.paths, made.environ)
        self._rotate = rotate
        self._random = random.Random(seed)  # noqa: S311 - moments, not secrets
        self._account = 0
        self._last: subprocess.Popen[bytes] | None = None
        resources.install_helper(made.paths)
        if patient:
            let_the_helper_wait(made.paths)

    def start(self) -> None:
        """Start the first daemon; the others are started by calls."""
        self._agent.start()

    def kill_once(self) -> None:
        """One renewal, one kill, and what must hold afterwards."""
        standin = self._standin
        aim = self._random.choices(list(_AIMS), list(_AIMS.values()))[0]
        pid = json.loads(self._agent.call("ping"))["pid"]
        before = self._home.token_file.read_bytes()
        standin.clear_calls()
        standin.expire_access_tokens()  # so that the next call needs a renewal
        if aim == "request":
            standin.fault(RENEW, Fault.slow(self._random.uniform(0.02, 0.1)), times=1, detail=REFRESH)
        caller = self._call()
        self._wait_for(aim, caller)
        answered = any(call.done for call in standin.calls(RENEW, detail=REFRESH))
        os.kill(pid, signal.SIGKILL)
        killed_at = time.time()
        # Not its lock: the call that it had in hand starts the next one, which takes that at once.
        self._until(lambda: _gone(pid), "the killed daemon to be gone")
        drafts = self._drafts()
        written = self._home.token_file.read_bytes() != before
        broken = self._what_is_wrong_with_the_file()
        status, text = _end(caller)  # by now what the killed daemon had sent has arrived
        if written:
            place = WRITTEN
        elif answered:
            place = WRITING if any(drafts.values()) else ANSWERED
        else:
            place = ASKED if self._had_asked(killed_at, lost=status == _LOGIN_NEEDED) else BEFORE
        self.tally.kills[place] += 1
        if broken:
            self._wrong(place, broken)
        self._check_answers(status, text, place)
        if left := set(drafts) & set(self._drafts()):
            self._wrong(place, f"{len(left)} half-written files were not cleaned away")

    def stop(self) -> None:
        """End the daemon, if there is one; a call that is under way may just be starting it."""
        if self._last is not None and self._last.poll() is None:
            self._last.communicate(timeout=70)
        if self._agent.running():
            self._agent.call("stop")
            self._until(lambda: is_free(self._home.paths), "the daemon to end")

    def _call(self) -> subprocess.Popen[bytes]:
        """A helper call for a role that nobody has asked for."""
        self._account += 1
        return self._helper(self._account)

    def _helper(self, number: int) -> subprocess.Popen[bytes]:
        command = [str(self._home.paths.helper), SESSION, str(100_000_000_000 + number), _ROLE]
        # In a session of its own: Ctrl-C is for us, who then wait for it.
        self._last = subprocess.Popen(
            command,
            env=self._home.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        return self._last

    def _wait_for(self, aim: str, caller: subprocess.Popen[bytes]) -> None:
        if aim == "any":
            time.sleep(self._random.uniform(0.0, 0.06))
            return
        if aim == "draft":
            # A busy machine may let all of the renewal pass between two looks; then the kill falls after it.
            self._until(lambda: self._drafts() or caller.poll() is not None, "a renewal to begin")
            _spin(self._random.uniform(0.0, 0.002))
            return
        done = None if aim == "request" else True
        self._standin.wait_for(RENEW, detail=REFRESH, done=done, timeout=_PATIENCE)
        _spin(self._random.uniform(0.0, 0.02 if aim == "request" else 0.003))

    def _had_asked(self, killed_at: float, *, lost: bool) -> bool:
        """Whether the killed daemon's request had left: the next one's cannot come as quickly."""
        calls = self._standin.calls(RENEW, detail=REFRESH)
        return bool(calls) and (calls[0].time < killed_at + _ON_ITS_WAY or (lost and len(calls) > 1))

    def _drafts(self) -> dict[str, bool]:
        """The names of half-written files, and whether anything was written yet."""
        found = {}
        for entry in os.scandir(self._home.paths.token_cache):
            if entry.name.startswith(TEMPORARY):
                try:
                    found[entry.name] = entry.stat().st_size > 0
                except FileNotFoundError:
                    continue
        return found

    def _what_is_wrong_with_the_file(self) -> str | None:
        try:
            content = json.loads(self._home.token_file.read_bytes())
        except (OSError, ValueError) as error:
            return f"the token file is not whole: {type(error).__name__}"
        if missing := FIELDS - {name for name, value in content.items() if isinstance(value, str) and value}:
            return f"the token file lacks {sorted(missing)}"
        mode = stat.S_IMODE(self._home.token_file.stat().st_mode)
        return None if mode == 0o600 else f"the token file has mode {mode:o}"

    def _check_answers(self, status: int, text: str, place: str) -> None:
        """The call whose daemon was killed, and the next one; a lost session is logged in to again."""
        if status not in {0, _LOGIN_NEEDED} and not self._was_late(text):
            self._wrong(place, f"the call whose daemon was killed failed: exit {status}: {text}")
        if status != _LOGIN_NEEDED:
            status, text = self._next()
        if status == _LOGIN_NEEDED:
            if not self._rotate or place in {BEFORE, WRITTEN}:
                self._wrong(place, f"a session was lost that should not have been: {text}")
            self.tally.lost[place] += 1
            self._log_in()
            status, text = self._next()
        if status != 0:
            self._wrong(place, f"the next call failed: exit {status}: {text}")

    def _next(self) -> tuple[int, str]:
        """The next call. One that is late is counted, and does not say what has become of the session: again."""
        for _ in range(3):
            status, text = _end(self._helper(self._account))
            if status in {0, _LOGIN_NEEDED} or not self._was_late(text):
                break
        return status, text

    def _was_late(self, text: str) -> bool:
        late = "in time" in text
        self.tally.late += late
        return late

    def _log_in(self) -> None:
        self._home.write_token(self._standin.seed_session())
        self._agent.call("reload", start=True, timeout=_PATIENCE)

    def _wrong(self, place: str, what: str) -> None:
        self.tally.wrong.append(f"killed {place}, {'with' if self._rotate else 'without'} rotation: {what}")

    @staticmethod
    def _until(predicate: Callable[[], object], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not predicate():
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {_PATIENCE:.0f} s for {what}")
            time.sleep(0.0002)


def _end(helper: subprocess.Popen[bytes]) -> tuple[int, str]:
    """How a helper call ended: its exit code, 0 only with right credentials, and what it said."""
    output, error = helper.communicate(timeout=60)
    if helper.returncode == 0:
        if error or "AccessKeyId" not in json.loads(output):
            return 1, error.decode() or "no credentials"
        return 0, ""
    return helper.returncode, error.decode().strip()


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _spin(seconds: float) -> None:
    """Wait without giving the processor away: a sleep is far too coarse."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass


def kill_in_world(count: int, rotate: bool, seed: int, patient: bool) -> Tally:
    """Kill so many times in a world of its own."""
    settings = Settings(token_lifetime=_LIFETIME, rotate_refresh_tokens=rotate, accounts=count + 1)
    with StandIn(settings) as standin, home(standin.url, standin.seed_session()) as made:
        killer = Killer(made, standin, rotate=rotate, seed=seed, patient=patient)
        try:
            killer.start()
            for _ in range(count):
                killer.kill_once()
        finally:
            killer.stop()
        return killer.tally


def _world(result: Connection, count: int, rotate: bool, seed: int, patient: bool) -> None:
    """A world's process. SIGTERM, and the end of the process that has started it, end its daemon too."""
    _end_on_sigterm()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that has started us, which ends us

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
    result.send(kill_in_world(count, rotate, seed, patient))


def _end_on_sigterm() -> None:
    def end(number: int, _frame: object) -> NoReturn:
        signal.signal(number, signal.SIG_IGN)  # once is enough
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)


def run(count: int, worlds: int, seed: int, *, patient: bool = False) -> dict[bool, Tally]:
    """Kill `count` times in all, in `worlds` (an even number) at once; the tallies by rotation.

    Args:
        patient: give each call a minute: for a machine whose other work may be no reason to fail.

    Raises RuntimeError where a world broke; what it said is on stderr.
    """
    context = multiprocessing.get_context("spawn")
    sums = {False: Tally(), True: Tally()}
    started = []
    try:
        for number, share in enumerate(_shares(count, worlds)):
            rotate = bool(number % 2)
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_world, args=(theirs, share, rotate, seed + number, patient))
            process.start()
            theirs.close()
            started.append((rotate, ours, process))
        for rotate, ours, process in started:
            try:
                sums[rotate].add(ours.recv())
            except EOFError:
                process.join()
                raise RuntimeError(f"a world broke: exit code {process.exitcode}") from None
    finally:
        for _, ours, process in started:
            if process.is_alive():
                process.terminate()
            process.join()
            ours.close()
    return sums


def _shares(count: int, worlds: int) -> Iterable[int]:
    return [count // worlds + (number < count % worlds) for number in range(worlds)]


def table(fixed: Tally, rotating: Tally) -> str:
    """The figures in Markdown."""
    both = (fixed, rotating)
    rows = [
        (place, *(number for tally in both for number in (tally.kills[place], tally.lost[place]))) for place in PLACES
    ]
    rows.append(("in all", *(number for tally in both for number in (tally.kills.total(), tally.lost.total()))))
    wrong = len(fixed.wrong) + len(rotating.wrong)
    lines = [
        "| killed | without rotation | of these, session lost | with rotation | of these, session lost |",
        "|---|--:|--:|--:|--:|",
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
        "",
        f"Calls not answered within 5 s: {fixed.late + rotating.late}. Whatever else must not be: {wrong}.",
    ]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where a call was late or anything was wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--count", type=int, default=500, help="kills in all")
    parser.add_argument("--worlds", type=int, default=2, help="at once; an even number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--patient", action="store_true", help="give each call a minute, for a busy machine")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{pages.ENDURANCE.name}")
    options = parser.parse_args(arguments)
    if options.worlds < 2 or options.worlds % 2:
        parser.error("the number of worlds must be even")
    _end_on_sigterm()
    load = os.getloadavg()[0]
    began = time.monotonic()
    fixed, rotating = run(options.count, options.worlds, options.seed, patient=options.patient).values()
    command = " ".join(["python -m benchmarks.kills", *(sys.argv[1:] if arguments is None else arguments)])
    text = f"{pages.circumstances(command, time.monotonic() - began, load)}\n\n{table(fixed, rotating)}"
    print(text)
    if options.write:
        pages.put(pages.ENDURANCE, "kills", text)
    wrong = fixed.wrong + rotating.wrong
    for problem in wrong:
        print(problem, file=sys.stderr)
    return int(bool(wrong or fixed.late or rotating.late))


if __name__ == "__main__":
    sys.exit(main())
