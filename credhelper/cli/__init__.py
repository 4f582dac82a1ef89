"""The command line: a group that loads each verb's file when it is called, and the one error boundary."""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn, TextIO

import click

from credhelper import __version__, errors
from credhelper.names import nearest
from credhelper.terminal import paragraph, printable, use_colour

# The verbs in the order of the help page, each with its line there, so that `--help` imports none of them.
VERBS = {
    "setup": "Set everything up: log in, choose accounts and roles, write profiles.",
    "login": "Log in to a session in the browser, or with a device code.",
    "logout": "Log out on the server and forget tokens and credentials.",
    "status": "Show sessions and profiles with the time left.",
    "use": "Work with a profile in this shell, or in new ones.",
    "whoami": "Show which identity a profile has.",
    "profiles": "List profiles, write them, or remove them.",
    "enable": "Let profiles get their credentials through credhelper.",
    "disable": "Give profiles back exactly as they were.",
    "hook": "Print the hook of a shell, or install it.",
    "daemon": "Run, start, stop or look at the background process.",
    "console": "Open the AWS console at a profile's account and role.",
    "doctor": "Look for everything that goes wrong in practice, and mend it.",
    "demo": "Show the whole thing on a local stand-in, no AWS account needed.",
}
# What a full disk answers, a quota, a limit on the size of files, and a terminal that has gone.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}
_HIDDEN = {
    "credential-process": "Serve one helper call without the daemon.",
    "ensure": "Log in where the program that comes next needs it.",
    "aws-sso-login": "Stand in for `aws sso login` where a managed profile is meant.",
}


class LazyGroup(click.Group):
    """A group whose commands live in `credhelper.cli.VERB`, each as the object `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        if cmd_name not in VERBS and cmd_name not in _HIDDEN:
            return None
        module = importlib.import_module(f"credhelper.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = nearest(args[0], VERBS)
            if near:
                raise click.UsageError(f"{error.message} Did you mean '{near[0]}'?", ctx) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "-V", "--version", prog_name="credhelper")
def group() -> None:
    """Stay logged in to AWS from the command line.

    Log in once for each Identity Center session; credhelper renews the token before it runs out and gives every
    AWS program its role credentials.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run one command and exit with its code (see `errors.py`). Never a traceback."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a locale that lacks a sign must end no command
    try:
        if os.environ.get("_CREDHELPER_COMPLETE") and _completed():
            sys.exit(errors.EXIT_OK)
        code = group.main(arguments, prog_name="credhelper", standalone_mode=False)
    except errors.CredhelperError as error:
        complain(error.message)
        if error.remedy:
            tell(f"  {paragraph(error.remedy, '  ')}")
        code = error.exit_code
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        tell("")
        code = errors.EXIT_INTERRUPTED
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        tell(paragraph(shown.getvalue().rstrip("\n").expandtabs(4)))
        code = errors.EXIT_USAGE if isinstance(error, click.UsageError) else errors.EXIT_FAILURE
    except BrokenPipeError:
        _discard(sys.stdout)  # the reader (`head`, a pager) has seen enough
        code = errors.EXIT_FAILURE
    except Exception as error:  # noqa: BLE001 - this is the boundary
        if isinstance(error, OSError) and error.errno in _FULL:
            _discard(sys.stdout)
            complain(f"{error.filename or 'the output'} cannot be written: {error.strerror}")
            tell("  Free some space, or write it elsewhere")
            code = errors.EXIT_FAILURE
        else:
            complain(f"this is a bug in credhelper: {type(error).__name__}")
            tell(f"  {_write_report(error)}")
            code = errors.EXIT_BUG
    sys.exit(code if isinstance(code, int) else 0)


def _open_what_is_closed() -> None:
    """Give a descriptor that the caller closed to /dev/null: no file that is opened later may lie there."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 - to the end of the process


def _completed() -> bool:
    """Answer a shell file that asks for completion; False where it was asked in one of click's own ways."""
    from credhelper import completion  # noqa: PLC0415 - at Tab only
    from credhelper.cli.completing import others  # noqa: PLC0415

    return completion.answer(os.environ, others)


def complain(message: str) -> None:
    """One line on stderr, in red where that is a terminal that wants colour. What it quotes is made harmless."""
    tell(f"credhelper: {paragraph(message, '  ')}", None if os.environ.get("NO_COLOR") else "red")


def tell(text: str, colour: str | None = None) -> None:
    """Write `text`, which is harmless, to stderr. That nobody can hear it there changes nothing."""
    try:
        click.echo(styled(text, colour), err=True)
    except OSError:
        _discard(sys.stderr)


def styled(text: str, colour: str | None) -> str:
    """`text` in this colour. Without one it is left alone: click would add the sequence that ends one."""
    return click.style(text, fg=colour) if colour else text


def show_diff(lines: Iterable[str]) -> None:
    """A unified diff on stdout, in colour where that is wanted. What it quotes is made harmless."""
    colours = {"+": "green", "-": "red", "@": "cyan"} if use_colour() else {}
    for line in lines:
        click.echo(styled(printable(line), colours.get(line[:1])))


def _discard(stream: TextIO | None) -> None:
    """Write no more to it; else the interpreter complains at its end of what it could not write."""
    if stream is not None:  # it is where the caller closed the descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def no_core_dumps() -> None:
    """For commands that hold secrets. The hard limit stays, for the programs that they start."""
    from credhelper import memory  # noqa: PLC0415 - for some commands only

    memory.seclude(for_good=False)


def _write_report(error: Exception) -> str:
    """Leave a report that may be pasted into an issue: places and types, no values, which could be secrets."""
    import platform  # noqa: PLC0415 - only for a bug

    from credhelper.dates import format_date  # noqa: PLC0415

    lines = [
        f"credhelper {__version__}, Python {platform.python_version()}, {platform.platform()}",
        format_date(time.time()),
        *errors.places(error),
    ]
    try:
        from credhelper import files  # noqa: PLC0415
        from credhelper.paths import Paths  # noqa: PLC0415

        paths = Paths.of()
        paths.check_owner()
        path: Path = paths.state / "reports" / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.txt"
        files.replace(path, "\n".join(lines).encode() + b"\n")
    except (errors.CredhelperError, OSError):
        return "\n  ".join(["Please report this:", *lines])
    return f"Please report it with {path}"
