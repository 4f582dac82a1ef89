"""What the shell hook costs a person: at the start of a shell, at each prompt, and at Tab; beside direnv's hook.

`python -m benchmarks` has it in its table; `python -m benchmarks.shells [SHELL…]` measures it alone.

Every shell is a real interactive one in a terminal (`benchmarks.terminals`), in a home folder in which
`credhelper hook SHELL --install` has written its block, with a daemon that keeps the board. The shells' own prompts
are plain, so that what is compared is not lost in them; that of the hook shows its segment.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shlex
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import Task, Unusable, interleaved, process
from benchmarks.table import Row, Section, duration, render, timed
from benchmarks.terminals import Shell, forks, lifetime
from benchmarks.world import ACCOUNT, PROFILE, ROLE, World, world
from credhelper import board
from credhelper.aws.tokens import TokenCache
from credhelper.dates import format_date
from credhelper.standin import Settings, StandIn

# A profile whose session ends so soon that a warning is due, and cannot be renewed.
_ENDING = "ending"
_ENDS_IN = 600.0
# Prompts in one measured batch; a shell that does more at each gets fewer.
_PROMPTS = {"bash": 400, "zsh": 400, "fish": 200}
_PROMPTS_OF_DIRENV = 20
_TRACED = 50
_START_BUDGET = 0.005
_PROMPT_BUDGET = 0.0003
_TAB_BUDGET = 0.1

_OURS = Path(sys.executable).with_name("credhelper")
_PLAIN = {
    "bash": "PS1='$ '\n",
    "zsh": "PROMPT='%# '\nRPROMPT=\n",
    "fish": "set -g fish_greeting\nfunction fish_prompt\n    echo -n '$ '\nend\nfunction fish_title\nend\n",
}
_SEGMENT = {
    "bash": "PS1='${CREDHELPER_SEGMENT}$ '\n",
    "zsh": "setopt prompt_subst\nPROMPT='${CREDHELPER_SEGMENT}%# '\nRPROMPT=\n",
    "fish": _PLAIN["fish"].replace("echo -n '$ '", "echo -n \"$CREDHELPER_SEGMENT\"'$ '"),
}
# A hook that a program prints: direnv's, or ours where it is not installed.
_PRINTED = {
    "bash": 'eval "$({} hook bash)"\n',
    "zsh": 'eval "$({} hook zsh)"\n',
    "fish": "{} hook fish | source\n",
}
# How the shell files ask for the completions of `credhelper use `.
_QUESTIONS = {
    "bash": {
        "_CREDHELPER_COMPLETE": "readline_complete",
        "_CREDHELPER_LINE": "credhelper use ",
        "_CREDHELPER_BREAKS": " \t\n\"'@><=;|&(:",
    },
    "zsh, fish": {"_CREDHELPER_COMPLETE": "lines_complete", "_CREDHELPER_WORDS": "use", "_CREDHELPER_WORD": ""},
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A shell that starts with one rc file."""

    command: tuple[str, ...]
    environ: Mapping[str, str]

    def ending(self) -> Kind:
        """The same with the profile whose session ends soon."""
        return Kind(self.command, {**self.environ, "AWS_PROFILE": _ENDING})


@dataclass(frozen=True, slots=True)
class Kinds:
    """One kind of shell with each rc file."""

    name: str
    plain: Kind
    hooked: Kind
    direnv: Kind | None
    evaluated: Kind


