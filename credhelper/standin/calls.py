"""What the stand-in remembers of each request, and the means to wait for one without sleeping."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

# The first mark that a User-Agent contains names the caller: credhelper's own calls go through botocore,
# and Terraform's and the CDK's through an SDK.
_CALLERS = (
    ("credhelper", "credhelper"),
    ("aws-cli/", "aws-cli"),
    ("boto3/", "boto3"),
    ("botocore/", "botocore"),
    ("aws-sdk-js", "js"),
    ("aws-sdk-go", "go"),
    ("aws-sdk-java", "java"),
    ("aws-sdk-kotlin", "kotlin"),
    ("aws-sdk-rust", "rust"),
    ("aws-sdk-ruby", "ruby"),
    ("aws-sdk-php", "php"),
    ("aws-sdk-net", "dotnet"),
    ("aws-sdk-dotnet", "dotnet"),
    ("aws-sdk-cpp", "cpp"),
    ("aws-sdk-c++", "cpp"),
    ("standin-browser", "browser"),
    ("mozilla/", "browser"),
)


def caller_of(user_agent: str) -> str:
    """The short name of the program that sent a User-Agent, or `other`."""
    lowered = user_agent.lower()
    return next((name for mark, name in _CALLERS if mark in lowered), "other")


@dataclass(frozen=True)
class Call:
    """One request.

    Attributes:
        time: of arrival, by the stand-in's clock.
        operation: as in the service's model; pages are AuthorizePage, AuthorizeDecision, DevicePage,
            DeviceDecision, IndexPage, PortalPage, and what nothing answers to is Unknown.
        status: of the answer; None while there is none, and where a fault withheld it.
        error_code: as sent to the client; `drop`, `reset`, `silence` where a fault withheld the answer.
        detail: the grant type of CreateToken, `ACCOUNT/ROLE` of GetRoleCredentials, the account of
            ListAccountRoles; else empty. Never a secret.
        done: the answer has been decided on (it is sent right after).
    """

    time: float
    operation: str
    user_agent: str
    status: int | None = None
    error_code: str | None = None
    detail: str = ""
    done: bool = False

    @property
    def caller(self) -> str:
        """`aws-cli`, `boto3`, `botocore`, `credhelper`, `js`, `go` …, `browser`, or `other`."""
        return caller_of(self.user_agent)


class CallLog:
    """All calls in the order of their arrival. Safe for use by many threads."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._calls: list[Call] = []
        self._epoch = 0

    def arrived(self, call: Call) -> tuple[int, int]:
        """Add a call; returns what `finished` wants to know it by."""
        with self._changed:
            self._calls.append(call)
            self._changed.notify_all()
            return self._epoch, len(self._calls) - 1

    def finished(self, ticket: tuple[int, int], status: int | None, error_code: str | None) -> None:
        """Record how a call ended."""
        epoch, index = ticket
        with self._changed:
            if epoch == self._epoch:
                call = self._calls[index]
                self._calls[index] = replace(call, status=status, error_code=error_code, done=True)
                self._changed.notify_all()

    def clear(self) -> None:
        """Forget all calls; those under way are not recorded when they end."""
        with self._changed:
            self._calls.clear()
            self._epoch += 1

    def select(self, operation: str | None, caller: str | None, detail: str | None, done: bool | None) -> list[Call]:
        """The calls for which all that is not None holds."""
        with self._changed:
            return _selected(self._calls, operation, caller, detail, done)

    def wait(self, predicate: Callable[[Sequence[Call]], bool], timeout: float) -> list[Call]:
        """Block until the predicate holds for the calls so far; returns them.

        Raises:
            TimeoutError: with the calls so far in its message.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: predicate(tuple(self._calls)), timeout):
                seen = "\n".join(f"  {call}" for call in self._calls) or "  none"
                raise TimeoutError(f"what was waited for did not come in {timeout} s; calls so far:\n{seen}")
            return list(self._calls)

    def wait_count(
        self,
        operation: str,
        count: int,
        timeout: float,
        *,
        caller: str | None,
        detail: str | None,
        done: bool | None,
    ) -> list[Call]:
        """Block until so many calls were made to an operation; returns these."""

        def chosen(calls: Sequence[Call]) -> list[Call]:
            return _selected(calls, operation, caller, detail, done)

        return chosen(self.wait(lambda calls: len(chosen(calls)) >= count, timeout))


def _selected(
    calls: Sequence[Call], operation: str | None, caller: str | None, detail: str | None, done: bool | None
) -> list[Call]:
    return [
        call
        for call in calls
        if (operation is None or call.operation == operation)
        and (caller is None or call.caller == caller.lower())
        and (detail is None or call.detail == detail)
        and (done is None or call.done == done)
    ]
