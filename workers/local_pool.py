"""A pool without other processes: ranges are executed in this one, while someone waits for them."""

import time
from collections import deque

from workers.pool import Finished, Lost, Report
from workers.shards import BlockRange, ShardSpec, run_shard

WORKER = "this process"


class LocalPool:
    """One worker, this process. Starts at once; a range is not interrupted."""

    def __init__(self, spec: ShardSpec) -> None:
        self._spec = spec
        self._waiting: deque[BlockRange] = deque()

    @property
    def name(self) -> str:
        """How a person reads it."""
        return WORKER

    def takers(self) -> list[str]:
        """This process, while it has nothing to do."""
        return [] if self._waiting else [WORKER]

    def submit(self, worker: str, blocks: BlockRange) -> None:
        """Remember a range: it is executed by the next `wait`."""
        assert worker == WORKER and not self._waiting
        self._waiting.append(blocks)

    def wait(self, *, seconds_max: float) -> list[Report]:
        """Execute what was submitted, however long it takes; leases are sized to half a second."""
        reports: list[Report] = []
        while self._waiting:
            blocks = self._waiting.popleft()
            begun = time.perf_counter()
            try:
                result = run_shard(self._spec, blocks)
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                reports.append(Lost(blocks, WORKER, reason, blamed=True))
            else:
                seconds = time.perf_counter() - begun
                reports.append(Finished(blocks, WORKER, result, seconds))
        return reports

    def close(self) -> None:
        """Nothing was started."""
