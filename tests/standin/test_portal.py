"""Accounts, roles, role credentials, and sts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from credhelper.standin import Account, StandIn

Refused = Callable[[Callable[[], Any]], tuple[str, int]]


def test_role_credentials_are_fresh_each_time_and_in_milliseconds(standin: StandIn, clients: Any, clock: Any) -> None:
    standin.configure(role_lifetime=900)
    token = standin.seed_session()["accessToken"]
    one, two = clients.role(token), clients.role(token)
    assert one["expiration"] == int((clock.now + 900) * 1000)
    assert one["accessKeyId"] != two["accessKeyId"]
    assert one["sessionToken"] != two["sessionToken"]
    assert len(one["accessKeyId"]) == 20
    assert one["accessKeyId"].startswith("ASIA")


@pytest.mark.parametrize(("account", "role"), [("100000000001", "Nobody"), ("999999999999", "Admin")])
def test_a_role_not_assigned_is_forbidden(
    standin: StandIn, clients: Any, refused: Refused, account: str, role: str
) -> None:
    token = standin.seed_session()["accessToken"]
    assert refused(lambda: clients.role(token, account, role)) == ("ForbiddenException", 403)


@pytest.mark.parametrize(("page_size", "pages"), [(100, 10), (64, 16)])
def test_a_thousand_accounts_come_in_pages(standin: StandIn, clients: Any, page_size: int, pages: int) -> None:
    standin.configure(accounts=1000, page_size=page_size)
    token = standin.seed_session()["accessToken"]
    found = list(clients.sso.get_paginator("list_accounts").paginate(accessToken=token))
    ids = [account["accountId"] for page in found for account in page["accountList"]]
    assert len(found) == pages
    assert ids == [str(100_000_000_001 + number) for number in range(1000)]
    assert found[0]["accountList"][6] == {
        "accountId": "100000000007",
        "accountName": "Account 0007",
        "emailAddress": "aws+0007@example.com",
    }


def test_pages_are_as_small_as_asked_for(standin: StandIn, clients: Any, refused: Refused) -> None:
    standin.configure(accounts=1, roles=tuple(f"Role{number}" for number in range(5)))
    token = standin.seed_session()["accessToken"]
    ask = {"accessToken": token, "accountId": "100000000001"}
    first = clients.sso.list_account_roles(**ask, maxResults=3)
    second = clients.sso.list_account_roles(**ask, maxResults=3, nextToken=first["nextToken"])
    assert [role["roleName"] for role in first["roleList"]] == ["Role0", "Role1", "Role2"]
    assert [role["roleName"] for role in second["roleList"]] == ["Role3", "Role4"]
    assert "nextToken" not in second
    invalid = ("InvalidRequestException", 400)
    assert refused(lambda: clients.sso.list_account_roles(**ask, nextToken="?")) == invalid
    assert refused(lambda: clients.sso.list_account_roles(**ask, maxResults=101)) == invalid
    forbidden = ("ForbiddenException", 403)
    unknown = {**ask, "accountId": "999999999999"}
    assert refused(lambda: clients.sso.list_account_roles(**unknown)) == forbidden


def test_accounts_can_be_given_by_name(standin: StandIn, clients: Any) -> None:
    standin.configure(
        accounts={
            "123456789012": ["Admin"],
            "210987654321": Account("210987654321", "Größe & Co", "it@example.com", ("Read",)),
        }
    )
    token = standin.seed_session()["accessToken"]
    accounts = clients.sso.list_accounts(accessToken=token)["accountList"]
    assert [account["accountName"] for account in accounts] == ["Account 123456789012", "Größe & Co"]
    assert clients.role(token, "210987654321", "Read")


def test_sts_knows_the_role(standin: StandIn, clients: Any) -> None:
    role = clients.role(standin.seed_session()["accessToken"])
    identity = clients.sts(role).get_caller_identity()
    assert identity["Account"] == "100000000001"
    assert identity["Arn"].startswith("arn:aws:sts::100000000001:assumed-role/AWSReservedSSO_AWSAdministratorAccess_")
    assert identity["UserId"].endswith(":alice@example.com")


def test_sts_refuses(standin: StandIn, clients: Any, clock: Any, refused: Refused) -> None:
    token = standin.seed_session()["accessToken"]
    role, other = clients.role(token), clients.role(token)
    mixed = {**role, "sessionToken": other["sessionToken"]}
    assert refused(clients.sts(mixed).get_caller_identity) == ("InvalidClientTokenId", 403)
    wrong = {**role, "secretAccessKey": other["secretAccessKey"]}
    assert refused(clients.sts(wrong).get_caller_identity) == ("SignatureDoesNotMatch", 403)
    unsigned = clients.make("sts")
    assert refused(unsigned.get_caller_identity) == ("MissingAuthenticationToken", 403)
    assert refused(clients.sts(role).get_session_token) == ("InvalidAction", 400)
    clock.forward(3600)
    assert refused(clients.sts(role).get_caller_identity) == ("ExpiredToken", 403)


def test_the_throttle_counts_sso_and_oidc_together(standin: StandIn, clients: Any, refused: Refused) -> None:
    token = standin.seed_session()
    role = clients.role(token["accessToken"])
    standin.configure(throttle=0)
    throttled = ("TooManyRequestsException", 429)
    assert refused(lambda: clients.role(token["accessToken"])) == throttled
    assert refused(lambda: clients.refresh(token)) == throttled
    assert clients.sts(role).get_caller_identity()
    standin.configure(throttle=1000)
    assert clients.role(token["accessToken"])


def test_the_date_is_the_stand_ins(standin: StandIn, clients: Any, clock: Any) -> None:
    answer = clients.sso.list_accounts(accessToken=standin.seed_session()["accessToken"])
    assert answer["ResponseMetadata"]["HTTPHeaders"]["date"] == "Fri, 15 Jan 2027 08:00:00 GMT"
