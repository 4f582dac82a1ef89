"""What a login needs of whoever sits in front of it."""

from __future__ import annotations

from typing import Protocol


class NoBrowser(Exception):
    """Raised by `Ui.show_page`: no browser could be opened, so this login had better go another way."""


class Ui(Protocol):
    """The person's side of a login. A method may raise to call the login off.

    Attributes:
        input_fd: a descriptor on which the person may paste the redirect address, or None.
        can_answer: whether the answer of a login page can come back: a browser is opened on this machine, or the
            redirect address may be pasted.
    """

    @property
    def input_fd(self) -> int | None: ...

    @property
    def can_answer(self) -> bool: ...

    def say(self, message: str) -> None:
        """One message, of lines without control characters."""

    def show_page(self, url: str) -> None:
        """Bring the person to the login page `url`, which was checked by `browser.check_page`.

        Raises NoBrowser, once at most.
        """

    def show_code(self, code: str, page: str, complete: str) -> None:
        """Show the device code, the page at which to type it, and the address with the code in it (both checked)."""

    def waiting(self, what: str, left: float) -> None:
        """Called about once a second; `left` in seconds."""

    def done_waiting(self) -> None:
        """The wait is over, one way or the other."""

    def read_input(self) -> list[str] | None:
        """The whole lines that have arrived on `input_fd`, perhaps none; None at its end."""
