"""Trouble on demand: errors, slowness, silence, and networks that answer in a service's place."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    from types import TracebackType

Kind = Literal[
    "error",
    "delay",
    "hold",
    "drop",
    "reset",
    "silence",
    "portal_page",
    "redirect",
    "garbage",
    "wrong",
    "endless",
    "stranger",
    "cut",
    "torn",
    "drip",
    "empty",
]


@dataclass(frozen=True)
class Fault:
    """One kind of trouble, made by one of the functions below.

    Attributes:
        delay: seconds to wait first, of real time.
        after: the operation takes effect before the trouble comes, so that the caller loses an answer
            that counts (a refresh token that was rotated). Else the service never sees the request.
    """

    kind: Kind
    delay: float = 0
    after: bool = False
    status: int | None = None
    code: str = ""
    message: str = ""
    location: str = ""
    pause: float = 0
    head: bool = False

    @classmethod
    def error(
        cls, code: str, *, status: int | None = None, message: str = "Fault", delay: float = 0, after: bool = False
    ) -> Self:
        """The service refuses; without a status, with that of its model."""
        return cls("error", delay, after, status, code, message)

    @classmethod
    def slow(cls, seconds: float, *, after: bool = False) -> Self:
        """The right answer, late."""
        return cls("delay", seconds, after)

    @classmethod
    def hold(cls, *, after: bool = False) -> Self:
        """The right answer, once the fault is removed."""
        return cls("hold", 0, after)

    @classmethod
    def drop(cls, *, delay: float = 0, after: bool = False) -> Self:
        """The connection is closed without an answer."""
        return cls("drop", delay, after)

    @classmethod
    def reset(cls, *, delay: float = 0, after: bool = False) -> Self:
        """The connection is reset (TCP RST)."""
        return cls("reset", delay, after)

    @classmethod
    def silence(cls, *, after: bool = False) -> Self:
        """Nothing, ever; the connection ends when the fault is removed or the stand-in stops."""
        return cls("silence", 0, after)

    @classmethod
    def captive_page(cls, *, status: int = 200, delay: float = 0) -> Self:
        """A captive portal's HTML in place of the answer."""
        return cls("portal_page", delay, status=status)

    @classmethod
    def captive_redirect(cls, location: str = "/captive", *, delay: float = 0) -> Self:
        """A captive portal's 302; by default to a page of the stand-in itself."""
        return cls("redirect", delay, status=302, location=location)

    @classmethod
    def garbage(cls, *, status: int = 200, delay: float = 0) -> Self:
        """Bytes that are not JSON, nor XML, nor UTF-8."""
        return cls("garbage", delay, status=status)

    @classmethod
    def wrong(cls, body: str, *, status: int = 200, delay: float = 0) -> Self:
        """The service's headers with this body: JSON of another shape, for instance."""
        return cls("wrong", delay, status=status, message=body)

    @classmethod
    def endless(cls, *, status: int = 200, delay: float = 0) -> Self:
        """A body of 8 MiB."""
        return cls("endless", delay, status=status)

    @classmethod
    def stranger(cls, status: int, *, delay: float = 0) -> Self:
        """A refusal in plain text by a proxy or a firewall, which bears no mark of the service."""
        return cls("stranger", delay, status=status)

    @classmethod
    def cut(cls, *, delay: float = 0) -> Self:
        """A whole HTTP answer that holds the first half of the right body. The operation takes effect."""
        return cls("cut", delay, after=True)

    @classmethod
    def torn(cls, *, delay: float = 0) -> Self:
        """The connection ends in the middle of the right body. The operation takes effect."""
        return cls("torn", delay, after=True)

    @classmethod
    def drip(cls, pause: float = 0.05, *, head: bool = False, after: bool = False) -> Self:
        """An answer that never ends, a byte after each `pause` (seconds): its body, or already its head. The
        connection ends when the fault is removed or the stand-in stops."""
        return cls("drip", 0, after, 200, pause=pause, head=head)

    @classmethod
    def empty(cls, *, status: int = 500, delay: float = 0, after: bool = False) -> Self:
        """A status with no body."""
        return cls("empty", delay, after, status)


class PlacedFault:
    """A fault in force: `remove()` ends it, and so does leaving it as a context manager."""

    def __init__(self, book: FaultBook, operation: str, fault: Fault, times: int | None, detail: str | None) -> None:
        self.operation = operation
        self.fault = fault
        self.detail = detail
        self.remaining = times
        self.ended = threading.Event()
        self._book = book

    def remove(self) -> None:
        """End it: held calls go on, silent and slow ones end. Harmless when repeated."""
        self._book.remove(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()


class FaultBook:
    """The faults in force. Safe for use by many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._placed: list[PlacedFault] = []
        self._met: list[PlacedFault] = []
        self._closed = False

    def place(self, operation: str, fault: Fault, times: int | None, detail: str | None) -> PlacedFault:
        """Put a fault in force for `times` calls of an operation (`*`: any), None for all until removed."""
        if times is not None and times < 1:
            raise ValueError("a fault happens at least once")
        placed = PlacedFault(self, operation, fault, times, detail)
        with self._lock:
            if self._closed:
                placed.ended.set()
            else:
                self._placed.append(placed)
        return placed

    def meet(self, operation: str, detail: str) -> PlacedFault | None:
        """The fault that a call meets, the one placed first where several fit; counts it."""
        with self._lock:
            for placed in self._placed:
                if placed.operation not in {operation, "*"} or placed.detail not in {None, detail}:
                    continue
                if placed.remaining is not None:
                    placed.remaining -= 1
                    if placed.remaining == 0:
                        self._placed.remove(placed)
                if placed not in self._met:
                    self._met.append(placed)
                return placed
        return None

    def remove(self, placed: PlacedFault) -> None:
        with self._lock:
            if placed in self._placed:
                self._placed.remove(placed)
            if placed in self._met:
                self._met.remove(placed)
        placed.ended.set()

    def clear(self, operation: str | None = None) -> None:
        """End all faults, or those of one operation."""
        with self._lock:
            ending = [p for p in {*self._placed, *self._met} if operation in {None, p.operation}]
        for placed in ending:
            self.remove(placed)

    def close(self) -> None:
        """End all faults, and those to come at once: no thread may wait on one any more."""
        with self._lock:
            self._closed = True
        self.clear()
