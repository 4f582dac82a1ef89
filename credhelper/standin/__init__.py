"""A local IAM Identity Center (sso-oidc, portal, sign-in pages) and sts, for the demo and for tests."""

from __future__ import annotations

from credhelper.standin.browser import BrowserScript, write_browser_script
from credhelper.standin.calls import Call
from credhelper.standin.faults import Fault, PlacedFault
from credhelper.standin.settings import Account, Settings
from credhelper.standin.standin import DEFAULT_REGION, DEFAULT_START_URL, StandIn

__all__ = [
    "DEFAULT_REGION",
    "DEFAULT_START_URL",
    "Account",
    "BrowserScript",
    "Call",
    "Fault",
    "PlacedFault",
    "Settings",
    "StandIn",
    "write_browser_script",
]
