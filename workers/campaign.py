"""The coordinator: gives out work, has stored what comes back, and decides when a campaign ends.

It holds the only database connection. Minimizing is work like executing blocks. While there is
time, half of the workers minimize what was found and the others look for more.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from model.program import Program, show_parameter
from model.schedulers.exhaustive import exhaustive_named
from model.schedulers.named import as_option
from model.schedulers.portfolio import Turn
from storage.failures import RecordedSighting
from storage.session import Database
from storage.tables import CampaignState
from workers.backlog import Backlog
from workers.choosing import Choosing, choosing_of, gains_of
from workers.ledger import BlockLedger, LeaseSize
from workers.minimizing import Minimized, as_found
from workers.pool import Executed, Lost, MinimizedOne, Pool, Report, Work
from workers.progress import Ending, FoundFailure, Progress
from workers.recording import CampaignRecord
from workers.shards import BlockRange, Disagreement, Replayed

WAIT_SECONDS = 0.25
QUARANTINES_MAX = 4


@dataclass(frozen=True, slots=True)
class Budget:
    """When a campaign ends by itself; what is None does not end it."""

    seconds: float | None = None
    schedules: int | None = None
    block: int | None = None
    stop_on_first: bool = False

    def to_json(self) -> str:
        """As the campaign's row keeps it; counts are text, because they may pass 2^53."""
        schedules = None if self.schedules is None else str(self.schedules)
        return json.dumps(
            {
                "seconds": self.seconds,
                "schedules": schedules,
                "block": self.block,
                "stop_on_first": self.stop_on_first,
            }
        )


@dataclass(frozen=True, slots=True)
class Order:
    """What a campaign is to do.

    `blocks` are those that it executes where they are known, and `turns` decisions to be taken
    again; `ending` is what is said when there is no block left.
    """

    program: Program
    source: str
    scheduler: str
    root_seed: int
    budget: Budget
    excluded_failures: tuple[int, ...] = ()
    blocks: range | None = None
    turns: tuple[Turn, ...] = ()
    ending: Ending = Ending.BLOCK_DONE


