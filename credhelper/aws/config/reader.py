"""What an AWS config or credentials file says: profiles and sessions, and what is wrong with it.

Sources: the public vectors (`profile-parser-tests.json`), botocore's `configloader`, FACTS on who wins over the
helper. Where they differ, a config that works with the AWS CLI today is read as the AWS CLI reads it; the tests of
this module hold the table of differences.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import urlsplit

from credhelper.aws.config.document import (
    Document,
    LineKind,
    Problem,
    Section,
    is_property_name,
    strip_inline_comment,
)
from credhelper.aws.config.helper_line import HelperLine, parse_helper_line
from credhelper.errors import ConfigError, CredhelperError
from credhelper.files import read_bytes
from credhelper.model import DEFAULT_SCOPE, Profile, Session, normalize_start_url

STATIC_KEYS = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")

Values = dict[str, str]


@dataclass(slots=True)
class ConfigFile:
    """One file as read.

    Attributes:
        data: the bytes.
        document: its lines.
        profiles: keys (lower case) and values of each profile; continuation lines are joined by `\\n`.
        sessions: the same of each `[sso-session NAME]`.
        inherited: what `[DEFAULT]` (in capitals) says, which the AWS CLI and boto3 add to every section.
        referenced: names of sessions that profiles use, whether there is a section for them or not.
        problems: what some client stumbles over, in the order of lines; all else is read all the same.
    """

    data: bytes = b""
    document: Document = field(default_factory=Document, repr=False)
    profiles: dict[str, Values] = field(default_factory=dict, repr=False)
    sessions: dict[str, Values] = field(default_factory=dict, repr=False)
    inherited: Values = field(default_factory=dict, repr=False)
    referenced: set[str] = field(default_factory=set, repr=False)
    problems: list[Problem] = field(default_factory=list)


def read_config(path: Path) -> ConfigFile:
    """Read a config file; one that does not exist is empty. Raises ConfigError where it cannot be read."""
    return parse_config(read_bytes_of(path))


def read_credentials(path: Path) -> ConfigFile:
    """Read a credentials file; one that does not exist is empty. Raises ConfigError where it cannot be read."""
    return parse_credentials(read_bytes_of(path))


def parse_config(data: bytes) -> ConfigFile:
    """The meaning of a config file's bytes. Never raises."""
    document = Document.parse(data)
    file = ConfigFile(data, document, problems=list(document.problems))
    prefixed = any(section.kind == "profile" and section.name == "default" for section in document.sections)
    first: dict[tuple[str, str], Section] = {}
    for section in document.sections:
        line = section.start + 1
        if section.kind == "unreadable":
            continue
        if section.kind == "":
            _note_other(file, section)
            continue
        before = first.setdefault((section.kind, section.name), section)
        if before is not section:
            file.problems.append(
                Problem(
                    line,
                    f"[{section.header}] is there already, in line {before.start + 1}; "
                    + (
                        "the AWS CLI refuses the whole file for that"
                        if before.header == section.header
                        else "the AWS CLI sees only the last of them"
                    ),
                )
            )
        values = section_values(document, section)
        if section.profile is not None:
            file.referenced |= _referenced(values)
        if section.kind == "sso-session":
            file.sessions.setdefault(section.name, {}).update(values)
        elif section.kind == "profile":
            file.profiles.setdefault(section.name, {}).update(values)
        elif section.kind == "default":
            if prefixed:
                file.problems.append(
                    Problem(
                        line, "[default] and [profile default] are both there; clients differ on which one counts"
                    )
                )
            else:
                file.profiles.setdefault("default", {}).update(values)
    file.problems.sort(key=lambda problem: problem.line)
    return file


