"""Completion at the Tab key: the words that a shell sends, and the names of profiles and sessions that may follow.

Two ways of asking, both by variables of the environment and without arguments, so that nothing is ever run that
should only be completed:

- `_CREDHELPER_COMPLETE=lines_complete`: `_CREDHELPER_WORDS` has the words before the cursor's (without the command
  itself), joined by newlines, `_CREDHELPER_WORD` the one at the cursor, all without their quotes. Each line of the
  answer is a whole value, raw, and may go on with a tab and a remark.
- `_CREDHELPER_COMPLETE=readline_complete`: `_CREDHELPER_LINE` is the line up to the cursor as typed,
  `_CREDHELPER_BREAKS` bash's `COMP_WORDBREAKS`. Each line of the answer is ready for `COMPREPLY`.

A person waits, and a config may have thousands of profiles: names are found without click, and of a config only the
headers are read. What click knows (verbs, options, fixed choices) comes from the caller.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from pathlib import Path

from credhelper.errors import CredhelperError
from credhelper.files import read_bytes
from credhelper.headers import headers_of, parse_header
from credhelper.paths import Paths
from credhelper.words import divide, quoted, replaced_from

# A value and a remark, which may be empty.
Candidate = tuple[str, str]
# What may follow these words and begins with this one, names apart.
Others = Callable[[list[str], str], Iterable[Candidate]]
_Source = Callable[[Mapping[str, str]], Iterable[Candidate]]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def answer(environ: Mapping[str, str], others: Others | None = None) -> bool:
    """Write the candidates to stdout.

    Args:
        environ: with the question.
        others: knows what no name is.

    Returns False, and writes nothing, where the question is none of ours or only `others` could answer it.
    """
    ask = {"lines_complete": _lines, "readline_complete": _readline}.get(environ.get("_CREDHELPER_COMPLETE", ""))
    lines: list[str] | None = []
    with contextlib.suppress(CredhelperError):  # no HOME, say: nobody hears of it at the Tab key
        lines = ask(environ, others) if ask else None
    if lines is None:
        return False
    with contextlib.suppress(BrokenPipeError):  # the shell waits no longer
        sys.stdout.buffer.write(b"".join(line.encode("utf-8", "surrogateescape") + b"\n" for line in lines))
        sys.stdout.buffer.flush()
    return True


def _lines(environ: Mapping[str, str], others: Others | None) -> list[str] | None:
    before, word = _text(environ, "_CREDHELPER_WORDS"), _text(environ, "_CREDHELPER_WORD")
    found = candidates(before.split("\n") if before else [], word, environ, others)
    if found is None:
        return None
    return [f"{value}\t{remark}" if remark else value for value, remark in found]


def _readline(environ: Mapping[str, str], others: Others | None) -> list[str] | None:
    line = divide(_text(environ, "_CREDHELPER_LINE"))
    if not line.words:
        return []
    begin = replaced_from(line, environ.get("_CREDHELPER_BREAKS", ""))
    stays = len(divide(line.raw[: line.quote_at if line.quote else begin]).word)
    found = candidates(list(line.words[1:]), line.word, environ, others)
    if found is None:
        return None
    shown = (quoted(value[stays:], line.quote) for value, _ in found)
    return [value for value in shown if value is not None]


def _text(environ: Mapping[str, str], name: str) -> str:
    """A variable's bytes as the AWS config is read: in UTF-8, whatever the locale says."""
    return os.fsencode(environ.get(name, "")).decode("utf-8", "surrogateescape")


def candidates(
    words: list[str], word: str, environ: Mapping[str, str], others: Others | None
) -> list[Candidate] | None:
    """What may stand in the place of `word`, which follows `words`; each once, in order. None: only `others` knows.

    Names that hold a control character are left out: no terminal could show them, nor a line carry them.
    """
    verb, behind = _verb(words)
    ended = "--" in words
    valued = VALUES.get(verb, {})
    if words and words[-1] in valued and not ended:
        found = iter(valued[words[-1]](environ))
    elif verb in NAMES and (ended or not word.startswith("-")):
        several, sources = NAMES[verb]
        given = _arguments(behind, valued)
        found = iter(()) if given and not several else _names(sources, environ, given, options=ended)
    elif others is None:
        return None
    else:
        found = iter(others(words, word))
    once: dict[str, str] = {}
    for value, remark in found:
        if value.startswith(word) and not _CONTROL.search(value):
            once.setdefault(value, remark)
    return list(once.items())


def _verb(words: list[str]) -> tuple[str, list[str]]:
    """The verb, with that of its commands that is named, and the words behind it."""
    named = [at for at, word in enumerate(words) if not word.startswith("-")]
    if not named:
        return "", words
    verb = words[named[0]]
    if verb in _GROUPS and len(named) > 1:
        return f"{verb} {words[named[1]]}", words[named[1] + 1 :]
    return verb, words[named[0] + 1 :]


