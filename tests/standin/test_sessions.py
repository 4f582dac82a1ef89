"""Tokens over time: refresh, rotation, caps, logout, legacy logins, registrations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from credhelper.standin import DEFAULT_START_URL, StandIn

Refused = Callable[[Callable[[], Any]], tuple[str, int]]
INVALID_GRANT = ("InvalidGrantException", 400)
UNAUTHORIZED = ("UnauthorizedException", 401)


def test_a_seeded_token_has_the_fields_of_a_token_file(standin: StandIn) -> None:
    token = standin.seed_session()
    assert set(token) == {
        "startUrl",
        "region",
        "accessToken",
        "expiresAt",
        "clientId",
        "clientSecret",
        "registrationExpiresAt",
        "refreshToken",
    }
    assert token["startUrl"] == DEFAULT_START_URL
    assert token["expiresAt"] == "2027-01-15T09:00:00Z"


def test_a_token_works_until_it_ends(standin: StandIn, clients: Any, clock: Any, refused: Refused) -> None:
    token = standin.seed_session()
    clock.forward(3599)
    assert clients.role(token["accessToken"])
    clock.forward(1)
    assert refused(lambda: clients.role(token["accessToken"])) == UNAUTHORIZED


def test_a_refresh_gives_a_new_access_token_and_the_same_refresh_token(
    standin: StandIn, clients: Any, clock: Any
) -> None:
    token = standin.seed_session()
    clock.forward(7200)
    renewed = clients.refresh(token)
    assert renewed["accessToken"] != token["accessToken"]
    assert renewed["refreshToken"] == token["refreshToken"]
    assert (renewed["expiresIn"], renewed["tokenType"]) == (3600, "Bearer")
    assert clients.role(renewed["accessToken"])


def test_rotation_makes_the_old_refresh_token_worthless(standin: StandIn, clients: Any, refused: Refused) -> None:
    standin.configure(rotate_refresh_tokens=True)
    token = standin.seed_session()
    renewed = clients.refresh(token)
    assert renewed["refreshToken"] != token["refreshToken"]
    assert refused(lambda: clients.refresh(token)) == INVALID_GRANT
    assert clients.refresh({**token, "refreshToken": renewed["refreshToken"]})


def test_a_reply_can_lack_the_refresh_token(standin: StandIn, clients: Any) -> None:
    standin.configure(refresh_reply_has_refresh_token=False, rotate_refresh_tokens=True)
    token = standin.seed_session()
    assert "refreshToken" not in clients.refresh(token)
    assert clients.refresh(token)


def test_no_refresh_passes_the_cap(standin: StandIn, clients: Any, clock: Any, refused: Refused) -> None:
    standin.configure(session_cap=5000)
    token = standin.seed_session()
    clock.forward(3000)
    renewed = clients.refresh(token)
    assert renewed["expiresIn"] == 2000
    clock.forward(2000)
    assert refused(lambda: clients.refresh(token)) == INVALID_GRANT
    assert refused(lambda: clients.role(renewed["accessToken"])) == UNAUTHORIZED


def test_access_tokens_can_outlive_the_cap(standin: StandIn, clients: Any, clock: Any, refused: Refused) -> None:
    standin.configure(session_cap=5000, cap_bounds_tokens=False)
    token = standin.seed_session()
    clock.forward(4000)
    renewed = clients.refresh(token)
    clock.forward(2000)
    assert clients.role(renewed["accessToken"])
    assert refused(lambda: clients.refresh(token)) == INVALID_GRANT


@pytest.mark.parametrize(("resets", "left"), [(False, 1000), (True, 3600)])
def test_a_login_without_a_logout_resets_the_cap_only_if_so_set(
    standin: StandIn, clients: Any, clock: Any, resets: bool, left: int
) -> None:
    standin.configure(session_cap=5000, login_resets_cap=resets)
    standin.seed_session()
    clock.forward(4000)
    assert clients.refresh(standin.seed_session())["expiresIn"] == left


def test_a_login_after_the_cap_or_a_logout_starts_a_new_session(standin: StandIn, clients: Any, clock: Any) -> None:
    standin.configure(session_cap=5000)
    token = standin.seed_session()
    clock.forward(4000)
    clients.sso.logout(accessToken=clients.refresh(token)["accessToken"])
    assert clients.refresh(standin.seed_session())["expiresIn"] == 3600
    clock.forward(5000)
    assert clients.refresh(standin.seed_session())["expiresIn"] == 3600


def test_a_logout_ends_all_tokens_of_its_session_and_of_no_other(
    standin: StandIn, clients: Any, refused: Refused
) -> None:
    first = standin.seed_session()
    joined = standin.seed_session(start_url=DEFAULT_START_URL.rstrip("/") + "#/")
    other = standin.seed_session(start_url="https://d-1234567890.awsapps.com/start")
    role = clients.role(first["accessToken"])
    clients.sso.logout(accessToken=first["accessToken"])
    for token in (first, joined):
        assert refused(partial(clients.role, token["accessToken"])) == UNAUTHORIZED
        assert refused(partial(clients.refresh, token)) == INVALID_GRANT
    assert refused(lambda: clients.sso.logout(accessToken=first["accessToken"])) == UNAUTHORIZED
    assert clients.role(other["accessToken"])
    assert clients.sts(role).get_caller_identity()


def test_sessions_can_be_ended_from_outside(standin: StandIn, clients: Any, refused: Refused) -> None:
    token = standin.seed_session()
    standin.expire_access_tokens()
    assert refused(lambda: clients.role(token["accessToken"])) == UNAUTHORIZED
    assert clients.refresh(token)
    standin.end_sessions(start_url="https://d-1234567890.awsapps.com/start")
    assert clients.refresh(token)
    standin.end_sessions()
    assert refused(lambda: clients.refresh(token)) == INVALID_GRANT
    token = standin.seed_session()
    assert clients.refresh(token)
    standin.revoke_sessions()
    assert refused(lambda: clients.refresh(token)) == INVALID_GRANT


def test_a_login_without_scopes_gets_no_refresh_token(
    standin: StandIn, clients: Any, clock: Any, refused: Refused
) -> None:
    token = standin.seed_session(scopes=())
    assert "refreshToken" not in token
    clock.forward(8 * 3600 - 1)
    assert clients.role(token["accessToken"])
    clock.forward(1)
    assert refused(lambda: clients.role(token["accessToken"])) == UNAUTHORIZED


@pytest.mark.parametrize(("error", "status"), [("InvalidClientException", 401), ("ExpiredTokenException", 400)])
def test_a_registration_ends(
    *, standin: StandIn, clients: Any, clock: Any, refused: Refused, error: str, status: int
) -> None:
    standin.configure(registration_lifetime=1000, expired_registration_error=error)
    token = standin.seed_session()
    clock.forward(1000)
    assert refused(lambda: clients.refresh(token)) == (error, status)


def test_a_refresh_is_the_clients_own(standin: StandIn, clients: Any, refused: Refused) -> None:
    token, other = standin.seed_session(), standin.seed_session()
    mixed = {**token, "refreshToken": other["refreshToken"]}
    assert refused(lambda: clients.refresh(mixed)) == INVALID_GRANT
    wrong = {**token, "clientSecret": other["clientSecret"]}
    assert refused(lambda: clients.refresh(wrong)) == ("InvalidClientException", 401)


def test_every_secret_is_known(standin: StandIn, clients: Any) -> None:
    token = standin.seed_session()
    role = clients.role(token["accessToken"])
    renewed = clients.refresh(token)
    assert {
        token["accessToken"],
        token["refreshToken"],
        token["clientSecret"],
        renewed["accessToken"],
        role["secretAccessKey"],
        role["sessionToken"],
    } == standin.secrets()
