from __future__ import annotations

import json

from credhelper.agent import Agent
from credhelper.doctor.examination import THEMES
from tests.doctor.clinic import Clinic


def test_nothing_is_found(clinic: Clinic, daemon: Agent) -> None:
    themes = clinic.themes()
    assert [theme.title for theme in themes] == list(THEMES)
    assert [finding for theme in themes for finding in theme.findings] == []
    result = clinic.run("doctor")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[-1] == "All is well."
    assert len(result.out.splitlines()) == len(THEMES) + 1
    result = clinic.run("doctor", "--json", "--fix", "--yes")
    document = json.loads(result.out)
    assert (result.code, document["well"], document["mended"]) == (0, True, [])
