"""Logging out: the token files go, the server is told, the AWS CLI's role credentials go.

The files go first. A crash after that leaves no file that anybody could renew; the other way round it could leave a
live one. What is lost with a crash is that the server hears of it, and its tokens end by themselves.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from credhelper import files
from credhelper.aws.identity_center import IdentityCenter
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.verdicts import judge
from credhelper.errors import CredhelperError, TokenUnreadable, UpstreamError
from credhelper.model import Endpoints, Profile, Session, Token, normalize_start_url

# Codes by which the server says that there is nothing left to end.
_OVER = frozenset({"UnauthorizedException", "ResourceNotFoundException"})


@dataclass(slots=True)
class Farewell:
    """What a logout did.

    Attributes:
        removed: token files that are gone.
        untold: why the server could not be told, once for each token that it was not told of; for people.
        stuck: why files could not be removed; for people.
    """

    removed: int = 0
    untold: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Taken:
    """A token whose file is gone, and where it may still be sent."""

    token: Token
    region: str | None
    endpoints: Endpoints


def log_out(
    session: Session,
    *,
    cache: TokenCache,
    records: LoginRecords,
    endpoints_for: Callable[[Session, Token], Endpoints],
    center_for: Callable[[str, Endpoints], IdentityCenter],
    gone: Callable[[], None],
) -> Farewell:
    """Log out of `session`: of its own token and of legacy logins' for the same start URL.

    Args:
        endpoints_for: where a token may be sent (`Centers.endpoints`): never where the environment says.
        gone: called when the files are gone, before the server is told, which may take its time.
        center_for: gives the client for a region and endpoints.

    Raises CredhelperError where a lock cannot be had; whatever else goes wrong is in the answer.
    """
    done = Farewell()
    taken: list[_Taken] = []
    for key in _keys(session, cache):
        with cache.lock(key):
            token = _unreadable_as_none(cache, key)
            # Looked up first: it depends on the record, which goes with the file.
            endpoints = Endpoints() if token is None else _endpoints(session, token, records, endpoints_for)
            if _remove(cache.path(key), cache, done):
                records.remove(key)
                if token is not None:
                    taken.append(_Taken(token, token.region or session.region, endpoints))
    gone()
    _tell(taken, center_for, done)
    return done


def log_out_of_rest(
    *, cache: TokenCache, records: LoginRecords, center_for: Callable[[str, Endpoints], IdentityCenter]
) -> Farewell:
    """Log out of every token that is left, whoever made it, as `aws sso logout` does. Raises nothing."""
    done = Farewell()
    taken = []
    for path, token in cache.all():
        if _remove(path, cache, done):
            taken.append(_Taken(token, token.region, _recorded(token, records)))
    _tell(taken, center_for, done)
    return done


def _keys(session: Session, cache: TokenCache) -> Iterator[str]:
    """The keys of the token files that `session` uses, its own first."""
    yield session.cache_key
    for path, token in cache.all():
        url = token.start_url
        if (
            url
            and url != session.cache_key
            and normalize_start_url(url) == session.same_start
            and path == cache.path(url)
        ):
            yield url


def _unreadable_as_none(cache: TokenCache, key: str) -> Token | None:
    try:
        return cache.read(key)
    except TokenUnreadable:  # the file goes all the same
        return None


def _endpoints(
    session: Session, token: Token, records: LoginRecords, endpoints_for: Callable[[Session, Token], Endpoints]
) -> Endpoints:
    """Where the token may go; the session's settings say nothing of one that has another start URL."""
    if token.start_url and normalize_start_url(token.start_url) != session.same_start:
        return _recorded(token, records)
    return endpoints_for(session, token)


def _recorded(token: Token, records: LoginRecords) -> Endpoints:
    record = records.matching(token)
    return Endpoints() if record is None else record.endpoints


def _remove(path: Path, cache: TokenCache, done: Farewell) -> bool:
    """Remove a token file; False where it is still there."""
    try:
        done.removed += cache.remove_path(path)
    except CredhelperError as error:
        done.stuck.append(str(error))
        return False
    return True


def _tell(taken: Iterable[_Taken], center_for: Callable[[str, Endpoints], IdentityCenter], done: Farewell) -> None:
    for item in taken:
        if item.region is None:
            done.untold.append("a token file did not say in which region its session lives")
            continue
        try:
            with contextlib.closing(center_for(item.region, item.endpoints)) as center:
                center.logout(item.token.access_token)
        except UpstreamError as error:
            if error.code not in _OVER and error.status != 401:
                done.untold.append(judge(error).reason)
        except CredhelperError as error:
            done.untold.append(error.message)


def forget_cli_credentials(folder: Path, profiles: Iterable[Profile] | None) -> int:
    """Remove role credentials of SSO profiles from the AWS CLI's cache; returns how many files went.

    An entry says neither session nor role, but botocore names its file after them (`SSOCredentialFetcher.
    _create_cache_key`), so the entries of profiles that are known can be found. Entries of other names stay.

    Args:
        folder: `~/.aws/cli/cache`.
        profiles: those whose entries go; None: all entries of SSO profiles, as `aws sso logout` does.
    """
    wanted = None if profiles is None else {name for profile in profiles for name in _cache_names(profile)}
    removed = 0
    try:
        found = sorted(folder.glob("*.json"))
    except OSError:
        return 0
    for path in found:
        if (wanted is None or path.name in wanted) and _is_sso_entry(path):
            with contextlib.suppress(OSError):
                path.unlink()
                removed += 1
    return removed


def _cache_names(profile: Profile) -> Iterator[str]:
    session = profile.session
    if session is None or not profile.account_id or not profile.role_name:
        return
    role = {"roleName": profile.role_name, "accountId": profile.account_id}
    # Before `enable` a profile of today's session was often a legacy one, and its entries are named so.
    for origin in ({"sessionName": session.name}, {"startUrl": session.start_url}):
        identity = json.dumps({**role, **origin}, sort_keys=True, separators=(",", ":"))
        yield f"{hashlib.sha1(identity.encode(), usedforsecurity=False).hexdigest()}.json"


def _is_sso_entry(path: Path) -> bool:
    try:
        content = json.loads(files.read_bytes(path))
    except (OSError, CredhelperError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and content.get("ProviderType") == "sso"
