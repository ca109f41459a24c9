"""What coverage costs: whole campaigns with it and without it, in turns, for `gracefuzz bench`."""

import statistics
import tempfile
import time
from pathlib import Path

from model.program_json import to_json
from model.schedulers.named import UNIFORM_WALK
from storage.session import Database, open_database
from storage.sources import compile_source, find_source
from workers.bench_pool import PARAMETERS, ROOT_SEED, Silent
from workers.campaign import Coordinator
from workers.local_pool import LocalPool
from workers.orders import Budget, Order
from workers.shards import SAMPLED_EVERY, ShardSpec

PROGRAM = "thp_split"
PAIRS = 9
# Some 120 blocks, of which 5 are sampled.
SCHEDULES = 16_500_000


def measurements() -> dict[str, float]:
    """Schedules a second of the processor without coverage, divided by those with it: the median.

    Each campaign goes through a database, in this process; what is compiled once a process has been
    compiled before. Which of the two comes first alternates.
    """
    source = find_source(PROGRAM)
    program = compile_source(source, PARAMETERS)
    order = Order(program, "", UNIFORM_WALK, ROOT_SEED, Budget(schedules=SCHEDULES))
    specs = [
        ShardSpec(to_json(program), ROOT_SEED, sampled_every=every)
        for every in (None, SAMPLED_EVERY)
    ]
    ratios = []
    with (
        tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder,
        open_database(Path(folder) / "bench.db") as database,
    ):
        for number in range(PAIRS + 1):
            turns = specs[:: -1 if number % 2 else 1]
            rates = {spec: _schedules_per_second(database, order, spec) for spec in turns}
            without, with_coverage = (rates[spec] for spec in specs)
            ratios.append(without / with_coverage)
    return {
        "coverage.cost_ratio": statistics.median(ratios[1:]),
        "coverage.cost_ratio.low": min(ratios[1:]),
        "coverage.cost_ratio.high": max(ratios[1:]),
    }


def _schedules_per_second(database: Database, order: Order, spec: ShardSpec) -> float:
    begun = time.process_time()
    report = Coordinator(database, LocalPool(spec), order, Silent(), lambda: False).execute()
    return report.progress.schedules / (time.process_time() - begun)
