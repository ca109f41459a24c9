"""A pool of this process alone: work is done while someone waits for it.

What is found may be minimized by a second process, whose search is ahead of what it is asked for.
"""

from workers.minimizer import Minimizer, MinimizerFailed
from workers.pool import Lost, MinimizedOne, Report, Work
from workers.shards import BlockRange, Replayed, ShardSpec, compile_next
from workers.work import do, report_of

WORKER = "this process"
# Nothing is shown, stored or heard while this process executes a range.
LEASE_SECONDS = 0.5


class LocalPool:
    """One worker, this process. Starts at once; work is not interrupted.

    Without a spec, all work brings its own.
    """

    def __init__(self, spec: ShardSpec | None, minimizer: Minimizer | None = None) -> None:
        self._spec = spec
        self._minimizer = minimizer
        self._waiting: Work | None = None

    @property
    def name(self) -> str:
        """How a person reads it."""
        return WORKER

    @property
    def workers(self) -> int:
        """One."""
        return 1

    @property
    def lease_seconds(self) -> float:
        """Half a second: the screen stands still as long."""
        return LEASE_SECONDS

    def takers(self) -> list[str]:
        """This process, while it has nothing to do."""
        return [] if self._waiting else [WORKER]

    def submit(self, worker: str, work: Work) -> None:
        """Remember the work: the next `wait` does it."""
        assert worker == WORKER and self._waiting is None
        self._waiting = work

    def wait(self, *, seconds_max: float) -> list[Report]:
        """Do what was submitted, however long it takes: so its leases are short."""
        work, self._waiting = self._waiting, None
        if work is None:
            return []
        try:
            spec = self._spec
            if isinstance(work, BlockRange) and spec is not None:
                compile_next(spec, work)
            if self._minimizer is None or spec is None or not isinstance(work, Replayed):
                return [report_of(work, WORKER, do(spec, work))]
            minimal = self._minimizer.minimized(work, spec.excluded)
            return [MinimizedOne(work, WORKER, minimal)]
        except MinimizerFailed as error:
            return [Lost(work, WORKER, str(error), blamed=True)]
        except Exception as error:
            return [Lost(work, WORKER, f"{type(error).__name__}: {error}", blamed=True)]

    def rest(self) -> None:
        """Forget what waits."""
        self._waiting = None

    def close(self) -> None:
        """Nothing was started."""
