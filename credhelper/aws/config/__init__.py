"""The AWS config file: read without loss, understood as its clients do, edited so that every edit can be undone."""

from credhelper.aws.config.disabling import disable
from credhelper.aws.config.document import Document, Line, LineKind, Problem, Section
from credhelper.aws.config.edit import Edit
from credhelper.aws.config.enabling import enable
from credhelper.aws.config.helper_line import HelperLine, format_helper_line, parse_helper_line
from credhelper.aws.config.reader import (
    ConfigFile,
    derive_session_name,
    merge_profiles,
    parse_config,
    parse_credentials,
    profiles_of,
    read_config,
    read_credentials,
    sessions_of,
)

__all__ = [
    "ConfigFile",
    "Document",
    "Edit",
    "HelperLine",
    "Line",
    "LineKind",
    "Problem",
    "Section",
    "derive_session_name",
    "disable",
    "enable",
    "format_helper_line",
    "merge_profiles",
    "parse_config",
    "parse_credentials",
    "parse_helper_line",
    "profiles_of",
    "read_config",
    "read_credentials",
    "sessions_of",
]
