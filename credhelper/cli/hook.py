"""`credhelper hook`: print a shell's file, or keep the block in its rc file that reads it."""

from __future__ import annotations

import contextlib
import difflib
import os
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import click

from credhelper import files, rc_files, rc_places, shell_files
from credhelper.cli import show_diff
from credhelper.errors import EXIT_FAILURE, EXIT_OK, CredhelperError, FileChanged, UsageError
from credhelper.paths import Paths
from credhelper.terminal import is_terminal, printable

_NAMES = {"bash": "bash", "zsh": "zsh", "fish": "fish", "powershell": "powershell", "pwsh": "powershell"}


class Ask(Protocol):
    """Asks yes or no. Raises click.Abort."""

    def __call__(self, question: str, /, *, default: bool) -> bool: ...


@dataclass(frozen=True, slots=True)
class _Change:
    """One rc file: its bytes before and after, None where there is none."""

    path: Path
    old: bytes | None
    new: bytes | None
    edited: bool


@click.command("hook")
@click.argument("shell", type=click.Choice(list(_NAMES)))
@click.option("--install", is_flag=True, help="Let new shells read it: one block in your rc file.")
@click.option("--uninstall", is_flag=True, help="Take that block out again.")
@click.option("--dry-run", is_flag=True, help="With either: show what would change, and write nothing.")
@click.option("--yes", is_flag=True, help="With either: do not ask.")
def command(shell: str, *, install: bool, uninstall: bool, dry_run: bool, yes: bool) -> int:
    """Print the hook of a shell, or install it.

    The hook exports the profile that `credhelper use` names, logs in just before a command that needs it, completes
    names, and knows the time left for a prompt. For one shell alone: eval "$(credhelper hook bash)" (zsh likewise),
    credhelper hook fish | source, credhelper hook powershell | Out-String | Invoke-Expression.
    """
    name = _NAMES[shell]
    if install and uninstall:
        raise UsageError("--install and --uninstall contradict each other", "Give one of them")
    if not install and not uninstall:
        if dry_run or yes:
            raise UsageError("--dry-run and --yes are for --install and --uninstall", "Name one of them too")
        _print(name)
        return EXIT_OK
    paths = Paths.of()
    paths.check_owner()
    if install:
        return install_hook(paths, name, dry_run=dry_run, yes=yes)
    return _uninstall(paths, name, dry_run=dry_run, yes=yes)


def _print(shell: str) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(shell_files.render(shell, shell_files.own_command()))
    sys.stdout.buffer.flush()


def install_hook(
    paths: Paths, shell: str, *, dry_run: bool = False, yes: bool = False, ask: Ask = click.confirm
) -> int:
    """Let new shells of this kind read the hook; the exit code. Raises CredhelperError, click.Abort."""
    installed = shell_files.installed_file(paths, shell)
    line = rc_places.line_for(shell, paths, installed)
    places = rc_places.places(shell, paths, os.environ)
    changes = []
    for path in places.install:
        old = _read(path)
        with _naming(path):
            changes.append(_Change(path, old, rc_files.put_in(old, line), _is_edited(old)))
    wanted = [change for change in changes if change.old != change.new]
    for change in wanted:
        _check_writable(change.path, f"Add this line where it comes from: {line}")
    if not dry_run:
        shell_files.render(shell, shell_files.own_command())  # so that nothing is asked in vain
    if not _agreed(wanted, f"Let {shell} read the hook from", dry_run=dry_run, yes=yes, ask=ask):
        return EXIT_FAILURE
    for remark in places.remarks:
        click.echo(f"Mind: {printable(remark)}.")
    if dry_run:
        return EXIT_OK
    # First what the block names, then the block.
    shell_files.install(paths, shell)
    _write(wanted)
    if not wanted:
        click.echo(f"{_listed(changes)} has the hook already.")
        return EXIT_OK
    read = "." if shell == "powershell" else "source"
    click.echo(f"New shells have it. In this one: {read} {printable(shell_files.word_for(shell, str(installed)))}")
    return EXIT_OK


