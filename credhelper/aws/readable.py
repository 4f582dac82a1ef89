"""Which of the person's AWS files can be read, and by whom. Light: `status` looks at them each time."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from credhelper import files
from credhelper.errors import ConfigError, CredhelperError
from credhelper.paths import Paths


def check_readable(path: Path) -> None:
    """Raise ConfigError for a file that is there and cannot be read, a folder or a FIFO for instance.

    For AWS's own programs such a file does not exist, so what they say then leads nowhere.
    """
    if path == Path(os.devnull):
        return  # named by those who want no file at all
    try:
        files.read_bytes(path)
    except FileNotFoundError:
        return
    except CredhelperError as error:
        raise ConfigError(error.message, error.remedy) from error


def check_config(paths: Paths, environ: Mapping[str, str]) -> None:
    """The same for the config file of this environment."""
    try:
        check_readable(paths.config_file(environ))
    except ConfigError as error:
        if environ.get("AWS_CONFIG_FILE"):
            raise ConfigError(error.message, "Correct AWS_CONFIG_FILE, which names it") from error
        raise


def exposed(folder: Path) -> list[Path]:
    """The JSON files of the token cache `folder` that other users may read or write, by name."""
    found = []
    with contextlib.suppress(OSError):
        for path in sorted(folder.glob("*.json")):
            with contextlib.suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
                    found.append(path)
    return found
