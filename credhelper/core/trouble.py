"""What has been said of a trouble that lasts, so that it is said once. Pure."""

from __future__ import annotations

# A trouble whose words are always other ones must not fill the log either.
_REASONS = 8
# Where nothing tells when a trouble has ended, it has after so many seconds without the log's being told anything.
_LASTS = 3600.0


class Trouble:
    """One thing that goes wrong for a while: each reason is news once, and so is its end."""

    def __init__(self) -> None:
        self._said: set[str] = set()
        self._said_at = 0.0

    def news(self, reason: str, at: float | None = None) -> bool:
        """Note that it goes wrong; whether this reason has not been said since it began.

        Args:
            at: seconds by a steady clock, for a trouble of which nobody will say that it is over.
        """
        if at is not None and at - self._said_at >= _LASTS:
            self._said.clear()
        if reason in self._said or len(self._said) >= _REASONS:
            return False
        self._said.add(reason)
        self._said_at = at or 0.0
        return True

    def over(self) -> bool:
        """Note that all is well; whether it was not until now."""
        was = bool(self._said)
        self._said.clear()
        return was
