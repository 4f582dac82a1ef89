"""`python -m docs.pictures`: take the pictures of the README anew.

The real program runs in a terminal of a fixed size, and what its screen holds at a certain moment becomes an SVG file
beside this one. Nothing is drawn or replaced by hand: all names are those of the demo's world.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from docs.pictures.prompt import prompt
from docs.pictures.setup import setup
from docs.pictures.terminal import Terminal

FOLDER = Path(__file__).parent
_DEMO = [sys.executable, "-P", "-m", "credhelper", "demo"]
_PROMPT = "(credhelper demo) corp-dev $"


def demo(environ: dict[str, str]) -> str:
    """The demo in its last step, when the forgotten session's calls have failed and succeed again."""
    with Terminal(_DEMO, environ, columns=80, lines=24) as terminal:
        terminal.wait(lambda text: re.search(r"✗✓✓✓", text), 90.0, "the last step")
        return terminal.svg("demo", "credhelper demo")


def status(environ: dict[str, str]) -> str:
    """`credhelper status` in the demo's shell, with a session that renews itself and one that AWS has ended."""
    with Terminal([*_DEMO, "--shell", "--lifetime", "45"], environ, columns=88, lines=40) as terminal:
        terminal.wait(lambda text: text.endswith(_PROMPT), 30.0, "the prompt")
        asked = "credhelper whoami; credhelper whoami client-prod"
        ended = "end-session client; until credhelper status | grep -q expiring; do sleep 1; done"
        terminal.type(f"{asked}; {ended}; clear")
        terminal.wait(lambda text: text == _PROMPT, 90.0, "the end of the session")
        terminal.type("credhelper status")
        terminal.wait(lambda text: "The daemon" in text and text.endswith(_PROMPT), 30.0, "the status")
        return terminal.svg("status", "credhelper demo --shell")


PICTURES = {"demo": demo, "status": status, "setup": setup, "prompt": prompt}


def main(names: list[str]) -> int:
    with tempfile.TemporaryDirectory() as home:
        environ = {
            "HOME": home,
            "LANG": "C.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "SHELL": shutil.which("bash") or "/bin/sh",
            "TERM": "xterm-256color",
        }
        for name in names or PICTURES:
            path = FOLDER / f"{name}.svg"
            path.write_text(PICTURES[name](environ), encoding="utf-8")
            print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
