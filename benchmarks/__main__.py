"""Measure everything and print one table: `python -m benchmarks [--quick] [--write]`.

All of it against the project's own stand-in for Identity Center, over loopback, in temporary home folders. What is
compared runs in rounds, each command in turn. Under five minutes in full; `--quick` takes one, and its figures are
rough.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence

from benchmarks.calls import fresh_boto3, one_role
from benchmarks.crowd import crowds
from benchmarks.idle import idle, start
from benchmarks.many_profiles import help_page, many_profiles
from benchmarks.pages import DOCS, at_rest, circumstances, put
from benchmarks.shells import shells
from benchmarks.table import Section, render
from benchmarks.world import world
from credhelper.standin import Settings, StandIn

PAGE = DOCS / "benchmarks.md"


def measure(rounds: int, callers: int, profiles: int, rest: float) -> list[Section]:
    """All sections.

    Args:
        rounds: of what is quickest; what takes longer has a part of them.
        callers: at once.
        profiles: in the large config.
        rest: seconds for which the idle daemon is watched, at least, in each of two states.
    """
    # The stand-in has an account for each profile; nothing runs out while it is measured.
    settings = Settings(accounts=max(profiles, 1000), token_lifetime=8 * 3600, role_lifetime=8 * 3600)
    sections = []
    with StandIn(settings) as standin, idle(standin) as resting:
        with world(standin) as made:
            _say("the helper, and the programs of others")
            sections.append(one_role(made, rounds))
            _say("a fresh boto3 process")
            sections.append(fresh_boto3(made, rounds))
            resting.end_first(rest)
            resting.load_boto3()
            _say(f"{callers:,} callers at once")
            sections += crowds(made, callers)
        resting.watch_again()
        _say(f"{profiles:,} profiles")
        sections.append(many_profiles(standin, rounds, profiles))
        _say("the shell hook")
        hooks = shells(standin, rounds, profiles)
        _say("the start of the daemon")
        sections.append(start(standin, rounds))
        _say("the help page")
        sections.append(help_page(rounds))
        _say("the daemon at rest")
        sections.insert(-1, resting.section(rest))
        sections += hooks
    return sections


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where a budget was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds; rough figures")
    parser.add_argument("--rounds", type=int, help="of what is quickest (200, quick: 20)")
    parser.add_argument("--callers", type=int, help="at once (1000, quick: 50)")
    parser.add_argument("--profiles", type=int, help="in the large config (2000, quick: 200)")
    parser.add_argument("--rest", type=float, help="seconds to watch the idle daemon, twice (65, quick: 5)")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    parser.add_argument("--anyway", action="store_true", help="on a busy machine too; the page then says so")
    given = parser.parse_args(arguments)
    load = os.getloadavg()[0]
    if given.write and not (given.anyway or at_rest(load)):
        parser.error(f"the machine has other work (load {load:.1f}): wait until it rests, or add --anyway")
    usual = (20, 50, 200, 5.0) if given.quick else (200, 1000, 2000, 65.0)
    chosen = [
        default if value is None else value
        for value, default in zip((given.rounds, given.callers, given.profiles, given.rest), usual, strict=True)
    ]
    began = time.monotonic()
    sections = measure(int(chosen[0]), int(chosen[1]), int(chosen[2]), chosen[3])
    words = " ".join(["python -m benchmarks", *(sys.argv[1:] if arguments is None else arguments)])
    text = f"{circumstances(words, time.monotonic() - began, load)}\n\n{render(sections)}"
    print(text, end="")
    if given.write:
        put(PAGE, "figures", text)
    return int(any(row.met is False for section in sections for row in section.rows))


if __name__ == "__main__":
    sys.exit(main())
