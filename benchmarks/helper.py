"""The warm helper beside the floor: `python -m benchmarks.helper [--rounds N]`.

Each round runs every command once, in turn, so that a slow moment of the machine hits all of them. The floor is the
same interpreter that the helper uses, starting and ending with nothing to do.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import subprocess
import time

from benchmarks.world import World, world

_BUDGET = 1.3


def measure(made: World, rounds: int) -> dict[str, list[float]]:
    """Wall-clock milliseconds of each command in each round, by its name."""
    interpreter = made.paths.helper.read_text().split()[0].removeprefix("#!")
    commands = {
        "floor: python -I -S -c pass": [interpreter, "-I", "-S", "-c", "pass"],
        "/bin/true": ["/bin/true"],
        "helper, warm": made.helper,
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(-3, rounds):
        for name, command in commands.items():
            begin = time.perf_counter()
            subprocess.run(command, env=made.environ, stdout=subprocess.DEVNULL, check=True)
            if number >= 0:
                times[name].append((time.perf_counter() - begin) * 1000)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    with world() as made:
        times = measure(made, arguments.rounds)
        upstream = len(made.standin.calls("GetRoleCredentials"))
    floor = statistics.median(next(iter(times.values())))
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, {arguments.rounds} rounds")
    print(f"{'command':32} {'median ms':>10} {'p95 ms':>8} {'x floor':>8}")
    for name, values in times.items():
        median = statistics.median(values)
        p95 = statistics.quantiles(values, n=20)[-1]
        print(f"{name:32} {median:10.2f} {p95:8.2f} {median / floor:8.2f}")
    print(f"budget for the helper: {_BUDGET} x floor; upstream calls for all rounds: {upstream}")


if __name__ == "__main__":
    main()
