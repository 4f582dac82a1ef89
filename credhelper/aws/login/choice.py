"""Which way of logging in fits the place, and why in a phrase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from credhelper.aws import browser
from credhelper.aws.login.flow import Method
from credhelper.surroundings import Surroundings, look
from credhelper.terminal import printable

_OF_WINDOWS = ("wslview", ".exe")


@dataclass(frozen=True, slots=True)
class Choice:
    """How a person is to log in.

    Attributes:
        open_browser: a browser is opened; else the page's address is shown alone.
        how: the way and the reason for it, to end a sentence with (`in your browser`).
    """

    method: Method
    open_browser: bool
    how: str


def choose(
    environ: Mapping[str, str],
    *,
    device: bool = False,
    no_browser: bool = False,
    own: str | None = None,
    around: Surroundings | None = None,
) -> Choice:
    """PKCE, save where a device code was asked for, or no browser can be opened here and nobody said otherwise.

    Args:
        device: the person asks for a device code.
        no_browser: the person wants no browser to be opened.
        own: the browser that the settings name for the session (`browser.commands`).
        around: where this is, if not as this process finds it.
    """
    if device:
        return Choice(Method.DEVICE, not no_browser, "with a device code, as you asked")
    if no_browser:
        return Choice(Method.PKCE, open_browser=False, how="at an address that you open yourself")
    around = around or look(environ)
    commands = browser.commands(environ, wsl=around.wsl, own=own)
    if commands:
        return Choice(Method.PKCE, open_browser=True, how=_where(commands[0], environ, own, around))
    # What could not be found above is not tried again when the code is shown.
    return Choice(Method.DEVICE, open_browser=False, how=f"with a device code, because {_why_none(own, around)}")


def _where(command: list[str], environ: Mapping[str, str], own: str | None, around: Surroundings) -> str:
    if own is not None:
        return f"in the browser that your settings name for it ({printable(Path(command[0]).name)})"
    if around.place and browser.named(environ):
        return f"in the browser that $BROWSER names ({printable(Path(command[0]).name)})"
    if around.wsl and command[0].endswith(_OF_WINDOWS):
        return "in the browser of Windows"
    return "in your browser"


def _why_none(own: str | None, around: Surroundings) -> str:
    if own is not None:
        return f"the browser that your settings name for it cannot be used here: {printable(own[:100])}"
    if around.place:
        return f"this is {around.place}, from which no browser can be opened"
    return "no browser was found here" if around.display else "there is no display here to open a browser on"
