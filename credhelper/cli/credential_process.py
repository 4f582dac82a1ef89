"""The helper's last resort: serve one call without a daemon. Hidden; the helper itself starts it."""

from __future__ import annotations

import asyncio
import os
import sys

import click

from credhelper.client import daemon_environment
from credhelper.paths import Paths


@click.command(hidden=True)
@click.argument("session")
@click.argument("account")
@click.argument("role")
def command(session: str, account: str, role: str) -> None:
    """Write the credentials of one role to stdout, for AWS clients."""
    from credhelper.daemon.direct import serve  # noqa: PLC0415

    environ = dict(os.environ)
    # As for the daemon: whoever calls decides nothing about where tokens go.
    allowed = daemon_environment(os.environb)
    os.environb.clear()
    os.environb.update(allowed)
    status, payload = asyncio.run(serve(Paths.of(), environ, session, account, role))
    stream = sys.stderr if status else sys.stdout
    stream.buffer.write(payload)
    stream.flush()
    sys.exit(status)
