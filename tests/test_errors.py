from __future__ import annotations

import ast

import pytest

from credhelper import errors
from tests.sandbox import PROJECT


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.CredhelperError("x"), 1),
        (errors.UsageError("x"), 2),
        (errors.LoginNeeded("x"), 3),
        (errors.ConfigError("x"), 1),
        (errors.FileChanged("x"), 1),
        (errors.TokenUnreadable("x"), 1),
        (errors.DaemonUnavailable("x"), 1),
        (errors.UpstreamError("CreateToken", "Offline"), 1),
    ],
)
def test_exit_codes(error: errors.CredhelperError, code: int) -> None:
    assert error.exit_code == code


def test_text() -> None:
    assert str(errors.CredhelperError("it broke")) == "it broke"
    assert str(errors.CredhelperError("it broke", "Mend it")) == "it broke. Mend it"
    assert str(errors.UpstreamError("Logout", "X", 500, "why")) == "Logout: X (why)"


def test_what_a_refusal_repeats_is_taken_out() -> None:
    token = "aBc-_+/=.~" * 30
    error = errors.UpstreamError("CreateToken", "X", 400, f"the token {token} is bad, {token[:20]} too")
    assert error.detail == "the token … is bad, … too"
    assert token[:20] not in f"{error} {error!r} {error.args} {vars(error)}"


def test_places_hold_no_values() -> None:
    def fail(hush: str) -> None:
        try:
            int(hush)
        except ValueError as cause:
            raise KeyError(hush) from cause

    with pytest.raises(KeyError) as caught:
        fail("hush")
    lines = errors.places(caught.value)
    assert [line for line in lines if not line.startswith("  ")] == ["builtins.KeyError", "builtins.ValueError"]
    assert lines[-1].endswith(" in fail")
    assert "hush" not in "".join(lines)


def test_places_of_an_endless_recursion_are_those_of_its_ends() -> None:
    def deeper(n: int) -> int:
        return deeper(n + 1) + 1

    with pytest.raises(RecursionError) as caught:
        deeper(0)
    lines = errors.places(caught.value)
    assert len(lines) < 100
    assert lines[0] == "builtins.RecursionError"
    assert "in test_places_of_an_endless" in lines[1]
    assert lines[-1].endswith(" in deeper")
    assert [line for line in lines if " more …" in line]


def test_places_of_errors_in_a_circle_are_bounded() -> None:
    with pytest.raises(ValueError, match="one") as caught:
        raise ValueError("one")
    other = KeyError("two")
    other.__cause__, caught.value.__cause__ = caught.value, other
    assert len(errors.places(caught.value, most=7)) == 7


def imports(module: str) -> set[str]:
    """The modules of this package that one of its files imports, at any depth."""
    tree = ast.parse((PROJECT / "credhelper" / module).read_text())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name.split(".")[0] == "credhelper"}


@pytest.mark.parametrize("module", ["errors.py", "client.py", "model.py"])
def test_what_stands_lowest_imports_nothing_of_the_package(module: str) -> None:
    assert imports(module) == set()


def test_core_does_no_io() -> None:
    for path in (PROJECT / "credhelper" / "core").glob("*.py"):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not names & {"os", "socket", "subprocess", "pathlib", "botocore", "boto3", "credhelper.files"}, path
