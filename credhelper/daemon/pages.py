"""One page of AWS's lists of accounts and of roles, with nothing in it that could not be shown or kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credhelper.aws import directory
from credhelper.aws.identity_center import Account
from credhelper.errors import UpstreamError
from credhelper.terminal import printable

if TYPE_CHECKING:
    from credhelper.aws.identity_center import IdentityCenter


def page_of_accounts(
    center: IdentityCenter, access_token: str, *, after: str | None
) -> tuple[list[Account], str | None]:
    """As `IdentityCenter.accounts`. Raises UpstreamError, also where the answer makes no sense."""
    page, following = center.accounts(access_token, after)
    if not all(directory.is_account_id(account.account_id) for account in page) or (following and following == after):
        raise UpstreamError("ListAccounts", UpstreamError.GARBAGE, 200, "no account has such a number")
    return [Account(account.account_id, *map(_visible, (account.name, account.email))) for account in page], following


def page_of_roles(
    center: IdentityCenter, access_token: str, *, account_id: str, after: str | None
) -> tuple[list[str], str | None]:
    """As `IdentityCenter.account_roles`. Raises UpstreamError, also where the answer makes no sense."""
    page, following = center.account_roles(access_token, account_id, after)
    if not all(map(directory.is_role_name, page)) or (following and following == after):
        raise UpstreamError("ListAccountRoles", UpstreamError.GARBAGE, 200, "no role has such a name")
    return page, following


def _visible(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= directory.LONGEST else text[: directory.LONGEST - 1] + "…"