def _uninstall(paths: Paths, shell: str, *, dry_run: bool, yes: bool) -> int:
    places = rc_places.places(shell, paths, os.environ)
    changes = []
    for path in [*places.install, *places.others]:
        old = _read(path)
        if old is not None:
            with _naming(path):
                changes.append(_Change(path, old, rc_files.take_out(old), _is_edited(old)))
    wanted = [change for change in changes if change.old != change.new]
    for change in wanted:
        _check_writable(change.path, "Take the block out where it comes from")
    if not _agreed(wanted, f"Take the hook of {shell} out of", dry_run=dry_run, yes=yes):
        return EXIT_FAILURE
    if dry_run:
        return EXIT_OK
    _write(wanted)
    removed = shell_files.remove(paths, shell)
    if wanted:
        click.echo("New shells are without it; this one keeps it until it ends.")
    elif removed:
        click.echo(f"{printable(str(shell_files.installed_file(paths, shell)))} is removed; no rc file read it.")
    else:
        click.echo(f"The hook of {shell} is not installed.")
    return EXIT_OK


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Let an error of the block's functions say which file it is about."""
    try:
        yield
    except CredhelperError as error:
        raise CredhelperError(f"{path}: {error.message}", error.remedy) from error


def _read(path: Path) -> bytes | None:
    try:
        return files.read_bytes(path)
    except FileNotFoundError:
        return None


def _is_edited(data: bytes | None) -> bool:
    return any(block.edited for block in rc_files.blocks(data or b""))


def _agreed(changes: list[_Change], question: str, *, dry_run: bool, yes: bool, ask: Ask = click.confirm) -> bool:
    """Show what would change, and ask; whether it is to be done.

    Raises CredhelperError where there is nobody to ask, also where somebody must look: a block that was edited.
    """
    edited = [change for change in changes if change.edited]
    if edited and yes and not dry_run:
        raise CredhelperError(
            f"the block in {edited[0].path} was edited by hand, and nothing was written",
            "Look at what would go: the same command without --yes shows it and asks",
        )
    if not changes or (yes and not dry_run):
        return True
    for change in changes:
        _show(change)
    for change in edited:
        click.echo(f"Mind: the block in {printable(str(change.path))} was edited by hand; the edit would be lost.")
    if dry_run:
        return True
    if not is_terminal():
        remedy = "Run it again in a terminal" if edited else "Say --yes"
        raise CredhelperError("there is no terminal to ask on, and nothing was written", remedy)
    if ask(f"{question} {_listed(changes)}?", default=not edited):
        return True
    click.echo("Nothing was written.")
    return False


def _show(change: _Change) -> None:
    """A diff without context, which in an rc file may be a secret."""
    old, new = (
        [
            line.decode("utf-8", "surrogateescape").rstrip("\r")
            for line in (data or b"").removesuffix(b"\n").split(b"\n")
        ]
        if data
        else []
        for data in (change.old, change.new)
    )
    before, after = (str(change.path) if data is not None else os.devnull for data in (change.old, change.new))
    show_diff(difflib.unified_diff(old, new, before, after, lineterm="", n=0))


def _write(changes: list[_Change]) -> None:
    for change in changes:
        if change.new is not None:
            files.replace(change.path, change.new, expected=change.old or b"", new_mode=0o644)
            continue
        if _read(change.path) != change.old:
            raise FileChanged(f"{change.path} was changed by another program just now", "Run the same command again")
        try:
            Path(os.path.realpath(change.path)).unlink()  # a link is kept
        except OSError as error:
            raise CredhelperError(f"{change.path} cannot be removed: {error.strerror}") from error


def _check_writable(path: Path, remedy: str) -> None:
    """A file that nobody may write is often made by another program; what it is made from is for a person to change.

    Raises CredhelperError.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise CredhelperError(f"{path} is read-only, and is as it was", remedy)


def _listed(changes: list[_Change]) -> str:
    names = []
    for change in changes:
        real = os.path.realpath(change.path)
        linked = change.path.is_symlink()
        names.append(f"{printable(str(change.path))}{f' (really {printable(real)})' if linked else ''}")
    return " and ".join(names)
