"""The `credential_process` value that names our helper: written for every client, recognised wherever it moved."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath

from credhelper.errors import ConfigError
from credhelper.names import decode_name, encode_name

_HELPER_NAME = "credential-process"
_HELPER_FOLDER = "credhelper"
# ASCII that a shell, shlex or a comment rule could touch. Escaped one by one and not put between quotes, because
# several clients take ` #` for a comment even there.
_TOUCHY = re.compile(r"[^A-Za-z0-9_./+,:@%^=-]", re.ASCII)
# The usual line, spared the slow shlex.
_PLAIN = re.compile(r"([A-Za-z0-9_./+,:@%^=-]+) ([A-Za-z0-9._+-]+) ([A-Za-z0-9._+-]+) ([A-Za-z0-9._+-]+)")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class HelperLine:
    """The parts of a helper line, decoded."""

    helper: str
    session: str
    account_id: str
    role_name: str


def format_helper_line(line: HelperLine) -> str:
    """The value of `credential_process`, the same words for shlex and for `sh -c`.

    Raises ConfigError where the helper's path holds a control character, ValueError where a name is empty.
    """
    if _UNWRITABLE.search(line.helper):
        raise ConfigError(f"the path {line.helper!r} cannot stand in a config file", "Use a home folder without it")
    helper = "".join(
        "\\" + character if character.isascii() and _TOUCHY.match(character) else character
        for character in line.helper
    )
    names = " ".join(encode_name(name) for name in (line.session, line.account_id, line.role_name))
    return f"{helper} {names}"


def parse_helper_line(value: str, helper: str | None = None) -> HelperLine | None:
    """The parts of `value`, or None where it is some other program's command (or not a command at all).

    Ours is `…/credhelper/credential-process`, wherever that lies (homes move), and `helper`, whatever its name is.
    """
    if _HELPER_NAME not in value and helper is None:
        return None
    plain = _PLAIN.fullmatch(value)
    try:
        words = list(plain.groups()) if plain else shlex.split(value)
    except ValueError:
        return None
    if len(words) != 4:
        return None
    path = PurePosixPath(words[0])
    if words[0] != helper and (path.name != _HELPER_NAME or path.parent.name != _HELPER_FOLDER):
        return None
    try:
        session, account_id, role_name = (decode_name(word) for word in words[1:])
    except ValueError:
        return None
    return HelperLine(words[0], session, account_id, role_name)
