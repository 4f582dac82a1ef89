"""`credhelper demo --shell`: a shell in the demo's world, for trying things out."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from credhelper import resources
from credhelper.demo.controls import Controls
from credhelper.demo.schedule import Schedule
from credhelper.demo.world import FORGOTTEN, PROFILES, SESSION, World
from credhelper.errors import CredhelperError
from credhelper.terminal import width

LIFETIME = 60
# What a terminal needs, beside what the world takes over anyway.
_TERMINAL = ("TERM", "COLORTERM", "TERM_PROGRAM", "TERMINFO", "TERMINFO_DIRS", "NO_COLOR")
# Where our hook for the shell is, which sh has none of.
_HOOK = "CREDHELPER_DEMO_HOOK"
_AWS_CLI = re.compile(r"aws-cli/(\d+)\.(\d+)\.")


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell to open: its command line and what its environment has more."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def schedule(lifetime: float) -> Schedule:
    """The lifetimes in a world to play in: tokens and role credentials alike."""
    return Schedule(token_lifetime=lifetime, role_lifetime=lifetime, warn_before=(lifetime / 3, 0.0))


def check_terminal() -> None:
    """Raises CredhelperError where nobody could type into a shell."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise CredhelperError(
            "`credhelper demo --shell` opens a shell, which needs a terminal",
            "Run it in a terminal; `credhelper demo` alone needs none",
        )


def open_shell(world: World, theirs: Mapping[str, str]) -> None:
    """Log in to all sessions of a world that was started, then run the person's shell there until it ends.

    Raises CredhelperError where a command fails or there is no shell.
    """
    click.echo("Setting up a small world: a stand-in for AWS, two profiles, a login to each …")
    _run(world, "enable", "--all", "--yes")
    for session in PROFILES.values():
        _run(world, "login", session)
    with Controls(world, theirs) as controls:
        shell = choose_shell(world, theirs)
        environment = {
            **{name: value for name, value in world.environment.items() if name != "NO_COLOR"},
            **{name: theirs[name] for name in _TERMINAL if name in theirs},
            "AWS_PROFILE": next(iter(PROFILES)),
            # No AWS command leaves the machine, not even one that the stand-in does not know.
            "AWS_ENDPOINT_URL": world.standin.url,
            "AWS_PAGER": "",
            "BROWSER": controls.browser,
            "HISTFILE": str(world.home / ".history"),
            "PATH": os.pathsep.join(filter(None, (str(controls.bin), theirs.get("PATH", os.defpath)))),
            "SHELL": shell.command[0],
            **shell.environment,
        }
        _introduce(world, environment, own_browser=controls.own_browser)
        _be_in(shell.command, environment, world.home)


def choose_shell(world: World, theirs: Mapping[str, str]) -> Shell:
    """The person's shell where we know how to keep it from their files, else bash, else sh.

    None of them reads anything of the person's: not even what the machine's administrator set up for all, where there
    is an option for that. Raises CredhelperError where the installation is not whole.
    """
    path = theirs.get("PATH")
    wanted = theirs.get("SHELL", "")
    candidates = (wanted, shutil.which("bash", path=path), "/bin/sh")
    program = next(p for p in candidates if p and os.access(p, os.X_OK) and Path(p).name in _SHELLS)
    name = _SHELLS[Path(program).name]
    prompt = resources.folder("shell") / f"demo.{name}"
    hook = {_HOOK: str(resources.folder("shell") / f"credhelper.{name}")}
    if name == "bash":
        return Shell((program, "--noprofile", "--rcfile", str(prompt), "-i"), hook)
    if name == "zsh":
        shutil.copyfile(prompt, world.home / ".zshrc")
        return Shell((program, "-d", "-i"), hook | {"ZDOTDIR": str(world.home)})
    if name == "fish":
        # Where this folder is missing fish fills it, in a process that outlives it.
        (world.home / ".local/share/fish/generated_completions").mkdir(parents=True)
        command = (program, "-i", "-C", 'source "$CREDHELPER_DEMO_PROMPT"')
        return Shell(command, hook | {"CREDHELPER_DEMO_PROMPT": str(prompt)})
    return Shell((program, "-i"), {"ENV": str(prompt)})


