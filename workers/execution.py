"""One campaign as its coordinator sees it: what it wants done, and what comes back.

Planning and taking change memory only; `hold` and `store` are one transaction each, for as many
ranges as there are. What was planned is submitted once it is held. A report of work that is not in
flight, because it was reported before or given up, changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from model.schedulers.portfolio import news
from storage.failures import RecordedSighting
from workers.backlog import Backlog
from workers.choosing import Choosing, choosing_of, gains_of
from workers.ledger import BlockLedger, LeaseSize
from workers.minimizing import Minimized, as_found
from workers.orders import Observer, Order
from workers.pool import Executed, Lost, MinimizedOne, Work
from workers.progress import Ending, FoundFailure, Progress
from workers.recording import CampaignRecord
from workers.sentences import disagreement_sentence, quarantine_sentence
from workers.shards import BlockRange, Replayed

QUARANTINES_MAX = 4

# Work with the worker that is to do it.
Given = tuple[str, Work]


@dataclass(slots=True)
class Execution:
    """A campaign that is being executed. Its totals are those of the database, in `progress`."""

    record: CampaignRecord
    order: Order
    observer: Observer
    ledger: BlockLedger
    progress: Progress
    size: LeaseSize
    backlog: Backlog = field(default_factory=Backlog)
    choosing: Choosing | None = None
    in_flight: set[Work] = field(default_factory=set)
    blocks_without_news: int = 0
    _minimizer: str | None = None
    _minimizing: int = 0
    _blocks_in_flight: int = 0
    _lost: list[Lost] = field(default_factory=list)

    @staticmethod
    def of(
        record: CampaignRecord,
        order: Order,
        observer: Observer,
        *,
        ledger: BlockLedger,
        progress: Progress,
        lease_seconds: float,
    ) -> "Execution":
        """A campaign as the database knows it; `ledger` says which blocks are not done."""
        choosing = choosing_of(order.scheduler, given=order.turns, turns=record.turns())
        backlog = Backlog()
        backlog.minimal.update(record.proved_before(order.excluded_failures))
        progress.quarantined = ledger.quarantined
        return Execution(
            record, order, observer, ledger, progress, LeaseSize(lease_seconds), backlog, choosing
        )

    # -- deciding ----------------------------------------------------------------------------------

    def reason_to_end(self, *, seconds_left: float) -> Ending | None:
        """Why nothing more is to be executed; None where there is no reason."""
        budget = self.order.budget
        if len(self.ledger.quarantined) >= QUARANTINES_MAX:
            return Ending.QUARANTINED
        if budget.stop_on_first and self.progress.failures:
            return Ending.FOUND
        if self.ledger.is_empty and not self.in_flight and not self._lost:
            if budget.blocks is not None:
                return Ending.BLOCKS_DONE
            return Ending.QUARANTINED if self.ledger.quarantined else self.order.ending
        if budget.schedules is not None and self.schedules >= budget.schedules:
            return Ending.SCHEDULES_SPENT
        if seconds_left <= 0:
            return Ending.TIME_SPENT
        return budget.spent_by(self.progress, blocks_without_news=self.blocks_without_news)

    @property
    def schedules(self) -> int:
        """Those of completed ranges, and of those that wait to be."""
        return self.progress.schedules + self.backlog.waiting_schedules

    def plan(
        self,
        takers: list[str],
        *,
        workers: int,
        only_minimizing: bool = False,
        seconds_left: float = float("inf"),
    ) -> Given | None:
        """The next work, and the one of `takers` who is to do it; None where there is none.

        While ranges are executed too, half of the workers minimize at most.
        """
        assert takers
        work: Work | None = None
        if only_minimizing or self._minimizing < max(1, workers // 2):
            work = self.backlog.next_violation()
        if work is None and not only_minimizing:
            work = self.ledger.take_again() or self._new(workers, seconds_left)
        if work is None:
            return None
        worker = takers[0]
        if isinstance(work, Replayed):
            # Who has searched this program before knows most of what is asked next.
            worker = self._minimizer if self._minimizer in takers else worker
            self._minimizer = worker
        self._note_flight(work, given=True)
        return worker, work

    def _note_flight(self, work: Work, *, given: bool) -> None:
        (self.in_flight.add if given else self.in_flight.remove)(work)
        change = 1 if given else -1
        if isinstance(work, BlockRange):
            self._blocks_in_flight += change * work.blocks
        else:
            self._minimizing += change

    def hold(self, given: Sequence[Given]) -> None:
        """Have the ranges among what was planned held by their workers, in one transaction."""
        ranges = [(worker, work) for worker, work in given if isinstance(work, BlockRange)]
        if ranges:
            turns = () if self.choosing is None else self.choosing.turns_of(w for _, w in ranges)
            self.record.hold(ranges, turns=turns)

    def _new(self, workers: int, seconds_left: float) -> BlockRange | None:
        blocks_max, turn = self._blocks_wanted(workers, seconds_left), None
        if blocks_max and self.choosing is not None and not self.ledger.has_no_new:
            turn = self.choosing.turn_of(self.ledger.next_block)
            blocks_max = min(blocks_max, turn.stop - self.ledger.next_block)
        blocks = self.ledger.take_new(blocks_max) if blocks_max else None
        if blocks is not None and turn is not None:
            blocks = replace(blocks, scheduler=turn.scheduler)
        return blocks

    def _blocks_wanted(self, workers: int, seconds_left: float) -> int:
        """What makes a lease, and no more than the rest of the budget asks for."""
        in_flight = self._blocks_in_flight
        wanted = self.size.blocks
        if seconds_left != float("inf"):
            wanted = self.size.for_seconds(seconds_left, blocks_ahead=in_flight / workers)
        if self.order.budget.schedules is None:
            return wanted
        executed = self.progress.blocks + self.backlog.waiting_blocks
        if executed == 0:
            return 1 if in_flight == 0 else 0
        a_block = max(1, self.schedules // executed)
        missing = self.order.budget.schedules - self.schedules - in_flight * a_block
        return max(0, min(wanted, -(-missing // a_block)))

    # -- taking what comes back --------------------------------------------------------------------

    def take(self, report: Executed | MinimizedOne | Lost) -> None:
        """Remember a report; what it means for the totals is stored by `store`."""
        if report.work not in self.in_flight:
            # Reported twice, or after its worker was given up.
            return
        self._note_flight(report.work, given=False)
        match report:
            case Executed():
                self.size.learn(report.work, seconds=report.seconds)
                self.backlog.add(report, schedules_before=self.schedules)
            case MinimizedOne(work, _, minimal):
                self._know(work, minimal)
            case Lost(Replayed() as violation):
                self._lose_violation(report, violation)
            case Lost():
                self._lost.append(report)

    def store(self) -> None:
        """Have stored and counted what has ended, in one transaction, then say what it showed."""
        lost, self._lost = self._lost, []
        if lost:
            self._lose_ranges(lost)
        self._complete(list(self.backlog.ready()))

    def give_up_waiting(self) -> None:
        """Count what waits for the minimizing of a signature, without it."""
        self._complete(self.backlog.give_up())

    def _complete(self, reports: Sequence[Executed]) -> None:
        if not reports:
            return
        gains = []
        seen = self.progress.coverage
        for report in reports:
            gains.append(
                None if self.choosing is None else gains_of(report.work, report.result, seen=seen)
            )
            seen = seen + report.result.coverage
        for signature, recorded in self.record.complete(reports, self.backlog, gains=gains):
            self._show(self.backlog.minimal[signature], recorded)
        for report, gained in zip(reports, gains, strict=True):
            if self.choosing is not None and gained is not None:
                self.choosing.count(report.work, gained)
                self.progress.shares = self.choosing.shares
            self._count(report)

    def _count(self, report: Executed) -> None:
        """Add to what is known in memory what was added to the database."""
        self.progress.add(report.work, report.result)
        before = self.progress.coverage
        self.progress.coverage = before + report.result.coverage
        self.blocks_without_news += report.work.blocks
        if report.result.coverage.executions:
            pairs, _, states = news(before, report.result.coverage)
            if pairs or states:
                self.blocks_without_news = 0
        for disagreement in report.result.disagreements:
            self.observer.said(disagreement_sentence(disagreement))

    def _know(self, violation: Replayed, minimal: Minimized) -> None:
        """Store a failure as soon as it is known, before its range is completed."""
        self.backlog.know(minimal)
        ordinal = self.backlog.ordinals[violation.signature]
        self._show(minimal, self.record.sight(violation, minimal, ordinal=ordinal))

    def _show(self, minimal: Minimized, recorded: RecordedSighting) -> None:
        """Say that a failure was found, once a campaign; an excluded one is known in any form."""
        number = recorded.failure_id
        if number in self.progress.failures or number in self.order.excluded_failures:
            return
        ordinal = self.backlog.ordinals[minimal.signature]
        failure = FoundFailure(
            number,
            recorded.is_new_failure,
            minimal,
            ordinal,
            has_regressed=recorded.has_regressed,
        )
        self.progress.failures[number] = failure
        if failure.is_new:
            self.progress.last_new_timestamp_seconds = self.record.now().timestamp()
        self.observer.found(failure)

    def _lose_ranges(self, lost: Sequence[Lost]) -> None:
        """Give them out again; of a range that was blamed too often, the record says so."""
        quarantined = self.record.lose(lost)
        for each in lost:
            assert isinstance(each.work, BlockRange)
            self._say_lost(each, str(each.work))
            if self.ledger.lose(each.work, blamed=each.blamed):
                assert each.work.first in quarantined, "memory and record count the same deaths"
                self.observer.said(
                    quarantine_sentence(
                        self.order.program,
                        each.work.scheduler or self.order.scheduler,
                        each.work,
                        root_seed=self.order.root_seed,
                    )
                )

    def _lose_violation(self, lost: Lost, violation: Replayed) -> None:
        """Minimize it again, or keep it as it was found."""
        self._say_lost(lost, f"the minimizing of {violation.signature.site!r}")
        if self.backlog.lose(violation, blamed=lost.blamed):
            minimal = as_found(self.order.program, violation, reason=lost.reason)
            self._know(violation, minimal)

    def _say_lost(self, lost: Lost, what: str) -> None:
        if lost.blamed:
            self.progress.workers_lost += 1
            self.observer.said(f"{lost.worker} lost {what}: {lost.reason}")
