"""What a check has to say."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from credhelper.doctor.scene import Scene


@dataclass(frozen=True, slots=True)
class Mend:
    """How something is put right.

    Attributes:
        command: what a person types, ready to be copied; None where words must do.
        words: what to do where no command does all of it, or what else to do; a sentence without a full stop.
        verb: one of our own commands, without the program's name, that does it and that `--fix` may run. It knows
            `--yes` where it asks.
        action: does it, or the rest of it after `verb`, and returns what was done in a few words. Raises
            CredhelperError, OSError.
    """

    command: str | None = None
    words: str | None = None
    verb: tuple[str, ...] = ()
    action: Callable[[], str] | None = field(default=None, compare=False)

    @property
    def can_be_done(self) -> bool:
        """Whether `--fix` can do it."""
        return bool(self.verb or self.action)


@dataclass(frozen=True, slots=True)
class Well:
    """Something was looked at and is as it should be; in a few words."""

    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is not as it should be.

    Attributes:
        check: a name for programs, the same for the same kind of trouble in each version.
        text: what is wrong, without a full stop.
        cause: why that is so or what comes of it, in a sentence or two without the last full stop.
        kind: a problem keeps something from working, or others from being kept out; a hint is good to know.
    """

    check: str
    text: str
    cause: str
    mend: Mend
    kind: Literal["problem", "hint"] = "problem"


Remark = Well | Finding
Check = Callable[[Scene], Iterable[Remark]]
