"""What a command works with in one home folder, put together in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from credhelper.agent import Agent
from credhelper.aws.records import LoginRecords
from credhelper.aws.tokens import TokenCache
from credhelper.core.clock import Clock
from credhelper.paths import Paths


@dataclass(frozen=True, slots=True)
class Desk:
    """The home folder's parts, as one run of a command sees them.

    Attributes:
        environ: the command's own environment.
        agent: the way to the daemon.
    """

    paths: Paths
    environ: Mapping[str, str]
    clock: Clock
    cache: TokenCache
    records: LoginRecords
    agent: Agent

    @classmethod
    def of(cls, paths: Paths, environ: Mapping[str, str]) -> Self:
        """The parts of this home folder. Nothing is read or written yet."""
        return cls(
            paths,
            environ,
            Clock(),
            TokenCache(paths.token_cache, paths.locks),
            LoginRecords(paths.state / "logins"),
            Agent(paths, environ),
        )
