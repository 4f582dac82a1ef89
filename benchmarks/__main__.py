"""Measure everything and print one table: `python -m benchmarks [--quick] [--write]`.

All of it against the project's own stand-in for Identity Center, over loopback, in temporary home folders. What is
compared runs in rounds, each command in turn. Under six minutes in full; `--quick` takes one, and its figures are
rough.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.calls import fresh_boto3, one_role
from benchmarks.crowd import crowd
from benchmarks.idle import idle, start
from benchmarks.many_profiles import help_page, many_profiles
from benchmarks.table import Section, render
from benchmarks.world import world
from credhelper import __version__
from credhelper.standin import Settings, StandIn

PAGE = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_BEGIN, _END = "<!-- figures -->\n", "<!-- end of figures -->\n"


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
            sections.append(crowd(made, callers))
        resting.watch_again()
        _say(f"{profiles:,} profiles")
        sections.append(many_profiles(standin, rounds, profiles))
        _say("the start of the daemon")
        sections.append(start(standin, rounds))
        _say("the help page")
        sections.append(help_page(rounds))
        _say("the daemon at rest")
        sections.insert(-1, resting.section(rest))
    return sections


def _say(what: str) -> None:
    print(f"… {what}", file=sys.stderr)


def report(sections: Sequence[Section], command: str, seconds: float) -> str:
    """What was measured, when, on what and how, in Markdown."""
    date = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    load = os.getloadavg()[0]
    return (
        f"credhelper {__version__}; {date}; Python {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} at the end; `{command}`, {seconds:.0f} s.\n\n"
        f"{render(sections)}"
    )


def write(text: str, page: Path = PAGE) -> None:
    """Put the figures into their place in the page. Raises ValueError where it has none."""
    content = page.read_text()
    head, begin, rest = content.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page} has no place for figures")
    page.write_text(f"{head}{begin}\n{text}\n{end}{tail}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; exit code 1 where a budget was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition(":")[0])
    parser.add_argument("--quick", action="store_true", help="few rounds; rough figures")
    parser.add_argument("--rounds", type=int, help="of what is quickest (200, quick: 20)")
    parser.add_argument("--callers", type=int, help="at once (1000, quick: 50)")
    parser.add_argument("--profiles", type=int, help="in the large config (2000, quick: 200)")
    parser.add_argument("--rest", type=float, help="seconds to watch the idle daemon, twice (65, quick: 5)")
    parser.add_argument("--write", action="store_true", help=f"put the table into docs/{PAGE.name}")
    given = parser.parse_args(arguments)
    usual = (20, 50, 200, 5.0) if given.quick else (200, 1000, 2000, 65.0)
    chosen = [
        default if value is None else value
        for value, default in zip((given.rounds, given.callers, given.profiles, given.rest), usual, strict=True)
    ]
    began = time.monotonic()
    sections = measure(int(chosen[0]), int(chosen[1]), int(chosen[2]), chosen[3])
    words = ["python -m benchmarks", *(sys.argv[1:] if arguments is None else arguments)]
    text = report(sections, " ".join(words), time.monotonic() - began)
    print(text, end="")
    if given.write:
        write(text)
    return int(any(row.met is False for section in sections for row in section.rows))


if __name__ == "__main__":
    sys.exit(main())
