"""How long a renewed token is nowhere but in memory: `python -m benchmarks.window [--rounds N] [--write]`.

The time runs from the moment at which the stand-in has its reply ready, in another process, to the end of the rename
of the token file, in a process that does what the daemon's thread does. It is measured twice: alone, and with another
thread of that process busy, as a storm of callers keeps the daemon's; threads change places as often as there.
`--write` puts the figures into docs/endurance.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import pages
from credhelper.aws import renewal
from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.daemon.process import SWITCH_INTERVAL
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.settings import load
from credhelper.standin import Settings, StandIn
from credhelper.standin.messages import Request

SESSION = "bench"
_WARM_UP = 20


@dataclass(frozen=True, slots=True)
class Home:
    """A home folder with one session, whose endpoints are a stand-in's; nothing runs in it yet."""

    paths: Paths
    environ: dict[str, str]

    @property
    def cache(self) -> TokenCache:
        return TokenCache(self.paths.token_cache, self.paths.locks)

    @property
    def token_file(self) -> Path:
        return self.cache.path(SESSION)

    def write_token(self, token: Mapping[str, str]) -> None:
        """A login by another client."""
        self.token_file.touch(0o600)
        self.token_file.write_text(json.dumps(token))


@contextlib.contextmanager
def home(url: str, token: Mapping[str, str]) -> Iterator[Home]:
    """Make a home folder, logged in, and take it away again."""
    with tempfile.TemporaryDirectory(prefix="ch-bench-") as top:
        paths, runtime = Paths(Path(top) / "home"), Path(top) / "run"
        for folder in (paths.home, runtime):
            folder.mkdir(mode=0o700)
        for folder in (paths.token_cache, paths.settings.parent):
            folder.mkdir(parents=True)
        (paths.aws / "config").write_text(
            f"[sso-session {SESSION}]\nsso_start_url = {token['startUrl']}\nsso_region = {token['region']}\n"
        )
        paths.settings.write_text(f'[sessions.{SESSION}]\noidc = "{url}"\nportal = "{url}"\n')
        environ = {"HOME": str(paths.home), "XDG_RUNTIME_DIR": str(runtime), "PATH": os.environ["PATH"]}
        made = Home(paths, environ)
        made.write_token(token)
        yield made


class _Timed(StandIn):
    """Tells when a reply is ready; it is sent right after."""

    def __init__(self, settings: Settings, tell: Connection) -> None:
        super().__init__(settings)
        self._tell = tell

    def respond(self, request: Request) -> Any:
        answer = super().respond(request)
        self._tell.send(time.monotonic_ns())
        return answer


def _serve(channel: Connection) -> None:
    with _Timed(Settings(rotate_refresh_tokens=True), channel) as standin, contextlib.suppress(EOFError):
        channel.send((standin.url, standin.seed_session()))
        channel.recv()


@contextlib.contextmanager
def _server() -> Iterator[Connection]:
    """The stand-in's process, which ends with this block, and with our end of the pipe."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=_serve, args=(theirs,), daemon=True)
    server.start()
    theirs.close()
    try:
        yield ours
    finally:
        ours.close()
        server.join(10)
        server.terminate()
        server.join()


@contextlib.contextmanager
def _renames() -> Iterator[list[int]]:
    """The moments (ns, monotonic) at which files were renamed over others in this process."""
    moments: list[int] = []
    rename = os.replace

    def replace(source: Any, target: Any) -> None:
        rename(source, target)
        moments.append(time.monotonic_ns())

    os.replace = replace  # type: ignore[assignment]
    try:
        yield moments
    finally:
        os.replace = rename


@contextlib.contextmanager
def _busy_thread(wanted: bool) -> Iterator[None]:
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            pass

    thread = threading.Thread(target=work)
    if wanted:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if wanted:
            thread.join()


def measure(rounds: int, *, busy: bool = False) -> list[float]:
    """The microseconds of so many renewals, one after the other."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    with _server() as channel:
        url, token = channel.recv()
        return _renewals(rounds, channel, url, token, busy=busy)


def _renewals(rounds: int, channel: Connection, url: str, token: Mapping[str, str], *, busy: bool) -> list[float]:
    found = []
    with home(url, token) as made:
        clock, settings = Clock(), load(made.paths)
        records = LoginRecords(made.paths.state / "logins")
        centers = Centers(records, lambda: settings, clock)
        session = Session(SESSION, token["startUrl"], token["region"])
        with contextlib.closing(centers), _renames() as renamed, _busy_thread(busy):
            for number in range(-_WARM_UP, rounds):
                current = made.cache.read(SESSION)
                renamed.clear()
                outcome = renewal.renew(
                    session,
                    cache=made.cache,
                    records=records,
                    center_for=centers.for_token,
                    clock=clock,
                    replacing=current.access_token if current is not None else None,
                )
                ready = channel.recv()
                if outcome.result is not renewal.Result.RENEWED:
                    raise RuntimeError(f"a renewal ended as {outcome.result}")
                if number >= 0:
                    found.append((renamed[0] - ready) / 1000)
    return found


def row(what: str, found: list[float]) -> str:
    """The figures as a line of the table."""
    ordered = sorted(found)
    figures = (statistics.median(ordered), ordered[int(len(ordered) * 0.95)], ordered[-1])
    return f"| {what} | {len(ordered)} | " + " | ".join(f"{figure:.0f} µs" for figure in figures) + " |"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; there is no budget."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.window",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--write", action="store_true", help=f"put the figures into docs/{pages.ENDURANCE.name}")
    options = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    began = time.monotonic()
    rows = [
        "| from reply to rename | renewals | median | 95th percentile | longest |",
        "|---|--:|--:|--:|--:|",
        row("the renewal alone", measure(options.rounds)),
        row("while another thread computes", measure(options.rounds, busy=True)),
    ]
    command = " ".join(["python -m benchmarks.window", *(sys.argv[1:] if arguments is None else arguments)])
    text = "\n".join([pages.circumstances(command, time.monotonic() - began, load), "", *rows])
    print(text)
    if options.write:
        pages.put(pages.ENDURANCE, "window", text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
