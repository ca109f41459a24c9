"""Compiling and walking a program of many threads with much code: for `gracefuzz bench`."""

from __future__ import annotations

from statistics import median

from workers.bench_engine import compare, compiled_engine
from workers.bench_wide_program import wide

PAIRS = 5
TURN_SECONDS = 0.5


def measurements() -> dict[str, float]:
    """Figures by name; takes some 15 s. Raises FileNotFoundError without gcc.

    Times are of the processor. `wide.compile_seconds` is the best of a few times from the IR to
    machine code, `wide.steps_per_second` the median of a few turns.
    """
    engine, compile_seconds = compiled_engine(wide.compile())
    found = compare(engine, pairs=PAIRS, turn_seconds=TURN_SECONDS)
    return {
        "wide.compile_seconds": compile_seconds,
        "wide.steps_per_second": median(found.circuit),
        "wide.ratio_to_scalar_c": found.ratio,
    }
