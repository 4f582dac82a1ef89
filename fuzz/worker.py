"""One fuzzing process: `python -m fuzz.worker TARGET LIBFUZZER_ARGUMENT…`. It never returns."""

from __future__ import annotations

import functools
import sys

import atheris

from fuzz import mutations


def _mutate(data: bytes, max_size: int) -> bytes:
    """The fuzzer's own mutation: there is another `Mutate` in its module once it was set up."""
    mutated: bytes = atheris.Mutate(data, max_size)
    return mutated


def main(name: str, arguments: list[str]) -> None:
    # Before anything else imports the package: only what is imported in here is seen by the fuzzer.
    with atheris.instrument_imports(include=["credhelper"]):
        from fuzz import targets  # noqa: PLC0415

        target = targets.load(name)
    options = {}
    if target.LINES:
        options["custom_mutator"] = functools.partial(mutations.of_lines, target.WORDS, _mutate)
    atheris.Setup([sys.argv[0], *arguments], target.one, **options)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
