"""What has been said of a trouble that lasts, so that it is said once. Pure."""

from __future__ import annotations

# A trouble whose words are always other ones must not fill the log either.
_REASONS = 8


class Trouble:
    """One thing that goes wrong for a while: each reason is news once, and so is its end."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def news(self, reason: str) -> bool:
        """Note that it goes wrong; whether this reason has not been said since it began."""
        if reason in self._said or len(self._said) >= _REASONS:
            return False
        self._said.add(reason)
        return True

    def over(self) -> bool:
        """Note that all is well; whether it was not until now."""
        was = bool(self._said)
        self._said.clear()
        return was
