"""Many helper calls at once, and what each of them got."""

from __future__ import annotations

import json
import os
from typing import Any

from benchmarks.storm import Answer, Storm, at_once
from tests.machine import ACCOUNT, ROLE, Machine

__all__ = ["Answer", "Storm", "at_once", "bare_environment", "credentials", "helper", "starts"]


def helper(machine: Machine, session: str = "corp", account: str = ACCOUNT, role: str = ROLE) -> list[str]:
    """The command of one helper call."""
    return [str(machine.paths.helper), session, account, role]


def bare_environment(machine: Machine) -> dict[str, str]:
    """What a caller needs to have, and no more."""
    return {"HOME": str(machine.paths.home), "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"]}


def credentials(answer: Answer) -> dict[str, Any]:
    """The JSON that a caller got, which must be right, with silence on stderr."""
    assert (answer.status, answer.error) == (0, "")
    found: dict[str, Any] = json.loads(answer.output)
    assert found["Version"] == 1
    assert {"AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "AccountId"} <= found.keys()
    return found


def starts(machine: Machine) -> int:
    """How many daemons have begun to listen, by the log, which all of them write."""
    return machine.paths.log.read_text().count(" listens at ")
