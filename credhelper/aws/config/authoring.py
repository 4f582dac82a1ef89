"""Writing whole profiles and taking them out again, as functions from bytes to bytes.

A profile that is written here has the mark of an added section, whose digest is of what the profile says: in which
form it says it (managed, or with live `sso_*` lines, as `disable` leaves it) makes no difference. While every line of
it is as we wrote it, the profile is ours, to be brought up to date and removed. Once anything in it was changed it is
the user's, and so is each profile without the mark: none of those is ever touched, save by `force`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from credhelper.aws.config import markers
from credhelper.aws.config.added_sections import (
    NewSection,
    Removal,
    digest,
    mark_of,
    session_section,
    with_sections,
    without_unused_sections,
)
from credhelper.aws.config.document import Document, LineKind, Section
from credhelper.aws.config.edit import PROCESS, Edit, Editor
from credhelper.aws.config.helper_line import HelperLine, format_helper_line, parse_helper_line
from credhelper.aws.config.reader import SessionNames, parse_config, profiles_of, section_values, session_of
from credhelper.model import Profile, Session
from credhelper.profile_names import folded, trouble, unread_by

_ACCOUNT_ID = re.compile(r"[0-9]{12}")
_ROLE_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{1,64}")
_REGION = re.compile(r"[a-z0-9-]{1,40}")
# Those of the AWS CLI.
_OUTPUTS = ("json", "text", "table", "yaml", "yaml-stream", "off")
_START_URL = re.compile(r"https?://[!-~]+")
_SESSION_NAME = re.compile(r"[A-Za-z0-9._-]+")
_BY_HAND = "it was written by hand"
_EDITED = "it was changed by hand since it was written"


@dataclass(frozen=True, slots=True)
class NewProfile:
    """A profile to write.

    Attributes:
        region, output: stand in it only where they are given.
        own_name: whether the name is a person's choice, and no template's.
    """

    name: str
    session: Session
    account_id: str
    role_name: str
    region: str | None = None
    output: str | None = None
    own_name: bool = False


@dataclass(frozen=True, slots=True)
class WrittenProfile:
    """A profile that was written here.

    Attributes:
        session: the name of its `[sso-session]`.
        managed: whether it has the helper line, or live `sso_*` lines.
        own_name: whether the name was a person's choice, and no template's.
        untouched: whether every line of it is as we wrote it. Where it is not, the values are what it says now.
    """

    name: str
    session: str
    account_id: str
    role_name: str
    region: str | None
    output: str | None
    managed: bool
    own_name: bool
    untouched: bool


def add_profiles(data: bytes, profiles: Sequence[NewProfile], *, helper: str, managed: bool = True) -> Edit:
    """Write profiles, with the `[sso-session]` of each where there is none for its start URL and region.

    A profile of ours that says something else is brought up to date where it stands, in the form that it has. What
    cannot be written, or is there and not ours, is refused.

    Args:
        helper: absolute path of the helper.
        managed: whether new ones get the helper line, or live `sso_*` lines.

    Raises ConfigError where `helper` cannot stand in a config file.
    """
    return _Add(data, helper, managed=managed).run(profiles)


def remove_profiles(data: bytes, names: Iterable[str], *, force: bool = False) -> Edit:
    """Take profiles out that were written here, with the `[sso-session]`s that were added for them alone.

    One that is not ours, or not any more, is refused, or with `force` removed with all its lines but for comments at
    its end, which mostly belong to what comes next. Raises UsageError for a name that the config lacks.
    """
    return _Remove(parse_config(data)).run(list(names), force=force)


def wrong_defaults(region: str | None, output: str | None) -> str | None:
    """Why these cannot be a profile's region and output format, or None where they can."""
    if region is not None and not _REGION.fullmatch(region):
        return f"{region!r} is no region"
    if output is not None and output not in _OUTPUTS:
        return f"{output!r} is no output format"
    return None


def wrong_role(name: str) -> str | None:
    """Why this cannot be a role's name, or None where it can."""
    return None if _ROLE_NAME.fullmatch(name) else f"{name!r} is no role name"


def written_profiles(data: bytes) -> dict[str, WrittenProfile]:
    """The profiles that were written here and that nobody has changed, by name."""
    return {name: profile for name, profile in marked_profiles(data).items() if profile.untouched}


def marked_profiles(data: bytes) -> dict[str, WrittenProfile]:
    """The profiles that were written here, changed since or not, by name."""
    if markers.ADDED.encode() + b" section " not in data:
        return {}
    editor = Editor(parse_config(data))
    found = {}
    for name, sections in editor.sections.items():
        written = _written(editor.document, sections)
        if written is not None:
            found[name] = written
    return found


