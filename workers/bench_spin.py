"""How fast Spin searches what the explorer searches: numbers for `gracefuzz bench`.

Both visit all states of the reference configuration of `thp_split`, on one core, in turns; the
number of states must be the same. Times are of the processor, without compiling. pan searches the
model of `model.promela` as `workers.spin` calls it, with -O3 -DSAFETY -DNOREDUCE.
"""

from __future__ import annotations

import time
from statistics import median

from model.explore import Explorer
from model.program import Program
from workers.bench_engine import reference_program
from workers.spin import Search, SpinRun, compiled_model

PAIRS = 5


def measurements() -> dict[str, float]:
    """Figures by name; takes some 20 s. Raises FileNotFoundError without spin and gcc.

    `ratio_to_spin` is the median over neighbouring turns. Rates count the states from which
    executions go on, in both; pan stores those in which they end as well, and is given as
    `spin_stored_states_per_second` with them. Of its bytes only those for states are counted,
    with what it allocates for each, not the hash table.
    """
    program = reference_program()
    with compiled_model(program) as search:
        theirs, ours = zip(*(_turn(program, search) for _ in range(PAIRS)), strict=True)
    best = min(theirs, key=lambda turn: turn.seconds)
    return {
        "explorer.ratio_to_spin": median(
            turn.seconds / seconds for turn, seconds in zip(theirs, ours, strict=True)
        ),
        "explorer.spin_states_per_second": best.states / best.seconds,
        "explorer.spin_stored_states_per_second": best.stored / best.seconds,
        "explorer.spin_bytes_per_state": best.memory / best.stored,
    }


def _turn(program: Program, search: Search) -> tuple[SpinRun, float]:
    """A search of Spin, and the seconds of the explorer, which must see the same."""
    spin, explorer = search(), Explorer(program)
    begin = time.process_time()
    while explorer.advance():
        pass
    seconds = time.process_time() - begin
    found = explorer.explored()
    assert found.exhausted and found.states == spin.states, "the explorer and Spin disagree"
    assert set(found.sites) == spin.sites, "the explorer and Spin disagree"
    return spin, seconds
