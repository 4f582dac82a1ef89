from __future__ import annotations

import logging

import pytest

from credhelper.core.schedule import Notice
from credhelper.daemon.notifier import Notifier
from credhelper.model import Session

SESSION = Session("corp", "https://d-1.awsapps.com/start", "eu-west-1")


@pytest.mark.parametrize(
    ("now", "words"),
    [
        (0.0, "session corp ends in 15 min and cannot be renewed; run: credhelper login corp"),
        (800.0, "session corp ends in 100 s and cannot be renewed; run: credhelper login corp"),
        (900.0, "session corp has ended; run: credhelper login corp"),
    ],
)
def test_warnings(now: float, words: str, caplog: pytest.LogCaptureFixture) -> None:
    Notifier().warn(SESSION, Notice(900.0, 900.0), now)
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [(logging.WARNING, words)]
