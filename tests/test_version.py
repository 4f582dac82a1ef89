from __future__ import annotations

import importlib.metadata
import re

import pytest

from credhelper import __version__
from tests.sandbox import PROJECT


def test_version_stands_in_one_place() -> None:
    sources = [*(PROJECT / "credhelper").rglob("*.py"), PROJECT / "pyproject.toml", *(PROJECT / "shell").glob("*")]
    holders = [path for path in sources if path.is_file() and __version__ in path.read_text()]
    assert holders == [PROJECT / "credhelper" / "__init__.py"]


def test_version_has_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)


def test_installed_version() -> None:
    try:
        installed = importlib.metadata.version("credhelper")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed: run `./dev test`")
    assert installed == __version__
