"""Plays the person at the browser: `python -m credhelper.standin.browser [--deny] URL`.

Opens the page, presses Approve (or Deny), follows the redirect to the program that waits for it. Only
loopback addresses are opened, also by redirects. Imports the standard library alone, so that the script
made by `write_browser_script` starts fast and needs no installed package.

Exit codes: 0 done, 1 the page could not be dealt with (why is on stderr), 2 usage.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode, urljoin, urlsplit

_TIMEOUT = 30.0
_MAX_REDIRECTS = 10
_USER_AGENT = "standin-browser/1"


class BrowserError(Exception):
    """The page could not be dealt with."""


def visit(url: str, *, deny: bool = False) -> str:
    """Open an address and decide; returns the text of the page that this ends at.

    Raises:
        BrowserError: not a loopback address, no answer, an error page.
    """
    final, html = fetch(url)
    form = _Form()
    form.feed(html)
    if form.action is None:
        return html
    wanted = "deny" if deny else "approve"
    if ("decision", wanted) not in form.buttons:
        raise BrowserError(f"the page at {final} has no button for {wanted!r}")
    fields = {**form.fields, "decision": wanted}
    return fetch(urljoin(final, form.action), urlencode(fields).encode())[1]


@dataclass(frozen=True)
class BrowserScript:
    """An executable that is a value for `$BROWSER`.

    Attributes:
        path: of the executable.
        log: one opened address a line.
        errors: what went wrong in the browser, if anything did.
    """

    path: Path
    log: Path
    errors: Path

    def opened(self) -> list[str]:
        """The addresses opened so far."""
        return self.log.read_text().splitlines() if self.log.exists() else []


def write_browser_script(path: Path, python: str = sys.executable, *, deny: bool = False) -> BrowserScript:
    """Write a browser that approves (or denies) by itself, and keeps count of its windows.

    The script returns at once, as real browsers do: Python's `webbrowser` waits for its end, and the caller
    answers the redirect only after that.
    """
    script = BrowserScript(path, path.with_name(path.name + ".log"), path.with_name(path.name + ".errors"))
    command = [python, "-I", str(Path(__file__).resolve()), *(["--deny"] if deny else [])]
    lines = [
        "#!/bin/sh",
        f"printf '%s\\n' \"$1\" >>{shlex.quote(str(script.log))}",
        f'{shlex.join(command)} "$1" </dev/null >/dev/null 2>>{shlex.quote(str(script.errors))} &',
    ]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o755)
    return script


class _Form(HTMLParser):
    """The first form of a page with method POST."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.buttons: set[tuple[str, str]] = set()
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and self.action is None and values.get("method", "").lower() == "post":
            self._inside = True
            self.action = values.get("action", "")
        elif self._inside and tag == "input":
            self.fields[values.get("name", "")] = values.get("value", "")
        elif self._inside and tag == "button":
            self.buttons.add((values.get("name", ""), values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def _check_loopback(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in {"127.0.0.1", "::1", "localhost"}:
        raise BrowserError(f"{url} is not on this machine")


def fetch(url: str, data: bytes | None = None) -> tuple[str, str]:
    """GET an address, or POST a form to it; returns the address and the text that redirects lead to.

    Raises:
        BrowserError: not a loopback address, no answer, an error page.
    """
    # Put together by hand: no proxy from the environment, and redirects only by the loop below.
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.HTTPHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
    ):
        opener.add_handler(handler)
    for _ in range(_MAX_REDIRECTS):
        _check_loopback(url)
        request = urllib.request.Request(url, data, {"User-Agent": _USER_AGENT})  # noqa: S310 - checked above
        try:
            with opener.open(request, timeout=_TIMEOUT) as answer:
                return url, answer.read().decode("utf-8", "replace")
        except urllib.error.HTTPError as error:
            with error:
                location = error.headers.get("Location")
                if error.code not in {302, 303} or location is None:
                    raise BrowserError(f"{url} answered {error.code}") from error
            url, data = urljoin(url, location), None
        except (OSError, HTTPException) as error:
            raise BrowserError(f"{url}: {error}") from error
    raise BrowserError("too many redirects")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="credhelper.standin.browser", description="Plays the person.")
    parser.add_argument("url")
    parser.add_argument("--deny", action="store_true", help="press Deny")
    options = parser.parse_args(arguments)
    try:
        visit(options.url, deny=options.deny)
    except BrowserError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