class _Add(Editor):
    def __init__(self, data: bytes, helper: str, *, managed: bool) -> None:
        super().__init__(parse_config(data))
        self.helper = helper
        self.managed = managed
        self.names = SessionNames(self.config)
        self.used: dict[str, Session] = {}
        self.new: list[NewSection] = []
        self.present: dict[str, Profile] | None = None

    def run(self, profiles: Sequence[NewProfile]) -> Edit:
        seen: set[str] = set()
        alike = {folded(name): name for name in self.sections}
        for profile in profiles:
            reason = "it is named twice" if profile.name in seen else self.obstacle(profile)
            if reason:
                self.edit.refused.append((profile.name, reason))
                continue
            seen.add(profile.name)
            other = alike.setdefault(folded(profile.name), profile.name)
            if other != profile.name:
                self.edit.warnings.append(f"{profile.name} and {other} are hard to tell apart")
            self.profile(profile)
        sessions = [session for session in self.used.values() if session.legacy]
        sections = [*map(session_section, sessions), *self.new]
        self.edit.data = with_sections(self.render(), sections)
        self.edit.added_sessions = [session.name for session in sessions]
        return self.edit

    def obstacle(self, profile: NewProfile) -> str | None:
        said = trouble(profile.name)
        if said:
            return f"that cannot be a profile's name: {said}"
        for what, value, allowed in (
            ("account id", profile.account_id, _ACCOUNT_ID),
            ("role name", profile.role_name, _ROLE_NAME),
            ("start URL", profile.session.start_url, _START_URL),
            ("region", profile.session.region, _REGION),
        ):
            if not allowed.fullmatch(value):
                return f"{value!r} is no {what}"
        said = wrong_defaults(profile.region, profile.output)
        if said:
            return said
        inherited = next((key for key in self.config.inherited if key.startswith("sso_")), None)
        if inherited:
            return f"[DEFAULT] gives {inherited} to every profile in the AWS CLI, which wins over the helper"
        return None

    def profile(self, profile: NewProfile) -> None:
        session = self.session(profile.session)
        sections = self.sections.get(profile.name)
        if sections is None:
            self.used[session.name] = session
            plain = _plain_body(session.name, profile)
            header = _header(profile.name)
            body = self.managed_body(session.name, profile) if self.managed else plain
            self.new.append(NewSection(header, body, digest(header, plain), profile.own_name))
            self.edit.changed.append(profile.name)
            unable = unread_by(profile.name)
            if unable:
                self.edit.warnings.append(f"{profile.name}: {unable} cannot read that name")
            return
        written = _written(self.document, sections)
        if written is None or not written.untouched:
            if self.says(profile, session):
                self.edit.unchanged.append((profile.name, "it is there already, by hand"))
            else:
                reason = _BY_HAND if written is None else _EDITED
                self.edit.refused.append((profile.name, f"{reason}, and is left alone"))
            return
        self.used[session.name] = session
        if self.rewrite(sections[0], profile, session.name, managed=written.managed):
            self.edit.changed.append(profile.name)
            self.edit.revised.append((profile.name, _difference(written, profile, session.name)))
        else:
            self.edit.unchanged.append((profile.name, "it is there already"))

    def rewrite(self, section: Section, profile: NewProfile, session: str, *, managed: bool) -> bool:
        """Let a section of ours say this. Returns whether that changes anything."""
        plain = _plain_body(session, profile)
        body = self.managed_body(session, profile) if managed else plain
        core = _core(self.document, section)
        mark = mark_of(self.document, section)
        if mark is None:
            return False  # not ours
        mark = replace(mark, digest=digest(section.header, plain), own_name=mark.own_name or profile.own_name)
        header = self.lines[core[0]]
        texts = [header.text, mark.text, *body]
        if [self.lines[at].text for at in core] == texts:
            return False
        # The last line's own end: there may be none at the end of the file.
        ends = [*[header.eol] * (len(texts) - 1), self.lines[core[-1]].eol]
        for at in core:
            self.out[at] = b""
        self.out[core[0]] = b"".join(
            text.encode("utf-8", "surrogateescape") + end for text, end in zip(texts, ends, strict=True)
        )
        return True

    def session(self, wanted: Session) -> Session:
        """The section that serves; `legacy` where it is yet to be added."""
        same = session_of(wanted.name, self.config.sessions.get(wanted.name, {}))
        if same is not None and (same.same_start, same.region) == (wanted.same_start, wanted.region):
            return same
        name = wanted.name if _SESSION_NAME.fullmatch(wanted.name) else None
        return self.names.find(wanted.start_url, wanted.region, name)

    def managed_body(self, session: str, profile: NewProfile) -> list[str]:
        line = HelperLine(self.helper, session, profile.account_id, profile.role_name)
        return _managed_body(_plain_body(session, profile), format_helper_line(line))

    def says(self, profile: NewProfile, session: Session) -> bool:
        """Whether the profile of this name, which is the user's, is of the same role, account, session and region."""
        if self.present is None:
            self.present = {other.name: other for other in profiles_of(self.config, {})}
        other = self.present.get(profile.name)
        if other is None or other.session is None:
            return False
        return (other.account_id, other.role_name, other.session.same_start, other.session.region) == (
            profile.account_id,
            profile.role_name,
            session.same_start,
            session.region,
        )


