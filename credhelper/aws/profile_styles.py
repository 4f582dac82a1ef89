"""How the profiles of each session were last written from what AWS lists, so that the next time needs no flags.

A small file for each session, `profiles/HASH.json` in the state folder. One that is missing or damaged says nothing;
the names of profiles that are there already do not depend on it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from credhelper import files
from credhelper.errors import CredhelperError
from credhelper.model import Session
from credhelper.paths import Paths
from credhelper.profile_names import DEFAULT_TEMPLATE, Selection, Template


@dataclass(frozen=True, slots=True)
class Style:
    """What a person asked for.

    Attributes:
        template: of the names.
        region, output: of profiles that are new; None where none was asked for.
        include, exclude: globs, as in `Selection`.
    """

    template: str = DEFAULT_TEMPLATE
    region: str | None = None
    output: str | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def selection(self) -> Selection:
        return Selection(self.include, self.exclude)


def remembered_style(paths: Paths, session: Session) -> Style | None:
    """The last one of this session, or None. Never raises."""
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError, RecursionError, CredhelperError):
        said = json.loads(files.read_bytes(style_file(paths, session)))
        style = Style(
            _text(said["template"]) if "template" in said else DEFAULT_TEMPLATE,
            region=_text(said["region"]) if said.get("region") else None,
            output=_text(said["output"]) if said.get("output") else None,
            include=tuple(map(_text, said.get("include", []))),
            exclude=tuple(map(_text, said.get("exclude", []))),
        )
        Template.parse(style.template)
        return style
    return None


def remember_style(paths: Paths, session: Session, style: Style) -> None:
    """Keep it for the next time. Raises CredhelperError."""
    files.replace(style_file(paths, session), json.dumps(asdict(style), indent=1).encode() + b"\n")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def style_file(paths: Paths, session: Session) -> Path:
    """Where what is remembered of this session lies."""
    # Not by the session's name: that of a legacy one changes once it has a section.
    key = f"{session.same_start} {session.region}".encode("utf-8", "surrogateescape")
    name = hashlib.sha1(key, usedforsecurity=False).hexdigest()
    return paths.state / "profiles" / f"{name}.json"
