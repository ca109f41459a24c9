"""A pool without other processes: work is done in this one, while someone waits for it."""

from workers.pool import Lost, Report, Work
from workers.shards import ShardSpec
from workers.work import do, report_of

WORKER = "this process"


class LocalPool:
    """One worker, this process. Starts at once; work is not interrupted."""

    def __init__(self, spec: ShardSpec) -> None:
        self._spec = spec
        self._waiting: Work | None = None

    @property
    def name(self) -> str:
        """How a person reads it."""
        return WORKER

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def takers(self) -> list[str]:
        """This process, while it has nothing to do."""
        return [] if self._waiting else [WORKER]

    def submit(self, worker: str, work: Work) -> None:
        """Remember the work: the next `wait` does it."""
        assert worker == WORKER and self._waiting is None
        self._waiting = work

    def wait(self, *, seconds_max: float) -> list[Report]:
        """Do what was submitted, however long it takes: leases are sized to half a second."""
        work, self._waiting = self._waiting, None
        if work is None:
            return []
        try:
            return [report_of(work, WORKER, do(self._spec, work))]
        except Exception as error:
            return [Lost(work, WORKER, f"{type(error).__name__}: {error}", blamed=True)]

    def close(self) -> None:
        """Nothing was started."""
