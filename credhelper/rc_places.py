"""Which rc files a shell reads, and the line in them that loads our file.

A shell decides by its own variables, so this follows ZDOTDIR and XDG_CONFIG_HOME, unlike our own places.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from credhelper import files
from credhelper.errors import CredhelperError
from credhelper.paths import Paths

# What bash reads as a login shell: the first of these that is there.
_LOGIN_FILES = (".bash_profile", ".bash_login", ".profile")
# In sh and its kin `"$HOME"` is safe for every home folder, and right on every machine that shares the rc file.
_LINES = {
    # A login file may be read by sh too.
    "bash": 'if [ -n "${{BASH_VERSION-}}" ] && [ -r {0} ]; then . {0}; fi',
    "zsh": "if [[ -r {0} ]]; then source {0}; fi",
    "fish": "if test -r {0}; source {0}; end",
    "powershell": "if (Test-Path -LiteralPath {0}) {{ . {0} }}",
}


@dataclass(slots=True)
class Places:
    """The rc files of one shell.

    Attributes:
        install: where the block belongs.
        others: where a block of ours may be too.
        remarks: what a person should know about them, each a sentence.
    """

    install: list[Path]
    others: list[Path] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def line_for(shell: str, paths: Paths, installed: Path) -> str:
    """The line that reads the file `installed`, which lies below the home folder, if it can be read."""
    return _LINES[shell].format(f'"$HOME/{installed.relative_to(paths.home).as_posix()}"')


def places(shell: str, paths: Paths, environ: Mapping[str, str], platform: str = sys.platform) -> Places:
    """The rc files of `shell` (a key of `shell_files.SHELLS`) for this user.

    Args:
        platform: as `sys.platform` has it; macOS opens login shells in its terminals.
    """
    home = paths.home
    if shell == "bash":
        return _of_bash(home, platform)
    if shell == "zsh":
        folder = _zsh_folder(home, environ)
        return Places([folder / ".zshrc"], [home / ".zshrc"] if folder != home else [])
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    if not config.is_absolute():
        config = home / ".config"
    if shell == "fish":
        return Places([config / "fish" / "conf.d" / "credhelper.fish"], [config / "fish" / "config.fish"])
    folder = config / "powershell"
    return Places([folder / "Microsoft.PowerShell_profile.ps1"], [folder / "profile.ps1"])


def _of_bash(home: Path, platform: str) -> Places:
    rc = home / ".bashrc"
    others = [home / name for name in _LOGIN_FILES]
    login = next((path for path in others if path.exists()), None)
    if login is not None and b"bashrc" in _content(login):
        return Places([rc], others)
    if platform == "darwin":
        login = login or others[0]
        return Places([rc, login], [path for path in others if path != login])
    if login is None:
        return Places([rc], others)
    return Places([rc], others, [f"login shells read {login}, which does not read {rc}"])


def _zsh_folder(home: Path, environ: Mapping[str, str]) -> Path:
    """ZDOTDIR, else what .zshenv sets it to, else the home folder."""
    chosen = environ.get("ZDOTDIR", "")
    if not chosen and b"ZDOTDIR" in _content(home / ".zshenv"):
        # Only zsh can say; it reads this file whenever it starts.
        import subprocess  # noqa: PLC0415 - spares `credhelper hook zsh` 10 ms

        try:
            done = subprocess.run(
                ["zsh", "-c", 'printf "%s\\n" "${ZDOTDIR-}"'],
                env={**environ, "HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=5.0,
                check=False,
            )
            chosen = os.fsdecode(done.stdout.removesuffix(b"\n").rpartition(b"\n")[2])
        except (OSError, subprocess.TimeoutExpired):
            chosen = ""
    return Path(chosen) if os.path.isabs(chosen) else home  # noqa: PTH117 - an empty one is no path


def _content(path: Path) -> bytes:
    try:
        return files.read_bytes(path)
    except (FileNotFoundError, CredhelperError):
        return b""
