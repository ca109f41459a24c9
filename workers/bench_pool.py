"""Campaigns of one and of two workers in turns, for the figure `two_worker_speedup`."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from model.program_json import to_json
from model.schedulers.named import UNIFORM_WALK
from storage.session import Database, open_database
from storage.sources import compile_source, find_source
from workers.campaign import Coordinator
from workers.orders import Budget, Order
from workers.pool import Pool, Report, Work
from workers.progress import FoundFailure, Progress
from workers.shards import ShardSpec

ROOT_SEED = 1
# A configuration that nothing is found in: what is measured is executing, not minimizing.
PARAMETERS = {"design": "70b50f94"}
WARM_UP_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class OneOf:
    """A pool of which only the first worker takes work; the others rest."""

    pool: Pool
    worker: str

    @property
    def name(self) -> str:
        """How a person reads it."""
        return "1 worker"

    @property
    def workers(self) -> int:
        """One."""
        return 1

    @property
    def lease_seconds(self) -> float:
        """As the pool's."""
        return self.pool.lease_seconds

    def takers(self) -> list[str]:
        """The one worker, while it takes work."""
        return [worker for worker in self.pool.takers() if worker == self.worker]

    def submit(self, worker: str, work: Work) -> None:
        """As the pool does."""
        self.pool.submit(worker, work)

    def wait(self, *, seconds_max: float) -> list[Report]:
        """As the pool does."""
        return self.pool.wait(seconds_max=seconds_max)

    def close(self) -> None:
        """The pool is closed by who opened it."""


class Silent:
    """An observer that has nothing to say."""

    def progressed(self, progress: Progress) -> None:
        """Nothing."""

    def found(self, failure: FoundFailure) -> None:
        """Nothing."""

    def said(self, sentence: str) -> None:
        """Nothing."""


def paired_campaigns(program: str, *, pairs: int, seconds: float) -> list[float]:
    """For each pair, the schedules a second of two workers divided by those of one.

    Which of the two comes first alternates, so that a machine that slows down favours neither.
    """
    from workers.ray_pool import RayPool

    source = find_source(program)
    compiled = compile_source(source, PARAMETERS)
    spec = ShardSpec(to_json(compiled), ROOT_SEED)
    ratios = []
    with tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder:
        pool = RayPool(spec, workers=2)
        try:
            with open_database(Path(folder) / "bench.db") as database:
                alone = OneOf(pool, pool.takers()[0])
                order = Order(compiled, "", UNIFORM_WALK, ROOT_SEED, Budget(seconds=seconds))
                _schedules_per_second(database, pool, _for(order, WARM_UP_SECONDS))
                for number in range(pairs):
                    pools: list[Pool] = [alone, pool] if number % 2 else [pool, alone]
                    rates = {
                        each.name: _schedules_per_second(database, each, order) for each in pools
                    }
                    ratios.append(rates[pool.name] / rates[alone.name])
        finally:
            pool.close()
    return ratios


def _schedules_per_second(database: Database, pool: Pool, order: Order) -> float:
    report = Coordinator(database, pool, order, Silent(), lambda: False).execute()
    return report.progress.schedules / report.seconds


def _for(order: Order, seconds: float) -> Order:
    return Order(
        order.program, order.source, order.scheduler, order.root_seed, Budget(seconds=seconds)
    )
