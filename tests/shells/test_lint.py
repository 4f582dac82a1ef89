"""All shell files of the project stand up to the linter of their shell."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sandbox import PROJECT

SHELL = PROJECT / "shell"
LINTED = [*SHELL.glob("*.bash"), *SHELL.glob("*.sh"), PROJECT / "dev", PROJECT / ".ci" / "run"]
ZSH = [*SHELL.glob("*.zsh")]
FISH = [*SHELL.glob("*.fish")]
# Checked by its own tests.
ELSEWHERE = [*SHELL.glob("*.ps1")]

# A rule is switched off beside the line that breaks it, with the reason behind the rule: `disable=SC2016 # why`.
_OFF = re.compile(r"shellcheck\s+disable=([A-Za-z0-9,]+)(.*)")


def run(*argv: str | Path) -> None:
    """Run a linter: it has nothing to say. Skips where the machine does not have it."""
    if not shutil.which(str(argv[0])):
        pytest.skip(f"no {argv[0]} on this machine")
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_no_file_is_forgotten() -> None:
    assert sorted([*LINTED, *ZSH, *FISH, *ELSEWHERE]) == sorted(
        [*SHELL.iterdir(), PROJECT / "dev", PROJECT / ".ci/run"]
    )
    assert {path.suffix for path in SHELL.glob("credhelper.*")} == {".bash", ".zsh", ".fish", ".ps1"}


@pytest.mark.parametrize("path", LINTED, ids=lambda path: path.name)
def test_shellcheck(path: Path) -> None:
    # No configuration from outside this file may switch a rule off.
    run(
        "shellcheck",
        "--norc",
        "--external-sources",
        "--severity=style",
        "--enable=deprecate-which,avoid-nullary-conditions",
        path,
    )


@pytest.mark.parametrize("path", LINTED, ids=lambda path: path.name)
def test_parses_in_its_own_shell(path: Path) -> None:
    first = path.read_text().splitlines()[0]
    run("bash" if "bash" in first else "sh", "-n", path)


@pytest.mark.parametrize("path", ZSH, ids=lambda path: path.name)
def test_zsh_reads_it(path: Path) -> None:
    run("zsh", "--no-rcs", "-n", path)


@pytest.mark.parametrize("path", FISH, ids=lambda path: path.name)
def test_fish_reads_it(path: Path) -> None:
    run("fish", "--no-config", "--no-execute", path)


@pytest.mark.parametrize("path", FISH, ids=lambda path: path.name)
def test_fish_would_not_format_it_otherwise(path: Path) -> None:
    run("fish_indent", "--check", path)


@pytest.mark.parametrize("path", LINTED, ids=lambda path: path.name)
def test_no_rule_is_switched_off_without_a_reason(path: Path) -> None:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        off = _OFF.search(line)
        if off:
            assert off[1] != "all", f"{path.name}:{number}"
            assert re.fullmatch(r"\s*#\s*\S.{9,}", off[2]), f"{path.name}:{number}: say why {off[1]} is off"
