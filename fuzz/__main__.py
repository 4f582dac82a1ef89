"""`python -m fuzz`: see the package's own words."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import fuzz
from fuzz import targets

INPUTS = 100_000
# Seconds for one input, and MiB for the process; both a hundred times what the slowest needs.
_HANG = 10
_MEMORY = 1024
# Characters of what a failed run printed: the error and how it came to it, not the thousand lines of progress before.
_LAST_WORDS = 4000
# Seconds for one target, unless told otherwise.
LONGEST = 7200.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run of the fuzzer.

    Attributes:
        executed: inputs, as the fuzzer counted them.
        seconds: it took.
        coverage: branches of the package that some input reached.
        findings: files that it wrote: an input that failed, hung or ate memory.
        output: its last words, where it failed.
    """

    target: str
    executed: int
    seconds: float
    coverage: int
    findings: list[Path]
    output: str


def run(name: str, inputs: int, seed: int, findings: Path, longest: float = LONGEST) -> Outcome:
    """Fuzz one target in a process of its own until an input fails or `inputs` were tried.

    What it finds is written to the folder `findings`. Raises subprocess.TimeoutExpired after `longest` seconds, when
    the process has been ended.
    """
    target = targets.load(name)
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory(prefix="credhelper-fuzz-") as top:
        folder = Path(top)
        corpus = folder / "corpus"
        corpus.mkdir()
        known = [path.read_bytes() for path in targets.cases(name)]
        for number, content in enumerate([*target.seeds(), *known]):
            (corpus / f"{number:04}").write_bytes(content)
        (folder / "words").write_text("".join(f'"{_escaped(word)}"\n' for word in target.WORDS if word))
        command = [sys.executable, "-B", "-P", "-m", "fuzz.worker", name]
        options = {
            "runs": inputs,
            "seed": seed,
            "max_len": target.MAX_LEN,
            "timeout": _HANG,
            "rss_limit_mb": _MEMORY,
            "dict": folder / "words",
            "artifact_prefix": f"{findings}/",
            "print_final_stats": 1,
            "verbosity": 1,
        }
        started = time.monotonic()
        done = subprocess.run(
            [*command, *(f"-{option}={value}" for option, value in options.items()), str(corpus)],
            check=False,
            cwd=Path(fuzz.__file__).parents[1],
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=longest,
        )
    output = done.stdout.decode("utf-8", "replace")
    executed = re.search(r"^stat::number_of_executed_units: (\d+)", output, re.MULTILINE)
    coverage = re.findall(r" cov: (\d+)", output)
    found = sorted(set(findings.iterdir()) - before)
    if done.returncode == 0 and executed is None:
        output += "\nit did not say how many inputs it tried"
    return Outcome(
        name,
        int(executed[1]) if executed else 0,
        time.monotonic() - started,
        int(coverage[-1]) if coverage else 0,
        found,
        output[-_LAST_WORDS:] if done.returncode else "",
    )


def _environment(folder: Path) -> dict[str, str]:
    """Nothing of the person's: a home of its own, and the same order of sets and dicts in each run."""
    home = folder / "home"
    home.mkdir()
    return {
        "HOME": str(home),
        "PATH": os.defpath,
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": str(Path(fuzz.__file__).parents[1]),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
    }


def _escaped(word: bytes) -> str:
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in word)


def main() -> int:
    """Exit code 0 where all was well, 1 where an input was found or the fuzzer broke."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description="Fuzz all that reads what others wrote.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(targets.NAMES)} (all)")
    parser.add_argument("--inputs", type=int, default=INPUTS, help="for each target (%(default)s)")
    parser.add_argument("--seed", type=int, help="of the choice of inputs (another one each time)")
    parser.add_argument("--replay", nargs="+", type=Path, metavar="FILE", help="try these inputs, without the fuzzer")
    parser.add_argument("--findings", type=Path, help="where to write what fails (fuzz/cases/TARGET)")
    options = parser.parse_args()
    names = options.targets or list(targets.NAMES)
    if not set(names) <= set(targets.NAMES):
        parser.error(f"no such target; there are {', '.join(targets.NAMES)}")
    if options.replay:
        if len(names) != 1:
            parser.error("--replay takes one TARGET")
        for path in options.replay:
            targets.load(names[0]).one(path.read_bytes())
            print(f"{path}: nothing wrong")
        return 0
    seed = options.seed if options.seed is not None else int.from_bytes(os.urandom(3), "big") + 1
    failed = False
    for name in names:
        outcome = run(name, options.inputs, seed, options.findings or targets.CASES / name)
        print(
            f"{name}: {outcome.executed} inputs, {outcome.coverage} branches, {outcome.seconds:.0f} s, seed {seed}: "
            f"{'FAILED' if outcome.output or outcome.findings else 'nothing wrong'}",
            flush=True,
        )
        if outcome.output or outcome.findings:
            failed = True
            print(outcome.output, file=sys.stderr)
            for path in outcome.findings:
                print(f"kept: {path}")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
