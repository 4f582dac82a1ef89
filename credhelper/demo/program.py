"""A program of the user's, as the demo runs it: `python -m credhelper.demo.program PROFILE [SECONDS]`.

It knows boto3 and nothing of credhelper: one session and one client for all its life, one `get-caller-identity` each
second. It writes one JSON line for each call: `n` (1, 2, …), `at` (start, seconds since the epoch), `took` (seconds),
`ok`, and `arn` or `error` (the exception's class) with `message`.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any


def main(arguments: list[str]) -> int:
    """Call until told to stop, or until nobody reads any more."""
    profile = arguments[0]
    interval = float(arguments[1]) if len(arguments) > 1 else 1.0
    client: Any = None
    due = time.monotonic()
    number = 0
    while True:
        # A call that took long moves the following ones; none is left out.
        due = max(due, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
        due += interval
        number += 1
        at, started = time.time(), time.monotonic()
        result: dict[str, Any]
        try:
            if client is None:
                import boto3  # noqa: PLC0415 - what goes wrong in it is a failed call, not a traceback

                client = boto3.Session(profile_name=profile).client("sts")
            result = {"ok": True, "arn": client.get_caller_identity()["Arn"]}
        except Exception as error:  # noqa: BLE001 - the demo is to see every failure
            result = {"ok": False, "error": type(error).__name__, "message": " ".join(str(error).split())}
        line = {"n": number, "at": at, "took": time.monotonic() - started, **result}
        try:
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
