"""Coverage-guided fuzzing of all that reads what others wrote: files, frames, requests, answers.

    python -m fuzz                                  every target, 100,000 inputs each
    python -m fuzz editor tokens --inputs 1000000   these, for longer
    python -m fuzz editor --seed 7                  as chosen by that seed, to have a run again
    python -m fuzz editor --replay FILE…            one input, without the fuzzer (it needs no atheris)

A target is a file of `targets/`: `one(data)`, which raises for whatever must not happen, a few `seeds()` to begin
with, and the WORDS that mutations are made of. The fuzzer (atheris, that is libFuzzer) runs it in a process of its
own, with the package's code instrumented. An input that makes it fail, hang or eat memory is written to
`cases/TARGET/`, where it stays when the fault is mended: `tests/hostile/test_cases.py` tries all of them everywhere.
"""
