"""Keeps the token of one session alive: knows its state, renews it in time, notices what others do to it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from credhelper import files
from credhelper.aws import renewal
from credhelper.aws.centers import Centers
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import Found, TokenCache
from credhelper.core.clock import Clock
from credhelper.core.limiter import Priority
from credhelper.core.report import SessionReport
from credhelper.core.schedule import (
    Assessment,
    Notice,
    View,
    assess,
    backoff,
    due_warning,
    recent,
    renew_at,
    still_due,
)
from credhelper.core.verdicts import Verdict, judge
from credhelper.daemon.calls import Calls
from credhelper.daemon.remarks import Remarks
from credhelper.errors import CredhelperError, TokenUnreadable, UpstreamError
from credhelper.model import Session
from credhelper.settings import Settings

_LOG = logging.getLogger(__name__)

_CALLERS_PAUSE = 2.0
# How long our own renewal may take from the rename, which makes an event, to its end. AWS may be silent for longer,
# and what another program has written meanwhile does not wait for that.
_WRITES_WITHIN = 1.5


@dataclass(slots=True)
class Tools:
    """What every keeper works with.

    Attributes:
        renewals: those under way. AWS may have spent a refresh token whose successor is not in the file yet, so the
            daemon must not end before they do.
        stopping: no renewal is sent to AWS any more.
        stays: the process goes on after an answer, and can hold what cannot be written down.
    """

    cache: TokenCache
    records: LoginRecords
    centers: Centers
    calls: Calls
    clock: Clock
    settings: Callable[[], Settings]
    on_logout: Callable[[Session], None]
    renewals: set[asyncio.Task[None]] = field(default_factory=set)
    stopping: bool = False
    stays: bool = True


class Keeper:
    """One session. All methods but `look` run on the event loop; none blocks it."""

    def __init__(self, session: Session, tools: Tools) -> None:
        self.session = session
        self.renewals = 0
        self._tools = tools
        self._found: Found | None = None
        self._problem: str | None = None
        self._lifetime = 0.0
        self._jitter = 0.0
        self._refused: str | None = None
        self._rejected = False
        self._failure: str | None = None
        self._offline = False
        self._attempts = 0
        self._failed_at = 0.0
        self._retry_at: float | None = None
        self._warned: float | None = None
        self._unsaved: renewal.Held | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self.remarks = Remarks(lambda: self.session.name, tools.clock)
        self._signature: tuple[int, int, int, int] | None = None
        self._takes = 0
        # The own access token that AWS refused to renew, with the reason, and those that it no longer accepts.
        # They are remembered while another login's token is in use.
        self._spent: tuple[str, str] | None = None
        self._dead: set[str] = set()

    @property
    def renewing(self) -> bool:
        """Whether a renewal is under way."""
        return self._renewing is not None and not self._renewing.done()

    @property
    def indispensable(self) -> bool:
        """Whether it has, or is about to have, a renewed token that nobody else has."""
        return self.renewing or self._unsaved is not None

    @property
    def found(self) -> Found | None:
        """The token that counts at the moment."""
        return self._found

    def view(self) -> View:
        """What is known, for the pure core."""
        if self._found is None:
            return View(problem=self._problem)
        token, now = self._found.token, self._tools.clock.now()
        return View(
            expires_at=token.expires_at,
            refreshable=not self._found.borrowed and token.refreshable(now),
            refused=self._refused,
            rejected=self._rejected,
            failure=self._failure,
            offline=self._offline,
            retry_at=None if self._retry_at is None else still_due(self._retry_at, now),
            renew_at=renew_at(token.expires_at, self._lifetime, self._jitter),
            problem=self._problem,
            remark=self.remarks.remark(unsaved=self._unsaved is not None) or self._problem,
        )

    def assess(self) -> Assessment:
        """The session's state now."""
        return assess(self.view(), self._tools.clock.now(), self._warn_before())

    def report(self) -> SessionReport:
        """For `status`."""
        view = self.view()
        return SessionReport(self.session, self.assess(), view.expires_at, view.refreshable and view.refused is None)

    def _warn_before(self) -> Sequence[float]:
        return self._tools.settings().warn_before

    # What the file says

    def changed_on_disk(self) -> bool:
        """Whether the token file is another than at the last look; costs one `stat`."""
        return self._stat() != self._signature

    def _stat(self) -> tuple[int, int, int, int] | None:
        path = self._tools.cache.path(self._found.key if self._found is not None else self.session.cache_key)
        try:
            status = path.stat()
        except OSError:
            # That the folder is there, without the file, is news where it was not.
            return (0, 0, 0, 0) if files.is_folder(path.parent) else None
        return (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)

    def worth_a_look(self) -> bool:
        """Whether the file has changed, or a token of another login might have appeared."""
        return self._found is None or self._found.borrowed or self.changed_on_disk() or self.assess().login_needed

    async def look(self) -> None:
        """Read the token file again and take note of what has changed. Many who look at once look together."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await asyncio.shield(self._looking)

    async def _look(self) -> None:
        takes, signature, patient = -1, self._signature, True
        try:
            while takes != self._takes:  # a renewal that ended while we read knows better
                takes, signature = self._takes, self._stat()
                found, lifetime = await self._tools.calls.aside(self._find)
                if patient and self._renewing is not None and self._may_be_written_by_us(found):
                    patient, takes = False, -1
                    await asyncio.wait({self._renewing}, timeout=_WRITES_WITHIN)
            problem = None
        except TokenUnreadable as error:
            # What was known of it still counts while it lives: the file may be whole again in a moment.
            self.remarks.unreadable(error.message)
            self._problem, self._signature = error.message, signature
            return
        except Exception as error:  # noqa: BLE001 - what lies in one file must harm no other session
            problem = f"its token cannot be read in an unforeseen way ({type(error).__name__})"
            self.remarks.read_surprised(problem)
            self._problem, self._signature = problem, signature
            return
        if found is not None:
            self.remarks.readable()
            if self._problem and self._failure == self._problem:
                self.remarks.new_token()
                self._failure = self._retry_at = None
                self._attempts = 0
        self._problem = problem
        self._signature = signature
        self._take(found, lifetime, "another program")

    def _may_be_written_by_us(self, found: Found | None) -> bool:
        """Whether a renewal that has not ended yet may have put this into the file; its end knows better."""
        if not self.renewing or found is None:
            return False
        held = self._unsaved
        return self._is_new(found) or (held is not None and found.token.access_token != held.replaced)

    def _is_new(self, found: Found) -> bool:
        before = self._found
        return before is None or before.token.access_token != found.token.access_token

    def _find(self) -> tuple[Found | None, float]:
        refused = None if self._spent is None else self._spent[0]
        found = self._tools.cache.find(
            self.session,
            self._tools.clock.now(),
            refused=refused,
            rejected=frozenset(self._dead),
            in_use=None if self._found is None else self._found.key,
        )
        if found is None:
            if self._found is not None:
                renewal.check_folder(self._tools.cache)
            return None, 0.0
        return found, renewal.known_lifetime(self._tools.records, found.key, found.token)

    def _take(self, found: Found | None, lifetime: float, by: str) -> None:
        """Take in a token and its lifetime. `by` says in the log who changed it."""
        self._takes += 1
        if self._unsaved is not None and found is not None:
            if found.token.access_token == self._unsaved.replaced:
                return  # the file still holds what our renewal has replaced
            self._unsaved = None
        before = self._found
        if found is None:
            self._found = self._unsaved = self._spent = None
            self._dead.clear()
            if before is not None:
                _LOG.info("session %s: logged out", self.session.name)
                self._reset()
                self._tools.on_logout(self.session)
            return
        new = self._is_new(found)
        login = before is None or before.token.client_id != found.token.client_id
        self._found = found
        if new:
            self._reset()
            access_token = found.token.access_token
            self._rejected = access_token in self._dead
            if self._spent is not None and self._spent[0] == access_token:
                self._refused = self._spent[1]
            self._lifetime = lifetime
            self._jitter = random.random()  # noqa: S311 - spreads load, guards nothing
            _LOG.info("session %s: token %s", self.session.name, f"renewed by {by}" if not login else "found")

    def _reset(self) -> None:
        self.remarks.new_token()
        self._refused = self._failure = self._retry_at = self._warned = None
        self._rejected = self._offline = False
        self._attempts = 0

    async def forget(self) -> None:
        """Drop what is known; the next look finds what is there. What is nowhere else is written down first, or kept
        where it cannot be."""
        if self._unsaved is not None and self._renewing is not None:
            await asyncio.wait({self._renewing})  # it has the lock, and perhaps a successor
        problem = await self._save()
        if problem is not None and self._unsaved is not None:
            self.remarks.kept(problem)
            self._signature = None
            return
        self._found = self._unsaved = self._signature = self._spent = None
        self._dead.clear()
        self._reset()

    # Renewal

    def renewal_due(self) -> bool:
        """Whether the background should renew now."""
        assessment = self.assess()
        at = assessment.next_action_at
        return assessment.next_action == "renew" and at is not None and at <= self._tools.clock.now()

    def may_try(self) -> bool:
        """Whether a caller who waits may have a renewal tried before its turn: not in the first moments after a
        failure, else a swarm of callers would undo the backoff."""
        return self._failure is None or not recent(self._failed_at, self._tools.clock.now(), _CALLERS_PAUSE)

    def reject(self, access_token: str) -> None:
        """AWS did not accept this access token: whatever its date says, it is over."""
        if self._found is not None and self._found.token.access_token == access_token and not self._rejected:
            self._rejected = True
            self._dead.add(access_token)
            _LOG.warning("session %s: AWS no longer accepts the access token", self.session.name)

    def renew(self) -> asyncio.Task[None]:
        """Start a renewal, or join the one under way. It never raises; look at the state afterwards."""
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
            self._tools.renewals.add(self._renewing)
            self._renewing.add_done_callback(self._tools.renewals.discard)
        return self._renewing

    async def _renew(self) -> None:
        tools = self._tools
        if tools.stopping:
            return
        try:
            found, held = self._found, self._unsaved
            if found is not None and found.borrowed:
                return  # another login's, which only its owner renews
            over = found is not None and (self._rejected or self.view().renew_at <= tools.clock.now())
            replacing = found.token.access_token if found is not None and over else None
            rejected = self._rejected

            def renew() -> tuple[renewal.Outcome, float]:
                outcome = renewal.renew(
                    self.session,
                    cache=tools.cache,
                    records=tools.records,
                    center_for=tools.centers.for_token,
                    clock=tools.clock,
                    replacing=replacing,
                    held=held,
                    rejected=rejected,
                    stays=tools.stays,
                    may_send=lambda: not tools.stopping,
                )
                if outcome.result is renewal.Result.ADOPTED and outcome.token is not None:
                    return outcome, renewal.known_lifetime(tools.records, self.session.cache_key, outcome.token)
                return outcome, outcome.token.lifetime if outcome.token is not None else 0.0

            self._ended(*await tools.calls.run(Priority.TOKEN, renew))
        except UpstreamError as error:
            self._failed(error)
        except TokenUnreadable as error:
            self._retry(error.message, unreadable=True)
            self._problem, self._signature = error.message, None
        except CredhelperError as error:
            self._retry(error.message)
        except Exception as error:  # noqa: BLE001 - one session's surprise must not end the daemon
            self.remarks.renewal_surprised(error)
            self._retry("the renewal failed in an unforeseen way; see the daemon's log")

    async def save_at_last(self) -> None:
        """Before the daemon ends: write down a renewed token that could not be written when it came."""
        problem = await self._save()
        if problem is not None:
            self.remarks.lost(problem)

    async def _save(self) -> str | None:
        """Write down what is unsaved, if the file still holds what it replaced; why that cannot be done."""
        held, cache = self._unsaved, self._tools.cache
        if held is None:
            return None
        try:
            await self._tools.calls.aside(lambda: renewal.save(self.session, held, cache=cache))
        except CredhelperError as error:
            return str(error)
        self._unsaved = None
        return None

    def _ended(self, outcome: renewal.Outcome, lifetime: float) -> None:
        token = outcome.token
        # Whatever is in the file now, the next look reads it: somebody may have written since.
        self._signature = None
        if outcome.result is not renewal.Result.UNSAVED:
            self._problem = None
            self.remarks.readable()
        if outcome.result is renewal.Result.GONE or token is None:
            self._take(None, 0.0, "")
            return
        found, known = Found(self.session.cache_key, token), self._found
        if outcome.result is renewal.Result.IMPOSSIBLE:
            self._take(found, lifetime, "another program")
            return
        ours = outcome.result is not renewal.Result.ADOPTED
        if ours and (known is None or known.token.access_token != token.access_token):
            self.renewals += 1
        if outcome.result is renewal.Result.UNSAVED:
            still = self._unsaved is not None
            self._take(found, lifetime, "us")
            self.remarks.unsaved(outcome.problem or "", still=still)
            self._unsaved = outcome.held
            self._retry_at = self._tools.clock.now() + 10.0
            return
        self.remarks.renewed()
        if self._unsaved is not None:
            self.remarks.saved()
        self._unsaved = self._retry_at = self._failure = None
        self._offline, self._attempts = False, 0
        self._take(found, lifetime, "us" if ours else "another program")

    def _failed(self, error: UpstreamError) -> None:
        judgement = judge(error)
        if judgement.verdict is Verdict.LOGIN:
            self._refused = judgement.reason
            if self._found is not None:
                self._spent = self._found.token.access_token, judgement.reason
            self._signature = None  # another login's token may serve from now on
            self._retry_at = None
            _LOG.warning("session %s: not renewed: %s (%s)", self.session.name, judgement.reason, error.code)
        else:
            self._retry(judgement.reason, offline=judgement.offline, by_aws=True)

    def _retry(self, failure: str, *, offline: bool = False, by_aws: bool = False, unreadable: bool = False) -> None:
        now = self._tools.clock.now()
        self.remarks.not_renewed(failure, by_aws=by_aws, unreadable=unreadable)
        self._failure, self._offline = failure, offline
        self._attempts += 1
        self._failed_at = now
        left = self._found.token.expires_at - now if self._found is not None else 0.0
        self._retry_at = now + backoff(self._attempts, left, self._jitter)

    # Warnings

    def due_notice(self) -> Notice | None:
        """The warning to give now, once."""
        if self._found is None:
            return None
        notice = due_warning(self.view(), self._tools.clock.now(), self._warned, self._warn_before())
        if notice is not None:
            self._warned = notice.before
        return notice
