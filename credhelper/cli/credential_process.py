"""The helper's last resort: serve one call without a daemon. Hidden; the helper itself starts it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from credhelper import memory
from credhelper.client import DEADLINE, daemon_environment
from credhelper.errors import EXIT_BUG, EXIT_FAILURE, CredhelperError
from credhelper.paths import Paths

if TYPE_CHECKING:
    from credhelper.daemon.server import Reply


@click.command(hidden=True)
@click.option("--until", type=float, help="When an answer is due, by the monotonic clock.")
@click.argument("session")
@click.argument("account")
@click.argument("role")
def command(until: float | None, session: str, account: str, role: str) -> None:
    """Write the credentials of one role to stdout, for AWS clients."""
    if until is None:
        until = time.monotonic() + DEADLINE
    environ = dict(os.environ)
    # As for the daemon: whoever calls decides nothing about where tokens go.
    allowed = daemon_environment(os.environb)
    os.environb.clear()
    os.environb.update(allowed)
    paths = Paths.of()
    paths.check_owner()
    memory.seclude(for_good=True)  # the answer passes through this process

    def work(tell: Callable[[Reply], None]) -> None:
        from credhelper.daemon.direct import serve  # noqa: PLC0415 - boto3 and the rest: within the deadline too

        asyncio.run(serve(paths, environ, session, account, role, tell=tell))

    status, payload = _answer_in_time(work, until)
    stream = sys.stderr if status else sys.stdout
    stream.buffer.write(payload)
    stream.flush()
    sys.exit(status)


def _answer_in_time(work: Callable[[Callable[[Reply], None]], None], until: float) -> Reply:
    """The answer that `work` tells in a child process, or a refusal at the deadline.

    AWS clients wait for this process to end. The child may go on for a while: a token that is being renewed at AWS
    is lost if nobody stays to write the new one down.
    """
    answer_in, answer_out = os.pipe()
    if os.fork() == 0:
        os.close(answer_in)
        _be_a_child(work, answer_out)
    os.close(answer_out)
    answer = b""
    with open(answer_in, "rb", buffering=0) as pipe:
        while True:
            if not select.select([pipe], [], [], max(until - time.monotonic(), 0.0))[0]:
                return EXIT_FAILURE, b"credhelper: AWS did not answer in time. Try again\n"
            part = pipe.read(1 << 16)
            if not part:
                break
            answer += part
    if not answer:
        return EXIT_BUG, b"credhelper: the process that asks AWS ended without an answer. Please report it\n"
    return answer[0], answer[1:]


def _be_a_child(work: Callable[[Callable[[Reply], None]], None], answer_out: int) -> None:
    """Do the work, tell the answer through the pipe and leave. It holds nothing of the caller's that he waits for."""
    untold = True

    def tell(reply: Reply) -> None:
        nonlocal untold
        if untold:
            untold = False
            with contextlib.suppress(OSError), open(answer_out, "wb") as pipe:
                pipe.write(bytes((reply[0],)) + reply[1])

    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (0, 1, 2):
            os.dup2(null, fd)
        from credhelper.daemon.process import harden  # noqa: PLC0415 - as above

        harden()
        work(tell)
    except CredhelperError as error:
        tell((error.exit_code, f"credhelper: {error}\n".encode()))
    except BaseException as error:  # noqa: BLE001 - the boundary of this process
        from credhelper.cli import _write_report  # noqa: PLC0415

        report = _write_report(error) if isinstance(error, Exception) else "It was interrupted"
        tell((EXIT_BUG, f"credhelper: this is a bug in credhelper: {type(error).__name__}. {report}\n".encode()))
    finally:
        os._exit(0)
