"""Answers helper calls: from memory where it can, by one call to AWS where it must, however many ask at once."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from credhelper import names
from credhelper.client import DEADLINE
from credhelper.core.limiter import Priority
from credhelper.core.report import date
from credhelper.core.trouble import Trouble
from credhelper.core.vault import Vault
from credhelper.core.verdicts import Judgement, Verdict, judge, throttled
from credhelper.daemon.calls import Urgency
from credhelper.errors import (
    EXIT_FAILURE,
    EXIT_LOGIN_NEEDED,
    EXIT_OK,
    EXIT_USAGE,
    ConfigError,
    CredhelperError,
    UpstreamError,
)
from credhelper.model import RoleCredentials, RoleKey, Session, Token
from credhelper.terminal import printable

if TYPE_CHECKING:
    from credhelper.aws.identity_center import IdentityCenter
    from credhelper.daemon.keeper import Keeper, Tools
    from credhelper.daemon.leases import Leases

_LOG = logging.getLogger(__name__)

# Within the helper's own deadline, which lies within the 5 s that the portable contract allows.
ANSWER_WITHIN = 4.0
# Of the time that a caller has left, what the answer needs for its way; and the least that anything is given.
_ANSWER_TRAVELS = 0.2
_LEAST = 0.05
# After a failed background fetch: the caller who needs it sooner asks for it himself.
_BACKGROUND_PAUSE = 30.0
# Before the same call is made again; in all within what a caller waits.
_THROTTLE_PAUSES = (0.4, 1.2)

# What an account and a role can be called (AWS's own limits): nothing else is worth a place in memory, or a call.
_ACCOUNT = re.compile("[0-9]{12}")
_LONGEST_ROLE = 64
# So many refused roles are named in the log; a program that tries all that there might be is not worth more.
_REFUSALS = 100
_NO_ACCOUNT = (
    "the helper line in the AWS config names no account of 12 digits. Correct sso_account_id, run: credhelper enable"
)
_NO_ROLE = (
    "the helper line in the AWS config names no role of at most 64 characters. "
    "Correct sso_role_name, run: credhelper enable"
)

_QUEUED = "more roles are asked for at once than AWS answers within {:.2g} s, and this one still waits for its turn"

Reply = tuple[int, bytes]


class Broker:
    """Hands out role credentials.

    Args:
        keeper_for: gives the keeper of a session's name as a caller means it (name, config file, working
            folder), or None.
        tools: shared with the keepers.
        leases: logins under way.
    """

    def __init__(
        self,
        keeper_for: Callable[[str, str | None, str | None], Awaitable[Keeper | None]],
        tools: Tools,
        leases: Leases,
    ) -> None:
        self.vault = Vault()
        self.hand_outs = 0
        self.fetches = 0
        self._keeper_for = keeper_for
        self._tools = tools
        self._leases = leases
        self._flights: dict[RoleKey, tuple[asyncio.Task[None], Urgency]] = {}
        self._surprises = Trouble()
        # Roles whose refusal the log has been told of.
        self._refused: set[RoleKey] = set()
        # Counted up by each `forget`: of one session, and (None) of all.
        self._forgotten: Counter[str | None] = Counter()

    async def answer(self, fields: Mapping[bytes, bytes], more_time: Callable[[float], None]) -> Reply:
        """Answer one `credentials` request. Never raises for what a request may hold.

        Args:
            fields: of the request.
            more_time: tells the caller to wait that many seconds more.
        """
        try:
            name, account, role = (
                names.decode_name(fields[key].decode("ascii")) for key in (b"session", b"account", b"role")
            )
        except (KeyError, ValueError):
            return EXIT_USAGE, _line("the helper line in the AWS config is damaged. Run: credhelper enable")
        if not _ACCOUNT.fullmatch(account):
            return EXIT_USAGE, _line(_NO_ACCOUNT)
        if len(role) > _LONGEST_ROLE or not role.isprintable():
            return EXIT_USAGE, _line(_NO_ROLE)
        config, folder = (
            fields.get(key, b"").decode("utf-8", "surrogateescape") or None for key in (b"config", b"folder")
        )
        started = asyncio.get_running_loop().time()
        try:
            keeper = await self._keeper_for(name, config, folder)
        except ConfigError as error:
            return EXIT_FAILURE, _line(str(error))
        if keeper is None:
            return EXIT_FAILURE, _line(
                f"the AWS config has no [sso-session {name}]. Write it again, or run: credhelper disable, then enable"
            )
        key = RoleKey(keeper.session.id, account, role)
        try:
            within = _within(fields, started)
            async with asyncio.timeout_at(started + within):
                if keeper.worth_a_look():
                    await keeper.look()
                reply = await self._from_memory_or_aws(keeper, key)
        except TimeoutError:
            self.vault.failed(key, self._tools.clock.server_now())
            waiting = key in self._flights and self._flights[key][1].waiting is not None
            message = _QUEUED if waiting else "AWS did not answer within {:.2g} s"
            reply = self._live_or(key, EXIT_FAILURE, f"{message.format(within)}. Try again")
        if reply[0] == EXIT_LOGIN_NEEDED and self._leases.held(keeper.session.cache_key):
            wait = self._tools.settings().wait_for_login
            more_time(wait + 1.0)
            reply = await self._after_login(keeper, key, reply, started + wait)
        if reply[0] == EXIT_OK:
            self.hand_outs += 1
        return reply

    async def _from_memory_or_aws(self, keeper: Keeper, key: RoleKey) -> Reply:
        now = self._tools.clock.server_now()
        if keeper.assess().state == "logged_out":
            return self._login_needed(keeper)
        if self.vault.ask(key, now) == "serve":
            return self._live_or(key, EXIT_FAILURE, "")
        refusal = self.vault.refusal(key, now)
        if refusal is not None:
            return EXIT_FAILURE, _line(refusal)
        try:
            await self._fetch(keeper, key, Priority.CALLER)
        except UpstreamError as error:
            self.vault.failed(key, self._tools.clock.server_now())
            judgement = judge(error)
            if judgement.verdict is Verdict.LOGIN:
                return self._live_or_login(keeper, key)
            return self._live_or(key, EXIT_FAILURE, _sorry(key, judgement))
        except CredhelperError as error:
            self.vault.failed(key, self._tools.clock.server_now())
            return self._live_or(key, EXIT_FAILURE, str(error))
        return self._live_or_login(keeper, key)

    def _live_or_login(self, keeper: Keeper, key: RoleKey) -> Reply:
        """Credentials that still live outlast their session; without them a person must act, or wait."""
        live = self.vault.live(key, self._tools.clock.server_now())
        if live is not None:
            return EXIT_OK, self._rendered(live, key)
        assessment = keeper.assess()
        if assessment.login_needed:
            return self._login_needed(keeper)
        return EXIT_FAILURE, _line(f"session {keeper.session.name}: {assessment.reason}. Try again")

    def _live_or(self, key: RoleKey, status: int, message: str) -> Reply:
        live = self.vault.live(key, self._tools.clock.server_now())
        return (EXIT_OK, self._rendered(live, key)) if live is not None else (status, _line(message))

    def _rendered(self, credentials: RoleCredentials, key: RoleKey) -> bytes:
        # AWS's date, as the caller's clock will show it: that is the one by which he decides when to ask again.
        return _render(credentials, key, credentials.expires_at - self._tools.clock.skew)

    def _login_needed(self, keeper: Keeper) -> Reply:
        name = keeper.session.name
        return EXIT_LOGIN_NEEDED, _line(f"session {name}: {keeper.assess().reason}. Run: {names.login_command(name)}")

    async def _after_login(self, keeper: Keeper, key: RoleKey, reply: Reply, until: float) -> Reply:
        """A login is under way: wait for it, as long as the settings allow, and ask again."""
        try:
            async with asyncio.timeout_at(until):
                await self._leases.released(keeper.session.cache_key)
                await keeper.look()
                return await self._from_memory_or_aws(keeper, key)
        except TimeoutError:
            return reply

    # One call upstream, however many ask

    async def _fetch(self, keeper: Keeper, key: RoleKey, priority: Priority) -> None:
        """Bring `key` up to date, or join whoever does. Raises UpstreamError, CredhelperError."""
        if key in self._flights:
            flight, urgency = self._flights[key]
            self._tools.calls.hurry(urgency, priority)
        else:
            urgency = Urgency(priority)
            flight = asyncio.create_task(self._fly(keeper, key, urgency))
            self._flights[key] = flight, urgency
            flight.add_done_callback(lambda done: self._landed(key, done))
        # A caller that gives up must not take the others' call with it.
        await asyncio.shield(flight)

    def _landed(self, key: RoleKey, flight: asyncio.Task[None]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # seen here, also where every caller has gone

    async def _fly(self, keeper: Keeper, key: RoleKey, urgency: Urgency) -> None:
        forgotten = self._times_forgotten(key)
        if keeper.assess().state in {"renewing", "offline"} and keeper.may_try():
            await self._renew(keeper)
        for attempt in (1, 2):
            found = keeper.found
            if found is None or keeper.assess().login_needed:
                return
            if found.token.expires_at <= self._tools.clock.now():
                raise CredhelperError(f"session {keeper.session.name}: {keeper.assess().reason}", "Try again")
            token = found.token
            session = keeper.session
            center = await self._tools.calls.aside(functools.partial(self._center, session, token))
            try:
                credentials = await self._patiently(
                    urgency,
                    functools.partial(center.role_credentials, token.access_token, key.account_id, key.role_name),
                )
            except UpstreamError as error:
                judgement = judge(error)
                if judgement.verdict is Verdict.KEEP:
                    self.vault.refuse(key, _sorry(key, judgement), self._tools.clock.server_now())
                    self._note_refusal(keeper, key, judgement.reason)
                    raise
                if judgement.verdict is Verdict.RETRY:
                    keeper.remarks.fetch_failed(judgement.reason)
                    raise
                if attempt == 2:
                    keeper.remarks.fetch_failed(judgement.reason)
                    raise
                keeper.reject(token.access_token)
                await self._renew(keeper)
                continue
            self.fetches += 1
            keeper.remarks.fetch_worked()
            if key in self._refused:
                self._refused.discard(key)
                _LOG.info("session %s: %s: AWS gives credentials again", session.name, printable(_where(key)))
            # A logout or a `forget` while AWS answered: the answer is dropped.
            if keeper.found is not None and forgotten == self._times_forgotten(key):
                self.vault.keep(key, credentials, self._tools.clock.server_now())
            return

    def _note_refusal(self, keeper: Keeper, key: RoleKey, reason: str) -> None:
        keeper.remarks.fetch_worked()  # AWS has answered
        if key not in self._refused and len(self._refused) < _REFUSALS:
            self._refused.add(key)
            _LOG.warning("session %s: %s: %s", keeper.session.name, printable(_where(key)), reason)

    @staticmethod
    async def _renew(keeper: Keeper) -> None:
        await keeper.renew()
        if keeper.assess().login_needed:
            await keeper.look()  # another login's token may still live

    async def _patiently(self, urgency: Urgency, call: Callable[[], RoleCredentials]) -> RoleCredentials:
        """Make one call, again where AWS throttles it: the person's other tools share the limit."""
        for pause in _THROTTLE_PAUSES:
            try:
                return await self._tools.calls.run(urgency, call)
            except UpstreamError as error:
                if not throttled(error):
                    raise
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load, guards nothing
        return await self._tools.calls.run(urgency, call)

    def _center(self, session: Session, token: Token) -> IdentityCenter:
        """The client, made before leave to call is asked for: else those who waited for it would call all at once."""
        center = self._tools.centers.for_token(session, token)
        center.prepare("sso")
        return center

    async def refresh(self, keeper: Keeper, key: RoleKey) -> None:
        """Renew role credentials in the background; a failure waits for its turn, callers are not harmed."""
        try:
            await self._fetch(keeper, key, Priority.BACKGROUND)
        except CredhelperError as error:
            _LOG.debug("%s: not renewed in the background: %s", _where(key), error.message)
            self.vault.postpone(key, self._tools.clock.server_now() + _BACKGROUND_PAUSE)
        except Exception as error:  # noqa: BLE001 - one role's surprise must not end the daemon
            if self._surprises.news(repr(error), asyncio.get_running_loop().time()):
                _LOG.exception("%s: not renewed in the background, in an unforeseen way", _where(key))
            self.vault.postpone(key, self._tools.clock.server_now() + _BACKGROUND_PAUSE)

    def forget(self, session: Session | None) -> int:
        """Drop the credentials of a session, or all. What AWS is answering at this moment is not kept either."""
        identity = None if session is None else session.id
        self._forgotten[identity] += 1
        return self.vault.forget(identity)

    def expiry(self, key: RoleKey) -> float | None:
        """When the credentials of `key` run out by this machine's clock, or None."""
        at = self.vault.expiry(key)
        return None if at is None else at - self._tools.clock.skew

    def _times_forgotten(self, key: RoleKey) -> int:
        return self._forgotten[key.session] + self._forgotten[None]


