"""The SDKs for JavaScript and Go, and boto3 beside them: one upstream call for many, and no failure for as long as
they run."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from credhelper.agent import Agent
from credhelper.standin import StandIn
from tests.e2e.conftest import ACCOUNTS, SESSIONS, Machine
from tests.e2e.programs import FROM_INI, SDKS, Steady
from tests.support import MakeStandIn, Processes
from tests.waiting import wait_until


@pytest.mark.parametrize("profile", ACCOUNTS)
@pytest.mark.parametrize("sdk", ["js", "go"])
def test_twenty_calls_cost_one_fetch(enabled: Machine, sdk: str, profile: str) -> None:
    enabled.standin.clear_calls()
    assert enabled.identities(sdk, profile, 20).stdout.split() == [ACCOUNTS[profile]] * 20
    assert enabled.counters()["hand_outs"] == 20
    # The SDK has no other way: it was credhelper that fetched, once.
    made = enabled.standin.calls()
    assert [call.caller for call in made if call.operation == "GetRoleCredentials"] == ["credhelper"]
    assert [call.caller for call in made if call.operation == "GetCallerIdentity"] == [sdk] * 20
    assert {call.operation for call in made} == {"GetRoleCredentials", "GetCallerIdentity"}


# Whether a client whose credentials have so many seconds left runs the helper again: boto3 does from 15 minutes
# before the end, the SDK for JavaScript from 5 (behind the call, which the old ones serve), that for Go at the end.
ASKS_AGAIN = {
    "boto3": {1200: False, 600: True, 240: True},
    "js": {1200: False, 600: False, 240: True},
    "go": {1200: False, 600: False, 240: False},
}


@pytest.mark.parametrize("sdk", SDKS)
def test_each_asks_again_by_its_own_rule(machine: Machine, daemon: Agent, processes: Processes, sdk: str) -> None:
    accounts = {lifetime: f"10000000000{number}" for number, lifetime in enumerate(ASKS_AGAIN[sdk], 1)}
    machine.config.write_text(
        machine.config.read_text()
        + "".join(
            f"\n[profile p{lifetime}]\nregion = eu-west-1\nsso_session = corp\nsso_account_id = {account}\n"
            "sso_role_name = AWSReadOnlyAccess\n"
            for lifetime, account in accounts.items()
        )
    )
    machine.credhelper("enable", "--all", "--yes")
    machine.credhelper("login", "corp")
    again = {}
    for lifetime, account in accounts.items():
        machine.standin.configure(role_lifetime=lifetime)
        before = machine.counters()["hand_outs"]
        program = machine.steady(sdk, f"p{lifetime}", processes)
        assert [program.ask() for _ in range(5)] == [account] * 5
        assert program.end() == 0
        again[lifetime] = machine.counters()["hand_outs"] - before > 1
    assert again == ASKS_AGAIN[sdk]
    assert [call.caller for call in machine.standin.calls("GetRoleCredentials")] == ["credhelper"] * len(accounts)


ROLE_LIFETIME = 6.0
TOKEN_LIFETIME = 6.0
RENEWALS = 3


def test_long_running_processes_go_on_across_renewals(machine: Machine, daemon: Agent, processes: Processes) -> None:
    machine.standin.configure(token_lifetime=TOKEN_LIFETIME, role_lifetime=ROLE_LIFETIME, rotate_refresh_tokens=True)
    machine.credhelper("enable", "--all", "--yes")
    for name in SESSIONS.values():
        machine.credhelper("login", name)
    machine.standin.clear_calls()
    wrong: list[str] = []
    done = threading.Event()

    def use(program: Steady, name: str, account: str) -> None:
        while not done.wait(0.02):
            answer = program.ask()
            if answer != account:
                wrong.append(f"{name}: {answer or 'it ended'}")
                return

    begin = time.monotonic()
    steady = {(sdk, profile): machine.steady(sdk, profile, processes) for sdk in SDKS for profile in ACCOUNTS}
    threads = [
        threading.Thread(target=use, args=(program, f"{sdk} {profile}", ACCOUNTS[profile]))
        for (sdk, profile), program in steady.items()
    ]
    for thread in threads:
        thread.start()
    try:
        # Both sessions were renewed so often, and the process that asks least often outlived so many credentials.
        machine.standin.wait_for("CreateToken", RENEWALS * len(SESSIONS), 60, detail="refresh_token")
        machine.standin.wait_for(
            lambda _: bool(wrong) or time.monotonic() - begin > (RENEWALS + 0.5) * ROLE_LIFETIME, timeout=60
        )
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert [program.end() for program in steady.values()] == [0] * len(steady)

    calls = machine.standin.calls()
    assert [call for call in calls if call.error_code] == []
    for sdk in SDKS:
        asked = [call.time for call in calls if (call.caller, call.operation) == (sdk, "GetCallerIdentity")]
        assert asked[-1] - asked[0] > RENEWALS * ROLE_LIFETIME
        assert {call.operation for call in calls if call.caller == sdk} == {"GetCallerIdentity"}
    for account in ACCOUNTS.values():
        assert sum(call.detail.startswith(account) for call in calls) > RENEWALS
    assert {call.caller for call in calls if call.operation == "CreateToken"} == {"credhelper"}


@pytest.fixture
def decoy(make_standin: MakeStandIn) -> Iterator[StandIn]:
    """Another Identity Center, to which the environment of the caller leads."""
    made = make_standin()
    yield made
    assert made.calls() == [], "a caller's environment must not steer the helper"


@pytest.mark.parametrize("client", ["aws", *SDKS])
def test_the_endpoints_of_the_callers_environment_are_not_the_helpers(
    enabled: Machine, daemon: Agent, decoy: StandIn, client: str
) -> None:
    # The helper has to start the daemon anew, from the environment of the SDK.
    enabled.credhelper("daemon", "stop")
    enabled.environ.update(AWS_ENDPOINT_URL_SSO=decoy.url, AWS_ENDPOINT_URL_SSO_OIDC=decoy.url)
    done = enabled.ask_once(client, "modern")
    assert done.returncode == 0, done.stderr
    assert ACCOUNTS["modern"] in done.stdout
    assert json.loads(daemon.call("ping"))["counters"]["hand_outs"] == 1
    assert [call.caller for call in enabled.standin.calls("GetRoleCredentials")] == ["credhelper"]


def test_long_running_processes_outlive_the_end_of_a_session(
    machine: Machine, daemon: Agent, processes: Processes, tmp_path: Path
) -> None:
    """Each call works as long as its credentials do; then each fails; after a login each goes on."""
    machine.credhelper("enable", "modern", "--yes")
    machine.credhelper("login", "corp")
    account = ACCOUNTS["modern"]
    clients = (*SDKS, FROM_INI)
    stderr = {client: tmp_path / client for client in clients}

    def start() -> dict[str, Steady]:
        started = {client: machine.steady(client, "modern", processes, stderr=stderr[client]) for client in clients}
        assert [program.ask() for program in started.values()] == [account] * len(clients)
        return started

    # The credentials are to live until all have started and asked twice, however slow the machine is.
    begin = time.monotonic()
    assert [program.end() for program in start().values()] == [0] * len(clients)
    took = time.monotonic() - begin
    machine.credhelper("logout", "corp")
    machine.standin.configure(token_lifetime=6, role_lifetime=8 + 3 * took)
    machine.credhelper("login", "corp")
    steady = start()
    machine.standin.end_sessions()
    wait_until(lambda: machine.session("corp")["state"] == "expired", 20, "the session to be expired")
    assert [program.ask() for program in steady.values()] == [account] * len(clients)

    failures: dict[str, str] = {}

    def use(client: str) -> None:
        while (answer := steady[client].ask()) == account:
            pass
        failures[client] = answer

    threads = [threading.Thread(target=use, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line = "credhelper: session corp: AWS has ended the session. Run: credhelper login corp"
    assert line in failures["boto3"]
    assert line in failures[FROM_INI]
    assert line in stderr["go"].read_text()
    # The own chain of the SDK for JavaScript keeps the reason to itself. It also renews behind a call that the old
    # credentials serve, where no program can catch what goes wrong: then Node.js ends the process.
    assert "Could not load credentials from any providers" in (failures["js"] or stderr["js"].read_text())
    if not failures["js"]:
        assert steady.pop("js").process.wait(10) == 1

    machine.standin.configure(token_lifetime=60, role_lifetime=60)
    machine.credhelper("login", "corp")
    assert [program.ask() for program in steady.values()] == [account] * len(steady)
    assert [program.end() for program in steady.values()] == [0] * len(steady)