def _arguments(words: list[str], valued: Container[str]) -> list[str]:
    """Those that are no options, and no values of the options that take one."""
    end = words.index("--") if "--" in words else len(words)
    before = [None, *words[:end]]
    plain = [word for word, last in zip(words[:end], before, strict=False) if last not in valued]
    return [word for word in plain if not word.startswith("-")] + words[end + 1 :]


def _names(
    sources: Iterable[_Source], environ: Mapping[str, str], given: Container[str], *, options: bool
) -> Iterator[Candidate]:
    """The names that were not given yet; with `options` also those that look like an option."""
    for source in sources:
        for name, remark in source(environ):
            if name and name not in given and (options or not name.startswith("-")):
                yield name, remark


def _profiles(environ: Mapping[str, str]) -> Iterator[Candidate]:
    for kind, name in _sections(Paths.of(environ).config_file(environ)):
        if kind in ("profile", "default"):
            yield name, ""


def _static_profiles(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Those of the credentials file, where a header is the name."""
    for header in _headers(Paths.of(environ).credentials_file(environ)):
        yield header.strip(), ""


def _sessions(environ: Mapping[str, str]) -> Iterator[Candidate]:
    """Those with a section, and those that the daemon has on its board: profiles of the old form have none."""
    from credhelper import board  # noqa: PLC0415 - most verbs take no session

    paths = Paths.of(environ)
    for kind, name in _sections(paths.config_file(environ)):
        if kind == "sso-session":
            yield name, "session"
    for name in sorted(board.session_names(paths)):
        yield name, "session"


def _services(_: Mapping[str, str]) -> Iterable[Candidate]:
    from credhelper.console import SERVICES  # noqa: PLC0415 - for one option

    return ((name, "") for name in SERVICES)


def _regions(_: Mapping[str, str]) -> Iterator[Candidate]:
    """Those that botocore knows, read from its table without importing it."""
    import json  # noqa: PLC0415 - for one option
    from importlib.util import find_spec  # noqa: PLC0415

    spec = find_spec("botocore")
    for folder in (spec and spec.submodule_search_locations) or ():
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            table = json.loads(Path(folder, "data", "partitions.json").read_bytes())
            for partition in table["partitions"]:
                for name, region in sorted(partition["regions"].items()):
                    if not name.endswith("-global"):
                        yield name, str(region.get("description", ""))


def _outputs(_: Mapping[str, str]) -> Iterable[Candidate]:
    """The AWS CLI's formats."""
    return ((name, "") for name in ("json", "text", "table", "yaml", "yaml-stream"))


def _nothing(_: Mapping[str, str]) -> Iterable[Candidate]:
    """For values that nobody can foresee."""
    return ()


# Which names a verb takes: whether several, and where they come from.
NAMES: Mapping[str, tuple[bool, tuple[_Source, ...]]] = {
    "use": (False, (_profiles, _static_profiles)),
    "whoami": (False, (_profiles, _static_profiles)),
    "console": (False, (_profiles,)),
    "login": (False, (_sessions, _profiles)),
    "logout": (True, (_sessions, _profiles)),
    "enable": (True, (_profiles,)),
    "disable": (True, (_profiles,)),
    "profiles add": (False, ()),
    "profiles remove": (True, (_profiles,)),
    "profiles discover": (False, (_sessions, _profiles)),
}
# The options of verbs that take a value, and what may be given there.
VALUES: Mapping[str, Mapping[str, _Source]] = {
    "setup": {"--session": _sessions, "--sso-region": _regions, "--region": _regions},
    "console": {"--region": _regions, "--service": _services},
    "profiles add": {
        **dict.fromkeys(("--start-url", "--account-id", "--role"), _nothing),
        "--session": _sessions,
        "--sso-region": _regions,
        "--region": _regions,
        "--output": _outputs,
    },
    "profiles discover": {
        **dict.fromkeys(("--template", "--include", "--exclude"), _nothing),
        "--region": _regions,
        "--output": _outputs,
    },
}
# Verbs with commands of their own that take names.
_GROUPS = {verb.partition(" ")[0] for verb in NAMES if " " in verb}


def _sections(path: Path) -> Iterator[tuple[str, str]]:
    """Kind and name of each section of a config file that can be read."""
    for header in _headers(path):
        yield parse_header(header) or ("", "")


def _headers(path: Path) -> list[str]:
    """What stands between the brackets; nothing where the file is missing or cannot be read."""
    try:
        return headers_of(read_bytes(path))
    except (FileNotFoundError, CredhelperError):
        return []
