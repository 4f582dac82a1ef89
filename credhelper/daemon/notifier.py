"""Tells a person that a session ends. At present by the daemon's log; `status` shows the same."""

from __future__ import annotations

import logging

from credhelper.core.schedule import Notice
from credhelper.model import Session
from credhelper.names import login_command

_LOG = logging.getLogger(__name__)


class Notifier:
    """Delivers warnings."""

    def warn(self, session: Session, notice: Notice, now: float) -> None:
        """One warning about the end of a session that cannot be renewed."""
        left, command = notice.ends_at - now, login_command(session.name)
        if left > 0:
            minutes = f"{left / 60:.0f} min" if left >= 120 else f"{left:.0f} s"
            _LOG.warning("session %s ends in %s and cannot be renewed; run: %s", session.name, minutes, command)
        else:
            _LOG.warning("session %s has ended; run: %s", session.name, command)
