"""What can be set on a stand-in, before it starts and while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

FIRST_ACCOUNT_ID = 100_000_000_001
DEFAULT_ROLES = ("AWSAdministratorAccess", "AWSReadOnlyAccess")


@dataclass(frozen=True)
class Account:
    """One AWS account that the person is assigned to, with the names of the permission sets."""

    account_id: str
    name: str
    email: str
    roles: tuple[str, ...] = DEFAULT_ROLES


@dataclass
class Settings:
    """How a stand-in behaves. Lifetimes and intervals are in seconds of `clock`.

    Attributes:
        token_lifetime: of access tokens.
        legacy_lifetime: of access tokens given to a registration without `sso:account:access`, which get
            no refresh token.
        role_lifetime: of role credentials.
        session_cap: from the login that started the session to its absolute end; None means no end.
        cap_bounds_tokens: whether access tokens end at the cap too, or only refreshes do.
        login_resets_cap: whether a login while the session lives starts a new one.
        rotate_refresh_tokens: a refresh gives a new refresh token, and the one used is worth nothing
            from then on. Has no effect on replies that carry none.
        refresh_reply_has_refresh_token: False leaves it out of the reply to a refresh.
        registration_lifetime: of client registrations.
        expired_registration_error: InvalidClientException, or ExpiredTokenException.
        accounts: how many (ids from 100000000001), or the accounts by id, each in full or as its roles.
        roles: of each account, where `accounts` is a number.
        page_size: entries in a page when the caller asks for no number, and at most. The real service's
            own maximum is 100.
        throttle: calls a second to sso-oidc and the portal together, None for no limit; more get
            TooManyRequestsException. Always measured in real time.
        device_interval: what callers are told to wait between polls.
        device_slow_down: faster polls get SlowDownException. AWS CLI v2 polls twice at once when it
            starts, and waits 6 s after the SlowDownException that this earns it; False spares that.
        device_code_lifetime, auth_code_lifetime: until a started login is worth nothing.
        auto_approve: the browser pages approve when opened, without a click.
        user: who logs in.
        portal_region: what the page of the access portal gives for its region; None: it says nothing of it.
        clock: seconds since the epoch.
    """

    token_lifetime: float = 3600
    legacy_lifetime: float = 8 * 3600
    role_lifetime: float = 3600
    session_cap: float | None = None
    cap_bounds_tokens: bool = True
    login_resets_cap: bool = False
    rotate_refresh_tokens: bool = False
    refresh_reply_has_refresh_token: bool = True
    registration_lifetime: float = 90 * 86400
    expired_registration_error: str = "InvalidClientException"
    accounts: int | Mapping[str, Account | Sequence[str]] = 3
    roles: tuple[str, ...] = DEFAULT_ROLES
    page_size: int = 100
    throttle: float | None = None
    device_interval: int = 1
    device_slow_down: bool = True
    device_code_lifetime: float = 600
    auth_code_lifetime: float = 600
    auto_approve: bool = False
    user: str = "alice@example.com"
    portal_region: str | None = "eu-west-1"
    clock: Callable[[], float] = time.time

    def directory(self) -> Mapping[str, Account]:
        """The accounts by id, in the order in which they are listed."""
        if isinstance(self.accounts, int):
            return _numbered(self.accounts, self.roles)
        return {
            account_id: entry
            if isinstance(entry, Account)
            else Account(account_id, f"Account {account_id}", f"aws+{account_id}@example.com", tuple(entry))
            for account_id, entry in self.accounts.items()
        }


@lru_cache(maxsize=8)
def _numbered(count: int, roles: tuple[str, ...]) -> Mapping[str, Account]:
    found = {}
    for number in range(count):
        account_id = str(FIRST_ACCOUNT_ID + number)
        email = f"aws+{number + 1:04d}@example.com"
        found[account_id] = Account(account_id, f"Account {number + 1:04d}", email, roles)
    return found