def parse_credentials(data: bytes) -> ConfigFile:
    """The meaning of a credentials file's bytes, where section names carry no prefix. Never raises."""
    document = Document.parse(data)
    file = ConfigFile(data, document, problems=list(document.problems))
    for section in document.sections:
        name = section.header.strip()
        if section.kind in ("profile", "sso-session", "services") or not name:
            file.problems.append(Problem(section.start + 1, f"[{name}] does not belong into a credentials file"))
            continue
        file.profiles.setdefault(name, {}).update(section_values(document, section))
    file.problems.sort(key=lambda problem: problem.line)
    return file


def merge_profiles(config: ConfigFile, credentials: ConfigFile) -> dict[str, Values]:
    """Profiles of both files; a key of the credentials file wins over the config's."""
    merged = {name: dict(values) for name, values in config.profiles.items()}
    for name, values in credentials.profiles.items():
        merged.setdefault(name, {}).update(values)
    return merged


def section_values(document: Document, section: Section) -> Values:
    """Keys and values of one section; the last of two equal keys counts."""
    parts: dict[str, list[str]] = {}
    for at in range(section.start + 1, section.end):
        line = document.lines[at]
        if line.kind is LineKind.PROPERTY:
            parts[line.key] = [strip_inline_comment(line.value).strip()]
        elif line.kind is LineKind.CONTINUATION:
            parts[line.key].append(line.value)
    return {key: "\n".join(value) for key, value in parts.items() if is_property_name(key)}


def session_of(name: str, values: Mapping[str, str]) -> Session | None:
    """The session that an `[sso-session]` describes; None where it has no start URL or no region."""
    start_url, region = values.get("sso_start_url", ""), values.get("sso_region", "")
    if not start_url or not region:
        return None
    scopes = tuple(scope.strip() for scope in values.get("sso_registration_scopes", "").split(",") if scope.strip())
    return Session(name, start_url, region, scopes or (DEFAULT_SCOPE,))


def derive_session_name(start_url: str) -> str:
    """A name for the session of a legacy profile, always the same for one start URL.

    The first label of the host (`d-93670bd35a`, `ssoins-1234`); where that says nothing, as in
    `https://start.us-gov-home.awsapps.com/directory/xyz`, what the path ends in. Only `a-z0-9._-`, so that every
    client takes it for a section's name.
    """
    try:
        parts = urlsplit(normalize_start_url(start_url))
        host = parts.hostname or ""
    except ValueError:
        host, path = "", []
    else:
        path = [segment for segment in parts.path.split("/") if segment]
    label = host.split(".", 1)[0]
    if label in ("", "start", "www", "identitycenter") and path and path[-1] != "start":
        label = path[-1]
    if label.isdigit():
        label = host
    clean = re.sub(r"[^a-z0-9._-]+", "-", label.lower()).strip("-.")
    return clean[:64] or "sso"


class SessionNames:
    """Gives each legacy pair of start URL and region its session: an existing one, else a name that is free.

    A name that a profile uses is not free even where its section is missing: with a section of that name the profile
    would all at once belong to a session that it never meant.
    """

    def __init__(self, config: ConfigFile) -> None:
        self._taken = config.referenced | set(config.sessions)
        self._numbers: dict[str, int] = {}
        self._known: dict[tuple[str, str], Session] = {}
        for name, values in config.sessions.items():
            session = session_of(name, values)
            if session is not None:
                self._known.setdefault((session.same_start, session.region), session)

    def find(self, start_url: str, region: str, name: str | None = None) -> Session:
        """The session for these two; `legacy` where it has no section yet; then of this `name`, if that is free."""
        key = normalize_start_url(start_url), region
        session = self._known.get(key)
        if session is None:
            base = name = name or derive_session_name(start_url)
            while name in self._taken:
                self._numbers[base] = number = self._numbers.get(base, 1) + 1
                name = f"{base}-{number}"
            self._taken.add(name)
            session = self._known[key] = Session(name, start_url, region, legacy=True)
        return session


