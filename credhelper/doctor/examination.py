"""All checks, by theme, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from credhelper.doctor import (
    config,
    daemon,
    environment,
    installation,
    logins,
    modes,
    network,
    profiles,
    shared,
    shell,
)
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from credhelper.errors import places

# What lies at the bottom of other things comes first.
THEMES: dict[str, tuple[Check, ...]] = {
    "Installation": installation.CHECKS,
    "AWS config": config.CHECKS,
    "Profiles": profiles.CHECKS,
    "Environment": environment.CHECKS,
    "File modes": modes.CHECKS,
    "Shared folders": shared.CHECKS,
    "Daemon": daemon.CHECKS,
    "Shell": shell.CHECKS,
    "Network": network.CHECKS,
    "Logins": logins.CHECKS,
}


@dataclass(slots=True)
class Theme:
    """The remarks about one theme."""

    title: str
    wells: list[Well] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def examine(scene: Scene, titles: Collection[str] | None = None) -> list[Theme]:
    """Make all checks, or those of some themes. Never raises: a check that fails is a finding itself."""
    themes = []
    for title, checks in THEMES.items():
        if titles is not None and title not in titles:
            continue
        theme = Theme(title)
        for check in checks:
            for remark in _remarks(check, scene):
                if isinstance(remark, Well):
                    theme.wells.append(remark)
                else:
                    theme.findings.append(remark)
        themes.append(theme)
    return themes


def _remarks(check: Check, scene: Scene) -> list[Remark]:
    try:
        return list(check(scene))
    except Exception as error:  # noqa: BLE001 - one check's surprise must not hide what the others find
        where = "; ".join(places(error, 4))
        return [
            Finding(
                "doctor",
                f"the check {check.__name__!r} itself failed: {type(error).__name__}",
                f"That is a bug in credhelper: {where}",
                Mend(words="Please report it"),
            )
        ]
