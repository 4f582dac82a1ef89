"""Opening a page in the person's browser, and which pages may be opened.

An address may come from a server, so it is hostile until checked: only https pages on hosts that AWS owns, or pages
of this machine where the endpoint in use is on this machine too, are ever opened or shown for opening.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from credhelper.errors import ConfigError, CredhelperError
from credhelper.surroundings import has_display, is_remote, is_wsl
from credhelper.terminal import printable

# Source of this list: the hosts that AWS CLI 2.38.5 takes for AWS's own (`awscli/customizations/sso/resolve.py`; a
# suffix also matches without its dot).
_PORTALS = (
    ".app.aws",
    ".portal.amazonaws.com",
    ".portal.amazonaws.com.cn",
    ".app.amazonwebservices.com.cn",
    ".portal.amazonaws.eu",
    ".api.amazonwebservices.eu",
    ".awsapps.com",
    ".awsapps.cn",
    ".identitycenter.amazonaws.com",
    ".identitycenter.amazonaws.com.cn",
    ".identitycenter.amazonaws.eu",
    ".identitycenter.us-gov.amazonaws.com",
)
# The console and its sign-in, by partition (botocore's endpoint rules of `signin`; the console's own documentation).
_CONSOLES = (
    ".signin.aws.amazon.com",
    ".console.aws.amazon.com",
    ".signin.amazonaws.cn",
    ".console.amazonaws.cn",
    ".signin.amazonaws-us-gov.com",
    ".console.amazonaws-us-gov.com",
    ".signin.amazonaws-eusc.eu",
    ".console.amazonaws-eusc.eu",
    ".signin.aws",
)
# The authorize page lies at the sso-oidc endpoint, older device pages at `device.sso.REGION`. The whole of
# `.amazonaws.com` would be too much: buckets, load balancers and APIs of anybody live there. Suffixes: botocore's
# partitions, with and without IPv6.
_OIDC = re.compile(
    r"(?:oidc|oidc-fips|device\.sso)\.[a-z]{2,4}(?:-[a-z]+){1,3}-\d{1,2}\."
    r"(?:amazonaws\.com|amazonaws\.com\.cn|amazonaws\.eu|api\.aws|api\.amazonwebservices\.com\.cn"
    r"|api\.amazonwebservices\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov|cloud\.adc-e\.uk|csp\.hci\.ic\.gov)"
)
# No user name, no backslash and nothing that programs read differently from one another: browsers and Python would
# find different hosts in such an address. No quotes, blanks, `$` or `;` either: `$BROWSER` is often a shell script.
_SAFE = re.compile(
    r"(?P<scheme>https?)://(?P<host>[A-Za-z0-9.-]+|\[::1\])(?::(?P<port>[0-9]{1,5}))?"
    r"(?:[/?#][A-Za-z0-9._~:/?#\[\]@!&*+,=%-]*)?",
    re.ASCII,
)
_MAX_URL = 8192
_LOOPBACK = {"127.0.0.1", "localhost", "[::1]"}
# The first ones would take the terminal that the login speaks on. The last opens a folder in place of an address with
# a `?` in it, and always ends with 1 (https://github.com/microsoft/WSL/issues/3832 and /6565).
_UNFIT = {"lynx", "w3m", "links", "elinks", "links2", "www-browser", "explorer.exe"}
_LINUX = (
    ("xdg-open", "%s"),
    ("gio", "open", "%s"),
    *((name, "%s") for name in ("x-www-browser", "firefox", "google-chrome", "chromium", "chromium-browser")),
)
# Not cmd.exe, which reads the `&` of an address as its own; in PowerShell's quotes nothing of `_SAFE` means more.
_WSL = (
    ("wslview", "%s"),
    ("rundll32.exe", "url.dll,FileProtocolHandler", "%s"),
    ("powershell.exe", "-NoProfile", "-NonInteractive", "-Command", "Start-Process '%s'"),
)
# For those who keep Windows' folders out of their PATH (`appendWindowsPath` in wsl.conf).
_WINDOWS = {
    "rundll32.exe": "/mnt/c/Windows/System32/rundll32.exe",
    "powershell.exe": "/mnt/c/Windows/System32/WindowsPowerShell/v1.0/powershell.exe",
}
# Seconds within which a browser that cannot start has said so by its exit code.
_EARLY_END = 1.0


def is_aws_page(url: str) -> bool:
    """Whether `url` is an https page on a host that AWS owns."""
    found = _SAFE.fullmatch(url) if len(url) <= _MAX_URL else None
    if found is None or found["scheme"] != "https" or found["port"] not in {None, "443"}:
        return False
    host = found["host"].lower()
    return f".{host}".endswith(_PORTALS + _CONSOLES) or _OIDC.fullmatch(host) is not None


def is_loopback_page(url: str) -> bool:
    """Whether `url` is a page of this machine."""
    found = _SAFE.fullmatch(url) if len(url) <= _MAX_URL else None
    return found is not None and found["host"].lower() in _LOOPBACK


def check_start_url(url: str, session: str, *, loopback: bool = False) -> None:
    """Raise ConfigError where no login can begin at the start URL of the session of this name.

    The AWS CLI refuses the same ones, from 2.35.13 on.

    Args:
        loopback: as for `check_page`.
    """
    scheme, separator, rest = url.partition("://")
    plain = scheme.lower() + separator + rest
    if not (is_aws_page(plain) or (loopback and is_loopback_page(plain))):
        raise ConfigError(
            f"the start URL of {printable(session)} is no https address of AWS's: {_shortened(url)}",
            "Correct sso_start_url in the AWS config",
        )


def _shortened(url: str) -> str:
    return printable(url[:100]) + ("…" if len(url) > 100 else "")


def check_page(url: str, *, loopback: bool = False) -> str:
    """Return `url` where it may be opened. Raises CredhelperError.

    Args:
        url: from anywhere.
        loopback: the endpoint in use is on this machine, so its pages may be too.
    """
    if is_aws_page(url) or (loopback and is_loopback_page(url)):
        return url
    raise CredhelperError(
        f"the login page is not one of AWS's, so it is not opened: {_shortened(url)}",
        "Check the session's region and the endpoint settings (AWS_ENDPOINT_URL…)",
    )


def commands(
    environ: Mapping[str, str], platform: str = sys.platform, *, wsl: bool | None = None, own: str | None = None
) -> list[list[str]]:
    """The command lines that could open a page, best first; an argument `%s` (or `…%s…`) stands for its address.

    `$BROWSER` is read as Python's `webbrowser` reads it: entries between `os.pathsep`, each a program or a command
    line with `%s`. Empty where there is no browser: no `$BROWSER` that exists and no display. Over SSH only
    `$BROWSER` counts: any other would open on a screen far away, or be another machine's, slowly drawn on this one.

    Args:
        own: the command line that the settings name for the session. It is the only one then: another browser may be
            logged in as somebody else.
    """
    found = named(environ, own)
    if own is None and not is_remote(environ):
        found += _defaults(environ, platform, wsl=is_wsl() if wsl is None else wsl)
    return found


def named(environ: Mapping[str, str], own: str | None = None) -> list[list[str]]:
    """Those of `commands` that the settings (`own`) or else `$BROWSER` name."""
    entries = [own] if own is not None else environ.get("BROWSER", "").split(os.pathsep)
    found = (_from_variable(entry.strip(), environ.get("PATH")) for entry in entries)
    return [command for command in found if command is not None and Path(command[0]).name.lower() not in _UNFIT]


def _defaults(environ: Mapping[str, str], platform: str, *, wsl: bool) -> list[list[str]]:
    if platform == "darwin":
        defaults: Sequence[Sequence[str]] = (("open", "%s"),)
    else:
        defaults = (*(_WSL if wsl else ()), *(_LINUX if has_display(environ) else ()))
    found = []
    for program, *arguments in defaults:
        where = shutil.which(program, path=environ.get("PATH"))
        if where is None and program in _WINDOWS:
            where = shutil.which(_WINDOWS[program])
        if where is not None:
            found.append([where, *arguments])
    return found


def _from_variable(entry: str, path: str | None) -> list[str] | None:
    if not entry:
        return None
    where = shutil.which(entry, path=path)
    if where is not None:
        return [where, "%s"]
    try:
        words = shlex.split(entry)
    except ValueError:
        return None
    if words and words[0].startswith("~/"):
        words[0] = str(Path(words[0]).expanduser())
    if words and words[-1] == "&":
        words.pop()
    where = shutil.which(words[0], path=path) if words else None
    if where is None:
        return None
    arguments = words[1:] if any("%s" in word for word in words[1:]) else [*words[1:], "%s"]
    return [where, *arguments]


def open_page(url: str, environ: Mapping[str, str], *, loopback: bool = False, own: str | None = None) -> bool:
    """Open `url` in the first browser that takes it; False where none does.

    Args:
        own: as for `commands`: from `Settings.browsers`, by the name of the session that the page belongs to.

    The browser runs in a session of its own, with stdio on /dev/null, and is not waited for: only one that ends at
    once with an error counts as failed. No shell sees the address, and it is one argument.

    Raises CredhelperError where the page may not be opened (`check_page`).
    """
    check_page(url, loopback=loopback)
    return any(_start(command, url, environ) for command in commands(environ, own=own))


def _start(command: Sequence[str], url: str, environ: Mapping[str, str]) -> bool:
    argv = [command[0], *(word.replace("%s", url) for word in command[1:])]
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env=dict(environ),
        )
    except OSError:
        return False
    reaper = threading.Thread(target=process.wait, name="browser", daemon=True)
    reaper.start()
    reaper.join(_EARLY_END)
    return reaper.is_alive() or process.returncode == 0
