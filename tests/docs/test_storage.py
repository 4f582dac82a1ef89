"""docs/storage.md lists what the program leaves in a home folder, and nothing that it does not."""

from __future__ import annotations

import re
import stat
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.cli.terminal import Terminal
from tests.sandbox import PROJECT

_ROW = re.compile(r"^\| (`[^|]+`) \|", re.MULTILINE)
_PAGE = (PROJECT / "docs/storage.md").read_text(encoding="utf-8")
# What only a trouble leaves, a second log, or a person who writes it.
RARE = {"~/.local/state/credhelper/reports/", "~/.config/credhelper/config.toml"}


def listed() -> list[str]:
    """The paths of the table, each as a pattern of `fnmatch`; a folder ends in a slash."""
    found = []
    for row in _ROW.findall(_PAGE.partition("## Why")[0]):
        first, *others = re.findall(r"`([^`]+)`", row)
        found.append(first)
        found += [f"{first.rpartition('/')[0]}/{other}" for other in others]
    return found


def fits(pattern: str, path: str) -> bool:
    return path.startswith(pattern) if pattern.endswith("/") else fnmatchcase(path, pattern)


@pytest.fixture
def terminal(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal.open(standin, paths, monkeypatch, capsys)


def test_all_that_a_home_folder_gets_is_listed(terminal: Terminal, runtime_folder: Path) -> None:
    home = terminal.paths.home
    (home / ".bashrc").write_text("# my own\n")
    other = home / "other-config"
    other.write_text(terminal.config.read_text())
    before = {path for path in home.rglob("*") if not path.is_dir()}
    terminal.patch.setenv("HTTPS_PROXY", "http://proxy.example.com:3128")
    for command in (
        ("login", "corp"),
        ("enable", "dev", "--yes"),
        ("hook", "bash", "--install", "--yes"),
        ("use", "--print", "dev"),
        ("profiles", "discover", "corp", "--yes"),
    ):
        assert terminal.run(*command).code == 0, command
    terminal.patch.setenv("AWS_CONFIG_FILE", str(other))
    assert terminal.run("enable", "dev", "--yes").code == 0
    (terminal.paths.log.with_name("daemon.log.1")).touch(mode=0o600)

    patterns = listed()
    made = {path for path in home.rglob("*") if not path.is_dir() and not path.name.startswith("browser.")} - before
    shown = {f"~/{path.relative_to(home)}": path for path in made | {terminal.config}}
    assert [name for name in sorted(shown) if not any(fits(pattern, name) for pattern in patterns)] == []
    own = [pattern for pattern in patterns if pattern.startswith("~") and pattern not in RARE]
    assert [pattern for pattern in own if not any(fits(pattern, name) for name in shown)] == []
    assert (runtime_folder / "credhelper" / "agent.sock").is_socket()
    assert "$XDG_RUNTIME_DIR/credhelper/agent.sock" in patterns

    open_ = [str(path) for path in made if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert open_ == []
    # Python makes that one itself, in a folder that is closed.
    folders = [path for path in home.rglob("*") if path.is_dir() and path.name != "__pycache__"]
    ours = [path for path in folders if {".local", "sso"} & set(path.relative_to(home).parts)]
    assert ours
    assert [str(path) for path in ours if stat.S_IMODE(path.stat().st_mode) != 0o700] == []


def test_nothing_is_left_behind_the_last_command(terminal: Terminal) -> None:
    """The commands of the page's last block, in their order: config and rc file as they were, the rest gone."""
    home = terminal.paths.home
    rc = home / ".bashrc"
    rc.write_text("# my own\n")
    config = terminal.config.read_bytes()
    for command in (("login", "corp"), ("enable", "dev", "--yes"), ("hook", "bash", "--install", "--yes")):
        assert terminal.run(*command).code == 0, command
    block = _PAGE.partition("## To take everything away")[2].partition("```sh\n")[2].partition("```")[0]
    lines = [line.partition("#")[0].split() for line in block.splitlines()]
    ours = [line[1:] for line in lines if line[0] == "credhelper"]
    assert [line[0] for line in ours] == ["disable", "logout", "hook", "daemon"]
    for words in ours:
        asks = words[0] in {"disable", "hook"}
        assert terminal.run(*words, *(("--yes",) if asks else ())).code == 0, words
    assert terminal.config.read_bytes() == config
    assert rc.read_text() == "# my own\n"
    assert terminal.cache.read("corp") is None
    removed = next(line for line in lines if line[:2] == ["rm", "-r"])[2:]
    left = [path for path in (home / ".local").rglob("*") if not path.is_dir()]
    folders = [home / folder.removeprefix("~/") for folder in removed]
    assert left
    assert [str(path) for path in left if not any(path.is_relative_to(folder) for folder in folders)] == []
