from __future__ import annotations

import json

import pytest

from credhelper.core.report import SessionReport, date, document
from credhelper.core.schedule import Assessment
from credhelper.model import Profile, Session

SESSION = Session("corp", "https://d-1.awsapps.com/start", "eu-west-1")
DAEMON = {"running": True, "pid": 7, "version": "0", "socket": "/run/x"}


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (None, None),
        (0.0, "1970-01-01T00:00:00Z"),
        (1_800_000_000.9, "2027-01-15T08:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_date(moment: float | None, expected: str | None) -> None:
    assert date(moment) == expected


def test_document_is_as_promised() -> None:
    reports = [
        SessionReport(SESSION, Assessment("active", "renews itself", "renew", 60.0), 120.0, refreshable=True),
        SessionReport(
            Session("lab", "https://d-2.awsapps.com/start", "eu-west-2"),
            Assessment("logged_out", "not logged in"),
            None,
            refreshable=False,
        ),
    ]
    profiles = [
        Profile("a", SESSION, "123456789012", "Admin", managed=True, shadowed_by=("sso_region",)),
        Profile("b"),
    ]
    found = document(DAEMON, reports, profiles, {"a": 180.0})
    assert json.loads(json.dumps(found)) == {
        "schema": 1,
        "daemon": DAEMON,
        "sessions": [
            {
                "name": "corp",
                "start_url": "https://d-1.awsapps.com/start",
                "region": "eu-west-1",
                "state": "active",
                "reason": "renews itself",
                "expires_at": "1970-01-01T00:02:00Z",
                "refreshable": True,
                "next_action": "renew",
                "next_action_at": "1970-01-01T00:01:00Z",
            },
            {
                "name": "lab",
                "start_url": "https://d-2.awsapps.com/start",
                "region": "eu-west-2",
                "state": "logged_out",
                "reason": "not logged in",
                "expires_at": None,
                "refreshable": False,
                "next_action": None,
                "next_action_at": None,
            },
        ],
        "profiles": [
            {
                "name": "a",
                "session": "corp",
                "account_id": "123456789012",
                "role_name": "Admin",
                "managed": True,
                "shadowed": True,
                "expires_at": "1970-01-01T00:03:00Z",
            },
            {
                "name": "b",
                "session": None,
                "account_id": None,
                "role_name": None,
                "managed": False,
                "shadowed": False,
                "expires_at": None,
            },
        ],
    }


def test_nothing_at_all() -> None:
    assert document(DAEMON, [], [], {}) == {"schema": 1, "daemon": DAEMON, "sessions": [], "profiles": []}
