"""Starts many programs at the same moment: `python -IS starter.py <orders`, orders and results as JSON.

Every program is a process that has been forked and waits at one pipe; closing that lets all of them go. The orders:
`commands` (a list of argument lists), `folder` (where each one's output goes, as NUMBER.out and NUMBER.err), `limit`
(the hard and soft limit of descriptors, or null), `hold` (wait for a line on stdin before they go). The result is a
list of `[exit code, seconds from the release to the end]` in the order of the commands.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time


def main() -> None:
    orders = json.loads(sys.stdin.readline())
    if orders["limit"] is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (orders["limit"], orders["limit"]))
    gate, release = os.pipe()
    null = os.open(os.devnull, os.O_RDONLY)
    numbers = {}
    for number, command in enumerate(orders["commands"]):
        child = os.fork()
        if child == 0:
            try:
                os.close(release)
                os.dup2(null, 0)
                for fd, kind in ((1, "out"), (2, "err")):
                    file = os.open(
                        f"{orders['folder']}/{number}.{kind}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
                    )
                    os.dup2(file, fd)
                    os.close(file)
                os.read(gate, 1)
                os.execv(command[0], command)  # noqa: S606 - the caller's own command
            finally:
                os._exit(127)
        numbers[child] = number
    print("ready", flush=True)
    if orders["hold"]:
        sys.stdin.readline()
    began = time.monotonic()
    os.close(release)
    results = [[0, 0.0] for _ in numbers]
    for _ in list(numbers):
        child, status = os.wait()
        results[numbers[child]] = [os.waitstatus_to_exitcode(status), time.monotonic() - began]
    print(json.dumps(results), flush=True)


if __name__ == "__main__":
    main()
