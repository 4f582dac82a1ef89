"""The README's pictures: whole, of the program as it is now, and of its own screen."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from credhelper.cli.tables import Report
from credhelper.demo.board import Board, Lane
from credhelper.demo.pages import PAGES, STEPS
from credhelper.demo.view import picture
from docs.pictures.__main__ import FOLDER, PICTURES
from docs.pictures.prompt import RC
from docs.pictures.setup import COLUMNS, first_run
from docs.pictures.terminal import Terminal
from tests.sandbox import PROJECT
from tests.shells.world import World

SVG = "{http://www.w3.org/2000/svg}"
STALE = "take the pictures anew: ./dev pictures"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own


def lines_of(svg: str) -> list[str]:
    """The lines of text in a picture, from top to bottom."""
    rows: dict[float, dict[float, str]] = {}
    for element in parsed(svg).iter(f"{SVG}text"):
        if element.get("clip-path"):
            row = rows.setdefault(float(element.get("y", "")), {})
            row[float(element.get("x", ""))] = (element.text or "").replace("\xa0", " ").strip("\n")
    return [" ".join(text for _, text in sorted(row.items())) for _, row in sorted(rows.items())]


def likened(lines: Iterable[str]) -> set[str]:
    """Lines without what changes from run to run: numbers, lengths, gaps."""
    found = set()
    for line in lines:
        text = re.sub(r"[✓✗]+", "✓", re.sub(r"[━─]+", "─", line))
        found.add(re.sub(r"(─ )+", "─ ", re.sub(r"(✓ )+", "✓ ", " ".join(re.sub(r"\d+", "0", text).split()))))
    return found - {""}


def shown(renderable: Any, columns: int) -> list[str]:
    console = Console(width=columns, height=40, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115
    with console.file:
        console.print(renderable)
        return console.export_text().splitlines()


@pytest.mark.parametrize("name", PICTURES)
def test_whole_and_complete_in_itself(name: str) -> None:
    svg = (FOLDER / f"{name}.svg").read_text(encoding="utf-8")
    assert parsed(svg).tag == f"{SVG}svg"
    assert set(re.findall(r"url\((.)", svg)) == {"#"}
    assert re.findall(r"=\"(https?:[^\"]*)", svg) == ["http://www.w3.org/2000/svg"]
    assert re.search(rf"^!\[.+\]\(docs/pictures/{name}\.svg\)$", (PROJECT / "README.md").read_text(), re.MULTILINE)


def test_the_demo_looks_so_now() -> None:
    arn = "arn:aws:sts::{}:assumed-role/AWSReservedSSO_{}_0/you@example.com"
    lanes = {
        name: Lane(name, session, arn.format(account, role), ok=2, history=[True], state="active", expires_at=1005.0,
                   longest_life=9.0, expected=failed)
        for name, session, account, role, failed in (
            ("corp-dev", "corp", "111122223333", "Deploy", 0), ("client-prod", "client", "444455556666", "Audit", 1)
        )
    }  # fmt: skip
    board = Board(lanes, step=STEPS, title=PAGES[-1].title, text=PAGES[-1].text)
    now = shown(picture(board, 1000.0, Console(width=80, height=24, force_terminal=True)), 80)
    missing = likened(now) - likened(lines_of((FOLDER / "demo.svg").read_text(encoding="utf-8")))
    assert not missing, STALE


def test_the_status_looks_so_now() -> None:
    common = {"expires_at": "2027-01-15T08:00:30Z", "next_action_at": "2027-01-15T08:00:20Z"}
    document = {
        "daemon": {"running": True, "pid": 7, "version": "0.1.0"},
        "sessions": [
            {**common, "name": "corp", "state": "active", "reason": "renews itself", "next_action": "renew"},
            {**common, "name": "client", "state": "expiring", "reason": "AWS has ended the session",
             "next_action": "warn"},
        ],
        "profiles": [
            {**common, "name": "corp-dev", "session": "corp", "account_id": "111122223333", "role_name": "Deploy",
             "managed": True, "shadowed": False},
            {**common, "name": "client-prod", "session": "client", "account_id": "444455556666", "role_name": "Audit",
             "managed": True, "shadowed": False},
        ],
    }  # fmt: skip
    now = shown(Report(document, now=1800000000.0), 88)
    missing = likened(now) - likened(lines_of((FOLDER / "status.svg").read_text(encoding="utf-8")))
    assert not missing, STALE


def test_the_prompt_looks_so_now(home: Path) -> None:
    """The hook's own words and colours, in a real bash; those of the commands that it calls have their own tests."""
    world = World(home)
    world.session("client", left=12.5 * 60, login="soon", shown=12.5 * 60)
    world.profile("client-prod", "client")
    rc = home / ".bashrc"
    rc.write_text(f"source {world.hook('bash')}\n{RC}")
    command = ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
    environ = {**world.env, "AWS_PROFILE": "client-prod"}
    with Terminal([shutil.which("bash") or "bash", *command[1:]], environ, columns=92, lines=30) as terminal:
        now = terminal.wait(lambda text: text.endswith("$"), 20.0, "the prompt").splitlines()
        svg = terminal.svg("prompt", "bash")
    picture = (FOLDER / "prompt.svg").read_text(encoding="utf-8")
    assert now == ["credhelper: session client ends in 12 min. Run: credhelper login client", "client-prod 12m $"]
    lines = [line.rstrip() for line in lines_of(picture)]
    assert now[0] in lines, STALE
    assert any(line.startswith(now[1]) for line in lines), STALE
    colour = re.compile(r'class="prompt-(r\d+)"[^>]*>12m<')
    fills = [re.search(rf"\.prompt-{found[1]} (.*)", one) for one in (svg, picture) if (found := colour.search(one))]
    assert [fill[1] for fill in fills if fill] == ["{ fill: #e3b341 }"] * 2, STALE


