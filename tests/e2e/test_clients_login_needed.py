"""What a person reads when a client needs a login: shown in docs/clients.md, which this writes when asked to."""

from __future__ import annotations

import os
import re

import pytest

from credhelper.agent import Agent
from tests.e2e import programs
from tests.e2e.conftest import Finished, Machine
from tests.sandbox import PROJECT

DOCUMENT = PROJECT / "docs" / "clients.md"
WRITE = "CREDHELPER_WRITE_DOCS" in os.environ  # read here: a test's own environment has none of these
LINE = "credhelper: session corp: not logged in. Run: credhelper login corp"
# The title in the document, and whether the client passes our line on.
SHOWN = {
    "aws": ("AWS CLI", True),
    "boto3": ("boto3", True),
    "js": ("SDK for JavaScript, its own chain", False),
    programs.FROM_INI: ("SDK for JavaScript, `fromIni`", True),
    "go": ("SDK for Go v2", True),
}


def essence(done: Finished) -> str:
    """The lines of stderr that are a message and not a place in a program, as one cell of a table."""
    lines = [line.rstrip() for line in done.stderr.splitlines()]
    shown = []
    for line in lines:
        place = line.startswith((" ", "/", "file:", "Traceback", "Node.js")) or line in {"", "}"}
        if not place:
            shown.append(re.sub(r"/\S+/credential-process", "…/credential-process", line.removesuffix(" {")))
    return "<br>".join(f"`{line}`" for line in shown)


@pytest.mark.parametrize("client", SHOWN)
def test_login_needed(machine: Machine, daemon: Agent, client: str) -> None:
    machine.credhelper("enable", "modern", "--yes")
    machine.environ["NODE_NO_WARNINGS"] = "1"  # the SDK for JavaScript has some to say of the age of node
    done = machine.ask_once(client, "modern")
    assert done.returncode != 0
    title, passed_on = SHOWN[client]
    assert (LINE in done.stderr) is passed_on
    assert done.stdout == ""
    assert machine.standin.calls() == [], "no client has a way around"

    version = programs.version(client)
    row = f"| {title} | {version} | {essence(done)} |"
    text = DOCUMENT.read_text("utf-8")
    before, heading, section = text.partition("## Login needed\n")
    found = re.search(rf"^\| {re.escape(title)} \| .*$", section, re.MULTILINE)
    assert found, f"{DOCUMENT.name} has no row for {title}"
    if WRITE:
        DOCUMENT.write_text(before + heading + section.replace(found[0], row), "utf-8")
    else:  # whatever version is installed here
        shown = found[0].split(" | ", 2)[2]
        assert shown == row.split(" | ", 2)[2], f"{version} shows something else than docs/clients.md says"
