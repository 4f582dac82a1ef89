"""`python -m credhelper.standin`: a stand-in in the foreground, to play with, until Ctrl-C."""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from credhelper.standin.settings import Settings
from credhelper.standin.standin import DEFAULT_REGION, DEFAULT_START_URL, StandIn


def main(arguments: list[str] | None = None) -> int:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="credhelper.standin",
        description="A local stand-in for IAM Identity Center and sts. Lifetimes are in seconds.",
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--token-lifetime", type=float, default=defaults.token_lifetime)
    parser.add_argument("--legacy-lifetime", type=float, default=defaults.legacy_lifetime)
    parser.add_argument("--role-lifetime", type=float, default=defaults.role_lifetime)
    parser.add_argument("--session-cap", type=float, default=None, help="default: none")
    parser.add_argument("--accounts", type=int, default=3, help="how many")
    parser.add_argument("--throttle", type=float, default=None, help="calls a second; default: no limit")
    parser.add_argument("--rotate-refresh-tokens", action="store_true")
    parser.add_argument("--login-resets-cap", action="store_true")
    parser.add_argument("--auto-approve", action="store_true", help="the pages need no click")
    options = vars(parser.parse_args(arguments))
    port = options.pop("port")
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with StandIn(Settings(**options), port) as standin:
        print(f"# {standin.url} stands in for IAM Identity Center and sts. In another shell:")
        for name, value in standin.environment.items():
            print(f"export {name}={value}")
        print("# and in the AWS config:")
        print(f"# [sso-session demo]\n# sso_start_url = {DEFAULT_START_URL}\n# sso_region = {DEFAULT_REGION}")
        print("# sso_registration_scopes = sso:account:access", flush=True)
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