def test_the_setup_looks_so_now() -> None:
    """The real program, but for the login's address, which is another each time."""
    environ = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], "SHELL": "/bin/sh", "TERM": "xterm-256color"}
    with first_run(environ) as terminal:
        now = [line[:COLUMNS] for line in terminal.text().splitlines() if "/authorize?" not in line]
    missing = likened(now) - likened(lines_of((FOLDER / "setup.svg").read_text(encoding="utf-8")))
    assert len(now) > 20
    assert not missing, STALE


def test_a_screen_becomes_a_picture() -> None:
    program = r"print('\x1b[32mgreen\x1b[0m \x1b[2mfaint\x1b[0m <&> \x1b[38;5;2mtwo\x1b[0m'); input('? ')"
    environ = {"TERM": "xterm-256color", "LANG": "C.UTF-8"}
    with Terminal([sys.executable, "-c", program], environ, columns=40, lines=10) as terminal:
        assert terminal.wait(lambda text: text.endswith("?"), 20.0, "a question") == "green faint <&> two\n?"
        svg = terminal.svg("t", "A title")
        terminal.type("answer")
        assert terminal.end(20.0) == 0
    assert lines_of(svg)[0].split() == ["green", "faint", "<&>", "two"]
    styles = dict(re.findall(r"\.t-(r\d+) \{ fill: (#\w+)", svg))
    fills = {text.text: styles[text.get("class", "")[2:]] for text in parsed(svg).iter(f"{SVG}text")
             if text.get("clip-path")}  # fmt: skip
    assert fills["green"] == "#56d364"
    assert fills["two"] == "#00cd00"
    assert list(fills.values()).count(fills["faint"]) == 1


@pytest.mark.parametrize(
    ("program", "timeout", "complaint"),
    [("print('this')", 20.0, r"ended before that:\nthis"), ("input('this')", 1.0, r"waited 1 s for that:\nthis")],
)
def test_a_screen_that_never_comes(program: str, timeout: float, complaint: str) -> None:
    with (
        Terminal([sys.executable, "-c", program], {}, columns=40, lines=10) as terminal,
        pytest.raises(TimeoutError, match=complaint),
    ):
        terminal.wait(lambda text: "that" in text, timeout, "that")
