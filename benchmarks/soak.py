"""Eight days of a daemon's life with everything that goes wrong: `python -m benchmarks.soak [--days 8] [--seed N]`.

20 profiles over five sessions, five callers, a person who logs in again some time after a session has ended, and
faults at random. A witness that knows AWS's own books says of each call that failed whether it could have been
served; one that is not answered in its time is wrong. `--json` prints the figures for programs. The exit code is 1
where a call failed that could have been served.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
import time

from benchmarks import pages
from benchmarks.soaking.life import Figures, soak

_EXCUSES = ("login needed", "AWS out of reach", "token file broken", "config broken")
_COLUMNS = ("day", "calls", "served", "login", "AWS", "token", "config", "WRONG", "slowest s", "renewed", "fetched")
_MORE = ("logins", "troubles", "MB", "blocks", "fds", "threads", "log kB")


def _row(one: Figures) -> list[str]:
    day = one.day
    return [
        str(one.number),
        str(day.calls),
        str(day.served),
        *(str(day.excused[excuse]) for excuse in _EXCUSES),
        str(len(day.wrong)),
        f"{day.slowest:.1f}",
        *map(str, (one.renewals, one.fetches, one.logins, one.troubles)),
        f"{one.memory / 1e6:.1f}",
        *map(str, (one.blocks, one.descriptors, one.threads)),
        f"{one.log / 1e3:.1f}",
    ]


def _table(days: list[Figures]) -> str:
    rows = [[*_COLUMNS, *_MORE], *map(_row, days)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    lines += [
        "",
        "login, AWS, token, config: calls that failed and could not have been served, because a login was needed,",
        "AWS was out of reach, the token file or the config was broken. WRONG: other failures, and wrong answers.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--days", type=int, default=8)
    parser.add_argument("--seed", default=None, help="the same trouble again; the default is another each time")
    parser.add_argument("--json", action="store_true", help="figures for programs")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{pages.ENDURANCE.name}")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    seed = arguments.seed or str(secrets.randbelow(10**6))
    print(f"seed {seed}", file=sys.stderr, flush=True)
    began = time.monotonic()
    days: list[Figures] = []
    life = soak(arguments.days, seed, days.append)
    if arguments.json:
        print(json.dumps([{"number": one.number, **vars(one), "day": vars(one.day)} for one in days]))
    else:
        troubles = ", ".join(f"{kind} {count}" for kind, count in sorted(life.trouble.counts.items()))
        table = f"{_table(days)}\n\ntroubles: {troubles}"
        print(table)
        print(f"{time.monotonic() - began:.0f} s of real time, seed {seed}")
        if arguments.write:
            command = f"python -m benchmarks.soak --days {arguments.days} --seed {seed}"
            where = pages.circumstances(command, time.monotonic() - began, load)
            pages.put(pages.ENDURANCE, "soak", f"{where}\n\n```text\n{table}\n```")
    wrong = [line for one in days for line in (*one.day.wrong, *one.complaints)]
    for line in wrong:
        print(line, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