_SHELLS = {"bash": "bash", "zsh": "zsh", "fish": "fish"} | dict.fromkeys(("sh", "dash", "ash", "ksh", "mksh"), "sh")


def _run(world: World, *words: str) -> None:
    code, output = world.begin(*words).result()
    if code:
        raise CredhelperError(f"`credhelper {' '.join(words)}` failed in the demo: {output.strip() or code}")


def _introduce(world: World, environment: Mapping[str, str], *, own_browser: bool) -> None:
    """Say where one is and what one may try."""
    lifetime = f"{world.schedule.token_lifetime:g} s"
    browser = "your browser opens on the stand-in's page" if own_browser else "a script plays the browser"
    python = "python -c 'import boto3; print(boto3.client(\"sts\").get_caller_identity())'"
    other = list(PROFILES)[-1]
    lines = [
        ("credhelper status", "what lasts how long, and what happens next"),
        ("credhelper status --watch", "the same, moving; Ctrl-C ends it"),
        ("credhelper whoami", "who you are at AWS"),
        *([("aws sts get-caller-identity", "the AWS CLI asks the same")] if _has_aws_cli(environment) else []),
        *([(f"credhelper use {other}", "another profile for this shell")] if _HOOK in environment else []),
        (f"end-session {FORGOTTEN}", "AWS ends a session, as it does after some hours"),
        (f"credhelper logout {SESSION}", "then `credhelper whoami` says what to run"),
        (f"credhelper login {SESSION}", browser),
        ("cat ~/.aws/config", "what `credhelper enable` made of the profiles"),
    ]
    console = Console(
        width=width(), highlight=False, force_terminal=True, no_color=bool(environment.get("NO_COLOR")) or None
    )
    profiles = " and ".join(PROFILES)
    console.print(
        Text(
            "\nYou are in a small world of its own: a stand-in on this machine plays AWS, the home folder is a "
            "temporary one, nothing of yours is touched. `exit` ends it and removes everything."
        ),
        Text(
            f"\nThe profiles {profiles} are enabled and logged in. A token lives {lifetime} here, an hour with AWS "
            "(shorter: --lifetime SECONDS). Try:\n"
        ),
        sep="\n",
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(style="dim")
    for command, remark in lines:
        table.add_row(Text(command), Text(remark))
    console.print(Padding(table, (0, 0, 0, 2)))
    console.print(Text(f"  {python}", style="bold"), soft_wrap=True)
    console.print()


def _has_aws_cli(environment: Mapping[str, str]) -> bool:
    """Whether there is an AWS CLI that heeds the endpoint variables: older ones would ask AWS itself."""
    program = shutil.which("aws", path=environment["PATH"])
    if program is None:
        return False
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(
            [program, "--version"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5.0,
            check=False,
        )
        found = _AWS_CLI.search(done.stdout + done.stderr)
        if done.returncode == 0 and found:
            version = int(found[1]), int(found[2])
            return version >= (2, 13) or (1, 29) <= version < (2, 0)
    return False


def _be_in(command: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> None:
    """Run the shell to its end, whatever that is like. The terminal is afterwards as it was."""
    with _terminal_kept():
        try:
            child = subprocess.Popen(command, env=dict(environment), cwd=folder)
        except OSError as error:
            raise CredhelperError(f"{command[0]} cannot be started: {error.strerror}") from error
        try:
            while os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1]):
                child.send_signal(signal.SIGCONT)  # `suspend`: nobody else could wake it
        except BaseException:
            # A shell heeds no SIGTERM.
            child.send_signal(signal.SIGHUP)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(2.0)
            child.kill()
            raise
        finally:
            child.wait()


@contextlib.contextmanager
def _terminal_kept() -> Iterator[None]:
    """Heed no keys meanwhile: they are the shell's. Take the terminal back from one that did not give it back."""
    fd = sys.stdin.fileno()
    mode, group = termios.tcgetattr(fd), os.tcgetpgrp(fd)
    # A handler, not SIG_IGN, which the shell would inherit.
    keys = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        output = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        with contextlib.suppress(OSError, termios.error):
            os.tcsetpgrp(fd, group)
            termios.tcsetattr(fd, termios.TCSADRAIN, mode)
        for number, handler in [*keys.items(), (signal.SIGTTOU, output)]:
            signal.signal(number, handler)
