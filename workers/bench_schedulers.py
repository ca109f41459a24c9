"""How fast each scheduler is, compared with the uniform walk: numbers for `gracefuzz bench`.

All execute the reference configuration of `thp_split` on one core, a block each in turn. Only
executed steps count, so that passes in which a lane draws what its execution needs cost.
"""

from __future__ import annotations

import time
from statistics import median

from model.circuit.block import Engine
from model.schedulers.named import SCHEDULERS, UNIFORM_WALK, scheduler_named
from workers.bench_engine import ROOT_SEED, reference_program

TURNS = 15


def measurements() -> dict[str, float]:
    """The median ratio of each scheduler's steps a second to the walk's; takes some 20 s."""
    program = reference_program()
    engines = {name: Engine(program, scheduler_named(name)) for name in SCHEDULERS}
    rates: dict[str, list[float]] = {name: [] for name in engines}
    for block in range(TURNS):
        for name, engine in engines.items():
            rates[name].append(_steps_per_second(engine, block))
    walk = rates.pop(UNIFORM_WALK)
    return {
        f"scheduler.{name}.ratio_to_uniform_walk": median(
            one / other for one, other in zip(those, walk, strict=True)
        )
        for name, those in rates.items()
    }


def _steps_per_second(engine: Engine, block: int) -> float:
    begin = time.process_time()
    steps = engine.run_block(root_seed=ROOT_SEED, block=block).steps
    return steps / (time.process_time() - begin)
