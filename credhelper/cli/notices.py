"""What is wrong around the person's files though a command goes on, each in one line."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from credhelper import files, resources, settings
from credhelper.aws.readable import check_readable, exposed
from credhelper.errors import ConfigError, CredhelperError
from credhelper.paths import Paths
from credhelper.terminal import counted


def notices(paths: Paths, environ: Mapping[str, str]) -> Iterator[str]:
    """All of them, without full stops, not made harmless for a terminal yet."""
    yield from settings_notice(paths)
    chosen = paths.config_file(environ)
    if environ.get("AWS_CONFIG_FILE") and not chosen.exists():
        yield f"AWS_CONFIG_FILE names {chosen}, which is not there"
    reason = why_unparsable(chosen)
    if reason:
        yield f"the AWS CLI and boto3 cannot read {chosen}: {reason}"
    others = [path for path in resources.known_configs(paths) if path != chosen]
    for path in (*others, paths.credentials_file(environ)):
        try:
            check_readable(path)
        except ConfigError as error:
            yield f"{error.message}; it is passed over. {error.remedy or 'Mend it'}"
    open_files = exposed(paths.token_cache)
    if open_files:
        yield (
            f"other users may read {counted(len(open_files), 'file')} that may hold tokens. "
            f"Run: chmod 600 {shlex.quote(str(paths.token_cache))}/*.json"
        )


def why_unparsable(config: Path) -> str | None:
    """Why botocore refuses the file, or None where it does not, or where there is none that can be read."""
    try:
        status = config.stat()
    except OSError:
        return None
    return _reason(config, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns))


@functools.lru_cache(maxsize=8)
def _reason(config: Path, _: tuple[int, ...]) -> str | None:
    """Found once for each state of the file: `status --watch` asks each second."""
    from credhelper.aws.config.complaints import unparsable  # noqa: PLC0415 - brings all of the package along

    try:
        return unparsable(files.read_bytes(config))
    except (FileNotFoundError, CredhelperError):
        return None


def settings_notice(paths: Paths) -> Iterator[str]:
    """What is wrong with the settings, if anything is."""
    try:
        settings.load(paths)
    except ConfigError as error:
        yield f"{error.message}; until it is corrected, the settings read before, or the defaults, stay in force"