def shells(standin: StandIn, rounds: int, profiles: int, names: Sequence[str] = tuple(_PLAIN)) -> list[Section]:
    """All sections.

    Args:
        standin: that serves the world.
        rounds: of the quickest; shells take a part of them.
        profiles: among which Tab looks.
        names: of the shells.
    """
    starts = Section("Start of an interactive shell, up to its first prompt (ratio to a plain rc file)")
    prompts = Section("Each prompt of a shell (ratio to the same shell with a plain rc file)")
    with world(standin) as made:
        _end_soon(made)
        for name in names:
            program = shutil.which(name)
            if program is None:
                what = f"{name}: the hook adds to the start"
                starts.rows.append(Row(what, budget=f"≤ {duration(_START_BUDGET)}", note="this shell is not here"))
                continue
            kinds = _kinds(made, name, program)
            starts.rows += _starts(kinds, max(rounds // 5, 1))
            prompts.rows += _prompts(kinds, max(rounds // 10, 1))
    return [starts, prompts, completion(standin, max(rounds // 10, 1), profiles)]


# --- the world ------------------------------------------------------------------------------------------------------


def _end_soon(made: World) -> None:
    """Add a session that ends in ten minutes and cannot be renewed; return when the board shows both."""
    url = "https://d-2222222222.awsapps.com/start"
    token = made.standin.seed_session(url, made.token["region"], scopes=())
    file = TokenCache(made.paths.token_cache, made.paths.locks).path(_ENDING)
    file.touch(0o600)
    file.write_text(json.dumps({**token, "expiresAt": format_date(time.time() + _ENDS_IN)}))
    with (made.paths.aws / "config").open("a") as config:
        config.write(
            f"[sso-session {_ENDING}]\nsso_start_url = {url}\nsso_region = {token['region']}\n\n"
            f"[profile {_ENDING}]\nregion = eu-west-1\n"
            f"credential_process = {made.paths.helper} {_ENDING} {ACCOUNT} {ROLE}\n\n"
        )
    made.agent.call("reload")
    _until(lambda: [_login(made, name) for name in (PROFILE, _ENDING)] == ["no", "soon"])


def _login(made: World, profile: str) -> str | None:
    entry = board.entry_of_profile(made.paths, profile, {})
    return None if entry is None else entry.login


def _until(there: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not there():
        if time.monotonic() > until:
            raise TimeoutError("the daemon's board does not show both sessions")
        time.sleep(0.02)


def _kinds(made: World, name: str, program: str) -> Kinds:
    """A shell's rc files, each in a folder of its own."""
    block = _installed(made, name)
    direnv = shutil.which("direnv")

    def kind(rc: str, text: str) -> Kind:
        return _kind(made, name, program, made.paths.home / "rc" / f"{name}-{rc}", text)

    return Kinds(
        name,
        kind("plain", _PLAIN[name]),
        kind("hooked", block + _SEGMENT[name]),
        None if direnv is None else kind("direnv", _PRINTED[name].format(direnv) + _PLAIN[name]),
        kind("evaluated", _PRINTED[name].format(shlex.quote(str(_OURS))) + _SEGMENT[name]),
    )


def _installed(made: World, name: str) -> str:
    """What `hook --install` writes into a start-up file."""
    home = made.paths.home
    command = [str(_OURS), "hook", name, "--install", "--yes"]
    subprocess.run(command, env=made.environ, check=True, capture_output=True, timeout=60)
    written = {"bash": ".bashrc", "zsh": ".zshrc", "fish": ".config/fish/conf.d/credhelper.fish"}
    return (home / written[name]).read_text()


def _kind(made: World, name: str, program: str, folder: Path, text: str) -> Kind:
    environ = {
        **made.environ,
        "SHELL": program,
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
        "AWS_PROFILE": PROFILE,
        "HISTFILE": "",
    }
    rc = folder / {"bash": "bashrc", "zsh": ".zshrc", "fish": "fish/config.fish"}[name]
    rc.parent.mkdir(parents=True)
    rc.write_text(text)
    if name == "bash":
        return Kind((program, "--noprofile", "--rcfile", str(rc), "-i"), environ)
    if name == "zsh":
        return Kind((program, "-d", "-i"), {**environ, "ZDOTDIR": str(folder)})
    # Where this folder is missing fish fills it, in a process that outlives it.
    data = folder / "data"
    (data / "fish/generated_completions").mkdir(parents=True)
    return Kind((program, "-i"), {**environ, "XDG_CONFIG_HOME": str(folder), "XDG_DATA_HOME": str(data)})


# --- the rows -------------------------------------------------------------------------------------------------------


def _starts(kinds: Kinds, rounds: int) -> list[Row]:
    tasks = {"plain": _start(kinds.plain), "hooked": _start(kinds.hooked), "ending": _start(kinds.hooked.ending())}
    if kinds.direnv is not None:
        tasks["direnv"] = _start(kinds.direnv, every=2)
    tasks["evaluated"] = _start(kinds.evaluated, every=4)
    times = interleaved(tasks, rounds, warm_up=2)
    name, plain = kinds.name, times["plain"]
    rows = [
        timed(f"{name}: a plain rc file", plain, plain),
        timed(f"{name}: with the hook, as installed", times["hooked"], plain),
        timed(f"{name}: with the hook, and a warning to give", times["ending"], plain),
        _direnv(f"{name}: with direnv's hook", times.get("direnv"), plain),
        timed(
            f"{name}: with the hook from `credhelper hook {name}`",
            times["evaluated"],
            plain,
            note="starts Python for each shell; `--install` does not",
        ),
        timed(
            f"{name}: the hook adds to the start",
            _differences(times["hooked"], plain),
            most=_START_BUDGET,
            note="the median of the rounds' differences",
        ),
    ]
    return [*rows, _forks(f"{name}: processes that the hook starts by then", kinds.hooked, kinds.plain, 0)]


def _start(kind: Kind, every: int = 1) -> Task:
    return Task(lambda: lifetime(kind.command, kind.environ), every=every)


def _prompts(kinds: Kinds, rounds: int) -> list[Row]:
    count = _PROMPTS[kinds.name]
    with contextlib.ExitStack() as stack:
        tasks = {
            "plain": stack.enter_context(_prompting(kinds.plain, count)),
            "hooked": stack.enter_context(_prompting(kinds.hooked, count, f"<{PROFILE}>")),
            "ending": stack.enter_context(_prompting(kinds.hooked.ending(), count, f"<{_ENDING} ")),
        }
        if kinds.direnv is not None:
            tasks["direnv"] = stack.enter_context(_prompting(kinds.direnv, _PROMPTS_OF_DIRENV))
        times = interleaved(tasks, rounds, warm_up=2)
    each = {
        key: [value / (_PROMPTS_OF_DIRENV if key == "direnv" else count) for value in values]
        for key, values in times.items()
    }
    name, plain = kinds.name, each["plain"]
    note = f"each of the n is {count} prompts"
    rows = [
        timed(f"{name}: a plain prompt", plain, plain, note=note),
        timed(f"{name}: with the hook and its segment", each["hooked"], plain),
        _direnv(f"{name}: with direnv's hook", each.get("direnv"), plain),
    ]
    added = _differences(each["hooked"], plain)
    if "direnv" in each and statistics.median(added) > 0:
        theirs = statistics.median(each["direnv"]) - statistics.median(plain)
        note = f"direnv's adds {duration(theirs)}, {theirs / statistics.median(added):.0f} times that"
    rows += [
        timed(f"{name}: the hook adds to each prompt", added, most=_PROMPT_BUDGET, note=note),
        timed(
            f"{name}: the hook adds to each where the session ends in ten minutes",
            _differences(each["ending"], plain),
            most=_PROMPT_BUDGET,
            note="the warning was given at the first prompt",
        ),
    ]
    what = f"{name}: processes that the hook starts in {_TRACED} prompts"
    return [*rows, _forks(what, kinds.hooked, kinds.plain, _TRACED)]


@contextlib.contextmanager
def _prompting(kind: Kind, count: int, shown: str = "<>") -> Iterator[Task]:
    """A shell that stays open, and so many prompts of it. Raises TimeoutError where it shows no such segment."""
    lines = [":"] * count
    with Shell(kind.command, kind.environ) as shell:
        shell.run([":"])
        shell.type('echo "<$CREDHELPER_TEXT>"\r')
        shell.wait(shown.encode())
        yield Task(lambda: shell.run(lines))


def _differences(values: Sequence[float], base: Sequence[float]) -> list[float]:
    return [value - other for value, other in zip(values, base, strict=True)]


def _direnv(what: str, seconds: Sequence[float] | None, plain: Sequence[float]) -> Row:
    if seconds is None:
        return Row(what, note="not here (Debian: `apt install direnv`)")
    return timed(what, seconds, plain)


def _forks(what: str, kind: Kind, plain: Kind, prompts: int) -> Row:
    """Processes of a shell with the hook, beyond those of the same shell without it."""
    lines = [":"] * prompts
    try:
        made = forks(kind.command, kind.environ, lines) - forks(plain.command, plain.environ, lines)
    except Unusable as error:
        return Row(what, budget="0", note=str(error))
    return Row(what, str(made), budget="0", met=made == 0, note="by strace, which follows every child")


# --- Tab ------------------------------------------------------------------------------------------------------------


def completion(standin: StandIn, rounds: int, profiles: int) -> Section:
    """What a person waits for after `credhelper use ` and Tab: a whole process, asked as each shell file asks it."""
    section = Section(f"Completion of `credhelper use` with {profiles:,} profiles (ratio to `python -c pass`)")
    ours = str(_OURS)
    floor = "floor: `python -c pass`"
    with world(standin, profiles=profiles) as made:
        tasks = {floor: process([sys.executable, "-c", "pass"], made.environ)}
        for shell, question in _QUESTIONS.items():
            environ = {**made.environ, **question}
            answer = subprocess.run([ours], env=environ, capture_output=True, text=True, check=True, timeout=60)
            if answer.stdout.count(ROLE) < profiles - 2:
                raise RuntimeError(f"{shell} is not told of all profiles: {answer.stdout[:200]!r}")
            tasks[f"asked as by {shell}"] = process([ours], environ)
        times = interleaved(tasks, rounds)
    section.rows += [
        timed(name, values, times[floor], most=None if name == floor else _TAB_BUDGET)
        for name, values in times.items()
    ]
    return section


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where a budget was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shells", description="Measure the shell hooks alone.")
    parser.add_argument("shells", nargs="*", metavar="SHELL", help=f"{', '.join(_PLAIN)} (all)")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--profiles", type=int, default=2000)
    given = parser.parse_args(arguments)
    unknown = set(given.shells) - set(_PLAIN)
    if unknown:
        parser.error(f"no such shell: {', '.join(sorted(unknown))}")
    settings = Settings(accounts=given.profiles, token_lifetime=8 * 3600, role_lifetime=8 * 3600)
    with StandIn(settings) as standin:
        sections = shells(standin, given.rounds, given.profiles, given.shells or tuple(_PLAIN))
    print(render(sections), end="")
    return int(any(row.met is False for section in sections for row in section.rows))


if __name__ == "__main__":
    sys.exit(main())
