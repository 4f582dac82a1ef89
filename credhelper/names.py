"""Names: their encoding in the helper line, commands that hold them, and those that are like one another.

The line is split by shlex, `sh -c`, `cmd /C` and a few home-made parsers. Names made of `A-Za-z0-9._-` stand as they
are; in all others each byte outside that set (of the name in UTF-8) becomes `+XX`. The plus sign itself is outside
the set, so both ways are unambiguous, and no shell or parser gives it a meaning.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_ENCODED = re.compile(r"(?:[A-Za-z0-9._-]|\+[0-9A-F]{2})+")


def encode_name(name: str) -> str:
    """Encode a session's, account's or role's name for the helper line. Raises ValueError where it is empty."""
    if not name:
        raise ValueError("an empty name cannot be encoded")
    raw = name.encode("utf-8", "surrogateescape")
    return "".join(chr(byte) if byte in _PLAIN else f"+{byte:02X}" for byte in raw)


def decode_name(text: str) -> str:
    """The reverse. Raises ValueError where `text` is not in the form that `encode_name` writes."""
    if not _ENCODED.fullmatch(text):
        raise ValueError(f"{text!r} is not an encoded name")
    raw = re.sub(rb"\+([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode("ascii"))
    return raw.decode("utf-8", "surrogateescape")


def login_command(session: str) -> str:
    """What a person types to log in to a session, quoted for their shell."""
    return command_for("login", session)


def command_for(verb: str, *names: str) -> str:
    """What a person types to do something to these names, quoted for their shell; a name may look like an option."""
    end = ["--"] if any(name.startswith("-") for name in names) else []
    return " ".join(["credhelper", verb, *end, *map(shlex.quote, names)])


def nearest(name: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Those of the `known` names that somebody who typed `name` may have meant, the likeliest first."""
    import difflib  # noqa: PLC0415 - only for a name that is not there

    return difflib.get_close_matches(name, list(known), n=most, cutoff=0.5)
