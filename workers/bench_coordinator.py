"""What coordinating costs, and how much of it one coordinator does, for `gracefuzz bench`.

The server is a PostgreSQL of our own that writes to this machine's disk, as one in production does.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from model.program_json import to_json
from model.schedulers.named import UNIFORM_WALK
from storage.campaigns import QUEUED, CampaignPlan
from storage.leases import leases_completed
from storage.programs import ProgramRecord, record_program
from storage.session import Database, open_database
from storage.sources import compile_source, find_source
from storage.steering import queue_campaign
from workers.bench_pool import PARAMETERS, ROOT_SEED, Silent
from workers.campaign import Coordinator
from workers.fleet import Fleet
from workers.orders import Budget, Order
from workers.pool import Executed, Pool, Report, Work
from workers.postgresql_server import missing, own_server
from workers.shards import ShardSpec
from workers.simulated_pool import SimulatedPool

PROGRAM = "thp_split"
CAMPAIGN_SECONDS = 20.0
RATE_WORKERS, RATE_SECONDS, RATE_WARM_UP = 4_000, 15.0, 5.0
# Workers that begin at once end in waves, which take some three leases to even out.
STEADY_WORKERS, STEADY_SECONDS, STEADY_WARM_UP = 10_000, 30.0, 70.0


def overhead() -> dict[str, float]:
    """Processor time of coordinator and database by the time that two workers have executed.

    Whole campaigns of 20 s on two real workers, one for each kind of database.
    """
    from workers.ray_pool import RayPool

    compiled = compile_source(find_source(PROGRAM), PARAMETERS)
    spec = ShardSpec(to_json(compiled), ROOT_SEED)
    order = Order(compiled, "", UNIFORM_WALK, ROOT_SEED, Budget(seconds=CAMPAIGN_SECONDS))
    pool = Counting(RayPool(spec, workers=2))
    figures = {}
    try:
        with tempfile.TemporaryDirectory(prefix="gracefuzz-bench-") as folder:
            share = _overhead(str(Path(folder) / "bench.db"), pool, order, lambda: 0.0)
            figures["coordinator_overhead_percent.sqlite"] = 100 * share
        if _has_server("coordinator_overhead_percent.postgresql"):
            with own_server() as server:
                share = _overhead(server.url("postgres"), pool, order, server.processor_seconds)
            figures["coordinator_overhead_percent.postgresql"] = 100 * share
    finally:
        pool.close()
    return figures


def lease_completions() -> Mapping[str, float]:
    """Leases that end a second, as rows of PostgreSQL say, of workers that ask for more."""
    if not _has_server("lease_completions_per_second"):
        return {}
    pool = SimulatedPool(RATE_WORKERS, (0.5, 1.5), lease_seconds=1.0)
    seen = _simulated(pool, warm_up=RATE_WARM_UP, seconds=RATE_SECONDS)
    return {"lease_completions_per_second": seen.completions / seen.seconds}


def many_workers() -> Mapping[str, float]:
    """10,000 workers with leases of 10 to 30 s: what they complete, and how long they wait.

    `idle_percent` is the mean share of workers without work, `processor_percent` what the
    coordinator uses of a core.
    """
    if not _has_server("workers_10000"):
        return {}
    pool = SimulatedPool(STEADY_WORKERS, (10.0, 30.0), lease_seconds=20.0, seconds_per_block=1.0)
    seen = _simulated(pool, warm_up=STEADY_WARM_UP, seconds=STEADY_SECONDS)
    return {
        "workers_10000.completions_per_second": seen.completions / seen.seconds,
        "workers_10000.idle_percent": 100 * seen.idle / seen.looks / STEADY_WORKERS,
        "workers_10000.processor_percent": 100 * seen.processor_seconds / seen.seconds,
    }


def _has_server(name: str) -> bool:
    reason = missing()
    if reason is not None:
        print(f"left out: {name}: {reason}", file=sys.stderr)
    return reason is None


@dataclass(slots=True)
class Counting:
    """A pool that adds up how long its workers have executed."""

    pool: Pool
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """As the pool's."""
        return self.pool.name

    @property
    def workers(self) -> int:
        """As the pool's."""
        return self.pool.workers

    @property
    def lease_seconds(self) -> float:
        """As the pool's."""
        return self.pool.lease_seconds

    def takers(self) -> list[str]:
        """As the pool does."""
        return self.pool.takers()

    def submit(self, worker: str, work: Work) -> None:
        """As the pool does."""
        self.pool.submit(worker, work)

    def wait(self, *, seconds_max: float) -> list[Report]:
        """As the pool does."""
        reports = self.pool.wait(seconds_max=seconds_max)
        self.seconds += sum(each.seconds for each in reports if isinstance(each, Executed))
        return reports

    def close(self) -> None:
        """As the pool does."""
        self.pool.close()


def _overhead(
    location: str, pool: Counting, order: Order, server_seconds: Callable[[], float]
) -> float:
    with open_database(location) as database:
        pool.seconds = 0.0
        begun = time.process_time() + server_seconds()
        Coordinator(database, pool, order, Silent(), lambda: False).execute()
        used = time.process_time() + server_seconds() - begun
    return used / pool.seconds


@dataclass(slots=True)
class _Seen:
    """What was seen between two moments of a coordinator at work; it stops at the second."""

    database: Database
    pool: SimulatedPool
    campaign: int
    warm_up: float
    until: float
    begun: float = field(default_factory=time.monotonic)
    since: float | None = None
    seconds: float = 0.0
    completions: int = 0
    processor_seconds: float = 0.0
    idle: int = 0
    looks: int = 0

    def is_over(self) -> bool:
        """Asked by the coordinator in every turn."""
        now = time.monotonic()
        if now - self.begun < self.warm_up:
            return False
        if self.since is None:
            self.since, self.completions = now, -self._completed()
            self.processor_seconds = -time.process_time()
        self.idle += len(self.pool.takers())
        self.looks += 1
        if now - self.begun < self.until:
            return False
        if not self.seconds:
            self.seconds = now - self.since
            self.completions += self._completed()
            self.processor_seconds += time.process_time()
        return True

    def _completed(self) -> int:
        with self.database.read() as session:
            return leases_completed(session, self.campaign)


def _simulated(pool: SimulatedPool, *, warm_up: float, seconds: float) -> _Seen:
    with own_server() as server, open_database(server.url("postgres")) as database:
        seen = _Seen(database, pool, _queued(database), warm_up, warm_up + seconds)
        fleet = Fleet(database, pool, lambda _number, _said: None, seen.is_over, "bench")
        fleet.drain_seconds = 0.0
        fleet.execute()
    return seen


def _queued(database: Database) -> int:
    now = datetime.now(UTC)
    program = compile_source(find_source(PROGRAM), PARAMETERS)
    row = ProgramRecord(program.hash, program.name, "{}", to_json(program), "")
    budget = json.dumps({QUEUED: True})
    plan = CampaignPlan(program.hash, UNIFORM_WALK, ROOT_SEED, "1", budget)
    with database.write() as session:
        record_program(session, row, now=now)
        return queue_campaign(session, plan, actor="bench", now=now)
