"""One campaign, executed by its own process: what `gracefuzz fuzz` does.

It holds the only database connection. Minimizing is work like executing blocks. While there is
time, half of the workers minimize what was found and the others look for more. The same
`Execution`, many at a time, is what `workers.fleet` coordinates.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from storage.session import Database
from storage.tables import CampaignState
from workers.execution import Execution, Given
from workers.ledger import BlockLedger
from workers.orders import Observer, Order
from workers.pool import DoneIn, Pool
from workers.progress import Ending, Progress
from workers.recording import CampaignRecord
from workers.sentences import ending_sentence

WAIT_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """How a campaign ended, and the sentence that says so.

    `seconds` is the time from its first lease to its end.
    """

    campaign_id: int
    ending: Ending
    sentence: str
    seconds: float
    progress: Progress


@dataclass(slots=True)
class Coordinator:
    """One campaign. `execute` may be called once; `is_stopping` is asked between leases."""

    database: Database
    pool: Pool
    order: Order
    observer: Observer
    is_stopping: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _execution: Execution = field(init=False)
    _begun: float = field(init=False)

    def execute(self) -> CampaignReport:
        """Start the campaign, work until it ends, say how. Raises StorageError and PoolError."""
        order, budget = self.order, self.order.budget
        blocks = order.blocks if budget.block is None else range(budget.block, budget.block + 1)
        ledger = BlockLedger()
        if blocks is not None:
            ledger = BlockLedger(next_block=blocks.start, stop_block=blocks.stop)
        progress = Progress(order.program)
        progress.all_blocks = None if blocks is None else len(blocks)
        record = CampaignRecord.start(
            self.database,
            order.program,
            source=order.source,
            scheduler=order.scheduler,
            root_seed=order.root_seed,
            budget=budget.to_json(),
            excluded_failures=order.excluded_failures,
        )
        self._execution = Execution.of(
            record,
            order,
            self.observer,
            ledger=ledger,
            progress=progress,
            lease_seconds=self.pool.lease_seconds,
        )
        self._begun = self.clock()
        try:
            ending = self._work()
        except KeyboardInterrupt:
            self._finish(CampaignState.STOPPED, Ending.ABORTED)
            raise
        except Exception:
            self._finish(CampaignState.FAILED, Ending.FAILED)
            raise
        states = {
            Ending.STOPPED: CampaignState.STOPPED,
            Ending.QUARANTINED: CampaignState.FAILED,
        }
        sentence = self._finish(states.get(ending, CampaignState.FINISHED), ending)
        seconds = self.clock() - self._begun
        return CampaignReport(record.campaign_id, ending, sentence, seconds, progress)

    def _work(self) -> Ending:
        """Give out work until there is a reason to end, then finish what was begun."""
        execution = self._execution
        while True:
            ending = self._reason_to_end()
            if ending is Ending.FOUND:
                # What is still in flight is not counted; asked was for the first failure.
                execution.give_up_waiting()
                return ending
            self._give_out(only_minimizing=ending is not None)
            if ending is not None and not execution.in_flight:
                return ending
            for report in self.pool.wait(seconds_max=WAIT_SECONDS):
                assert not isinstance(report, DoneIn)
                execution.take(report)
            execution.store()
            execution.progress.open_signatures = execution.backlog.open_signatures
            self.observer.progressed(execution.progress)

    def _reason_to_end(self) -> Ending | None:
        ending = self._execution.reason_to_end(seconds_left=self._seconds_left())
        first = (Ending.QUARANTINED, Ending.FOUND)
        return Ending.STOPPED if ending not in first and self.is_stopping() else ending

    def _seconds_left(self) -> float:
        seconds = self.order.budget.seconds
        return float("inf") if seconds is None else self._begun + seconds - self.clock()

    def _give_out(self, *, only_minimizing: bool) -> None:
        """Work for every worker that takes some."""
        while takers := self.pool.takers():
            given: list[Given] = []
            while takers:
                planned = self._execution.plan(
                    takers,
                    workers=self.pool.workers,
                    only_minimizing=only_minimizing,
                    seconds_left=self._seconds_left(),
                )
                if planned is None:
                    break
                takers.remove(planned[0])
                given.append(planned)
            self._execution.hold(given)
            for worker, work in given:
                self.pool.submit(worker, work)
            if takers:
                return

    def _finish(self, state: CampaignState, ending: Ending) -> str:
        sentence = ending_sentence(ending, self.order.scheduler, self._execution.progress)
        self._execution.record.finish(state, ending=sentence)
        return sentence
