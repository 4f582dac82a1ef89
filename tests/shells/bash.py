"""Interactive bash with the hook, in the ways that people run it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.shells.terminal import STARTED, Output, Terminal, finished
from tests.shells.world import World

MODES = ("plain", "posix", "strict")
STRICT = "set -eu -o pipefail\n"


class Bash(Terminal):
    """An interactive bash in a mode of `MODES`; the hook's line stands between `before` and `after` in its start-up
    file. Where `hook` is false that line is missing. The first prompt has been seen: `first` is what preceded it."""

    first: Output

    def __init__(
        self,
        world: World,
        mode: str = "plain",
        *,
        before: str = "",
        after: str = "",
        ps1: str = "$ ",
        hook: bool = True,
        source: Path | None = None,
        env: Mapping[str, str] | None = None,
        wrap: list[str] | None = None,
    ) -> None:
        rc = write_rc(world, before, after, mode=mode, ps1=ps1, hook=hook, source=source)
        environ = {**world.env, **(env or {})}
        super().__init__([*(wrap or []), *command(rc, mode)], environ, world.home)
        try:
            self.first = self.prompt()
        except BaseException:
            self.end()
            raise


def write_rc(
    world: World,
    before: str = "",
    after: str = "",
    *,
    mode: str = "plain",
    ps1: str = "$ ",
    hook: bool = True,
    source: Path | None = None,
) -> Path:
    """A start-up file with the marks of the terminal; in strict mode all of it is read under strict options."""
    rc = world.home / ".bashrc"
    line = f"source '{source or world.hook('bash')}'\n" if hook else ""
    strict = STRICT if mode == "strict" else ""
    marks = f"PS0='{STARTED}'\nPS1='\\[{finished('$?')}\\]{ps1}'\n"
    rc.write_text(f"{strict}bind 'set enable-bracketed-paste off'\n{before}\n{line}{after}\n{marks}")
    return rc


def command(rc: Path, mode: str = "plain") -> list[str]:
    """How bash is started with this start-up file alone. In POSIX mode it reads what $ENV names."""
    if mode == "posix":
        return ["env", f"ENV={rc}", "bash", "--noprofile", "--posix", "-i"]
    # Debian's own /etc/bash.bashrc fails under `set -u`; so the options are set by the file.
    return ["bash", "--noprofile", "--rcfile", str(rc), "-i"]