class Observer(Protocol):
    """Who is told how a campaign goes on; called by the coordinator."""

    def progressed(self, progress: Progress) -> None:
        """Some time has passed, or something was stored."""

    def found(self, failure: FoundFailure) -> None:
        """A failure was shown for the first time in this campaign, and is stored."""

    def said(self, sentence: str) -> None:
        """Something went wrong that a person should know of."""


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
    _record: CampaignRecord = field(init=False)
    _progress: Progress = field(init=False)
    _ledger: BlockLedger = field(init=False)
    _backlog: Backlog = field(init=False, default_factory=Backlog)
    _size: LeaseSize = field(init=False)
    _choosing: Choosing | None = field(init=False)
    _in_flight: set[Work] = field(init=False, default_factory=set)
    _minimizer: str | None = field(init=False, default=None)
    _executed_blocks: int = field(init=False, default=0)
    _begun: float = field(init=False)

    def execute(self) -> CampaignReport:
        """Start the campaign, work until it ends, say how. Raises StorageError and PoolError."""
        order, block = self.order, self.order.budget.block
        self._size = LeaseSize(self.pool.lease_seconds)
        blocks = order.blocks if block is None else range(block, block + 1)
        self._ledger = BlockLedger()
        if blocks is not None:
            self._ledger = BlockLedger(next_block=blocks.start, stop_block=blocks.stop)
        self._progress = Progress(order.program, quarantined=self._ledger.quarantined)
        self._progress.all_blocks = None if blocks is None else len(blocks)
        self._record = CampaignRecord.start(
            self.database,
            order.program,
            source=order.source,
            scheduler=order.scheduler,
            root_seed=order.root_seed,
            budget=order.budget.to_json(),
            excluded_failures=order.excluded_failures,
        )
        turns = self._record.turns()
        self._choosing = choosing_of(order.scheduler, given=order.turns, turns=turns)
        self._backlog.minimal.update(self._record.proved_before(order.excluded_failures))
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
        return CampaignReport(self._record.campaign_id, ending, sentence, seconds, self._progress)

    # -- deciding ----------------------------------------------------------------------------------

    def _work(self) -> Ending:
        """Give out work until there is a reason to end, then finish what was begun."""
        while True:
            ending = self._reason_to_end()
            if ending is Ending.FOUND:
                # What is still in flight is not counted; asked was for the first failure.
                for waiting in self._backlog.give_up():
                    self._complete(waiting)
                return ending
            self._give_out(only_minimizing=ending is not None)
            if ending is not None and not self._in_flight:
                return ending
            for report in self.pool.wait(seconds_max=WAIT_SECONDS):
                self._in_flight.remove(report.work)
                self._take(report)
            self._progress.open_signatures = self._backlog.open_signatures
            self.observer.progressed(self._progress)

    def _reason_to_end(self) -> Ending | None:
        budget = self.order.budget
        if len(self._ledger.quarantined) >= QUARANTINES_MAX:
            return Ending.QUARANTINED
        if budget.stop_on_first and self._progress.failures:
            return Ending.FOUND
        if self.is_stopping():
            return Ending.STOPPED
        if self._ledger.is_empty and not self._in_flight:
            return Ending.QUARANTINED if self._ledger.quarantined else self.order.ending
        if budget.schedules is not None and self._schedules >= budget.schedules:
            return Ending.SCHEDULES_SPENT
        if self._seconds_left() <= 0:
            return Ending.TIME_SPENT
        return None

    @property
    def _schedules(self) -> int:
        return self._progress.schedules + self._backlog.waiting_schedules

    def _seconds_left(self) -> float:
        seconds = self.order.budget.seconds
        return float("inf") if seconds is None else self._begun + seconds - self.clock()

    def _give_out(self, *, only_minimizing: bool) -> None:
        """Work for every worker that takes some: violations for half of them, then ranges."""
        while takers := self.pool.takers():
            minimizing = sum(isinstance(work, Replayed) for work in self._in_flight)
            work: Work | None = None
            if only_minimizing or minimizing < max(1, self.pool.workers // 2):
                work = self._backlog.next_violation()
            if work is None and not only_minimizing:
                work = self._ledger.take_again() or self._lease(takers[0])
            if work is None:
                return
            worker = takers[0]
            if isinstance(work, Replayed):
                # Who has searched this program before knows most of what is asked next.
                worker = self._minimizer if self._minimizer in takers else worker
                self._minimizer = worker
            self._in_flight.add(work)
            self.pool.submit(worker, work)

    def _lease(self, worker: str) -> BlockRange | None:
        blocks_max, turn = self._blocks_wanted(), None
        if blocks_max and self._choosing is not None:
            turn = self._choosing.turn_of(self._ledger.next_block)
            blocks_max = min(blocks_max, turn.stop - self._ledger.next_block)
        blocks = self._ledger.take_new(blocks_max) if blocks_max else None
        if blocks is not None and turn is not None:
            blocks = replace(blocks, scheduler=turn.scheduler)
        if blocks is not None:
            self._record.lease(blocks, worker=worker, turn=turn)
        return blocks

    def _blocks_wanted(self) -> int:
        """What makes a lease, and no more than the rest of the budget asks for."""
        in_flight = sum(work.blocks for work in self._in_flight if isinstance(work, BlockRange))
        left, wanted = self._seconds_left(), self._size.blocks
        if left != float("inf"):
            ahead = in_flight / self.pool.workers
            wanted = self._size.for_seconds(left, blocks_ahead=ahead)
        if self.order.budget.schedules is None:
            return wanted
        if self._executed_blocks == 0:
            return 1 if in_flight == 0 else 0
        a_block = max(1, self._schedules // self._executed_blocks)
        missing = self.order.budget.schedules - self._schedules - in_flight * a_block
        return max(0, min(wanted, -(-missing // a_block)))

    # -- taking what comes back --------------------------------------------------------------------

    def _take(self, report: Report) -> None:
        match report:
            case Executed():
                self._executed_blocks += report.work.blocks
                self._size.learn(report.work, seconds=report.seconds)
                self._backlog.add(report, schedules_before=self._schedules)
            case MinimizedOne(work, _, minimal):
                self._know(work, minimal)
            case Lost(BlockRange()):
                self._lose_range(report)
            case Lost(Replayed() as violation):
                self._lose_violation(report, violation)
        for ready in self._backlog.ready():
            self._complete(ready)

    def _know(self, violation: Replayed, minimal: Minimized) -> None:
        """Store a failure as soon as it is known, before its range is completed."""
        self._backlog.know(minimal)
        ordinal = self._backlog.ordinals[violation.signature]
        self._show(minimal, self._record.sight(violation, minimal, ordinal=ordinal))

    def _complete(self, report: Executed) -> None:
        """Have a range stored and counted, then say what it showed."""
        gains = None
        if self._choosing is not None:
            gains = gains_of(report.work, report.result, seen=self._progress.coverage)
        for signature, recorded in self._record.complete(report, self._backlog, gains=gains):
            self._show(self._backlog.minimal[signature], recorded)
        if self._choosing is not None and gains is not None:
            self._choosing.count(report.work, gains)
            self._progress.shares = self._choosing.shares
        self._progress.add(report.work, report.result)
        self._progress.coverage += report.result.coverage
        for disagreement in report.result.disagreements:
            self.observer.said(disagreement_sentence(disagreement))

    def _show(self, minimal: Minimized, recorded: RecordedSighting) -> None:
        """Say that a failure was found, once a campaign; an excluded one is known in any form."""
        number = recorded.failure_id
        if number in self._progress.failures or number in self.order.excluded_failures:
            return
        ordinal = self._backlog.ordinals[minimal.signature]
        failure = FoundFailure(
            number,
            recorded.is_new_failure,
            minimal,
            ordinal,
            has_regressed=recorded.has_regressed,
        )
        self._progress.failures[number] = failure
        if failure.is_new:
            self._progress.last_new_timestamp_seconds = time.time()
        self.observer.found(failure)

    def _lose_range(self, lost: Lost) -> None:
        """Give it out again; its lease stays held, so that it counts once."""
        assert isinstance(lost.work, BlockRange)
        self._say_lost(lost, str(lost.work))
        if self._ledger.lose(lost.work, blamed=lost.blamed):
            seed = self.order.root_seed
            scheduler = lost.work.scheduler or self.order.scheduler
            sentence = quarantine_sentence(self.order.program, scheduler, lost.work, root_seed=seed)
            self.observer.said(sentence)

    def _lose_violation(self, lost: Lost, violation: Replayed) -> None:
        """Minimize it again, or keep it as it was found."""
        self._say_lost(lost, f"the minimizing of {violation.signature.site!r}")
        if self._backlog.lose(violation, blamed=lost.blamed):
            minimal = as_found(self.order.program, violation, reason=lost.reason)
            self._know(violation, minimal)

    def _say_lost(self, lost: Lost, what: str) -> None:
        if lost.blamed:
            self._progress.workers_lost += 1
            self.observer.said(f"{lost.worker} lost {what}: {lost.reason}")

    def _finish(self, state: CampaignState, ending: Ending) -> str:
        sentence = ending_sentence(ending, self.order.scheduler, self._progress)
        if self._ledger.quarantined:
            ranges = ", ".join(map(str, self._ledger.quarantined))
            sentence += f"; in quarantine, because their workers died of them: {ranges}"
        self._record.finish(state, ending=sentence)
        return sentence


def ending_sentence(ending: Ending, scheduler: str, progress: Progress) -> str:
    """Why a campaign has stopped; where all schedules were executed, what came of them."""
    exhaustive = exhaustive_named(scheduler)
    sentence: str = ending.value
    if ending is not Ending.ALL_SCHEDULES or exhaustive is None:
        return sentence
    return sentence.format(
        schedules=progress.schedules,
        preemptions="1 preemption" if exhaustive.c == 1 else f"{exhaustive.c} preemptions",
        verdict=f"{progress.violations:,} violate" if progress.violations else "clean",
    )


def disagreement_sentence(disagreement: Disagreement) -> str:
    """What a person is told of a hit that the interpreter does not confirm."""
    return (
        f"the two engines disagree about lane {disagreement.lane} of block "
        f"{disagreement.block}; this is a defect of gracefuzz, please report it\n"
        f"    {disagreement.detail}"
    )


def quarantine_sentence(
    program: Program, scheduler: str, blocks: BlockRange, *, root_seed: int
) -> str:
    """What a person is told of a range that is given up, and how to see why."""
    given = program.parameters
    options = "".join(f" --param {key}={show_parameter(value)}" for key, value in given)
    options += as_option(scheduler)
    return (
        f"{blocks} killed three workers and will not be tried again; the campaign "
        f"goes on without\n    to see why: gracefuzz fuzz {program.name}{options} "
        f"--seed {root_seed} --workers 0 --block {blocks.first}"
    )
