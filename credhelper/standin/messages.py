"""What passes between the HTTP server and the rest of the stand-in: requests, answers, refusals."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Request:
    """One HTTP request.

    Attributes:
        target: path and query, exactly as sent.
        headers: any mapping; look-ups here are by the names in lower case.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = field(default=b"", repr=False)

    @cached_property
    def path(self) -> str:
        return urlsplit(self.target).path

    @cached_property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @cached_property
    def form(self) -> dict[str, str]:
        """The body as an HTML form or a request of the AWS query protocol; empty if it is neither."""
        try:
            text = self.body.decode()
        except UnicodeDecodeError:
            return {}
        return dict(parse_qsl(text, keep_blank_values=True))

    def header(self, name: str) -> str:
        return self.headers.get(name.lower(), "")


@dataclass(frozen=True)
class Response:
    """One HTTP answer, without the headers that every answer has (Date, Content-Length).

    Attributes:
        genuine: sent by the service, with a request id; not by a network in its place.
    """

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    error_code: str | None = None
    genuine: bool = True


class ServiceError(Exception):
    """A refusal by one of the services.

    Args:
        code: the name of the error's shape in the service's model, or a code that the real service sends
            although no model names it (`protocol.UNMODELLED`).
        message: for a person.
        status: HTTP status; None means that of the model.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
