"""The shell hook: whether it is installed, whole, and loaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from credhelper import files, rc_files, rc_places, shell_files
from credhelper.doctor.environment import shell_name
from credhelper.doctor.remarks import Check, Finding, Mend, Remark, Well
from credhelper.doctor.scene import Scene
from credhelper.errors import CredhelperError


def hook(scene: Scene) -> Iterator[Remark]:
    """The hook of the person's shell."""
    shell = shell_name(scene)
    if shell is None:
        return
    installed = shell_files.installed_file(scene.paths, shell)
    places = rc_places.places(shell, scene.paths, scene.environ)
    blocks: list[tuple[Path, bool]] = []
    for path in (*places.install, *places.others):
        try:
            found = rc_files.blocks(_content(path))
        except rc_files.BlockDamaged as error:
            yield Finding(
                "hook-damaged",
                f"{scene.shown(path)}: {error.message}",
                "The shell may not read the hook, or report an error at each start",
                Mend(scene.edit(path), error.remedy),
            )
            return
        blocks += [(path, block.edited) for block in found]
    loaded = scene.environ.get("_CREDHELPER_IN") == shell
    install = Mend(f"credhelper hook {shell} --install", verb=("hook", shell, "--install"))
    if not blocks:
        if loaded:
            yield Well(f"the hook is loaded in this {shell}")
            return
        yield Finding(
            "hook-absent",
            f"the hook is not installed for {shell}",
            "With it `credhelper use` exports the profile, and a login that is needed comes before the command",
            Mend(install.command),
            "hint",
        )
        return
    if not installed.is_file():
        yield Finding(
            "hook-file",
            f"{scene.shown(blocks[0][0])} reads the hook, and {scene.shown(installed)} is not there",
            "New shells come up without it",
            install,
        )
        return
    elsewhere = [path for path, _ in blocks if path not in places.install]
    if elsewhere and not any(path in places.install for path, _ in blocks):
        yield Finding(
            "hook-place",
            f"the hook stands in {scene.shown(elsewhere[0])}, which not every new {shell} reads",
            f"It belongs into {scene.shown(places.install[0])}",
            install,
            "hint",
        )
    if loaded:
        yield Well(f"the hook is loaded in this {shell}")
    elif scene.interactive:
        read = "." if shell == "powershell" else "source"
        yield Finding(
            "hook-not-loaded",
            f"the hook is installed, but not loaded in this {shell}",
            "The shell was opened before, or its start-up file ends before the block",
            Mend(f"{read} {scene.word(installed)}", "Open a new one, or, in this one"),
            "hint",
        )
    else:
        yield Well(f"the hook of {shell} is installed")


def _content(path: Path) -> bytes:
    try:
        return files.read_bytes(path)
    except (FileNotFoundError, CredhelperError):
        return b""


CHECKS: tuple[Check, ...] = (hook,)
