"""A person for the login flows, without a terminal."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest

from credhelper.aws.login.ui import NoBrowser


class Person:
    """The `Ui` of a login that a test plays.

    Args:
        at_page: what the person does with the address of the login page; runs beside the login.
        at_code: what the person does with the user code and the address that holds it; runs before it goes on.
        no_browser: there turns out to be none that opens the login page.
    """

    def __init__(
        self,
        at_page: Callable[[str], object] | None = None,
        at_code: Callable[[str, str], object] | None = None,
        *,
        no_browser: bool = False,
    ) -> None:
        self._no_browser = no_browser
        self.said: list[str] = []
        self.pages: list[str] = []
        self.codes: list[tuple[str, str, str]] = []
        self.waits: list[float] = []
        self.ended = 0
        self._at_page = at_page
        self._at_code = at_code
        self._pool = ThreadPoolExecutor(1)
        self._acts: list[Future[object]] = []
        self._read_end, self._write_end = os.pipe()
        self._line = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        os.close(self._read_end)
        if self._write_end >= 0:
            os.close(self._write_end)

    @property
    def seen(self) -> object:
        """What `at_page` returned, or its exception."""
        return self._acts[-1].result(10)

    def paste(self, text: str) -> None:
        os.write(self._write_end, text.encode())

    def hang_up(self) -> None:
        """End of input."""
        os.close(self._write_end)
        self._write_end = -1

    @property
    def input_fd(self) -> int | None:
        return self._read_end

    @property
    def can_answer(self) -> bool:
        return True

    def say(self, message: str) -> None:
        self.said.append(message)

    def show_page(self, url: str) -> None:
        self.pages.append(url)
        if self._no_browser:
            self._no_browser = False
            raise NoBrowser
        if self._at_page is not None:
            self._acts.append(self._pool.submit(self._at_page, url))

    def show_code(self, code: str, page: str, complete: str) -> None:
        self.codes.append((code, page, complete))
        if self._at_code is not None:
            self._at_code(code, complete)

    def waiting(self, what: str, left: float) -> None:
        assert what
        self.waits.append(left)

    def done_waiting(self) -> None:
        self.ended += 1

    def read_input(self) -> list[str] | None:
        part = os.read(self._read_end, 4096)
        if not part:
            return None
        *lines, self._line = (self._line + part).split(b"\n")
        return [line.decode() for line in lines]


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def redirect_address(page: str) -> str:
    """Where the authorize page sends a browser whose person approves, without going there."""

    query = urlsplit(page).query
    base = page.partition("/authorize?")[0]
    request = Request(f"{base}/authorize", f"{query}&decision=approve".encode())  # noqa: S310 - the stand-in's
    with pytest.raises(HTTPError) as answer:
        build_opener(_NoRedirect).open(request, timeout=10)
    with answer.value as error:
        return str(error.headers["Location"])
