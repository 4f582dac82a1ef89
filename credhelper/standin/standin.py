"""The stand-in as others use it: start and stop, settings, faults, the record of calls."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Self

from credhelper.model import DEFAULT_SCOPE, Endpoints
from credhelper.standin import pages, protocol
from credhelper.standin.calls import Call, CallLog
from credhelper.standin.faults import Fault, FaultBook, PlacedFault
from credhelper.standin.messages import Request, Response, ServiceError
from credhelper.standin.server import Dripping, Outcome, Server, Withheld
from credhelper.standin.settings import Settings
from credhelper.standin.state import State

if TYPE_CHECKING:
    from types import TracebackType

DEFAULT_START_URL = "https://d-93670bd35a.awsapps.com/start/"
DEFAULT_REGION = "eu-west-1"
_ENDLESS = 8 * 1024 * 1024


class StandIn:
    """A local IAM Identity Center and sts: one HTTP port on 127.0.0.1 for all of it.

    Use as a context manager, or `start()` and `stop()`. A stand-in that was stopped stays stopped.

    Args:
        settings: also reachable as `settings`, and changeable while it runs; `configure` changes
            several at once.
        port: 0 lets the system choose.
    """

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        self.settings = settings or Settings()
        self._state = State(self.settings)
        self._calls = CallLog()
        self._faults = FaultBook()
        self._recent: deque[float] = deque()
        self._throttle_lock = threading.Lock()
        self._bugs: list[Exception] = []
        self._port = port
        self._server: Server | None = None
        self._url: str | None = None

    def start(self) -> Self:
        """Listen; returns when connections are accepted.

        Raises:
            OSError: the port is taken.
        """
        protocol.routes()
        self._server = Server(self._port, self)
        self._url = f"http://127.0.0.1:{self._server.port}"
        self._state.base_url = self._url
        self._server.start()
        return self

    def stop(self) -> None:
        """End all faults, connections and threads. Harmless when repeated.

        Raises:
            Exception: the first bug of the stand-in itself that a request ran into, if any did.
        """
        server, self._server = self._server, None
        if server is None:
            return
        self._faults.close()
        server.stop()
        if self._bugs:
            raise self._bugs[0]

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        except Exception as bug:
            if error is None:
                raise
            error.add_note(f"The stand-in itself met a bug: {bug!r}")

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, of sso-oidc, the portal and sts alike; known once started."""
        if self._url is None:
            raise RuntimeError("the stand-in was not started")
        return self._url

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(oidc=self.url, portal=self.url, sts=self.url)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS clients here."""
        return {f"AWS_ENDPOINT_URL_{service}": self.url for service in ("SSO", "SSO_OIDC", "STS")}

    def configure(self, **changes: Any) -> None:
        """Change settings, all at once as far as requests can tell.

        Raises:
            AttributeError: there is no such setting.
        """
        known = {field.name for field in fields(Settings)}
        if unknown := set(changes) - known:
            raise AttributeError(f"no such settings: {sorted(unknown)}")
        with self._state.lock:
            for name, value in changes.items():
                setattr(self.settings, name, value)

    def fault(
        self, operation: str, fault: Fault, times: int | None = None, *, detail: str | None = None
    ) -> PlacedFault:
        """Put a fault in force.

        Args:
            operation: as in `Call.operation`, or `*` for all, pages included.
            times: for so many calls; None for all until it is removed.
            detail: only for calls with this `Call.detail`, as a grant type.
        """
        return self._faults.place(operation, fault, times, detail)

    def clear_faults(self, operation: str | None = None) -> None:
        """End all faults, or those of one operation; held calls go on."""
        self._faults.clear(operation)

    def calls(
        self,
        operation: str | None = None,
        *,
        caller: str | None = None,
        detail: str | None = None,
        done: bool | None = None,
    ) -> list[Call]:
        """The calls so far, in the order of arrival, for which all that is given holds."""
        return self._calls.select(operation, caller, detail, done)

    def clear_calls(self) -> None:
        """Forget the calls so far."""
        self._calls.clear()

    def wait_for(
        self,
        what: str | Callable[[Sequence[Call]], bool],
        count: int = 1,
        timeout: float = 10,
        *,
        caller: str | None = None,
        detail: str | None = None,
        done: bool | None = True,
    ) -> list[Call]:
        """Block until `count` calls to an operation were answered, or a predicate on all calls holds.

        Args:
            what: an operation's name, or a predicate. It is called at each change, under a lock: it must
                not call the stand-in.
            done: True counts answered calls, None those that arrived too (for held and silent ones).

        Returns:
            The calls to the operation, or all where a predicate was given.

        Raises:
            TimeoutError: with the calls so far in its message. `timeout` is in seconds.
        """
        if callable(what):
            return self._calls.wait(what, timeout)
        return self._calls.wait_count(what, count, timeout, caller=caller, detail=detail, done=done)

    def secrets(self) -> frozenset[str]:
        """Every access token, refresh token, client secret, secret access key and session token given out."""
        return self._state.secrets()

    def revoke_sessions(self, start_url: str | None = None) -> None:
        """End sessions as an administrator (or a logout elsewhere) would; None: of all start URLs."""
        self._state.end_sessions(start_url)

    def end_sessions(self, start_url: str | None = None) -> None:
        """Let sessions reach their cap now; None: those of all start URLs."""
        self._state.cap_sessions_now(start_url)

    def expire_access_tokens(self) -> None:
        """Let the access tokens given so far run out now; their refresh tokens stay good."""
        self._state.expire_access_tokens()

    def seed_session(
        self,
        start_url: str = DEFAULT_START_URL,
        region: str = DEFAULT_REGION,
        *,
        scopes: tuple[str, ...] = (DEFAULT_SCOPE,),
    ) -> dict[str, str]:
        """Log in without the flow, by the same rules.

        Returns:
            The fields of a file of the AWS token cache (`startUrl region accessToken expiresAt clientId
            clientSecret registrationExpiresAt refreshToken?`; dates `%Y-%m-%dT%H:%M:%SZ`). Without the scope
            `sso:account:access` there is no `refreshToken`.
        """
        return self._state.seed(start_url, region, scopes)

    def now(self) -> float:
        """The stand-in's clock."""
        return self.settings.clock()

    def respond(self, request: Request) -> Outcome:
        """Answer a request; called by the server."""
        route = protocol.find_route(request)
        page = pages.find_page(request) if route is None else None
        operation = route.name if route else page or "Unknown"
        detail = _detail(operation, request)
        ticket = self._calls.arrived(Call(self.now(), operation, request.header("user-agent"), detail=detail))
        outcome: Outcome = Response(500)
        code: str | None = "bug"
        try:
            outcome, code = self._with_faults(request, route, page, operation, detail)
        except Exception as bug:  # noqa: BLE001 - kept for `stop`, which raises it
            self._bugs.append(bug)
        response = outcome if isinstance(outcome, Response) else None
        self._calls.finished(ticket, response.status if response else None, code)
        return outcome

    def _with_faults(
        self, request: Request, route: protocol.Route | None, page: str | None, operation: str, detail: str
    ) -> tuple[Outcome, str | None]:
        placed = self._faults.meet(operation, detail)
        if placed is None:
            response = self._perform(request, route, page)
            return response, response.error_code
        fault = placed.fault
        real = self._perform(request, route, page) if fault.after else None
        if fault.delay:
            placed.ended.wait(fault.delay)
        if fault.kind in {"hold", "silence"}:
            placed.ended.wait()
        if fault.kind in {"delay", "hold", "cut", "torn"}:
            real = real or self._perform(request, route, page)
            if fault.kind == "torn":
                return Withheld("torn", real), "torn"
            if fault.kind == "cut":
                half = real.body[: len(real.body) // 2]
                return Response(real.status, half, real.content_type, real.headers), "cut"
            return real, real.error_code
        if fault.kind == "drip":
            return Dripping(fault.pause, placed.ended, head=fault.head), "drip"
        if fault.kind in {"drop", "silence", "reset"}:
            return Withheld("reset" if fault.kind == "reset" else "close"), fault.kind
        return _wrong_answer(fault, route), fault.code or fault.kind

    def _perform(self, request: Request, route: protocol.Route | None, page: str | None) -> Response:
        if page is not None:
            return pages.respond(page, request, self._state)
        if route is None:
            return _unknown(request)
        try:
            if route.service != "sts":
                self._throttle()
            params = protocol.parse_input(route, request)
            return protocol.render_output(route, self._state.perform(route.name, params, request))
        except ServiceError as error:
            return protocol.render_error(route, error)

    def _throttle(self) -> None:
        limit = self.settings.throttle
        if limit is None:
            return
        with self._throttle_lock:
            moment = time.monotonic()
            while self._recent and moment - self._recent[0] >= 1:
                self._recent.popleft()
            if len(self._recent) >= limit:
                raise ServiceError("TooManyRequestsException", "Too many requests")
            self._recent.append(moment)


def _wrong_answer(fault: Fault, route: protocol.Route | None) -> Response:
    status = fault.status or 500
    if fault.kind == "error":
        if route is None:
            return Response(status, fault.message.encode(), "text/plain", error_code=fault.code)
        return protocol.render_error(route, ServiceError(fault.code, fault.message, fault.status))
    if fault.kind == "portal_page":
        return pages.captive(status)
    if fault.kind == "redirect":
        return Response(status, b"", "text/html", (("Location", fault.location),), genuine=False)
    if fault.kind == "wrong":
        return Response(status, fault.message.encode())
    if fault.kind == "endless":
        return Response(status, b" " * _ENDLESS)
    if fault.kind == "stranger":
        return Response(status, b"Denied by policy", "text/plain", genuine=False)
    if fault.kind == "garbage":
        return Response(status, b"\x00\xff\xfe{]<garbage>\x80" * 8)
    return Response(status)


def _unknown(request: Request) -> Response:
    action = request.form.get("Action") if request.method == "POST" and request.path == "/" else None
    if action:
        error = ServiceError("InvalidAction", f"Could not find operation {action}", 400)
        return protocol.render_error(protocol.routes()["GetCallerIdentity"], error)
    headers = (("x-amzn-ErrorType", "UnknownOperationException"),)
    return Response(404, b"{}", headers=headers, error_code="UnknownOperationException")


def _detail(operation: str, request: Request) -> str:
    if operation == "CreateToken":
        return protocol.body_text(request, "grantType")
    if operation == "GetRoleCredentials":
        return f"{request.query.get('account_id', '')}/{request.query.get('role_name', '')}"
    if operation == "ListAccountRoles":
        return request.query.get("account_id", "")
    return ""
