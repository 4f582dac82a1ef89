from __future__ import annotations

import asyncio
import json
import os
import threading

import pytest

from credhelper.daemon.direct import serve
from credhelper.model import Session
from credhelper.names import encode_name
from credhelper.standin import Fault
from tests.machine import ACCOUNT, ROLE, Machine, section


@pytest.fixture
def machine(machine: Machine) -> Machine:
    """As the daemon's machine, but the daemon cannot even write its state."""
    machine.paths.state.parent.mkdir(parents=True, exist_ok=True)
    machine.paths.state.write_text("a file in place of the folder")
    return machine


async def served(machine: Machine, session: str = "corp", **environ: str) -> tuple[int, bytes]:
    return await serve(machine.paths, {**os.environ, **environ}, session, ACCOUNT, ROLE)


async def test_one_answer_and_nothing_left(machine: Machine) -> None:
    status, payload = await served(machine)
    assert status == 0
    assert json.loads(payload)["AccountId"] == ACCOUNT
    for thread in threading.enumerate():
        if thread.name in {"aws", "disk"}:
            await asyncio.to_thread(thread.join, 10)  # its answer was there just before its end
            assert not thread.is_alive()
    assert machine.paths.state.is_file()
    assert list(machine.paths.home.parent.joinpath("run").iterdir()) == []


async def test_login_needed(machine: Machine) -> None:
    machine.token_file.unlink()
    status, payload = await served(machine)
    assert (status, payload) == (3, b"credhelper: session corp: not logged in. Run: credhelper login corp\n")


async def test_no_network(machine: Machine) -> None:
    machine.standin.fault("*", Fault.reset())
    status, payload = await served(machine)
    assert status == 1
    assert payload.count(b"\n") == 1


async def test_config_of_the_caller(machine: Machine) -> None:
    """It cannot be known from the state folder, which cannot be used."""
    lab = Session("my lab", machine.session.start_url, machine.session.region)
    other = machine.paths.home / "other-config"
    other.write_text(section(lab).replace("my lab", '"my lab"'))
    machine.session = lab
    machine.write_settings()
    machine.log_in(lab)
    status, payload = await served(machine, encode_name("my lab"), AWS_CONFIG_FILE=str(other))
    assert status == 0, payload