def _within(fields: Mapping[bytes, bytes], now: float) -> float:
    """Seconds that an answer may take; less than usual for a caller who had to wait for the daemon first.

    He names the moment by the monotonic clock. One that no caller can have left by ours is another clock's.
    """
    try:
        left = float(fields[b"until"]) - now
    except (KeyError, ValueError):
        return ANSWER_WITHIN
    return max(min(ANSWER_WITHIN, left - _ANSWER_TRAVELS), _LEAST) if 0 < left <= DEADLINE else ANSWER_WITHIN


def _where(key: RoleKey) -> str:
    return f"account {key.account_id}, role {key.role_name}"


def _sorry(key: RoleKey, judgement: Judgement) -> str:
    kept = judgement.verdict is Verdict.KEEP
    remedy = "Check the names in the profile, and your access" if kept else "Try again"
    return f"{_where(key)}: {judgement.reason}. {remedy}"


def _line(message: str) -> bytes:
    """One line for stderr; what came from files or the network cannot add a second one or steer the terminal."""
    return f"credhelper: {printable(' '.join(message.split()))}\n".encode()


def _render(credentials: RoleCredentials, key: RoleKey, expires_at: float) -> bytes:
    """The JSON of the `credential_process` contract (AWS SDKs and Tools reference guide)."""
    content = {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": date(expires_at),
        "AccountId": key.account_id,
    }
    return json.dumps(content).encode() + b"\n"
