"""What the installation carries beside its modules, and what it puts into the user's home.

`shell/` and `systemd/` lie inside the package in a wheel and beside it in a checkout (an editable install).
"""

from __future__ import annotations

import ast
import contextlib
import grp
import os
import pwd
import shlex
import stat
import sys
from pathlib import Path

from credhelper import __version__, agent, files
from credhelper.errors import CredhelperError
from credhelper.paths import Paths, working_folder

_PACKAGE = Path(__file__).parent
# The kernel cuts a `#!` line at 256 bytes (Linux 5.1 and newer) and splits it at blanks.
_MAX_SHEBANG = 250


def folder(name: str) -> Path:
    """The installed folder `shell` or `systemd`. Raises CredhelperError where the installation lacks it."""
    for candidate in (_PACKAGE / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise CredhelperError(f"this installation lacks its folder {name!r}", "Install credhelper again")


def install_helper(paths: Paths) -> None:
    """Put the helper where managed profiles name it, if it is not there as it should be.

    The helper is a copy of `client.py` (compiled once) and a launcher of a few lines, run by the interpreter that
    this installation uses, isolated (`-I`) and without `site` (`-S`), which is what makes it quick.

    Raises CredhelperError where the folder cannot be written, others can write to it, or it is mounted noexec.
    """
    import py_compile  # noqa: PLC0415 - spares `credhelper hook` its imports

    paths.check_owner()
    module = _library(paths)
    library = module.parent
    for folder in (paths.data, library, library / "__pycache__"):
        check_ours(folder)
    for folder in (paths.data.parent, paths.data.parent.parent):
        check_ours(folder, shared=True)
    install_file(module, (_PACKAGE / "client.py").read_bytes(), 0o600)
    install_file(paths.helper, launcher(library), 0o700)
    with contextlib.suppress(OSError, py_compile.PyCompileError):
        # By itself it would be made with the user's umask, which may let a group write there.
        (library / "__pycache__").mkdir(mode=0o700, exist_ok=True)
        py_compile.compile(str(module), doraise=True, quiet=2)
    if not os.access(paths.helper, os.X_OK):
        raise CredhelperError(
            f"{paths.helper} cannot be executed: its file system is mounted noexec",
            "Mount the home folder without noexec",
        )


def helper_is_missing(paths: Paths) -> bool:
    """Whether a part of the helper is not there, so that no managed profile gets credentials."""
    return not (os.access(paths.helper, os.X_OK) and _library(paths).is_file())


def restore_helper(paths: Paths) -> bool:
    """Put the helper back where it is missing and a config that we know of names it; whether that was so.

    Raises CredhelperError.
    """
    if not helper_is_missing(paths) or not any(_names(config, paths.helper) for config in known_configs(paths)):
        return False
    install_helper(paths)
    return True


def _names(config: Path, helper: Path) -> bool:
    try:
        return os.fsencode(helper) in files.read_bytes(config)
    except (FileNotFoundError, CredhelperError):
        return False


def _library(paths: Paths) -> Path:
    return paths.data / "lib" / "credhelper_client.py"


def check_ours(folder: Path, *, shared: bool = False) -> None:
    """Raise CredhelperError where others could put something there: every AWS call would run it.

    Args:
        shared: the folder is for other programs too, and was made by whichever came first, with the user's umask.
    """
    try:
        status = folder.stat()
    except OSError:
        return  # made with mode 0700, or said to be impossible then
    if status.st_uid not in {os.geteuid(), 0}:
        raise CredhelperError(f"{folder} belongs to another user, who could change the helper", "Move it away")
    private = shared and is_private_group(status.st_gid)
    if status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and not private):
        raise CredhelperError(
            f"others can write to {folder}, and so change the helper", f"Run `chmod go-w {shlex.quote(str(folder))}`"
        )


def is_private_group(gid: int) -> bool:
    """Whether this is a group for the user alone, of the user's name, as many systems give one to everybody.

    With it comes a umask that lets the group write.
    """
    try:
        user, group = pwd.getpwuid(os.geteuid()), grp.getgrgid(gid)
    except (KeyError, OSError):
        return False
    return user.pw_gid == gid and group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def helper_is_ours(paths: Paths) -> bool:
    """Whether the installed helper is this installation's to keep current.

    It is where its launcher starts the daemon by our own command, as an older version of ours does, or by one that
    has gone. A daemon that runs from another place, such as a checkout made for an hour, leaves a helper alone that
    works; `credhelper enable` takes it over.
    """
    try:
        programs = helper_programs(paths)
    except FileNotFoundError:
        return False
    if programs is None:
        return True  # damaged
    return not all(os.access(path, os.X_OK) for path in programs) or _command_in(paths) == agent.daemon_command()


