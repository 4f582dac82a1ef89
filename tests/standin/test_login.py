"""The two ways to log in, with the browser played by `credhelper.standin.browser`."""

from __future__ import annotations

import base64
import hashlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from credhelper.standin import Fault, StandIn, browser, write_browser_script

Refused = Callable[[Callable[[], Any]], tuple[str, int]]
START_URL = "https://d-93670bd35a.awsapps.com/start/"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


class Listener(HTTPServer):
    """What a login listens with: keeps the query of the first visit."""

    def __init__(self) -> None:
        self.query: dict[str, str] = {}
        self.visited = threading.Event()
        super().__init__(("127.0.0.1", 0), _Visit)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/oauth/callback"


class _Visit(BaseHTTPRequestHandler):
    server: Listener

    def do_GET(self) -> None:
        self.server.query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
        self.server.visited.set()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def registration(clients: Any) -> dict[str, Any]:
    answer: dict[str, Any] = clients.oidc.register_client(
        clientName="tests",
        clientType="public",
        grantTypes=["authorization_code", "refresh_token"],
        redirectUris=["http://127.0.0.1/oauth/callback"],
        issuerUrl=START_URL,
        scopes=["sso:account:access"],
    )
    return answer


def authorize_url(standin: StandIn, registration: dict[str, Any], target: str, **changes: str) -> str:
    query = {
        "response_type": "code",
        "client_id": registration["clientId"],
        "redirect_uri": target,
        "state": "a-state",
        "code_challenge_method": "S256",
        "scopes": "sso:account:access",
        "code_challenge": CHALLENGE,
        **changes,
    }
    return f"{standin.url}/authorize?{urlencode(query)}"


def redeem(
    clients: Any, registration: dict[str, Any], redirect_uri: str, code: str, verifier: str = VERIFIER
) -> dict[str, Any]:
    answer: dict[str, Any] = clients.oidc.create_token(
        grantType="authorization_code",
        clientId=registration["clientId"],
        clientSecret=registration["clientSecret"],
        redirectUri=redirect_uri,
        codeVerifier=verifier,
        code=code,
    )
    return answer


def test_pkce_through_the_browser(
    standin: StandIn,
    clients: Any,
    registration: dict[str, Any],
    listener: Listener,
    refused: Refused,
) -> None:
    browser.visit(authorize_url(standin, registration, listener.url))
    assert listener.query["state"] == "a-state"
    code = listener.query["code"]
    token = redeem(clients, registration, listener.url, code)
    assert {"accessToken", "refreshToken", "expiresIn", "tokenType"} <= set(token)
    assert clients.role(token["accessToken"])
    assert refused(lambda: redeem(clients, registration, listener.url, code))[0] == "InvalidGrantException"


def test_a_code_needs_its_verifier_and_its_redirect_address(
    *,
    standin: StandIn,
    clients: Any,
    registration: dict[str, Any],
    listener: Listener,
    clock: Any,
    refused: Refused,
) -> None:
    url = authorize_url(standin, registration, listener.url)
    standin.configure(auto_approve=True)

    def code() -> str:
        browser.visit(url)
        return listener.query["code"]

    invalid = ("InvalidGrantException", 400)
    assert refused(lambda: redeem(clients, registration, listener.url, code(), "w" * 64)) == invalid
    assert refused(lambda: redeem(clients, registration, listener.url + "/", code())) == invalid
    late = code()
    clock.forward(600)
    assert refused(lambda: redeem(clients, registration, listener.url, late)) == invalid


def test_denial_reaches_the_listener(standin: StandIn, registration: dict[str, Any], listener: Listener) -> None:
    browser.visit(authorize_url(standin, registration, listener.url), deny=True)
    assert listener.query == {"error": "access_denied", "state": "a-state"}


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": "https://example.com/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:80@example.com/oauth/callback"},
        {"redirect_uri": "http://127.0.0.1:1234/elsewhere"},
        {"redirect_uri": "http://127.0.0.1:port/oauth/callback"},
        {"client_id": "nobody"},
        {"response_type": "token"},
        {"code_challenge_method": "plain"},
        {"code_challenge": ""},
        {"scopes": "more:than:registered"},
    ],
)
def test_a_bad_authorize_request_is_not_redirected(
    standin: StandIn, registration: dict[str, Any], changes: dict[str, str]
) -> None:
    url = authorize_url(standin, registration, "http://127.0.0.1:1/oauth/callback", **changes)
    standin.configure(auto_approve=True)
    with pytest.raises(browser.BrowserError, match="answered 400"):
        browser.visit(url)


def test_pages_escape_what_they_show(standin: StandIn, clients: Any) -> None:
    registration = clients.oidc.register_client(
        clientName="<script>alert(1)</script>",
        clientType="public",
        redirectUris=["http://127.0.0.1/oauth/callback"],
    )
    url = authorize_url(standin, registration, "http://127.0.0.1:1/oauth/callback", state='"><script>', scopes="")
    text = browser.fetch(url)[1]
    assert "<script" not in text
    assert "local stand-in" in text


