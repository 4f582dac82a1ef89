"""shell/credhelper.zsh in a real zsh behind a real terminal."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.shells.terminal import STARTED, Output, Terminal, finished
from tests.shells.world import Call, World

_ZSH = shutil.which("zsh")
pytestmark = pytest.mark.skipif(_ZSH is None, reason="no zsh on this machine")

# The marks of the harness, the second one from the last precmd function: before the prompt itself zsh draws.
_MARKS = f"""\
unsetopt prompt_cr prompt_sp
PROMPT='$ '
preexec_functions+=(mark_start)
mark_start() {{ builtin printf {STARTED!r} }}
mark_end() {{ builtin printf {finished("%d")!r} $? }}
"""
ODD = [
    "a b",
    "it's",
    '"quoted"',
    "$(touch ran)",
    "`touch ran`",
    "é日本",
    "100%",
    "a!b",
    "back\\slash",
    "-dash",
    "a*b?[c]",
]

MakeZsh = Callable[..., Terminal]


class Zsh:
    """How a test's zsh starts: with a `.zshrc` of marks, `before`, the hook and `after`."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.env = world.env
        self.rc = world.home / ".zshrc"

    def write(self, before: str = "", after: str = "", *, how: str = "source {}") -> None:
        line = how.format(shlex.quote(str(self.world.hook("zsh"))))
        self.rc.write_text(f"{_MARKS}{before}\n{line}\n{after}\nprecmd_functions+=(mark_end)\n")

    def start(self, *, wrap: Callable[[list[str]], list[str]] = list, **variables: str) -> Terminal:
        if not self.rc.exists():
            self.write()
        return Terminal(wrap(["zsh", "-d", "-i"]), {**self.env, **variables}, self.folder)


@pytest.fixture
def zsh(world: World, tmp_path: Path) -> Zsh:
    """A zsh in a folder of its own, to be written to and started."""
    folder = tmp_path / "work"
    folder.mkdir()
    return Zsh(world, folder)


SOURCED = "source {}"
EVALUATED = 'eval "$(<{})"'


# --- strange surroundings -------------------------------------------------------------------------------------------

OPTIONS = [
    "",
    "err_exit no_unset pipe_fail",
    "err_return warn_create_global warn_nested_var no_clobber all_export no_aliases",
    "ksh_arrays sh_word_split glob_subst nomatch ksh_typeset rc_expand_param",
    "extended_glob null_glob ksh_glob no_interactive_comments prompt_subst no_multibyte",
    "sh_glob rc_quotes csh_junkie_quotes csh_junkie_loops no_short_loops no_multi_func_def no_equals",
    "ignore_braces ignore_close_braces posix_builtins posix_aliases posix_identifiers magic_equal_subst octal_zeroes",
]


@pytest.mark.parametrize("how", [SOURCED, EVALUATED])
@pytest.mark.parametrize("options", OPTIONS)
def test_options(zsh: Zsh, world: World, options: str, how: str) -> None:
    world.profile("corp-admin")
    world.session(left=630, login="soon", shown=630)
    world.credhelper()
    zsh.write(f"setopt {options}\n" if options else "", how=how)
    with zsh.start(AWS_PROFILE="corp-admin") as terminal:
        assert terminal.prompt() == Output("credhelper: session corp ends in 10 min. Run: credhelper login corp\n", 0)
        assert terminal.run('print -r -- "$CREDHELPER_SEGMENT"') == Output("%F{yellow}corp-admin 10m%f\n", 0)
        assert terminal.run("aws s3 '' 'a b'") == Output("", 0)
        assert terminal.run("credhelper use 'a b'; credhelper use -") == Output("", 0)
        assert terminal.run("aws --profile other sso login --no-browser") == Output("", 0)
    assert world.calls == [
        Call("aws", "corp-admin", ("s3", "", "a b")),
        Call("credhelper", "corp-admin", ("use", "--print", "a b")),
        Call("credhelper", "a b", ("use", "--print", "--", "corp-admin")),
        Call("credhelper", "corp-admin", ("aws-sso-login", "--profile", "other", "--no-browser")),
    ]
