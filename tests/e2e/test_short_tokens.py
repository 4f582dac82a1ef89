"""Tokens of 15 seconds for a minute: nobody notices that they run out."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Self

import pytest

from credhelper.agent import Agent
from credhelper.aws.tokens import TokenCache
from tests.e2e.conftest import ACCOUNTS, SESSIONS, Machine
from tests.waiting import wait_until

LIFETIME = 15.0
MINUTE = 60.0


class FileWitness:
    """Reads a file over and over and keeps what was wrong with it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.problems: list[str] = []
        self.reads = 0
        self.tokens: set[str] = set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.002):
            try:
                content = json.loads(self._path.read_bytes())
                self.tokens.add(content["accessToken"])
                assert content["refreshToken"]
                assert self._path.stat().st_mode & 0o777 == 0o600
            except (OSError, ValueError, KeyError, AssertionError) as error:
                self.problems.append(type(error).__name__)
            self.reads += 1


@pytest.mark.timeout(180)
@pytest.mark.parametrize("rotate", [False, True], ids=["fixed refresh token", "rotation"])
def test_calls_never_fail_and_only_credhelper_renews(machine: Machine, daemon: Agent, rotate: bool) -> None:
    # Role credentials as short as the tokens, so that every few calls need a token that lives.
    machine.standin.configure(token_lifetime=LIFETIME, role_lifetime=6, rotate_refresh_tokens=rotate)
    machine.credhelper("enable", "--all", "--yes")
    for name in SESSIONS.values():
        machine.credhelper("login", name)
    cache = TokenCache(machine.paths.token_cache, machine.paths.locks)
    failures: list[str] = []
    calls = {"aws": 0, "boto3": 0}
    end = time.monotonic() + MINUTE

    def use(client: str, profile: str) -> None:
        while time.monotonic() < end:
            if client == "aws":
                done = machine.aws("sts", "get-caller-identity", "--profile", profile, check=False)
                right = done.returncode == 0 and json.loads(done.stdout)["Account"] == ACCOUNTS[profile]
                calls["aws"] += 1
            else:
                done = machine.boto3_identities(profile, 10, check=False)
                right = done.returncode == 0 and done.stdout.split() == [ACCOUNTS[profile]] * 10
                calls["boto3"] += 10
            if not right:
                failures.append(f"{client} {profile}: {done.returncode} {done.stderr}")

    with FileWitness(cache.path("corp")) as corp, FileWitness(cache.path(SESSIONS["legacy"])) as legacy:
        threads = [threading.Thread(target=use, args=pair) for pair in [("aws", "modern"), ("boto3", "legacy")]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    assert calls["aws"] > 10
    assert calls["boto3"] > 10
    for witness in (corp, legacy):
        assert witness.problems == []
        assert witness.reads > 1000
    renewals = machine.standin.calls("CreateToken", detail="refresh_token")
    assert {call.caller for call in renewals} == {"credhelper"}
    assert [call.error_code for call in renewals if call.error_code] == []
    # Each token serves about two thirds of its life: 10 of 15 s, so about six renewals a minute and session.
    for witness in (corp, legacy):
        assert 5 <= len(witness.tokens) - 1 <= 8, "about a third of the life should be left at each renewal"
    # The stand-in's count is a moment ahead of the daemon's while a renewal is under way.
    wait_until(
        lambda: machine.counters()["renewals"] == len(machine.standin.calls("CreateToken", detail="refresh_token")),
        what="both counts of renewals to agree",
    )