def device_poll(clients: Any, registration: dict[str, Any], device: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = clients.oidc.create_token(
        grantType="urn:ietf:params:oauth:grant-type:device_code",
        clientId=registration["clientId"],
        clientSecret=registration["clientSecret"],
        deviceCode=device["deviceCode"],
    )
    return answer


@pytest.fixture
def device(clients: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    registration = clients.oidc.register_client(clientName="tests", clientType="public")
    started = clients.oidc.start_device_authorization(
        clientId=registration["clientId"], clientSecret=registration["clientSecret"], startUrl=START_URL
    )
    return registration, started


def test_the_device_flow(standin: StandIn, clients: Any, clock: Any, device: Any, refused: Refused) -> None:
    registration, started = device
    assert started["interval"] == 1
    assert started["expiresIn"] == 600
    pending = ("AuthorizationPendingException", 400)
    assert refused(lambda: device_poll(clients, registration, started)) == pending
    clock.forward(0.5)
    assert refused(lambda: device_poll(clients, registration, started)) == ("SlowDownException", 400)
    standin.configure(device_slow_down=False)
    assert refused(lambda: device_poll(clients, registration, started)) == pending
    clock.forward(1)
    assert refused(lambda: device_poll(clients, registration, started)) == pending
    browser.visit(started["verificationUriComplete"])
    clock.forward(1)
    token = device_poll(clients, registration, started)
    assert "refreshToken" not in token
    assert token["expiresIn"] == 8 * 3600
    assert clients.role(token["accessToken"])
    assert refused(lambda: device_poll(clients, registration, started))[0] == "InvalidGrantException"


def test_a_device_login_can_be_denied(clients: Any, device: Any, refused: Refused) -> None:
    registration, started = device
    browser.visit(started["verificationUriComplete"], deny=True)
    assert refused(lambda: device_poll(clients, registration, started)) == ("AccessDeniedException", 400)


def test_a_device_code_expires(clients: Any, clock: Any, device: Any, refused: Refused) -> None:
    registration, started = device
    clock.forward(600)
    assert refused(lambda: device_poll(clients, registration, started)) == ("ExpiredTokenException", 400)
    with pytest.raises(browser.BrowserError, match="answered 400"):
        browser.visit(started["verificationUriComplete"])


def test_grants_are_those_registered_for(clients: Any, registration: dict[str, Any], refused: Refused) -> None:
    start = {"clientId": registration["clientId"], "clientSecret": registration["clientSecret"]}
    unauthorized = ("UnauthorizedClientException", 400)
    assert refused(lambda: clients.oidc.start_device_authorization(**start, startUrl=START_URL)) == unauthorized
    assert refused(lambda: device_poll(clients, registration, {"deviceCode": "x"})) == unauthorized
    assert refused(lambda: clients.oidc.create_token(**start, grantType="password")) == (
        "UnsupportedGrantTypeException",
        400,
    )
    assert refused(lambda: clients.oidc.create_token(**start, grantType="refresh_token")) == (
        "InvalidRequestException",
        400,
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"clientType": "confidential"}, "InvalidClientMetadataException"),
        ({"scopes": ["not a scope"]}, "InvalidScopeException"),
        ({"grantTypes": ["password"]}, "UnsupportedGrantTypeException"),
        ({"redirectUris": ["https://example.com/"]}, "InvalidRedirectUriException"),
        ({"redirectUris": ["http://127.0.0.1:port/"]}, "InvalidRedirectUriException"),
    ],
)
def test_registrations_are_checked(clients: Any, refused: Refused, changes: dict[str, Any], code: str) -> None:
    params = {"clientName": "tests", "clientType": "public", **changes}
    assert refused(lambda: clients.oidc.register_client(**params)) == (code, 400)


def test_the_browser_script_answers_and_counts(
    standin: StandIn, registration: dict[str, Any], listener: Listener, tmp_path: Path
) -> None:
    script = write_browser_script(tmp_path / "my browser's script")
    assert script.opened() == []
    url = authorize_url(standin, registration, listener.url)
    subprocess.run([str(script.path), url], check=True, timeout=30)
    assert listener.visited.wait(30)
    assert script.opened() == [url]
    assert "code" in listener.query
    standin.wait_for("AuthorizeDecision", caller="browser")


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://example.com/", "file:///etc/passwd", "nonsense"])
def test_the_browser_opens_loopback_addresses_only(url: str) -> None:
    with pytest.raises(browser.BrowserError, match="not on this machine"):
        browser.visit(url)


def test_the_browser_follows_no_redirect_off_the_machine(standin: StandIn) -> None:
    standin.fault("IndexPage", Fault.captive_redirect("http://example.com/"))
    with pytest.raises(browser.BrowserError, match="not on this machine"):
        browser.visit(standin.url + "/")


def test_the_browser_as_a_program(standin: StandIn, capsys: pytest.CaptureFixture[str]) -> None:
    assert browser.main([standin.url + "/"]) == 0
    assert browser.main([standin.url + "/device?user_code=NONE"]) == 1
    assert "answered 400" in capsys.readouterr().err
