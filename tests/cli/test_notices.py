"""What is said of files that are not as they should be, again and again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from credhelper.aws.config import complaints
from credhelper.cli import status
from credhelper.cli.notices import why_unparsable
from credhelper.paths import Paths
from credhelper.standin import StandIn
from tests.cli.terminal import Terminal


def test_why(tmp_path: Path) -> None:
    config = tmp_path / "config"
    assert why_unparsable(config) is None
    config.write_text("[default]\n")
    assert why_unparsable(config) is None
    config.write_text("[default]\nnonsense\n")
    assert why_unparsable(config)
    config.unlink()
    config.mkdir()
    assert why_unparsable(config) is None


def test_watching_looks_once_at_a_time_and_parses_what_changed(
    standin: StandIn, paths: Paths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal.open(standin, paths, monkeypatch, capsys)
    parsed, looks, pauses = [], [], []
    unparsable, gather = complaints.unparsable, status.gather

    def count_parsed(data: bytes) -> str | None:
        parsed.append(data)
        return unparsable(data)

    def count_looks(where: Paths) -> dict[str, object]:
        looks.append(where)
        return gather(where)

    def sleep(_: float) -> None:
        pauses.append(len(looks))
        if len(pauses) == 2:
            terminal.config.write_text(terminal.config.read_text() + "nonsense\n")
        if len(pauses) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(complaints, "unparsable", count_parsed)
    monkeypatch.setattr(status, "gather", count_looks)
    monkeypatch.setattr(time, "sleep", sleep)
    result = terminal.run("status", "--watch")
    assert result.code == 130
    assert pauses == [1, 2, 3, 4]
    assert len(parsed) == 2
    assert result.out.count("the AWS CLI and boto3 cannot read") == 2