def sessions_of(config: ConfigFile) -> list[Session]:
    """All sessions: the sections in the order of the file, then those of legacy profiles without a section.

    A legacy profile whose start URL and region have a section belongs to that section's session.
    """
    found = [session for name, values in config.sessions.items() if (session := session_of(name, values))]
    names = SessionNames(config)
    seen = {session.name for session in found}
    for values in config.profiles.values():
        session = _legacy_session(values, names)
        if session is not None and session.name not in seen:
            seen.add(session.name)
            found.append(session)
    return found


def profiles_of(
    config: ConfigFile, credentials: ConfigFile | Mapping[str, Mapping[str, str]], helper: Path | None = None
) -> list[Profile]:
    """All profiles of the config in the order of the file. Never raises, whatever the values are.

    Args:
        credentials: the credentials file; its static keys win over the helper.
        helper: our helper's path; one that lies elsewhere (a moved home) is recognised by its name all the same.

    A legacy profile that is not managed carries its own start URL, spelled as it spells it: its token file is named
    after that.
    """
    static = credentials.profiles if isinstance(credentials, ConfigFile) else credentials
    names = SessionNames(config)
    found = []
    for name, values in config.profiles.items():
        ours = _helper_line(values, helper)
        if ours is None:
            found.append(_plain_profile(name, values, config, names))
            continue
        found.append(
            Profile(
                name,
                session=session_of(ours.session, config.sessions.get(ours.session, {})),
                account_id=ours.account_id,
                role_name=ours.role_name,
                managed=True,
                shadowed_by=shadows(values, config.inherited, static.get(name, {})),
                region=values.get("region") or None,
                output=values.get("output") or None,
            )
        )
    return found


def _plain_profile(name: str, values: Mapping[str, str], config: ConfigFile, names: SessionNames) -> Profile:
    session = _legacy_session(values, names)
    if session is None:
        session = session_of(values.get("sso_session", ""), config.sessions.get(values.get("sso_session", ""), {}))
    elif session.legacy:
        session = replace(session, start_url=values["sso_start_url"])
    return Profile(
        name,
        session=session,
        account_id=values.get("sso_account_id") or None,
        role_name=values.get("sso_role_name") or None,
        other_process=values.get("credential_process") or None,
        region=values.get("region") or None,
        output=values.get("output") or None,
    )


def _helper_line(values: Mapping[str, str], helper: Path | None) -> HelperLine | None:
    value = values.get("credential_process")
    return parse_helper_line(value, str(helper) if helper else None) if value else None


def shadows(values: Mapping[str, str], inherited: Mapping[str, str], static: Mapping[str, str]) -> tuple[str, ...]:
    """The keys that win over a helper line in one client or another (FACTS, 1), in the order they were found."""
    live = [key for source in (values, inherited) for key in source if key.startswith("sso_")]
    keys = [key for source in (values, static) for key in source if key in STATIC_KEYS[:2]]
    return tuple(dict.fromkeys(live + keys))


def _referenced(values: Mapping[str, str]) -> set[str]:
    helper = parse_helper_line(values.get("credential_process", ""))
    return {name for name in (values.get("sso_session"), helper and helper.session) if name}


def _legacy_session(values: Mapping[str, str], names: SessionNames) -> Session | None:
    start_url, region = values.get("sso_start_url"), values.get("sso_region")
    if values.get("sso_session") or not start_url or not region:
        return None
    return names.find(start_url, region)


def _note_other(file: ConfigFile, section: Section) -> None:
    if section.name == "DEFAULT" and section.header == "DEFAULT":
        file.inherited.update(section_values(file.document, section))
        if file.inherited:
            file.problems.append(
                Problem(section.start + 1, "What [DEFAULT] says is added to every profile by the AWS CLI and boto3")
            )
    elif section.name not in ("preview", "plugins"):
        file.problems.append(
            Problem(section.start + 1, f"[{section.name}] is ignored: it should begin with 'profile '")
        )


def read_bytes_of(path: Path) -> bytes:
    """The bytes of a file; none where it does not exist. Raises ConfigError where it cannot be read."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return b""
    except ConfigError:
        raise
    except CredhelperError as error:
        raise ConfigError(error.message, error.remedy) from error
