"""One helper call served without a daemon: the same parts, for the length of one answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from credhelper.aws.world import World
from credhelper.daemon.app import App
from credhelper.daemon.server import Reply
from credhelper.paths import Paths


async def serve(
    paths: Paths,
    environ: Mapping[str, str],
    session: str,
    account: str,
    role: str,
    *,
    tell: Callable[[Reply], None] = lambda _: None,
) -> Reply:
    """Answer one call from the files and AWS, with nothing kept.

    Args:
        session, account, role: encoded as in the helper line.
        tell: is given the answer before everything is closed, which may take longer than a caller waits.
    """
    app = App(paths, environ, world=World.of(paths, environ), stays=False)
    fields = {b"session": session.encode(), b"account": account.encode(), b"role": role.encode()}
    config = environ.get("AWS_CONFIG_FILE")
    if config:
        fields[b"config"] = config.encode("utf-8", "surrogateescape")
    try:
        reply = await app.answer_once(fields)
        tell(reply)
        return reply
    finally:
        await app.close()
