"""What in a config file the clients stumble over, for a person who is about to trust it with their work."""

from __future__ import annotations

import configparser
from collections.abc import Iterator

from credhelper.aws.config.document import Document, Section
from credhelper.aws.config.helper_line import parse_helper_line
from credhelper.aws.config.reader import ConfigFile, session_of

# More would say no more.
_MOST = 5


def complaints(data: bytes) -> list[str]:
    """Why the AWS CLI and boto3 cannot read the file at all, then which headers were passed over; for people."""
    found = []
    reason = unparsable(data)
    if reason:
        found.append(f"the AWS CLI and boto3 cannot read this config, so no profile of it works there: {reason}")
    passed_over = list(_passed_over(Document.parse(data)))
    found += passed_over[:_MOST]
    if len(passed_over) > _MOST:
        found.append(f"{len(passed_over) - _MOST} more headers were passed over for such reasons")
    return found


def without_session(config: ConfigFile) -> dict[str, list[str]]:
    """Profiles whose session cannot be used, by the reason: what is wrong with the session, for people."""
    found: dict[str, list[str]] = {}
    for profile, values in config.profiles.items():
        helper = parse_helper_line(values.get("credential_process", ""))
        name = helper.session if helper else values.get("sso_session")
        if name and session_of(name, config.sessions.get(name, {})) is None:
            lacks = "lacks sso_start_url or sso_region" if name in config.sessions else "is not there"
            found.setdefault(f"[sso-session {name}] {lacks}", []).append(profile)
    return found


def unparsable(data: bytes) -> str | None:
    """Why botocore refuses the whole file (`configloader.raw_config_parse`), or None where it does not."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        return f"line {line} is not UTF-8"
    if text.startswith("\ufeff"):
        return "it begins with a byte order mark; save it without one"
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.DuplicateSectionError as error:
        return f"line {error.lineno}: [{error.section}] is there already"
    except configparser.DuplicateOptionError as error:
        return f"line {error.lineno}: [{error.section}] has {error.option} already"
    except configparser.MissingSectionHeaderError as error:
        return f"line {error.lineno} stands before the first [section]"
    except configparser.ParsingError as error:
        lines = [number for number, _ in error.errors] or [getattr(error, "lineno", 0)]
        return f"line {lines[0]} is neither a [section] nor `key = value`"
    except (configparser.Error, AttributeError) as error:  # its parser falls over some continuations
        return type(error).__name__
    return next(_not_nested(parser), None)


def _not_nested(parser: configparser.RawConfigParser) -> Iterator[str]:
    """Keys whose indented lines botocore takes for a block of `key = value`, though they are none."""
    for section in parser.sections():
        for key, value in parser.items(section):
            if value.startswith("\n") and any(line.strip() and "=" not in line for line in value.splitlines()):
                yield f"[{section}] {key}: an indented line below it is not `key = value`"


def _passed_over(document: Document) -> Iterator[str]:
    for section in document.sections:
        shown = f"line {section.start + 1}: [{section.header}] was passed over with all below it"
        if section.kind == "unreadable":
            yield f"{shown}: no client can read that name (a quote without its other half, or several words)"
        elif section.kind == "" and _uses_sso(document, section):
            yield f"{shown}: a profile's header begins with `profile `"


def _uses_sso(document: Document, section: Section) -> bool:
    return any(line.key.startswith("sso_") for _, line in document.properties(section))
