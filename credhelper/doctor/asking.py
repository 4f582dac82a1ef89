"""Asking AWS at the endpoints in use for each session, by the way that the daemon goes, side by side, for seconds."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field

from credhelper.aws.identity_center import IdentityCenter, Registration
from credhelper.core.clock import Clock
from credhelper.doctor.environment import host
from credhelper.doctor.scene import Scene
from credhelper.endpoints import endpoints_from_environment, network_for
from credhelper.errors import ConfigError, CredhelperError, TokenUnreadable, UpstreamError
from credhelper.model import Endpoints, Network, Session, Token

# Seconds for a connection, and again for an answer.
_TIMEOUT = 3.0
# Seconds for all of it, also where the look-up of a name hangs; it is asked side by side.
_ALL_WITHIN = 7.0
# What nobody has: it is asked with, to be refused.
_NOBODY = "nobody"
# What may stand in the name of a host; botocore asks for no other region.
_REGION = re.compile(r"(?![0-9]+\Z)(?!-)[a-zA-Z0-9-]{1,63}(?<!-)")
# The partitions whose services are at other names, by how their regions begin.
_SUFFIXES = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}
_NOT_THEIRS = {UpstreamError.OFFLINE, UpstreamError.PORTAL, UpstreamError.GARBAGE}


@dataclass(slots=True)
class Question:
    """One thing that is asked of AWS, and what came of it.

    Attributes:
        service: `sso-oidc` or `sso`.
        endpoints: of the session's login, else those that a login would use.
        token: what is asked with; None asks as nobody.
        error: the refusal, if there was one; for nobody there always is.
        skew: seconds that AWS's clock is ahead of ours; 0 where that is not known.
    """

    session: Session
    service: str
    endpoints: Endpoints
    token: Token | None = None
    error: CredhelperError | None = None
    skew: float = 0.0
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def host(self) -> str:
        named = self.endpoints.oidc if self.service == "sso-oidc" else self.endpoints.portal
        if named:
            return host(named)
        name = "oidc" if self.service == "sso-oidc" else "portal.sso"
        partition = self.session.region.partition("-")[0]
        return f"{name}.{self.session.region}.{_SUFFIXES.get(partition, 'amazonaws.com')}"

    @property
    def code(self) -> str | None:
        """Why it did not get through; None where the service itself has answered."""
        if not self.done.is_set():
            return UpstreamError.OFFLINE
        if isinstance(self.error, UpstreamError):
            return self.error.code if self.error.code in _NOT_THEIRS else None
        return "Endpoint" if self.error is not None else None

    @property
    def detail(self) -> str:
        if not self.done.is_set():
            return "no answer in time"
        return self.error.detail if isinstance(self.error, UpstreamError) else str(self.error or "")


def ask(scene: Scene, other: Network | None = None) -> tuple[list[Question], list[Question]]:
    """Ask by the daemon's way, and by another one if there is, and wait for the answers for a few seconds at most.

    Args:
        other: the other way, by which no token is sent.

    Returns the questions of both ways. Raises nothing.
    """
    ways = [(_Lines(scene.settings.network), _questions(scene, as_nobody=False))]
    if other is not None:
        ways.append((_Lines(other), _questions(scene, as_nobody=True)))
    for lines, questions in ways:
        for question in questions:
            lines.prepare(question)  # a tenth of a second of work for each, which is none of the time to answer in
    for lines, questions in ways:
        for question in questions:
            # No pool: its threads would be waited for at the end, also one that looks up a name for half a minute.
            threading.Thread(target=lines.put, args=(question,), name=question.host, daemon=True).start()
    until = time.monotonic() + _ALL_WITHIN
    for _, questions in ways:
        for question in questions:
            question.done.wait(max(until - time.monotonic(), 0.0))
    return ways[0][1], ways[1][1] if other is not None else []


def can_be_asked(session: Session) -> bool:
    """Whether its region may be one; else there is nobody to ask, by whichever way."""
    return _REGION.fullmatch(session.region) is not None


def _questions(scene: Scene, *, as_nobody: bool) -> list[Question]:
    found: dict[tuple[str, str, str | None], Question] = {}
    for session in filter(can_be_asked, scene.sessions):
        token = _token(scene, session)
        endpoints = scene.centers.endpoints(session, token) if token else _for_login(scene, session)
        asked = [
            Question(session, "sso-oidc", endpoints),
            Question(session, "sso", endpoints, None if as_nobody else token),
        ]
        for question in asked:
            own = session.id if question.token else None
            found.setdefault((question.service, question.host, own), question)
    # Where somebody's login is tried, nobody need be refused at the same place.
    tried = {(question.service, question.host) for question in found.values() if question.token}
    return [
        question for question in found.values() if question.token or (question.service, question.host) not in tried
    ]


def _token(scene: Scene, session: Session) -> Token | None:
    """The token of a session while it lives."""
    now = scene.clock.now()
    try:
        found = scene.cache.find(session, now)
    except TokenUnreadable:
        return None
    return found.token if found is not None and found.token.expires_at > now else None


def _for_login(scene: Scene, session: Session) -> Endpoints:
    """Where a login from here would go."""
    named = scene.settings.endpoints.get(session.name, Endpoints())
    try:
        theirs = endpoints_from_environment(scene.environ)
    except ConfigError:
        theirs = Endpoints()  # told elsewhere
    return Endpoints(theirs.oidc or named.oidc, theirs.portal or named.portal, theirs.sts or named.sts)


class _Lines:
    """The clients to ask by, one for all that goes to the same endpoints, each with its own idea of AWS's clock."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._made: dict[tuple[str, str | None], tuple[IdentityCenter, Clock]] = {}

    def prepare(self, question: Question) -> None:
        """Make the client for it."""
        key = self._key(question)
        if key not in self._made:
            clock = Clock()
            center = IdentityCenter(
                question.session.region, question.endpoints, network_for(self._network, key[1]), clock, _TIMEOUT
            )
            center.prepare(question.service)
            self._made[key] = center, clock

    def put(self, question: Question) -> None:
        """Ask, and note what comes of it. Raises nothing."""
        center, clock = self._made[self._key(question)]
        try:
            if question.service == "sso-oidc":
                center.refresh(Registration(_NOBODY, _NOBODY, 0.0), _NOBODY)
            else:
                center.accounts(question.token.access_token if question.token else _NOBODY)
        except CredhelperError as error:
            question.error = error
        except Exception as error:  # noqa: BLE001 - an answer like any other
            question.error = UpstreamError("", UpstreamError.GARBAGE, 0, type(error).__name__)
        finally:
            question.skew = clock.skew
            question.done.set()

    @staticmethod
    def _key(question: Question) -> tuple[str, str | None]:
        url = question.endpoints.oidc if question.service == "sso-oidc" else question.endpoints.portal
        return f"{question.service} {question.session.region}", url
