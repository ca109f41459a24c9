"""What every worker does, in whatever process: execute a range, or minimize a violation."""

import time

from workers.minimizing import Minimized, minimized
from workers.pool import DoneIn, Executed, MinimizedOne, Work, WorkIn
from workers.shards import BlockRange, Replayed, ShardResult, ShardSpec, program_of, run_shard

# A result with the seconds that it took.
Timed = tuple[ShardResult | Minimized, float]


def do(spec: ShardSpec | None, work: Work) -> Timed:
    """The result of a piece of work: a pure function, but for the time it takes."""
    if isinstance(work, WorkIn):
        return do(work.spec, work.work)
    assert spec is not None, "work without a spec needs a pool that has one"
    begun = time.perf_counter()
    result: ShardResult | Minimized
    if isinstance(work, BlockRange):
        result = run_shard(spec, work)
    else:
        result = minimized(program_of(spec.program), work, excluded=spec.excluded)
    return result, time.perf_counter() - begun


def report_of(work: Work, worker: str, timed: Timed) -> Executed | MinimizedOne | DoneIn:
    """The report of work that was done."""
    if isinstance(work, WorkIn):
        done = report_of(work.work, worker, timed)
        assert not isinstance(done, DoneIn)
        return DoneIn(work, done)
    result, seconds = timed
    if isinstance(result, ShardResult):
        assert isinstance(work, BlockRange)
        return Executed(work, worker, result, seconds)
    assert isinstance(work, Replayed)
    return MinimizedOne(work, worker, result)
