"""docs/reference.md says what the program says: names of profiles, doctor's findings, the JSON documents."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from credhelper import doctor
from credhelper.doctor.examination import THEMES
from credhelper.errors import UsageError
from credhelper.paths import Paths
from credhelper.profile_names import Subject, Template
from credhelper.standin import StandIn
from tests.cli.terminal import Terminal
from tests.sandbox import PROJECT

_PAGE = (PROJECT / "docs/reference.md").read_text(encoding="utf-8")
_CODE = re.compile(r"`([^`]+)`")
SUBJECT = Subject("corp", "123456789012", "Reply Sandbox", "b.paques+reply@example.com", "AWSAdministratorAccess")


def table(header: str) -> list[list[str]]:
    """The rows below a table's header, each as its cells."""
    text = _PAGE.partition(f"{header}\n")[2].partition("\n\n")[0]
    rows = [line.strip("| ").replace("\\|", "\0").split(" | ") for line in text.splitlines()[1:]]
    assert rows
    return [[cell.replace("\0", "|") for cell in row] for row in rows]


def test_templates_give_what_the_page_says() -> None:
    for said in ("Reply Sandbox", SUBJECT.account_id, SUBJECT.account_email, SUBJECT.role, SUBJECT.session):
        assert said in _PAGE
    for template, name in table("| template | gives |"):
        assert Template.parse(template.strip("`")).render(SUBJECT) == name.strip("`")


@pytest.mark.parametrize(("wrong", "what"), [("{role|x}", "filters"), ("{x}", "fields")])
def test_all_fields_and_filters_are_listed(wrong: str, what: str) -> None:
    with pytest.raises(UsageError) as error:
        Template.parse(wrong)
    known = (error.value.remedy or "").partition(f"The {what} are ")[2].split(", ")
    if what == "filters":
        listed = [name.partition(":")[0] for row in table("| filter | makes |") for name in _CODE.findall(row[0])]
        assert sorted(listed) == sorted(name.partition(":")[0] for name in known)
    else:
        assert [f"`{{{name}}}`" in _PAGE for name in known] == [True] * len(known)
        assert len(known) == 5


def test_each_of_setups_questions_has_its_flag(terminal: Terminal) -> None:
    help_ = terminal.run("setup", "--help").out
    flags = [flag for row in table("| question | flag | unasked |") for flag in _CODE.findall(row[1])]
    assert [flag for flag in flags if flag.split()[0] not in help_] == []
    named = {flag.split()[0] for flag in flags}
    assert set(re.findall(r"--[a-z-]+", help_)) - named == {"--dry-run", "--yes", "--help"}


def findings() -> Iterator[str]:
    """The name of each finding in the sources of `doctor`."""
    for path in PROJECT.joinpath(*doctor.__name__.split(".")).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
                names = [each for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                yield from (each.value for each in names if isinstance(each.value, str))


def test_doctors_themes_and_findings_are_listed() -> None:
    rows = table("| theme | looks at | findings |")
    assert [row[0] for row in rows] == list(THEMES)
    listed = {name for row in rows for name in _CODE.findall(row[2])}
    assert listed == set(findings()) - {"doctor"}  # that is a fault of doctor's own


@pytest.fixture
def terminal(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Terminal:
    return Terminal.open(standin, paths, monkeypatch, capsys)


def fields(command: str) -> dict[str, set[str]]:
    """The fields of a document, each with the fields of what lies in it."""
    text = _PAGE.partition(f"**`credhelper {command} --json`**")[2].partition("\n\n**")[0]
    found: dict[str, set[str]] = {}
    for line in text.partition("\n|---|---|\n")[2].partition("\n\n")[0].splitlines():
        names, _, inner = line.strip("| ").partition(" | ")
        for name in _CODE.findall(names):
            found[name] = set(_CODE.findall(inner))
    return found


def test_the_json_documents_have_these_fields(terminal: Terminal) -> None:
    for command in ("login corp", "enable dev --yes"):
        assert terminal.run(*command.split()).code == 0
    documents: dict[str, Any] = {}
    for command in ("whoami dev", "status", "profiles", "doctor", "daemon status"):
        done = (terminal.call if command == "whoami dev" else terminal.run)(*command.split(), "--json")
        documents[command.removesuffix(" dev")] = json.loads(done.out)
    for command in ("whoami", "status", "profiles", "doctor"):
        assert set(documents[command]) == set(fields(command))
    status, page = documents["status"], fields("status")
    assert set(status["daemon"]) == page["daemon"]
    assert set(status["sessions"][0]) == page["sessions"]
    assert set(status["profiles"][0]) == page["profiles"]
    assert set(documents["profiles"]["profiles"][0]) == fields("profiles")["profiles"]
    themes = documents["doctor"]["themes"]
    assert set(themes[0]) == fields("doctor")["themes"]
    found = [finding for theme in themes for finding in theme["findings"]]
    assert found, "the stand-in's endpoints at the least"
    line = next(line for line in _PAGE.split("\n\n") if line.startswith("A finding has"))
    assert set(found[0]) == set(_CODE.findall(line)) - {"problem", "hint"}
    line = next(line for line in _PAGE.split("\n") if line.startswith("**`credhelper daemon status --json`**"))
    assert set(documents["daemon status"]) == set(_CODE.findall(line)[1:])
    assert "`credhelper`, `edited`" in _PAGE
