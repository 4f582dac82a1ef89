"""What both directions of an edit share: its outcome, and a profile's lines sorted by what they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from credhelper.aws.config import markers
from credhelper.aws.config.document import Document, Line, LineKind, Section, strip_inline_comment
from credhelper.aws.config.helper_line import HelperLine, parse_helper_line
from credhelper.aws.config.reader import ConfigFile, section_values
from credhelper.errors import UsageError
from credhelper.names import nearest

PROCESS = "credential_process"


@dataclass(slots=True)
class Edit:
    """What an edit comes to.

    Attributes:
        data: the new bytes; the old ones where nothing is to be done.
        changed: names of the profiles that are now different, or new.
        revised: of those, each that was ours and there, with what is different in it.
        removed: names of the profiles that are gone.
        unchanged: names and reasons of profiles that need nothing, or that `--all` leaves out.
        refused: names and reasons of profiles that cannot be changed, or only with force.
        warnings: sentences for a person.
        added_sessions, removed_sessions: names of `[sso-session]` sections that came or went.
    """

    data: bytes
    changed: list[str] = field(default_factory=list)
    revised: list[tuple[str, str]] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    added_sessions: list[str] = field(default_factory=list)
    removed_sessions: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """All sections with one and the same header, which is one profile to the AWS CLI.

    Attributes:
        kind: of its sections, `profile` or `default`.
        live: indexes of property lines in force that `enable` takes out: `sso_*`.
        foreign: of `credential_process` lines that are not ours.
        ours: of helper lines without a mark; `added` of those with one, with the index of the mark.
        old: the user's lines that are out of force.
        stray: marks without a helper line.
    """

    kind: str
    values: dict[str, str] = field(default_factory=dict)
    live: list[int] = field(default_factory=list)
    foreign: list[int] = field(default_factory=list)
    ours: list[int] = field(default_factory=list)
    added: list[tuple[int, int]] = field(default_factory=list)
    old: list[markers.OldLine] = field(default_factory=list)
    stray: list[int] = field(default_factory=list)

    @property
    def touched(self) -> bool:
        return bool(self.added or self.old or self.stray)


class Editor:
    """What both directions share: the lines, the profiles' sections, and the lines to come."""

    def __init__(self, config: ConfigFile) -> None:
        self.config = config
        self.document: Document = config.document
        self.lines = config.document.lines
        self.out: list[bytes] = [line.raw for line in self.lines]
        self.before: dict[int, bytes] = {}
        self.edit = Edit(config.data)
        self.sections: dict[str, list[Section]] = {}
        for section in self.document.sections:
            if section.profile is not None:
                self.sections.setdefault(section.profile, []).append(section)

    def chosen(self, names: Sequence[str] | None) -> list[str]:
        if names is None:
            return list(self.sections)
        for name in names:
            if name not in self.sections:
                near = nearest(name, self.sections, most=3)
                raise UsageError(
                    f"the config has no profile {name!r}",
                    f"Did you mean {' or '.join(near)}?" if near else "`credhelper status` lists those it has",
                )
        return list(dict.fromkeys(names))

    def groups(self, name: str) -> list[Group]:
        found: dict[str, Group] = {}
        for section in self.sections[name]:
            group = found.setdefault(section.header, Group(section.kind))
            group.values.update(section_values(self.document, section))
            group.old += markers.old_lines(self.document, section)
            mark: int | None = None
            for at in range(section.start + 1, section.end):
                line = self.lines[at]
                if markers.is_added(line):
                    group.stray += [] if mark is None else [mark]
                    mark = at
                elif line.kind is not LineKind.PROPERTY:
                    continue
                elif line.key.startswith("sso_"):
                    group.live.append(at)
                elif line.key != PROCESS:
                    continue
                elif self.helper_line(line) is None:
                    group.foreign.append(at)
                elif mark is None:
                    group.ours.append(at)
                else:
                    group.added.append((mark, at))
                    mark = None
            group.stray += [] if mark is None else [mark]
        return list(found.values())

    def helper_line(self, line: Line) -> HelperLine | None:
        return parse_helper_line(strip_inline_comment(line.value).strip())

    def eol_at(self, at: int) -> bytes:
        """The end of line that new lines at this place get: that of the line there, else of the one before."""
        for number in (at, at - 1):
            if 0 <= number < len(self.lines) and self.lines[number].eol:
                return self.lines[number].eol
        return b"\n"

    def drop(self, old: Sequence[markers.OldLine], keys: set[str]) -> None:
        """Remove the remembered lines of these keys."""
        for line in old:
            if line.key in keys:
                self.out[line.at] = b""

    def render(self) -> bytes:
        if not self.before:
            return b"".join(self.out)
        return b"".join(self.before.get(at, b"") + raw for at, raw in enumerate(self.out))
