"""Any config file, read: never an error, never a byte lost, and what the AWS CLI can read is read as it reads it."""

from __future__ import annotations

import re
from pathlib import Path

from credhelper.aws.config import (
    Document,
    LineKind,
    merge_profiles,
    parse_config,
    parse_credentials,
    profiles_of,
    sessions_of,
)
from credhelper.aws.config.document import strip_inline_comment
from credhelper.aws.config.reader import ConfigFile
from credhelper.headers import headers_of
from fuzz import configs

MAX_LEN = 300
WORDS = configs.WORDS
LINES = True
seeds = configs.seeds

HELPER = Path("/home/b/.local/share/credhelper/credential-process")


def one(data: bytes) -> None:
    config = parse_config(data)
    _lines(data, config.document)
    assert headers_of(data) == [section.header for section in config.document.sections]
    credentials = parse_credentials(data)
    merge_profiles(config, credentials)
    sessions = sessions_of(config)
    assert len({session.name for session in sessions}) == len(sessions)
    profiles = profiles_of(config, credentials, HELPER)
    assert [profile.name for profile in profiles] == list(config.profiles)
    assert all(problem.line >= 1 for problem in config.problems)
    _as_the_aws_cli(data, config)


def _lines(data: bytes, document: Document) -> None:
    assert document.render() == data
    assert [line.raw for line in document.lines] == configs.lines(data)
    end = 0
    for section in document.sections:
        assert end <= section.start < section.end <= len(document.lines)
        assert document.lines[section.start].kind is LineKind.SECTION
        end = section.end


def _as_the_aws_cli(data: bytes, config: ConfigFile) -> None:
    """Profiles and sessions with their values, where botocore takes the file.

    Those with names that no other client reads are left out: keys with odd signs, headers such as `[profilex y]`.
    """
    theirs = configs.as_botocore(data)
    if theirs is None:
        return
    both = {section.profile for section in config.document.sections if section.kind == "default"} and any(
        section.kind == "profile" and section.name == "default" for section in config.document.sections
    )
    for kind, sections_of, ours in (
        ("profiles", {"profile", "default"}, config.profiles),
        ("sso_sessions", {"sso-session"}, config.sessions),
    ):
        for name, values in theirs[kind].items():
            headers = [s for s in config.document.sections if s.name == name and s.kind in sections_of]
            if not headers or (name == "default" and both):
                continue
            assert name in ours, f"{name!r} is not seen"
            sections = config.document.sections
            taken = {s.header for s in sections if configs.names_for_botocore(s.header, kind) == {name}}
            if len(taken | {section.header for section in headers}) > 1:
                continue  # the AWS CLI sees the last of them alone, which may be a `[profilex y]` too
            for key, value in values.items():
                if key in config.inherited or not re.fullmatch(r"[A-Za-z0-9_/.%@:+-]+", key):
                    continue
                if isinstance(value, str) and "\n" not in value:
                    assert ours[name].get(key) == strip_inline_comment(value).strip(), f"{key!r} of {name!r}"
                else:
                    assert key in ours[name]
