"""Coverage-guided fuzzing of one codec, by hand: `python -m tests.fuzz.fuzz_codecs CODEC [SECONDS]`.

The golden payloads are the seeds, each with the topic, settings and memory of its case; what comes out is
judged as in the property tests. The corpus that grows is kept below `build/fuzz/CODEC` for the next run, and
so is an input that a codec fails on (`found-...`: two bytes for the case, from 0 in order of name, then the
payload). Such an input becomes a golden case or a line of a test before the codec is mended.

Needs atheris (`pip install atheris`), which is no dependency of the project: without it nothing is fuzzed,
said so, and the exit code is 0.
"""

from __future__ import annotations

import random
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

FOLDER = Path("build/fuzz")
SECONDS = 60
CASE_BYTES = 2  # in front of the payload: whose route reads it
LONGEST = 4_096  # bytes of an input: what is wrong with a longer message is a question of limits
MEMORY = 2_048  # MB that one input may take before it is a finding
PATIENCE = 5  # seconds, the same


def main(arguments: list[str]) -> int:
    """Fuzz the codec that the arguments name; atheris ends the process itself when the time is over."""
    if find_spec("atheris") is None:
        print("nothing was fuzzed: atheris is not installed (pip install atheris)")
        return 0
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["ingest.codecs"]):
        from ingest.codecs import names
        from tests.support.goldens import goldens
        from tests.support.mutations import mutated

        known = names()  # imports them all
    if not arguments or arguments[0] not in known:
        print(f"usage: python -m tests.fuzz.fuzz_codecs CODEC [SECONDS], with one of {', '.join(known)}")
        return 2
    cases = goldens(arguments[0])
    folder = FOLDER / arguments[0]
    corpus = folder / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(cases):
        (corpus / f"case-{case.name}").write_bytes(number.to_bytes(CASE_BYTES) + case.payload)

    def decode(data: bytes) -> None:
        case = cases[int.from_bytes(data[:CASE_BYTES]) % len(cases)]
        case.outcome(data[CASE_BYTES:])

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        """Half of the time as libFuzzer does, else with a knowledge of JSON and of base64 within it."""
        rng = random.Random(seed)
        if rng.random() < 0.5:
            mutant: bytes = atheris.Mutate(data, most)
            return mutant
        return (data[:CASE_BYTES].ljust(CASE_BYTES, b"\x00") + mutated(rng, data[CASE_BYTES:]))[:most]

    atheris.Setup([sys.argv[0], *_options(folder, arguments), str(corpus)], decode, custom_mutator=mutate)
    atheris.Fuzz()
    return 0


def _options(folder: Path, arguments: list[str]) -> list[str]:
    seconds = arguments[1] if len(arguments) > 1 else str(SECONDS)
    return [
        f"-max_total_time={int(seconds)}",
        f"-max_len={LONGEST}",
        f"-rss_limit_mb={MEMORY}",
        f"-timeout={PATIENCE}",
        f"-artifact_prefix={folder}/found-",
        "-print_final_stats=1",
    ]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
