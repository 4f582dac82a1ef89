"""Links between our pages, and paths of this repository that they name, lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.sandbox import PROJECT

PAGES = sorted(path for folder in (PROJECT, PROJECT / "docs") for path in folder.glob("*.md"))
_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?:)([^)\s#]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:tests|benchmarks|docs|fuzz|shell)/[a-z\d_./-]+)`")


def anchors(page: Path) -> set[str]:
    """Those that a page's headings get where it is shown."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_links_and_paths_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    wrong = []
    for path, anchor in _LINK.findall(text):
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            wrong.append(f"{path}#{anchor}" if anchor else path)
    assert wrong == []
    assert [path for path in _PATH.findall(text) if not (PROJECT / path).exists()] == []


def test_headings_and_links_are_found() -> None:
    assert "doctor" in anchors(PROJECT / "docs/reference.md")
    assert ("docs/reference.md", "doctor") in _LINK.findall((PROJECT / "README.md").read_text(encoding="utf-8"))
