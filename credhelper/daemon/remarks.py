"""What is said of one session's troubles: in the log, once for each, and in the reason that `status` gives."""

from __future__ import annotations

import logging
from collections.abc import Callable

from credhelper.core.clock import Clock
from credhelper.core.schedule import recent
from credhelper.core.trouble import Trouble

_LOG = logging.getLogger(__name__)

# What nobody has tried for this long may be well again; the background tries every 30 s.
_REMARK_LASTS = 120.0


class Remarks:
    """The troubles of one session: its renewal, its token file, its role credentials.

    Args:
        name: gives the session's name.
        clock: tells for how long a remark holds.
    """

    def __init__(self, name: Callable[[], str], clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._renewal, self._reading, self._fetching = Trouble(), Trouble(), Trouble()
        self._by_aws = False
        self._save_failure: str | None = None
        self._kept = False
        self._fetch_failure: str | None = None
        self._fetch_failed_at = 0.0

    def remark(self, *, unsaved: bool) -> str | None:
        """What is wrong although the token lives; `unsaved` tells whether a renewed one is not in its file."""
        if unsaved and self._save_failure is not None:
            return f"the renewed token cannot be saved: {self._save_failure}"
        if self._fetch_failure is not None and recent(self._fetch_failed_at, self._clock.now(), _REMARK_LASTS):
            return f"role credentials cannot be fetched: {self._fetch_failure}"
        return None

    # The token file

    def unreadable(self, problem: str) -> None:
        """It cannot be read, for a reason that explains itself."""
        if self._reading.news(problem):
            _LOG.warning("session %s: %s", self._name(), problem)

    def read_surprised(self, problem: str) -> None:
        """It cannot be read, and nobody foresaw how. Called where the exception is handled."""
        if self._reading.news(problem):
            _LOG.exception("session %s: its token cannot be read in an unforeseen way", self._name())

    def readable(self) -> None:
        """It can be read."""
        if self._reading.over():
            _LOG.info("session %s: its token file can be read again", self._name())

    def unsaved(self, problem: str, *, still: bool) -> None:
        """A renewed token cannot be written; `still` where that was so before."""
        if not still:
            self._kept = False
            _LOG.error("session %s: the renewed token cannot be saved: %s", self._name(), problem)
        self._save_failure = problem.partition(". ")[0]

    def saved(self) -> None:
        """It has been written after all."""
        _LOG.info("session %s: the token file can be written again", self._name())

    def kept(self, problem: str) -> None:
        """It was to be dropped, and cannot be written even now."""
        if not self._kept:
            _LOG.warning("session %s: the renewed token is kept until it can be saved: %s", self._name(), problem)
        self._kept = True

    def lost(self, problem: str) -> None:
        """It will never be."""
        _LOG.error("session %s: the renewed token is lost: %s", self._name(), problem)

    # The renewal

    def not_renewed(self, failure: str, *, by_aws: bool = False, unreadable: bool = False) -> None:
        """A renewal failed and is tried again; `unreadable` where that is the file's trouble, said of it already."""
        self._by_aws = by_aws
        if unreadable and not self._reading.news(failure):
            return
        if self._renewal.news(failure):
            _LOG.warning("session %s: not renewed: %s; it is tried again", self._name(), failure)

    def renewal_surprised(self, error: Exception) -> None:
        """A renewal failed as nobody foresaw. Called where the exception is handled."""
        if self._renewal.news(repr(error)):
            _LOG.exception("session %s: the renewal failed in an unforeseen way", self._name())

    def renewed(self) -> None:
        """A renewal went well."""
        if self._renewal.over():
            what = "AWS answers again" if self._by_aws else "it is renewed again"
            _LOG.info("session %s: %s", self._name(), what)

    def new_token(self) -> None:
        """What was said of the renewal of another token is over, in silence."""
        self._renewal.over()

    # Role credentials

    def fetch_failed(self, reason: str) -> None:
        """Role credentials of the session could not be fetched, though the session is fine."""
        if self._fetching.news(reason):
            _LOG.warning(
                "session %s: role credentials cannot be fetched: %s; what still lives is served", self._name(), reason
            )
        self._fetch_failure, self._fetch_failed_at = reason, self._clock.now()

    def fetch_worked(self) -> None:
        """They can be fetched."""
        if self._fetching.over():
            _LOG.info("session %s: role credentials can be fetched again", self._name())
        self._fetch_failure = None
