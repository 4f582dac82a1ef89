"""A healthy home folder, in which each test makes one fault."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest

from credhelper.cli import main
from credhelper.doctor.examination import THEMES, Theme, examine
from credhelper.doctor.remarks import Finding
from credhelper.doctor.scene import Scene
from credhelper.paths import Paths
from tests.cli.terminal import Result
from tests.machine import Machine


@dataclass
class Clinic:
    """The home folder, and the doctor in it."""

    machine: Machine
    patch: pytest.MonkeyPatch
    capture: pytest.CaptureFixture[str]

    @property
    def paths(self) -> Paths:
        return self.machine.paths

    def themes(self, *titles: str) -> list[Theme]:
        """What is said of these themes, or of all."""
        assert set(titles) <= set(THEMES)
        return examine(Scene(self.paths, os.environ), titles or None)

    def look(self, *titles: str) -> list[Finding]:
        return [finding for theme in self.themes(*titles) for finding in theme.findings]

    def one(self, *titles: str) -> Finding:
        """The only finding."""
        (finding,) = self.look(*titles)
        return finding

    def mended(self, finding: Finding, *titles: str) -> str:
        """Let the finding's own action mend it; afterwards there must be none any more."""
        assert finding.mend.action is not None
        outcome = finding.mend.action()
        assert self.look(*titles) == []
        return outcome

    def run(self, *arguments: str) -> Result:
        """Run a command in this process."""
        self.capture.readouterr()
        with pytest.raises(SystemExit) as end:
            main(list(arguments))
        out, err = self.capture.readouterr()
        assert isinstance(end.value.code, int)
        assert end.value.code != 70, err
        return Result(end.value.code, out, err)
