"""`credhelper demo` with a shorter schedule: `python tests/demo/quick.py [TROUBLE]`, run by the tests.

TROUBLE: `denied` (AWS refuses one call of a program), `no-role` (AWS has no such role).
"""

from __future__ import annotations

import functools
import sys

from credhelper import cli, demo
from credhelper.demo.schedule import Schedule
from credhelper.demo.world import World
from credhelper.standin import Fault

QUICK = Schedule(
    token_lifetime=6,
    role_lifetime=5,
    warn_before=(4.0, 0.0),
    read=0.5,
    quiet=5,
    renewals=1,
    failing=2,
    mended=2,
)


def prepare(world: World) -> None:
    trouble = sys.argv[1] if len(sys.argv) > 1 else ""
    if trouble == "denied":
        world.standin.fault(
            "GetCallerIdentity", Fault.error("AccessDenied", status=403, message="Not today"), times=1
        )
    elif trouble == "no-role":
        world.standin.configure(accounts=1)


if __name__ == "__main__":
    demo.play = functools.partial(demo.play, schedule=QUICK, prepare=prepare)
    cli.main(["demo"])
