"""What a shell with our hook finds around it: home, AWS config, board, programs that note how they were called."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from credhelper.names import encode_name
from tests.sandbox import PROJECT

TOOLS = ("aws", "cdk", "terraform", "tofu", "sam", "pulumi", "eksctl")
HOUR = 3600

# dash, bash and the like: one write of NUL-ended fields, so that calls side by side do not mix.
_NOTE = """\
#!/bin/sh
if [ -n "${{AWS_PROFILE+set}}" ]; then profile="=$AWS_PROFILE"; else profile=; fi
printf '%s\\0' {name} "$profile" "$#" "$@" >>{calls}
{body}
"""


@dataclass(frozen=True)
class Call:
    """One call of a program: its name, the AWS_PROFILE it saw (None: not set), its arguments."""

    program: str
    profile: str | None
    arguments: tuple[str, ...]

    @property
    def line(self) -> str:
        return " ".join((self.program, *self.arguments))


class World:
    """The home folder `home` and a folder of programs beside it.

    `aws` and the other tools, and `credhelper`, are small scripts that note their call; `program` replaces one by
    another script. Nothing is on the board but what `session` and `profile` put there.
    """

    def __init__(self, home: Path) -> None:
        self.home = home
        self.bin = home.parent / "bin"
        self.board = home / ".local/state/credhelper/board"
        self._calls = home.parent / "calls"
        self.bin.mkdir()
        for folder in (self.board / "session", self.board / "profile" / "default"):
            folder.mkdir(parents=True, mode=0o700)
        (home / ".aws").mkdir()
        for name in (*TOOLS, "credhelper"):
            self.program(name)

    # --- the surroundings -----------------------------------------------------------------------------------------

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of a shell; nothing of AWS is set."""
        system = os.confstr("CS_PATH") or os.defpath
        return {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:{system}:/usr/local/bin",
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "INPUTRC": os.devnull,
            "XDG_RUNTIME_DIR": os.environ.get("XDG_RUNTIME_DIR", str(self.home.parent / "run")),
        }

    def hook(self, extension: str) -> Path:
        """The shell file of this checkout; sourced as it is, it finds `credhelper` on the PATH."""
        return PROJECT / "shell" / f"credhelper.{extension}"

    def rendered(self, extension: str, command: Path, quoted: str | None = None) -> Path:
        """The shell file with its token replaced by `command`, quoted for sh unless `quoted` is given."""
        text = self.hook(extension).read_text()
        assert text.count("'@CREDHELPER@'") == 1
        made = self.home / f"credhelper.{extension}"
        made.write_text(text.replace("'@CREDHELPER@'", quoted or shlex.quote(str(command))))
        return made

    # --- programs -------------------------------------------------------------------------------------------------

    def program(self, name: str, body: str = "") -> Path:
        """A script on the PATH that notes its call and then runs `body` (sh)."""
        path = self.bin / name
        text = _NOTE.format(name=shlex.quote(name), calls=shlex.quote(str(self._calls)), body=body)
        made = path.with_name(path.name + ".new")
        made.write_text(text)
        made.chmod(0o755)
        made.replace(path)
        return path

    def credhelper(self, *, ensure: int | str = 0, use: str | None = None, completion: str = "") -> None:
        """Let `credhelper` answer: `ensure` with this exit code, or this script; `use --print` with this name (None:
        the name that it was given, the last of its arguments); completion with these lines."""
        how = f"exit {ensure}" if isinstance(ensure, int) else ensure
        name = '"$last"' if use is None else shlex.quote(use)
        self.program(
            "credhelper",
            'if [ -n "${_CREDHELPER_COMPLETE-}" ]; then\n'
            f"printf '%s\\n' {shlex.quote(completion)}\nexit 0\nfi\n"
            'last=; for last in "$@"; do :; done\n'
            f"case ${{1-}} in\nensure) {how} ;;\nuse) printf '%s\\n' {name} ;;\nesac\n",
        )

    @property
    def calls(self) -> list[Call]:
        """All calls so far, in order."""
        if not self._calls.exists():
            return []
        fields = self._calls.read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
        found = []
        while fields:
            name, profile, count = fields[:3]
            end = 3 + int(count)
            found.append(Call(name, profile[1:] if profile else None, tuple(fields[3:end])))
            fields = fields[end:]
        return found

    @property
    def lines(self) -> list[str]:
        """All calls so far, each as one line without the profile."""
        return [call.line for call in self.calls]

    def forget_calls(self) -> None:
        self._calls.unlink(missing_ok=True)

    # --- the board ------------------------------------------------------------------------------------------------

    def session(
        self,
        name: str = "corp",
        *,
        left: float = 8 * HOUR,
        login: str = "no",
        shown: float | None = None,
        state: str = "active",
    ) -> Path:
        """Put a session on the board as the daemon does: `left` seconds from now it ends; `shown` seconds from now is
        the time that a prompt shows (None: none is known)."""
        now = time.time()
        ends = int(now + left)
        to_show = 0 if shown is None else int(now + shown)
        encoded = encode_name(name)
        path = self.raw_session(name, f"1 {state} {ends} {login} {to_show} {encoded}\n".encode())
        os.utime(path, (ends, ends))
        return path

    def raw_session(self, name: str, content: bytes) -> Path:
        """Any bytes in the place of a session's file."""
        path = self.board / "session" / encode_name(name)
        new = path.with_name(path.name + ".new")
        new.write_bytes(content)
        new.chmod(0o600)
        new.replace(path)
        return path

    def profile(self, name: str, session: str | None = "corp", *, config: str = "default") -> None:
        """A profile of the AWS config, and on the board where it uses a session."""
        if config == "default":
            title = "default" if name == "default" else f"profile {shlex.quote(name)}"
            with (self.home / ".aws" / "config").open("a") as file:
                file.write(f"[{title}]\nregion = eu-west-1\n\n")
        if session is None:
            return
        folder = self.board / "profile" / config
        folder.mkdir(parents=True, exist_ok=True)
        link = folder / encode_name(name)
        link.unlink(missing_ok=True)
        link.symlink_to(f"../../session/{encode_name(session)}")

    def default_profile(self, name: str) -> None:
        """The profile of new shells."""
        (self.board / "default-profile").write_text(encode_name(name) + "\n")

    def no_board(self) -> None:
        """As before the daemon's first start."""
        shutil.rmtree(self.board)


# --- counting forks -----------------------------------------------------------------------------------------------

_FORK = re.compile(r"^\d+ +(?:clone3?|v?fork)\((?!.*CLONE_THREAD)", re.MULTILINE)
_EXEC = re.compile(r"^\d+ +execve\(", re.MULTILINE)


class Forks:
    """Counts processes through the kernel's own events: strace notes each call before the shell goes on.

    Start the shell by `Terminal(forks.trace([…]), …)`; at a prompt `count()` is exact, for nothing runs then.
    """

    def __init__(self, log: Path) -> None:
        self._log = log
        if not shutil.which("strace"):
            pytest.skip("no strace on this machine")

    def trace(self, argv: list[str]) -> list[str]:
        """The command that runs `argv` and notes its forks."""
        calls = "trace=clone,clone3,fork,vfork,execve"
        return ["strace", "-f", "-qq", "-e", calls, "-e", "signal=none", "-o", str(self._log), *argv]

    def count(self) -> int:
        """Processes started so far, threads not counted."""
        return len(_FORK.findall(self._log.read_text(errors="replace")))

    def programs(self) -> int:
        """Programs executed so far, the shell itself among them."""
        return len(_EXEC.findall(self._log.read_text(errors="replace")))
