"""Ranks and growth over the families of programs, as the studies of SURW and of RFF have them.

Scheduling points differ from theirs, so that only who is better, and how fast it gets harder with
more threads, is compared. Blocks are pure functions: nothing here depends on luck.
"""

import pytest

from model.circuit.block import Engine
from model.schedulers.named import scheduler_named
from tests.programs.benchmark.table import BENCHMARKS

SCHEDULERS = ("surw", "pct", "pos", "uniform_walk")
SCHEDULES = 60_000


def schedules_to_a_violation(name: str, scheduler: str) -> float:
    """On average; as many as were executed where none fails."""
    (benchmark,) = (b for b in BENCHMARKS if b.name == name)
    engine = Engine(benchmark.program, scheduler_named(scheduler))
    schedules = failing = block = 0
    while schedules < SCHEDULES:
        result = engine.run_block(root_seed=45, block=block, passes=1024)
        schedules, failing = schedules + result.schedules, failing + sum(result.site_hits)
        block += 1
    return schedules / max(1, failing)


def needed(names: tuple[str, ...]) -> dict[str, list[float]]:
    """For each scheduler, what it needs for each program."""
    return {s: [schedules_to_a_violation(name, s) for name in names] for s in SCHEDULERS}


@pytest.mark.slow
def test_reorder_gets_harder_as_published():
    """For 3, 5, 10 threads. Published: SURW 7, 10, 17; PCT3 185, 647, 3225; POS 86, 2169, never."""
    found = needed(("reorder_3", "reorder_5", "reorder_10"))
    growth = {scheduler: last / first for scheduler, (first, _, last) in found.items()}
    assert growth["surw"] < 10 / 3 * 1.5, "linear in threads"
    assert growth["surw"] < growth["pct"] / 5
    assert growth["pct"] < growth["pos"] / 5 and found["pct"][1] < found["pos"][1] * 1.1
    at_ten = [found[scheduler][-1] for scheduler in SCHEDULERS]
    assert at_ten == sorted(at_ten) and at_ten[0] < 30
    # A walk must leave every setter between its two writes or before them: a power of threads.
    assert found["uniform_walk"][1] > 8 * found["uniform_walk"][0]


@pytest.mark.slow
def test_twostage_gets_harder_as_published():
    """For 3 and 21 threads. Published: SURW 8, 6; PCT3 13, 159; POS 15, 156; walk 464, never."""
    found = needed(("twostage", "twostage_20"))
    surw, pct, pos, walk = (found[scheduler] for scheduler in SCHEDULERS)
    assert surw[1] < pct[1] / 3 and surw[1] < pos[1] / 3
    assert 1 / 3 < pct[1] / pos[1] < 3
    assert walk[0] > max(surw[0], pct[0], pos[0]) and walk[1] > 10 * max(pct[1], pos[1])
    assert pct[1] / pct[0] > 10 and surw[1] / surw[0] < 21 / 3 * 1.5
