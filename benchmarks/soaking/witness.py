"""Knows, without asking the daemon, what could have been served: from AWS's own books, the files, and the trouble.

A call that failed is excused only where there was no way to serve it: nothing in the daemon's memory that lives, and
no token that AWS would accept while AWS could be reached. Nothing else excuses it.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass, field

from benchmarks.soaking.place import ROLE, ROLE_LIFETIME, Place, Profile, Session
from credhelper.aws.tokens import parse_date

FETCH = "GetRoleCredentials"
TOKEN = "CreateToken"  # noqa: S105 - an operation's name
# After AWS answers again the daemon lets this long pass before it lets a caller have it tried (2 s, and a little).
_GRACE = 2.5
# Credentials in memory are over two seconds early.
_LAST_MOMENT = 2.5
# What is handed out has this much left where AWS gives it; and that long after trouble it may still be less.
_LEAST_LEFT = 1195.0
_SETTLED = 70.0
# A clock is off by so much at most.
_CLOCK_OFF = 600.0
# The portable contract.
ANSWER_WITHIN = 5.0


@dataclass
class Span:
    """Trouble, from when to when (true time); `end` is None while it lasts."""

    what: str
    begin: float
    end: float | None = None

    def touches(self, begin: float, end: float) -> bool:
        return self.begin <= end and (self.end is None or self.end >= begin)


@dataclass(frozen=True)
class Ways:
    """How a profile could be served at one moment."""

    memory: bool
    access: bool
    refresh: bool

    def both(self, other: Ways) -> Ways:
        """What held at both ends of a call."""
        return Ways(self.memory and other.memory, self.access and other.access, self.refresh and other.refresh)


@dataclass(eq=False)
class Call:
    """A call under way.

    Attributes:
        ways: how it could have been served when it began.
        begun: true time.
        started: by the caller's clock, in which the machine's sleep does not count.
        until: by the same, when it must have been answered; later where the daemon asked for patience.
        told: whether it did, because a login was under way.
    """

    profile: Profile
    ways: Ways
    begun: float
    started: float
    until: float
    told: bool = False

    def wait(self, at: float, seconds: float) -> None:
        """The daemon asks for patience at a moment of the caller's clock."""
        self.told, self.until = True, at + seconds


@dataclass
class Day:
    """What happened in one day.

    Attributes:
        carried: calls that were open when it began.
        calls: that began.
        by_caller: the same, by the caller's number.
        unanswered: calls that were given up.
        open: calls that were open when it ended.
    """

    carried: int = 0
    calls: int = 0
    by_caller: Counter[int] = field(default_factory=Counter)
    unanswered: int = 0
    open: int = 0
    served: int = 0
    excused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0


