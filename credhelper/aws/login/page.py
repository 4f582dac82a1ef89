"""The page that the browser shows at the end of a login: one file, nothing from elsewhere, no script."""

from __future__ import annotations

import base64
import hashlib
from html import escape

_STYLE = (
    ":root{color-scheme:light dark;--g:#f4f5f7;--c:#fff;--l:#d5d9e0;--t:#16191f;--s:#545b64;--a:#0a7a4b}"
    ":root.bad{--a:#b3261e}"
    "@media(prefers-color-scheme:dark){:root{--g:#101419;--c:#1a2027;--l:#39414b;--t:#eceff2;--s:#a9b2bd;--a:#4cc38a}"
    ":root.bad{--a:#ff8a80}}"
    "*{box-sizing:border-box}"
    "body{margin:0;min-height:100vh;display:grid;grid-template-columns:minmax(0,32rem);place-content:center;"
    "padding:1.5rem;background:var(--g);color:var(--t);font:1rem/1.5 system-ui,sans-serif}"
    "main{background:var(--c);border:1px solid var(--l);border-top:4px solid var(--a);"
    "border-radius:.6rem;padding:2rem}"
    "h1{margin:0 0 .75rem;font-size:1.35rem;color:var(--a);text-wrap:balance}"
    "p{margin:.5rem 0 0;overflow-wrap:anywhere}p+p{color:var(--s)}"
)
# A dot in the tab, and no request for /favicon.ico, which nobody answers any more.
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Ccircle cx='8' cy='8' r='7' fill='%23{colour}'/%3E%3C/svg%3E"
)
_COLOURS = {"good": "0a7a4b", "bad": "b3261e"}
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def success(session: str) -> bytes:
    """The whole HTTP answer after a login to the session named so."""
    return _answer(
        "200 OK",
        "good",
        "You are logged in",
        f"credhelper is logged in to <strong>{escape(session)}</strong>.",
        "You can close this tab and go back to your terminal.",
    )


def failure(reason: str) -> bytes:
    """The whole HTTP answer after a login that failed; `reason` as a terminal shows it, in lower case at first."""
    return _answer(
        "200 OK",
        "bad",
        "You are not logged in",
        f"{escape(reason[:1].upper() + reason[1:])}.",
        "Your terminal says what to do. Close this tab.",
    )


def stray() -> bytes:
    """The whole HTTP answer to a request that this login does not wait for."""
    return _answer(
        "400 Bad Request",
        "bad",
        "Not part of this login",
        "This address belongs to a login that is waiting for another answer, or that is over.",
        "Nothing was changed. Close this tab.",
    )


def _answer(status: str, kind: str, title: str, first: str, second: str) -> bytes:
    """The texts are HTML."""
    body = (
        f'<!doctype html><html lang="en" class="{kind}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<link rel="icon" href="{_ICON.format(colour=_COLOURS[kind])}">'
        f"<title>{title} · credhelper</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1><p>{first}</p><p>{second}</p></main></body></html>"
    ).encode("utf-8", "replace")
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    head = (
        f"HTTP/1.1 {status}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"Content-Security-Policy: {policy}",
        "Cache-Control: no-store",
        "Referrer-Policy: no-referrer",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(head).encode() + body