def helper_programs(paths: Paths) -> list[str] | None:
    """The programs that the installed helper is run by and starts the daemon by; None where it is damaged.

    Raises FileNotFoundError where there is none, or none that can be read.
    """
    try:
        lines = files.read_bytes(paths.helper).splitlines()
    except CredhelperError as error:
        raise FileNotFoundError(str(paths.helper)) from error
    command = _command_in(paths)
    if not command:
        return None
    return [command[0], *(os.fsdecode(line[2:].split(b" ")[0]) for line in lines[:1] if line.startswith(b"#!/"))]


def helper_is_current(paths: Paths) -> bool:
    """Whether helper and library are as this version of ours writes them."""
    try:
        return (
            files.read_bytes(paths.helper) == launcher(_library(paths).parent)
            and files.read_bytes(_library(paths)) == (_PACKAGE / "client.py").read_bytes()
        )
    except (FileNotFoundError, CredhelperError):
        return False


def _command_in(paths: Paths) -> list[str]:
    """The command line by which the installed helper starts the daemon; empty where it is damaged or not there."""
    with contextlib.suppress(
        FileNotFoundError, CredhelperError, SyntaxError, ValueError, RecursionError, MemoryError
    ):
        for line in files.read_bytes(paths.helper).splitlines():
            if line.startswith(b"main(sys.argv[1:], "):
                found = ast.literal_eval(os.fsdecode(line.removeprefix(b"main(sys.argv[1:], ").removesuffix(b")")))
                if isinstance(found, list) and found and all(isinstance(word, str) for word in found):
                    return found
                return []
    return []


def launcher(library: Path) -> bytes:
    """The text of the helper's launcher."""
    interpreter = _interpreter()
    body = (
        f"# credhelper {__version__}; written by `credhelper enable`, kept current by the daemon.\n"
        "import sys\n"
        f"sys.path.insert(0, {str(library)!r})\n"
        "from credhelper_client import main\n"
        f"main(sys.argv[1:], {agent.daemon_command()!r})\n"
    )
    shebang = f"#!{interpreter} -IS\n"
    if len(os.fsencode(shebang)) > _MAX_SHEBANG or any(blank in interpreter for blank in " \t\n"):
        # Both sh and Python read this file: to Python the second line is a string, to sh a command.
        shebang = f"#!/bin/sh\n''':'\nexec {shlex.quote(interpreter)} -IS \"$0\" \"$@\"\n'''\n"
    return os.fsencode(shebang + body)


def _interpreter() -> str:
    """The interpreter for the helper: the base one where we run in a virtual environment.

    The helper needs nothing but two C modules, so it need not depend on the environment's own copy.
    """
    base = getattr(sys, "_base_executable", None) or sys.executable
    return base if os.access(base, os.X_OK) else sys.executable


def install_file(path: Path, data: bytes, mode: int) -> None:
    """Let the file at `path` have this content and mode; written only where it has not. Raises CredhelperError."""
    with contextlib.suppress(FileNotFoundError):
        if files.read_bytes(path) == data and stat.S_IMODE(path.stat().st_mode) == mode:
            return
    files.replace(path, data, new_mode=mode)
    path.chmod(mode)


def remember_config(paths: Paths, config: Path) -> None:
    """Make the AWS config file `config` known to the daemon, which reads no file that it was not told of.

    Raises CredhelperError.
    """
    known = known_configs(paths)
    path = config if config.is_absolute() else working_folder() / config
    if path in known:
        return
    record = _config_record(paths)
    with files.locked(record.with_suffix(".lock"), timeout=5.0, what="the list of config files"):
        known = [*known_configs(paths)[1:], path]
        files.replace(record, b"".join(os.fsencode(item) + b"\n" for item in known))


def known_configs(paths: Paths) -> list[Path]:
    """The config files that the daemon reads: the default one, then those that `enable` has touched."""
    default = paths.aws / "config"
    try:
        lines = files.read_bytes(_config_record(paths)).splitlines()
    except (FileNotFoundError, CredhelperError):
        lines = []
    recorded = [Path(os.fsdecode(line)) for line in lines if line.startswith(b"/")]
    return list(dict.fromkeys([default, *recorded]))


def _config_record(paths: Paths) -> Path:
    return paths.state / "configs"
