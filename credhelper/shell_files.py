"""The shell files as a shell gets them: with the path of this installation's command in the place of their token.

Installed ones lie in `~/.local/share/credhelper/shell/`, where shells read them without starting us.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

from credhelper import __version__, files, resources
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

_TOKEN = b"'@CREDHELPER@'"
_RECORD = b"# credhelper: "


def _quoted_for_fish(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _quoted_for_powershell(text: str) -> str:
    # To PowerShell the typographic quotes are quotes too.
    return "'" + "".join(char * 2 if char in "'\u2018\u2019\u201a\u201b" else char for char in text) + "'"


# The shells, each with its file's extension and how a path is quoted for it.
SHELLS: dict[str, tuple[str, Callable[[str], str]]] = {
    "bash": ("bash", shlex.quote),
    "zsh": ("zsh", shlex.quote),
    "fish": ("fish", _quoted_for_fish),
    "powershell": ("ps1", _quoted_for_powershell),
}


def word_for(shell: str, path: str) -> str:
    """A path as a word of this shell, without quotes where it needs none."""
    return path if shlex.quote(path) == path else SHELLS[shell][1](path)


def own_command() -> str:
    """The absolute path of the command `credhelper` of this installation.

    The name by which it was called, because that may be a link that outlives upgrades; else where the installation
    has put it. Raises CredhelperError where there is none.
    """
    called = sys.argv[0] if sys.argv else ""
    if Path(called).name == "credhelper" and os.sep not in called:
        called = shutil.which(called) or ""
    beside = [Path(folder) / "credhelper" for folder in (Path(sys.executable).parent, sysconfig.get_path("scripts"))]
    for candidate in ([Path(called)] if Path(called).name == "credhelper" else []) + beside:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return os.path.abspath(candidate)  # noqa: PTH100 - `resolve` would follow the link
    raise CredhelperError("this installation has no command `credhelper`", "Install credhelper again")


def render(shell: str, command: str) -> bytes:
    """The file for `shell` that runs the command at this absolute path.

    Raises CredhelperError where the installation lacks the file or its token, or the path has a line break.
    """
    extension, quoted = SHELLS[shell]
    source = resources.folder("shell") / f"credhelper.{extension}"
    try:
        text = files.read_bytes(source)
    except FileNotFoundError as error:
        raise CredhelperError(f"this installation lacks {source}", "Install credhelper again") from error
    if text.count(_TOKEN) != 1:
        raise CredhelperError(f"{source} is not as it should be", "Install credhelper again")
    if "\n" in command or "\r" in command:
        raise CredhelperError(f"no shell file can name {command!r}", "Install credhelper in another folder")
    return text.replace(_TOKEN, os.fsencode(quoted(command)))


def installed_file(paths: Paths, shell: str) -> Path:
    """Where the rendered file for `shell` lies."""
    return paths.data / "shell" / f"credhelper.{SHELLS[shell][0]}"


def install(paths: Paths, shell: str, command: str | None = None) -> None:
    """Put the rendered file where the rc file names it, if it is not there as it should be.

    Raises CredhelperError where that cannot be written, or others could change it: every shell would run it.
    """
    path = installed_file(paths, shell)
    paths.check_owner()
    for folder in (paths.data, path.parent):
        resources.check_ours(folder)
    for folder in (paths.data.parent, paths.data.parent.parent):
        resources.check_ours(folder, shared=True)
    command = command or own_command()
    record = json.dumps({"version": __version__, "command": command, "interpreter": sys.executable})
    resources.install_file(path, render(shell, command) + _RECORD + record.encode() + b"\n", 0o600)


def remove(paths: Paths, shell: str) -> bool:
    """Take the rendered file away; whether there was one. Raises CredhelperError."""
    path = installed_file(paths, shell)
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise CredhelperError(f"{path} cannot be removed: {error.strerror}", "Check its folder's owner") from error
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # where it was the last
    return True


def keep_current(paths: Paths) -> None:
    """Render the installed files again, as a daemon of a newer version does; what works and is another's stays.

    Raises CredhelperError.
    """
    for shell in SHELLS:
        recorded = _recorded(installed_file(paths, shell))
        if recorded is None:
            continue
        command, interpreter = recorded
        if not os.access(command, os.X_OK):
            install(paths, shell)
        elif interpreter == sys.executable or not os.access(interpreter, os.X_OK):
            install(paths, shell, command)


def _recorded(path: Path) -> tuple[str, str] | None:
    """Command and interpreter of an installed file, both empty where it is damaged; None where there is none."""
    try:
        lines = files.read_bytes(path).splitlines()
    except (FileNotFoundError, CredhelperError):
        return None
    for record in _records(lines):
        command, interpreter = record.get("command"), record.get("interpreter")
        if isinstance(command, str) and isinstance(interpreter, str) and "\0" not in command + interpreter:
            return command, interpreter
    return "", ""


def _records(lines: list[bytes]) -> Iterator[dict[str, object]]:
    for line in reversed(lines):
        if line.startswith(_RECORD):
            with contextlib.suppress(ValueError, RecursionError):
                record = json.loads(line.removeprefix(_RECORD))
                if isinstance(record, dict):
                    yield record
