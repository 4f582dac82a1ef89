"""The pages that a person meets in the browser at login, in light and dark, without scripts."""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING

from credhelper.standin.messages import Request, Response, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credhelper.standin.state import State

_STYLE = """
:root { color-scheme: light dark; --line: #c9ced6; --ink: #16191f; --soft: #545b64; --card: #fff;
  --ground: #f2f3f3; --go: #0b6e4f; }
@media (prefers-color-scheme: dark) { :root { --line: #414750; --ink: #e9ebed; --soft: #a5adb8;
  --card: #1d2229; --ground: #12161b; --go: #1a7a58; } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; padding: 1.5rem;
  grid-template-columns: minmax(0, 30rem); place-content: center;
  background: var(--ground); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif }
main { background: var(--card); border: 1px solid var(--line);
  border-radius: .75rem; padding: 2rem }
h1 { font-size: 1.3rem; margin: 0 0 .75rem; text-wrap: balance }
p.label { margin: 0 0 1.25rem; color: var(--soft); font-size: .85rem }
code, input[type=text] { font: 1.05rem ui-monospace, monospace }
input[type=text] { width: 100%; padding: .6rem; border: 1px solid var(--line); border-radius: .4rem;
  background: transparent; color: inherit; margin: .5rem 0 1rem; text-transform: uppercase }
.row { display: flex; gap: .75rem; margin-top: 1.5rem }
button { flex: 1; padding: .7rem; font: inherit; border-radius: .4rem; border: 1px solid var(--line);
  background: transparent; color: inherit; cursor: pointer }
button.go { background: var(--go); border-color: var(--go); color: #fff }
"""

_LABEL = (
    "This is credhelper's <strong>local stand-in</strong> for IAM Identity Center. "
    "It is not AWS and gives access to nothing."
)

# Where start URLs point to, by the forms of their addresses.
_PORTAL_PATH = re.compile(r"/(?:start|directory/[\w.-]+|ssoins-\w+)/?")

_CAPTIVE_PAGE = (
    "<!doctype html><html><head><title>Welcome to the hotel's network</title></head>"
    "<body><h1>Please accept the terms to go online</h1></body></html>"
)


def find_page(request: Request) -> str | None:
    """The name under which a visit is recorded, or None where there is no such page."""
    if request.method == "GET" and _PORTAL_PATH.fullmatch(request.path):
        return "PortalPage"
    return {
        ("GET", "/"): "IndexPage",
        ("GET", "/authorize"): "AuthorizePage",
        ("POST", "/authorize"): "AuthorizeDecision",
        ("GET", "/device"): "DevicePage",
        ("POST", "/device"): "DeviceDecision",
        ("GET", "/captive"): "CaptivePage",
    }.get((request.method, request.path))


def respond(page: str, request: Request, state: State) -> Response:
    """The answer to a visit of the page with this name."""
    if page in {"AuthorizePage", "AuthorizeDecision"}:
        return _authorize(page, request, state)
    if page in {"DevicePage", "DeviceDecision"}:
        return _device(page, request, state)
    if page == "CaptivePage":
        return captive(200)
    if page == "PortalPage":
        return _portal(state.settings.portal_region)
    return _html("Stand-in", "<p>Sign-in pages are at <code>/authorize</code> and <code>/device</code>.</p>")


def captive(status: int) -> Response:
    """What a network that wants its terms accepted answers in a service's place."""
    return Response(status, _CAPTIVE_PAGE.encode(), "text/html; charset=utf-8", genuine=False)


def _portal(region: str | None) -> Response:
    """The access portal, as far as programs read it: the real one is a script's, and names its region to it."""
    return _html(
        "Access portal",
        "<p>Accounts and roles are listed here at AWS. Log in with <code>credhelper login</code>.</p>",
        head=f'<meta name="region" content="{escape(region)}"/>' if region is not None else "",
    )


def _authorize(page: str, request: Request, state: State) -> Response:
    decided = page == "AuthorizeDecision"
    fields = request.form if decided else request.query
    try:
        wanted = state.authorization_request(fields)
    except ServiceError as error:
        body = f"<p>{escape(error.message)}.</p>"
        return _html("This sign-in cannot go on", body, status=400, error_code=error.code)
    decision = fields.get("decision") if decided else "approve" if state.settings.auto_approve else None
    if decision == "approve":
        return _redirect(state.approve_authorization(wanted))
    if decision == "deny":
        return _redirect(wanted.answer(error="access_denied"))
    name = escape(wanted.registration.client_name)
    text = (
        f"<p><strong>{name}</strong> asks to use your accounts and roles as "
        f"<strong>{escape(state.settings.user)}</strong>.</p>"
    )
    return _html("Allow access?", text + _decision_form("/authorize", fields))


def _device(page: str, request: Request, state: State) -> Response:
    decided = page == "DeviceDecision"
    code = (request.form if decided else request.query).get("user_code", "")
    decision = request.form.get("decision") if decided else "approve" if state.settings.auto_approve else None
    if not code:
        form = (
            '<form method="get" action="/device"><label for="user_code">The code that your terminal shows</label>'
            '<input type="text" id="user_code" name="user_code" autocomplete="off" autofocus required>'
            '<div class="row"><button class="go">Continue</button></div></form>'
        )
        return _html("Enter the code", form)
    if decision in {"approve", "deny"}:
        login = state.decide_device(code, approved=decision == "approve")
    else:
        login = state.device_login(code)
    if login is None:
        text = "<p>The code is wrong, has expired, or was used already.</p>"
        return _html("No sign-in waits for this code", text, status=400, error_code="InvalidUserCode")
    if decision == "approve":
        return _html("Request approved", "<p>You can close this window and go back to your terminal.</p>")
    if decision == "deny":
        return _html("Request denied", "<p>Nothing was allowed. You can close this window.</p>")
    name = escape(login.registration.client_name)
    text = (
        f"<p><strong>{name}</strong> asks to use your accounts and roles as "
        f"<strong>{escape(state.settings.user)}</strong>.</p>"
        f"<p>Does your terminal show <code>{escape(login.user_code)}</code>?</p>"
    )
    return _html("Allow access?", text + _decision_form("/device", {"user_code": login.user_code}))


def _decision_form(action: str, fields: Mapping[str, str]) -> str:
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
        if name != "decision"
    )
    return (
        f'<form method="post" action="{action}">{hidden}<div class="row">'
        '<button name="decision" value="deny">Deny</button>'
        '<button class="go" name="decision" value="approve">Approve</button></div></form>'
    )


def _redirect(location: str) -> Response:
    return Response(302, b"", "text/html; charset=utf-8", (("Location", location),))


def _html(title: str, content: str, *, status: int = 200, error_code: str | None = None, head: str = "") -> Response:
    text = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"{head}<title>{title} · local stand-in</title><style>{_STYLE}</style></head>"
        f'<body><main><h1>{title}</h1><p class="label">{_LABEL}</p>{content}</main></body></html>'
    )
    return Response(status, text.encode(), "text/html; charset=utf-8", error_code=error_code)
