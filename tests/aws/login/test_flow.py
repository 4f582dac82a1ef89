"""When a login is not needed."""

from __future__ import annotations

import pytest

from credhelper.aws.login.flow import renewable, suffices
from credhelper.aws.tokens import Found
from credhelper.model import Token

NOW = 1_800_000_000.0


def found(left: float, *, refresh: bool = True, borrowed: bool = False, registration: float = 86400.0) -> Found:
    return Found(
        "corp",
        Token(
            access_token="a",
            expires_at=NOW + left,
            start_url=None,
            region=None,
            refresh_token="r" if refresh else None,
            client_id="c",
            client_secret="s",
            registration_expires_at=NOW + registration,
        ),
        borrowed,
    )


@pytest.mark.parametrize(
    ("token", "cap_in", "enough"),
    [
        (None, None, False),
        (found(1), None, True),
        (found(0), None, False),
        (found(3600), 31 * 60, True),
        (found(3600), 30 * 60, False),
        (found(3600), -1, False),
        (found(15 * 60 + 1, refresh=False), None, True),
        (found(15 * 60, refresh=False), None, False),
        (found(15 * 60, borrowed=True), None, False),
        (found(15 * 60 + 1, borrowed=True), None, True),
        (found(15 * 60, registration=-1), None, False),
    ],
)
def test_suffices(token: Found | None, cap_in: float | None, enough: bool) -> None:
    assert suffices(token, NOW, cap_at=None if cap_in is None else NOW + cap_in) is enough


@pytest.mark.parametrize(
    ("token", "yes"),
    [
        (None, False),
        (found(-5), True),
        (found(-5, refresh=False), False),
        (found(-5, borrowed=True), False),
        (found(-5, registration=-1), False),
    ],
)
def test_renewable(token: Found | None, yes: bool) -> None:
    assert renewable(token, NOW) is yes
