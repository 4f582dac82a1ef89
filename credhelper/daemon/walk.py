"""One walk through all accounts of a session: behind every caller, with patience, and no call made for nothing.

First come the pages of ListAccounts, one after the other; as soon as an account is known, its roles are asked for.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from credhelper import client, files, names
from credhelper.aws import directory
from credhelper.aws.directory import Directory, KnownAccount
from credhelper.core.limiter import Priority
from credhelper.core.verdicts import Verdict, judge, throttled
from credhelper.daemon.pages import page_of_accounts, page_of_roles
from credhelper.errors import CredhelperError, LoginNeeded, UpstreamError
from credhelper.terminal import counted, printable

if TYPE_CHECKING:
    from credhelper.aws.identity_center import Account, IdentityCenter
    from credhelper.daemon.keeper import Keeper, Tools
    from credhelper.daemon.record import Record
    from credhelper.model import Session, Token

_LOG = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")
_Call = Callable[["IdentityCenter", str], _Answer]

# Calls of one walk that may be under way or wait for leave.
_WORKERS = 12
# Seconds of failures in a row after which a walk gives up: AWS throttles for longer than a network is away.
_PATIENCE = 20.0
_PATIENCE_THROTTLED = 120.0
# One account that AWS stumbles over, time and again, while it answers for the others.
_TRIES = 6
# The first pause after a failure, and the longest; in seconds.
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
# What has been learned is written down so often: a kill costs no more.
_KEEP_EVERY = 3.0
# More pages than there can be accounts, or roles in one.
_MOST_PAGES = 300
# What one answer to a command holds, and one file; and of what a list takes there, what is no name (a little more).
_MOST_BYTES = min(client.MAX_REPLY, files.MAX_FILE) - 1
_FRAME, _ENTRY = 128, 64
# Whatever it says of a login, for one account it says that there is nothing for this user.
_NOT_THERE = frozenset({"ForbiddenException", "ResourceNotFoundException", "AccessDeniedException"})

_AGAIN = "Run the same command again: it goes on from here"


class _Stumbled(Exception):
    """A call that may go well a little later."""

    def __init__(self, reason: str, *, throttled: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.throttled = throttled


class _Refused(Exception):
    """A call to which AWS says no, and will again."""

    def __init__(self, error: UpstreamError, reason: str) -> None:
        super().__init__(reason)
        self.error = error
        self.reason = reason


class Walk:
    """One walk. Made and run within the event loop, which it does not block.

    Args:
        session: whose accounts; the AWS config need not know it.
        keeper: of the session, looked up anew for each call.
        tools: shared with the keepers.
        record: where what is learned is written down.

    Attributes:
        began_at: seconds since the epoch; of a walk that is gone on with, when the first part of it began.
        forgotten: the session was logged out of meanwhile: nothing of this is to be gone on with.
    """

    def __init__(self, session: Session, keeper: Callable[[], Keeper], tools: Tools, record: Record) -> None:
        self._session = session
        self._keeper = keeper
        self._tools = tools
        self._record = record
        self.began_at = tools.clock.now()
        self._accounts: dict[str, Account] = {}
        self._roles: dict[str, tuple[str, ...]] = {}
        self._before: Mapping[str, KnownAccount] = {}
        self._refused: set[str] = set()
        self._stuck: dict[str, str] = {}
        self._listed: int | None = None
        self._news = False
        self._center: tuple[str, IdentityCenter] | None = None
        self._bytes = _FRAME
        self._answered_at = self._rests_since = self._rests_until = 0.0
        self._failures, self._failing_since = 0, 0.0
        self.forgotten = False

    @property
    def progress(self) -> tuple[int | None, int]:
        """How many accounts there are (None: they are still being listed), and of how many the roles are known."""
        return self._listed, sum(account_id in self._roles for account_id in self._accounts)

    async def run(self) -> bytes:
        """Walk to the end; the whole directory, encoded.

        Raises LoginNeeded, CredhelperError. What was learned by then is kept, also where this is cancelled.
        """
        loop = asyncio.get_running_loop()
        began = self._answered_at = loop.time()
        await self._take_up()
        resumed = len(self._roles)
        try:
            await self._go()
            if self._refused:
                # Accounts may have come and gone between two pages; a page can so have been shifted by one.
                await self._go()
            self._check_for_gaps()
            data = await self._keep(complete=True)
        except BaseException as error:
            if isinstance(error, CredhelperError):
                _LOG.warning("session %s: its accounts could not be listed: %s", self._name, error.message)
            await self._keep_news()
            raise
        _LOG.info(
            "session %s: %s listed in %.1f s, %d of them before",
            self._name,
            counted(len(self._accounts), "account"),
            loop.time() - began,
            resumed,
        )
        return data

    @property
    def _name(self) -> str:
        return printable(self._session.name)

    def _check_for_gaps(self) -> None:
        if self._stuck:
            reason = next(iter(self._stuck.values()))
            message = f"the roles of {counted(len(self._stuck), 'account')} could not be listed: {reason}"
            raise CredhelperError(message, _AGAIN)

    # What is known

    async def _take_up(self) -> None:
        """Go on where a walk was broken off."""
        known = await self._tools.calls.aside(self._record.unfinished)
        if known is not None and known.recent(self._tools.clock.now()):
            self.began_at = known.listed_at
            self._before = {entry.account_id: entry for entry in known.accounts}
            self._roles = {entry.account_id: entry.roles for entry in known.accounts if entry.roles is not None}

    async def _keep(self, *, complete: bool = False) -> bytes:
        """Write down what is known; the bytes."""
        known = {
            account.account_id: KnownAccount(
                account.account_id, account.name, account.email, self._roles.get(account.account_id)
            )
            for account in self._accounts.values()
        }
        if not complete:  # what a walk before had learned of accounts that have not come up again yet is not lost
            known = {**self._before, **known}
        found = Directory(tuple(known[account_id] for account_id in sorted(known)), complete, self.began_at)
        number = self._record.number()

        def write() -> bytes:
            data = directory.encode(found)
            try:
                self._record.write(number, data, complete=complete)
            except CredhelperError as error:
                _LOG.warning("session %s: its accounts are not written down: %s", self._name, error.message)
            return data

        self._news = False
        return await self._tools.calls.aside(write)

    async def _keep_news(self) -> None:
        if self._news and not self.forgotten:
            await self._keep()

    async def _keep_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_EVERY)
            await self._keep_news()

    # The way

    async def _go(self) -> None:
        """List all accounts, and the roles of those of which they are not known."""
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                keeping = group.create_task(self._keep_now_and_then())
                work = [group.create_task(self._list_accounts(queue))]
                work += [group.create_task(self._list_roles(queue)) for _ in range(_WORKERS)]
                await asyncio.wait(work)
                keeping.cancel()
        except BaseExceptionGroup as group_error:
            raise group_error.exceptions[0] from None

    async def _list_accounts(self, queue: asyncio.Queue[str | None]) -> None:
        accounts: dict[str, Account] = {}
        after, again = None, False
        for _ in range(_MOST_PAGES):
            try:
                page, after = await self._ask(functools.partial(page_of_accounts, after=after))
            except _Stumbled as stumbled:
                raise self._gave_up(stumbled) from None
            except _Refused as refused:
                if again:
                    raise CredhelperError(f"AWS does not list the accounts: {refused.reason}", _AGAIN) from None
                after, again = None, True  # where we were in the list may no longer be known there
                continue
            for account in page:
                if account.account_id not in accounts:
                    accounts[account.account_id] = account
                    if account.account_id not in self._accounts and account.account_id not in self._roles:
                        queue.put_nowait(account.account_id)
                    self._take_in(account)
            if after is None:
                break
        else:
            raise CredhelperError("AWS lists more accounts than there can be", "Try again later")
        self._accounts = accounts
        self._listed = len(accounts)
        for _ in range(_WORKERS):
            queue.put_nowait(None)

    def _take_in(self, account: Account) -> None:
        if account.account_id not in self._accounts:
            self._hold(account.name, account.email, *self._roles.get(account.account_id, ()))
            self._bytes += _ENTRY
            self._accounts[account.account_id] = account
            self._news = True

    def _hold(self, *texts: str) -> None:
        """Raises CredhelperError where all that is listed would be too much, with these."""
        self._bytes += sum(len(json.dumps(text)) + 1 for text in texts)
        if self._bytes > _MOST_BYTES:
            message = f"session {self._name}: AWS lists more accounts and roles than credhelper can hold"
            raise CredhelperError(message, "Please report it")

    async def _list_roles(self, queue: asyncio.Queue[str | None]) -> None:
        while (account_id := await queue.get()) is not None:
            try:
                self._roles[account_id] = await self._roles_of(account_id)
                self._news = True
            except _Refused:
                self._refused.add(account_id)
                self._roles[account_id] = ()
            except _Stumbled as stumbled:
                self._stuck[account_id] = stumbled.reason

    async def _roles_of(self, account_id: str) -> tuple[str, ...]:
        roles: set[str] = set()
        after, again = None, False
        for _ in range(_MOST_PAGES):
            try:
                page, after = await self._ask(functools.partial(page_of_roles, account_id=account_id, after=after))
            except _Refused as refused:
                if refused.error.code in _NOT_THERE:
                    raise
                if again:
                    raise _Stumbled(refused.reason) from None
                after, again = None, True
                continue
            self._hold(*set(page) - roles)
            roles.update(page)
            if after is None:
                return tuple(sorted(roles))
        raise _Stumbled("AWS lists more roles than there can be")

    # One call

    async def _ask(self, call: _Call[_Answer]) -> _Answer:
        """Make a call, and again where it may go well later.

        Raises _Refused, LoginNeeded, CredhelperError, and _Stumbled where others go well and this one never does.
        """
        loop = asyncio.get_running_loop()
        began, tries = loop.time(), 0
        while True:
            while (pause := self._rests_until - loop.time()) > 0:  # noqa: ASYNC110 - a moment, which may be put off
                await asyncio.sleep(pause)
            asked_at = loop.time()
            try:
                answer = await self._ask_once(call)
            except _Stumbled as stumbled:
                tries += 1
                if tries >= _TRIES and self._answered_at > began and not stumbled.throttled:
                    raise
                self._rest(stumbled, asked_at)
            except _Refused:
                self._answered()
                raise
            else:
                self._answered()
                return answer

    def _answered(self) -> None:
        self._answered_at = asyncio.get_running_loop().time()
        self._failures = 0

    def _rest(self, stumbled: _Stumbled, asked_at: float) -> None:
        """Let the whole walk pause. Calls that were under way together and fail together count as one failure."""
        now = asyncio.get_running_loop().time()
        if not self._failures:
            self._failing_since = now
        if now - self._failing_since > (_PATIENCE_THROTTLED if stumbled.throttled else _PATIENCE):
            raise self._gave_up(stumbled)
        if asked_at >= self._rests_since:
            self._failures += 1
            self._rests_since = now
            pause = min(_FIRST_PAUSE * 2 ** min(self._failures - 1, 10), _LONGEST_PAUSE)
            self._rests_until = now + pause * random.uniform(0.75, 1.25)  # noqa: S311 - spreads load, guards nothing

    def _gave_up(self, stumbled: _Stumbled) -> CredhelperError:
        return CredhelperError(f"session {self._name}: {stumbled.reason}", _AGAIN)

    async def _ask_once(self, call: _Call[_Answer]) -> _Answer:
        refused: str | None = None
        while True:
            keeper = self._keeper()
            token = await self._token(keeper)
            try:
                center = await self._center_for(token)
                return await self._tools.calls.run(Priority.WALK, functools.partial(call, center, token.access_token))
            except UpstreamError as error:
                self._center = None
                judgement = judge(error)
                # That this user may not list says nothing of the token, with which others get credentials.
                if judgement.verdict is Verdict.KEEP or error.code == "AccessDeniedException":
                    raise _Refused(error, judgement.reason) from None
                if judgement.verdict is Verdict.RETRY:
                    raise _Stumbled(judgement.reason, throttled=throttled(error)) from None
                if refused is not None:
                    if token.access_token == refused and not keeper.assess().login_needed:
                        raise _Stumbled(keeper.assess().reason) from None  # it could not be renewed yet
                    raise self.login_needed(judgement.reason) from None
            refused = token.access_token
            keeper.reject(refused)
            await self._renew(keeper)

    async def _token(self, keeper: Keeper) -> Token:
        """The session's token, renewed where it has run out. Raises LoginNeeded, _Stumbled."""
        if keeper.worth_a_look():
            await keeper.look()
        if keeper.assess().state in {"renewing", "offline"} and keeper.may_try():
            await self._renew(keeper)
        assessment, found = keeper.assess(), keeper.found
        if found is None or assessment.login_needed:
            raise self.login_needed(assessment.reason)
        if found.token.expires_at <= self._tools.clock.now():
            raise _Stumbled(assessment.reason)
        return found.token

    @staticmethod
    async def _renew(keeper: Keeper) -> None:
        await keeper.renew()
        if keeper.assess().login_needed:
            await keeper.look()  # another login's token may still live

    def login_needed(self, reason: str) -> LoginNeeded:
        """That only a person can go on from here, and how."""
        name = self._session.name
        return LoginNeeded(f"session {name}: {reason}", f"Run: {names.login_command(name)}")

    async def _center_for(self, token: Token) -> IdentityCenter:
        known = self._center
        if known is not None and known[0] == token.access_token:
            return known[1]
        center = await self._tools.calls.aside(lambda: self._prepared(token))
        self._center = token.access_token, center
        return center

    def _prepared(self, token: Token) -> IdentityCenter:
        center = self._tools.centers.for_token(self._session, token)
        center.prepare("sso")
        return center
