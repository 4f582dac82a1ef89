"""The errors that callers are expected to meet, each with a message for a person and a remedy.

The exit codes are the contract of the command line: 0 done, 1 an expected failure, 2 usage, 3 login
needed, 70 a bug, 130 interrupted. Nothing here imports the rest of the package.
"""

from __future__ import annotations

import re

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_LOGIN_NEEDED = 3
EXIT_BUG = 70
EXIT_INTERRUPTED = 130

# How many frames of an error's first and last calls a report tells.
_FRAMES_AT_END = 30
_MAY_BE_SECRET = re.compile(r"[A-Za-z0-9_+/=.~%-]{20,}")


class CredhelperError(Exception):
    """An expected failure: what went wrong in one sentence, and what to do about it.

    Args:
        message: what is wrong, for a person, without a trailing full stop's worth of jargon.
        remedy: what to run or change, or None where there is nothing to do but wait.
    """

    exit_code = EXIT_FAILURE

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}. {self.remedy}" if self.remedy else self.message


class UsageError(CredhelperError):
    """The command was called wrongly: an unknown name, options that contradict each other."""

    exit_code = EXIT_USAGE


class LoginNeeded(CredhelperError):
    """Only a person can go on from here, by logging in. The remedy names the command."""

    exit_code = EXIT_LOGIN_NEEDED


class ConfigError(CredhelperError):
    """The AWS config, or our own settings, cannot be used as they are."""


class FileChanged(CredhelperError):
    """A file was changed by someone else between our reading and our writing; nothing was written."""


class TokenUnreadable(CredhelperError):
    """A file of the token cache is there but cannot be understood (half-written, garbage, no permission)."""


class DaemonUnavailable(CredhelperError):
    """No daemon answers, or it answers in a way that cannot be trusted."""


class UpstreamError(CredhelperError):
    """AWS, or whatever stood between it and us, did not give what was asked.

    Attributes:
        operation: as in the service model (`CreateToken`).
        code: the service's error code, or one of `OFFLINE`, `PORTAL` and `GARBAGE` below.
        status: the HTTP status, or 0 where there was no answer.
        detail: in whose words ever; what is long enough to be a secret is taken out, because a refusal may repeat
            what it was sent.
    """

    OFFLINE = "Offline"  # no connection, a timeout, a proxy that refuses, TLS trouble
    PORTAL = "CaptivePortal"  # somebody's HTML instead of the service's JSON
    GARBAGE = "Garbage"  # an answer that the service would not give

    def __init__(self, operation: str, code: str, status: int = 0, detail: str = "") -> None:
        detail = _MAY_BE_SECRET.sub("…", detail)
        super().__init__(f"{operation}: {code}{f' ({detail})' if detail else ''}")
        self.operation = operation
        self.code = code
        self.status = status
        self.detail = detail


def places(error: BaseException, most: int = 500) -> list[str]:
    """Where an error came from, line by line, and what kinds of errors caused it: no values, which could be secrets.

    The text of an error, too, can hold what it failed on. `most` bounds the lines; of one error's frames, which an
    endless recursion makes by the thousand, only those of both ends are told.
    """
    import traceback  # noqa: PLC0415 - only for a bug

    lines: list[str] = []
    chain: BaseException | None = error
    while chain is not None and len(lines) < most:  # errors can cause each other in a circle
        lines.append(f"{type(chain).__module__}.{type(chain).__qualname__}")
        frames = [f"  {f.filename}:{f.lineno} in {f.name}" for f in traceback.extract_tb(chain.__traceback__)]
        left_out = len(frames) - 2 * _FRAMES_AT_END
        if left_out > 0:
            frames[_FRAMES_AT_END:-_FRAMES_AT_END] = [f"  … {left_out} more …"]
        lines += frames
        chain = chain.__cause__ or chain.__context__
    return lines[:most]
