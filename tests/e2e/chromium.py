"""A real headless Chromium, driven by its own driver through the W3C WebDriver protocol.

It reaches this machine alone: no name is resolved, and the log of its network tells at the end to which addresses it
has spoken.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import psutil

from tests.waiting import wait_until

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the W3C's name for an element's reference
# An address in the events of Chromium's network log, as `127.0.0.1:8080` or `[2001:db8::1]:443`.
_ADDRESS = re.compile(r"^(?P<host>\[[0-9a-f:]+\]|[0-9.]+):\d+$")
_TIMEOUT = 60.0
# Without a screen, for root too (CI is), alone with this machine.
ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class DriverError(Exception):
    """The driver refused; the text says why (`net::ERR_CONNECTION_REFUSED`)."""


def programs() -> tuple[str, str] | None:
    """The paths of browser and driver, or None where one is missing."""
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    driver = shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


class Chromium:
    """One browser with one window.

    Args:
        folder: for its profile, its logs and all else that it writes; it gets no other home.
    """

    def __init__(self, browser: str, driver: str, folder: Path) -> None:
        self._folder = folder
        self._session = ""
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "LANG": "C.UTF-8"}
        self._log = folder / "driver.log"
        with self._log.open("wb") as log:
            self._driver = subprocess.Popen(
                [driver, "--port=0"],
                env=environ,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._port = wait_until(self._find_port, 60.0, "the driver to listen")
            self._begin(browser)
        except BaseException:
            self.close()
            raise

    def _find_port(self) -> int:
        if self._driver.poll() is not None:
            raise DriverError(f"the driver has ended: {self._log.read_text()[-200:]}")
        found = re.search(r"started successfully on port (\d+)", self._log.read_text())
        return int(found[1]) if found else 0

    def _begin(self, browser: str) -> None:
        arguments = [
            *ARGUMENTS,
            "--window-size=900,640",
            "--force-device-scale-factor=1",
            f"--user-data-dir={self._folder / 'profile'}",
            f"--log-net-log={self._folder / 'net.json'}",
        ]
        options = {"binary": browser, "args": arguments}
        wanted = {
            "alwaysMatch": {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL"},
                "timeouts": {"pageLoad": 30_000},
            }
        }
        self._session = str(self._request("POST", "/session", {"capabilities": wanted})["sessionId"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser, the driver, and whatever they have started; harmless when repeated."""
        family = []
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self._driver.pid).children(recursive=True)
        if self._session:
            with contextlib.suppress(DriverError, OSError, http.client.HTTPException):
                self._request("DELETE", f"/session/{self._session}")
            self._session = ""
        self._driver.terminate()
        try:
            self._driver.wait(10)
        except subprocess.TimeoutExpired:
            self._driver.kill()
            self._driver.wait()
        for process in psutil.wait_procs(family, timeout=10)[1]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=10)

    def addresses(self) -> set[str]:
        """The hosts to which it has opened a connection or sent a packet. Only once it is closed.

        That it looks for a way to the IPv6 internet (a UDP socket is connected, which sends nothing) is none.
        """
        log = json.loads((self._folder / "net.json").read_text())
        names = {number: name for name, number in log["constants"]["logEventTypes"].items()}
        datagrams = {event["source"]["id"] for event in log["events"] if names[event["type"]] == "UDP_BYTES_SENT"}
        found = set()
        for event in log["events"]:
            if names[event["type"]].startswith("TCP_CONNECT") or event["source"]["id"] in datagrams:
                found |= {match["host"] for value in _values(event.get("params", {})) if (match := _match(value))}
        return found

    # --- what a person does and sees --------------------------------------------------------------------------------

    def open(self, url: str) -> None:
        """Go to an address. Raises DriverError where no page comes from there."""
        self._command("POST", "/url", url=url)

    def press(self, selector: str) -> None:
        """Click on what leads to another page, and wait until that is there."""
        before = self._element("html")
        self._command("POST", f"/element/{self._element(selector)}/click")

        def is_gone() -> bool:
            try:
                self._command("GET", f"/element/{before}/name")
            except DriverError as error:
                return "stale element" in str(error) or "no such element" in str(error)
            return False

        wait_until(is_gone, 30.0, "the next page")

    def type(self, selector: str, text: str) -> None:
        self._command("POST", f"/element/{self._element(selector)}/value", text=text)

    def text(self, selector: str = "body") -> str:
        return str(self._command("GET", f"/element/{self._element(selector)}/text"))

    def back(self) -> None:
        self._command("POST", "/back")

    @property
    def title(self) -> str:
        return str(self._command("GET", "/title"))

    @property
    def url(self) -> str:
        return str(self._command("GET", "/url"))

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body in JavaScript returns; one that returns a promise is waited for."""
        return self._command("POST", "/execute/sync", script=script, args=list(arguments))

    def complaints(self) -> list[str]:
        """What the console has said since the last look: broken policies, failed requests."""
        return [str(entry["message"]) for entry in self._command("POST", "/se/log", type="browser")]

    def forget_tabs(self) -> None:
        """Close all tabs but one, which is left empty."""
        handles = self._command("GET", "/window/handles")
        for handle in handles[1:]:
            self.turn_to(handle)
            self._command("DELETE", "/window")
        self.turn_to(handles[0])
        self.open("about:blank")
        self.complaints()

    def new_tab(self) -> str:
        """Open a tab and turn to it; returns its handle."""
        handle = str(self._command("POST", "/window/new", type="tab")["handle"])
        self.turn_to(handle)
        return handle

    @property
    def tab(self) -> str:
        return str(self._command("GET", "/window"))

    def turn_to(self, tab: str) -> None:
        self._command("POST", "/window", handle=tab)

    def look(self, scheme: str, *, width: int = 900, height: int = 640) -> bytes:
        """A picture (PNG) of the page in the `light` or `dark` scheme, in a window of this size."""
        with self.scheme(scheme, width=width, height=height):
            return base64.b64decode(self._command("GET", "/screenshot"))

    @contextlib.contextmanager
    def scheme(self, name: str, *, width: int = 900, height: int = 640) -> Iterator[None]:
        """The person prefers `light` or `dark` pages, in a window of this size."""
        self._cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])
        self._cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        try:
            yield
        finally:
            self._cdp("Emulation.clearDeviceMetricsOverride")
            self._cdp("Emulation.setEmulatedMedia", features=[])

    # --- the protocol -----------------------------------------------------------------------------------------------

    def _element(self, selector: str) -> str:
        return str(self._command("POST", "/element", using="css selector", value=selector)[_ELEMENT])

    def _cdp(self, name: str, **parameters: Any) -> Any:
        return self._command("POST", "/goog/cdp/execute", cmd=name, params=parameters)

    def _command(self, method: str, path: str, **body: Any) -> Any:
        return self._request(method, f"/session/{self._session}{path}", body)

    def _request(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            content = None if method in {"GET", "DELETE"} else json.dumps(body or {})
            connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
            value = json.loads(connection.getresponse().read())["value"]
        if isinstance(value, dict) and "error" in value:
            raise DriverError(f"{value['error']}: {value.get('message', '').partition(chr(10))[0]}")
        return value


def _match(value: Any) -> re.Match[str] | None:
    return _ADDRESS.match(value) if isinstance(value, str) else None


def _values(params: Any) -> Iterator[Any]:
    """All values within the parameters of an event."""
    if isinstance(params, dict):
        for value in params.values():
            yield from _values(value)
    elif isinstance(params, list):
        for value in params:
            yield from _values(value)
    else:
        yield params