class Witness:
    """Judges each call. All times are true time."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._standin = place.standin
        self._books = place.standin._state
        self._upstream: deque[Span] = deque(maxlen=400)
        self._files: dict[str, deque[Span]] = {}
        self._config: deque[Span] = deque(maxlen=20)
        self._given: dict[str, float] = {}
        self._forgotten: dict[str, float] = {}
        self._open: set[Call] = set()
        self.today = Day()
        # How many tokens the daemon was given.
        self.renewals = 0

    # What the trouble makers tell

    def upstream(self, operation: str) -> Span:
        """AWS answers `operation` (`*`: all) wrongly from now on; set the span's end when it is over."""
        span = Span(operation, self._now())
        self._upstream.append(span)
        return span

    def file(self, session: Session) -> Span:
        """The session's token file cannot be understood from now on."""
        span = Span(session.name, self._now())
        self._files.setdefault(session.name, deque(maxlen=20)).append(span)
        return span

    def config(self) -> Span:
        """The AWS config is not whole from now on."""
        span = Span("config", self._now())
        self._config.append(span)
        return span

    def forget(self, session: Session) -> None:
        """What the daemon holds for this session in memory is (rightly) dropped."""
        self.harvest()
        self._forgotten[session.name] = self._now()

    def reachable(self, operation: str, begin: float, end: float) -> bool:
        """Whether AWS answered `operation` rightly all that time."""
        return not any(span.what in {"*", operation} and span.touches(begin, end) for span in self._upstream)

    def _now(self) -> float:
        return self.place.time.true()

    # What AWS's books say

    def harvest(self) -> None:
        """Read in AWS's record of calls which credentials reached the daemon, and clear it where nothing is open."""
        calls = self._standin.calls(FETCH)
        for call in calls:
            if call.done and call.status == 200 and call.error_code is None:
                self._given[call.detail] = max(call.time, self._given.get(call.detail, 0.0))
        known = self._standin.calls()
        if all(call.done for call in known):
            self.renewals += sum(
                call.operation == TOKEN and call.status == 200 and call.caller == "credhelper" for call in known
            )
            self._standin.clear_calls()

    def ways(self, profile: Profile) -> Ways:
        """How `profile` could be served now."""
        self.harvest()
        now, session = self._now(), profile.session
        given = self._given.get(profile.detail, 0.0)
        # Right after the clock was set the daemon cannot know how far off it is until AWS has answered it.
        off = _CLOCK_OFF if self.place.time.error or given < self.place.time.set_at else 0.0
        memory = given > self._forgotten.get(session.name, 0.0) and given + ROLE_LIFETIME - _LAST_MOMENT - off > now
        own = self.place.read_token(session)
        access = own is not None and self._access_lives(own)
        if not access and session.old_start is not None:
            legacy = self.place.read_token(session, legacy=True)
            access = legacy is not None and self._access_lives(legacy)
        return Ways(memory, access, own is not None and self.refresh_lives(own))

    def _access_lives(self, content: dict[str, str]) -> bool:
        """AWS accepts it, and the machine's clock does not contradict."""
        books = self._books._sessions
        with self._books.lock:
            token = books._access.get(content["accessToken"])
            if token is None or not token.session.alive(self._standin.settings, self._now()):
                return False
            if token.expires_at - 1.0 <= self._now():
                return False
        return parse_date(content["expiresAt"]) > self.place.time.wall() + 1.0

    def refresh_lives(self, content: dict[str, str]) -> bool:
        """AWS would renew it."""
        value = content.get("refreshToken")
        books = self._books._sessions
        with self._books.lock:
            token = books._refresh.get(value or "")
            return (
                token is not None
                and not token.used_up
                and token.client_id == content.get("clientId")
                and token.session.alive(self._standin.settings, self._now())
            )

    def login_lost(self, session: Session) -> bool:
        """Whether only a person can bring this session back: no token that AWS renews, none that lives."""
        own = self.place.read_token(session)
        if own is not None and self.refresh_lives(own):
            return False
        if session.old_start is None:
            return True
        legacy = self.place.read_token(session, legacy=True)
        return legacy is None or not self._access_lives(legacy)

    # The verdict

    def asked(self, profile: Profile, caller: int) -> Call:
        """A call begins: what is known of it at that moment."""
        started = self.place.time.awake()
        call = Call(profile, self.ways(profile), self._now(), started, started + ANSWER_WITHIN)
        self.today.calls += 1
        self.today.by_caller[caller] += 1
        self._open.add(call)
        return call

    def given_up(self, call: Call) -> None:
        """There was no answer in the time of a call: nothing excuses that."""
        if call in self._open:
            self._open.remove(call)
            self.today.unanswered += 1
            self._wrong(call.profile, f"no answer in {self.place.time.awake() - call.started:.1f} s")

    def look_for_the_unanswered(self) -> None:
        """Give up every call whose time is over, though nobody waits for it any more."""
        now = self.place.time.awake()
        for call in [call for call in self._open if call.until < now]:
            self.given_up(call)

    def end_day(self) -> Day:
        """The day that is over; another begins."""
        self.look_for_the_unanswered()
        over, self.today = self.today, Day(carried=len(self._open))
        over.open = len(self._open)
        return over

    def answered(self, call: Call, status: int, payload: bytes) -> None:
        """Count a call's answer and judge it."""
        if call not in self._open:
            return  # it came after its time, and has been judged for that
        self._open.remove(call)
        today, profile = self.today, call.profile
        ways = call.ways.both(self.ways(profile))
        if not call.told:
            took = self.place.time.awake() - call.started
            today.slowest = max(today.slowest, took)
            if took > ANSWER_WITHIN:
                self._wrong(profile, f"answered after {took:.1f} s")
        if status == 0:
            self._check(profile, ways, call.begun, payload)
            return
        line = payload.decode("utf-8", "replace").strip()
        reason = self._excuse(profile, ways, call.begun, self._now())
        if reason is None:
            self._wrong(profile, f"failed with {status}, though {ways}: {line}")
            return
        today.excused[reason] += 1
        if status == 3 and ways.refresh and reason != "token file broken":
            self._wrong(profile, f"a login was asked for that nobody needs, though {ways}: {line}")
        if payload.count(b"\n") != 1 or not payload.startswith(b"credhelper: "):
            self._wrong(profile, f"not one line: {payload!r}")

    def _excuse(self, profile: Profile, ways: Ways, begun: float, now: float) -> str | None:
        since = begun - _GRACE
        if any(span.touches(begun - 0.5, now) for span in self._config):
            return "config broken"
        if ways.memory:
            return None
        if any(span.touches(begun - 0.5, now) for span in self._files.get(profile.session.name, ())):
            return "token file broken"
        fetch, renew = self.reachable(FETCH, since, now), self.reachable(TOKEN, since, now)
        if (ways.access and fetch) or (ways.refresh and fetch and renew):
            return None
        return "AWS out of reach" if ways.access or ways.refresh else "login needed"

    def _check(self, profile: Profile, ways: Ways, begun: float, payload: bytes) -> None:
        """Whether what was served is right and lives long enough."""
        answer, now = json.loads(payload), self._now()
        with self._books.lock:
            grant = self._books._portal.find_role(answer["AccessKeyId"])
        time = self.place.time
        off = _CLOCK_OFF if time.error or now - time.set_at < ROLE_LIFETIME else 0.0
        if grant is None or (grant.account_id, grant.role_name) != (profile.account, ROLE):
            self._wrong(profile, "served credentials of another profile, or none of AWS's")
        elif (grant.secret_access_key, grant.session_token) != (answer["SecretAccessKey"], answer["SessionToken"]):
            self._wrong(profile, "served a mixture of two answers")
        elif grant.expires_at + off <= now:
            self._wrong(profile, f"served credentials that ended {now - grant.expires_at:.0f} s ago")
        elif grant.expires_at - now < _LEAST_LEFT - off and self._could_have_fetched(ways, begun, now):
            self._wrong(profile, f"served credentials with only {grant.expires_at - now:.0f} s left")
        else:
            self.today.served += 1
            return

    def _could_have_fetched(self, ways: Ways, begun: float, now: float) -> bool:
        calm = all(self.reachable(operation, begun - _SETTLED, now) for operation in (FETCH, TOKEN))
        return calm and (ways.access or ways.refresh)

    def _wrong(self, profile: Profile, what: str) -> None:
        day = (self._now() % 86400) / 3600
        self.today.wrong.append(f"{profile.name} ({profile.session.name}) at {day:.3f} h: {what}")

    def prune(self) -> None:
        """Take out of AWS's books what is over, so that the memory that is measured is the daemon's."""
        now, books = self._now(), self._books
        with books.lock:
            sessions, portal = books._sessions, books._portal
            settings = self._standin.settings
            for value in [v for v, t in sessions._access.items() if t.expires_at + 7200 < now]:
                del sessions._access[value]
            dead = [v for v, t in sessions._refresh.items() if t.used_up or not t.session.alive(settings, now)]
            for value in dead:
                del sessions._refresh[value]
            for key in [k for k, grant in portal._roles.items() if grant.expires_at + 7200 < now]:
                del portal._roles[key]
            sessions._all = [s for s in sessions._all if s.alive(settings, now)]
            clients = {token.client_id for token in sessions._refresh.values()}
            known = books._grants._clients
            for client_id in [c for c in known if c not in clients]:
                del known[client_id]
            books._mint._given.clear()