class _Remove(Editor):
    def run(self, names: list[str], *, force: bool) -> Edit:
        removal = Removal(self.document)
        for name in self.chosen(names):
            sections = self.sections[name]
            written = _written(self.document, sections)
            if not force and (written is None or not written.untouched):
                self.edit.refused.append((name, _BY_HAND if written is None else _EDITED))
                continue
            for section in sections:
                removal.drop(section, range(section.start, _core(self.document, section)[-1] + 1))
            self.edit.removed.append(name)
        if self.edit.removed:
            data, self.edit.removed_sessions, kept = without_unused_sections(removal.render())
            self.edit.data = data
            self.edit.warnings += [f"[sso-session {name}] was changed since it was added, and stays" for name in kept]
            self.warn_of_dependants()
        return self.edit

    def warn_of_dependants(self) -> None:
        gone = set(self.edit.removed)
        for name, values in self.config.profiles.items():
            source = values.get("source_profile")
            if source in gone and name not in gone:
                self.edit.warnings.append(f"{name} has {source} for its source_profile, and cannot do without it")


def _difference(old: WrittenProfile, new: NewProfile, session: str) -> str:
    """What becomes different in a profile, for a person."""
    pairs = (
        ("session", old.session, session),
        ("account", old.account_id, new.account_id),
        ("role", old.role_name, new.role_name),
        ("region", old.region or "none", new.region or "none"),
        ("output", old.output or "none", new.output or "none"),
    )
    said = [f"{what} {before} → {after}" for what, before, after in pairs if before != after]
    if new.own_name and not old.own_name:
        said.append("its name is your own from now on")
    return ", ".join(said) or "the helper's place"


def _header(name: str) -> str:
    """What stands between the brackets."""
    if name == "default":
        return name
    return f'profile "{name}"' if " " in name else f"profile {name}"


def _plain_body(session: str, profile: NewProfile | WrittenProfile) -> list[str]:
    """The lines as `aws configure sso` would have them."""
    defaults = [f"region = {profile.region}"] if profile.region else []
    defaults += [f"output = {profile.output}"] if profile.output else []
    return [
        *defaults,
        f"sso_session = {session}",
        f"sso_account_id = {profile.account_id}",
        f"sso_role_name = {profile.role_name}",
    ]


def _managed_body(plain: Sequence[str], process: str) -> list[str]:
    """The same as `enable` leaves them."""
    kept = [text for text in plain if not text.startswith("sso_")]
    old = [markers.PREFIX + text for text in plain if text.startswith("sso_")]
    return [*kept, markers.ADDED, f"{PROCESS} = {process}", *old]


def _written(document: Document, sections: Sequence[Section]) -> WrittenProfile | None:
    """What a profile's sections are, where they have our mark."""
    marked = [(section, mark) for section in sections if (mark := mark_of(document, section))]
    if not marked:
        return None
    section, mark = marked[0]
    values = section_values(document, section)
    process = values.get(PROCESS, "")
    helper = parse_helper_line(process)
    if helper is not None:
        target = (helper.session, helper.account_id, helper.role_name)
    else:
        target = (values.get("sso_session", ""), values.get("sso_account_id", ""), values.get("sso_role_name", ""))
    found = WrittenProfile(
        section.profile or section.name,
        *target,
        region=values.get("region") or None,
        output=values.get("output") or None,
        managed=helper is not None,
        own_name=mark.own_name,
        untouched=False,
    )
    plain = _plain_body(found.session, found)
    body = plain if helper is None else _managed_body(plain, process)
    texts = [document.lines[at].text for at in _core(document, section)]
    header = _header(found.name)
    as_written = [f"[{header}]", document.lines[mark.at].text, *body]
    if len(sections) > 1 or texts != as_written or mark.digest != digest(header, plain):
        return found
    return replace(found, untouched=True)


def _core(document: Document, section: Section) -> range:
    """The section's lines without what stands at its end: blank lines, and comments of the user's own."""
    last = section.start
    for at in range(section.start, section.end):
        line = document.lines[at]
        if line.kind is not LineKind.BLANK and (line.kind is not LineKind.COMMENT or markers.is_marked(line)):
            last = at
    return range(section.start, last + 1)
