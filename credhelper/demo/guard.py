"""Ends a demo's world when the demo itself was killed: `python guard.py HOME [keep]`, run by `world`.

Its stdin is a pipe that the demo alone holds open. A word from there means that all is in order; the end without one
that the demo has gone. It is run as a file, so that it imports nothing before there is something to do.
"""

import os
import sys


def main(home: str, *keep: str) -> None:
    """Wait for the demo's end, however that comes."""
    if os.read(0, 1):
        return
    from pathlib import Path  # noqa: PLC0415 - hardly ever needed

    from credhelper.demo.world import World  # noqa: PLC0415

    World.left_behind(Path(home), keep=bool(keep)).close()


if __name__ == "__main__":
    main(*sys.argv[1:])
