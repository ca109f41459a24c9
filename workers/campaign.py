"""The coordinator: gives out leases, stores what comes back, and decides when a campaign ends.

It holds the only database connection. A range's sightings are stored in the transaction that
completes its lease: a worker or a coordinator that is killed loses work in flight, and nothing that
was stored, and the totals stay exact.
"""

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from model.circuit.block import ENGINE_REVISION
from model.program import Program
from model.program_json import to_json
from storage.campaigns import CampaignPlan, finish_campaign, start_campaign
from storage.disagreements import DisagreementRecord, record_disagreement
from storage.failures import record_sighting
from storage.leases import LeaseTotals, begin_lease, complete_lease
from storage.programs import ProgramRecord, record_program
from storage.session import Database
from storage.tables import CampaignState
from workers.findings import SIGHTINGS_PER_SIGNATURE_MAX, Finding, finding_of, sighting_of
from workers.ledger import BlockLedger, LeaseSize
from workers.pool import Finished, Lost, Pool
from workers.progress import Ending, FoundFailure, Progress
from workers.shards import BlockRange, Replayed, ShardResult, Signature

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
    """What a campaign is to do."""

    program: Program
    source: str
    scheduler: str
    root_seed: int
    budget: Budget
    excluded_failures: tuple[int, ...] = ()


class Observer(Protocol):
    """Who is told how a campaign goes on; called by the coordinator between leases."""

    def progressed(self, progress: Progress) -> None:
        """Some time has passed, or a lease was completed."""

    def found(self, failure: FoundFailure) -> None:
        """A failure was shown for the first time in this campaign, and is stored."""

    def said(self, sentence: str) -> None:
        """Something went wrong that a person should know of."""


@dataclass(frozen=True, slots=True)
class CampaignReport:
    """How a campaign ended. `seconds` is the time from its first lease to its end."""

    campaign_id: int
    ending: Ending
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
    campaign_id: int = field(init=False)
    progress: Progress = field(init=False)
    _ledger: BlockLedger = field(init=False)
    _size: LeaseSize = field(init=False, default_factory=LeaseSize)
    _in_flight: dict[BlockRange, str] = field(init=False, default_factory=dict)
    _findings: dict[Signature, Finding] = field(init=False, default_factory=dict)
    _sighted: Counter[Signature] = field(init=False, default_factory=Counter)
    _begun: float = field(init=False)

    def execute(self) -> CampaignReport:
        """Start the campaign, work until it ends, say how. Raises StorageError and PoolError."""
        block = self.order.budget.block
        self._ledger = (
            BlockLedger() if block is None else BlockLedger(next_block=block, stop_block=block + 1)
        )
        self.progress = Progress(self.order.program, quarantined=self._ledger.quarantined)
        self.campaign_id = self._start()
        self._begun = self.clock()
        try:
            ending = self._work()
        except KeyboardInterrupt:
            self._finish(CampaignState.INTERRUPTED, Ending.ABORTED)
            raise
        except Exception:
            self._finish(CampaignState.FAILED, Ending.FAILED)
            raise
        stopped = ending is Ending.STOPPED
        failed = ending is Ending.QUARANTINED
        state = CampaignState.INTERRUPTED if stopped else CampaignState.FINISHED
        self._finish(CampaignState.FAILED if failed else state, ending)
        return CampaignReport(self.campaign_id, ending, self.clock() - self._begun, self.progress)

    # -- deciding ----------------------------------------------------------------------------------

    def _work(self) -> Ending:
        """Give out leases until there is a reason to end, then wait for those in flight."""
        while True:
            ending = self._reason_to_end()
            if ending is None:
                self._give_out()
            elif not self._in_flight:
                return ending
            for report in self.pool.wait(seconds_max=WAIT_SECONDS):
                del self._in_flight[report.blocks]
                if isinstance(report, Finished):
                    self._absorb(report)
                else:
                    self._take_back(report)
            self.observer.progressed(self.progress)

    def _reason_to_end(self) -> Ending | None:
        budget = self.order.budget
        if len(self._ledger.quarantined) >= QUARANTINES_MAX:
            return Ending.QUARANTINED
        if self.is_stopping():
            return Ending.STOPPED
        if budget.stop_on_first and self.progress.failures:
            return Ending.FOUND
        if budget.block is not None and not self._in_flight and self._has_no_blocks():
            return Ending.BLOCK_DONE
        if budget.schedules is not None and self.progress.schedules >= budget.schedules:
            return Ending.SCHEDULES_SPENT
        if self._seconds_left() <= 0:
            return Ending.TIME_SPENT
        return None

    def _has_no_blocks(self) -> bool:
        done = self._ledger.stop_block is not None
        done = done and self._ledger.next_block == self._ledger.stop_block
        return done and not self._ledger.has_lost_ranges

    def _seconds_left(self) -> float:
        seconds = self.order.budget.seconds
        return float("inf") if seconds is None else self._begun + seconds - self.clock()

    def _give_out(self) -> None:
        """A range to every worker that takes one, as far as the budget goes."""
        for worker in self.pool.takers():
            blocks = self._ledger.take_again() or self._lease(worker)
            if blocks is None:
                return
            self._in_flight[blocks] = worker
            self.pool.submit(worker, blocks)

    def _lease(self, worker: str) -> BlockRange | None:
        blocks_max = self._blocks_wanted()
        if blocks_max == 0:
            return None
        blocks = self._ledger.take_new(blocks_max)
        if blocks is None:
            return None
        with self.database.write() as session:
            held = begin_lease(
                session,
                self.campaign_id,
                first_block=blocks.first,
                blocks=blocks.blocks,
                worker=worker,
            )
        assert held, f"{blocks} of campaign {self.campaign_id} have been leased before"
        return blocks

    def _blocks_wanted(self) -> int:
        """Half a second's worth, and no more than the rest of the budget asks for."""
        left = self._seconds_left()
        wanted = self._size.blocks if left == float("inf") else self._size.for_seconds(left)
        if self.order.budget.schedules is None:
            return wanted
        in_flight = sum(blocks.blocks for blocks in self._in_flight)
        if self.progress.blocks == 0:
            return 1 if in_flight == 0 else 0
        a_block = max(1, self.progress.schedules // self.progress.blocks)
        missing = self.order.budget.schedules - self.progress.schedules - in_flight * a_block
        return max(0, min(wanted, -(-missing // a_block)))

    # -- storing -----------------------------------------------------------------------------------

    def _start(self) -> int:
        order = self.order
        program = ProgramRecord(
            ir_hash=order.program.hash,
            name=order.program.name,
            parameters=json.dumps(dict(order.program.parameters)),
            ir=to_json(order.program),
            source=order.source,
        )
        plan = CampaignPlan(
            program_ir_hash=order.program.hash,
            scheduler=order.scheduler,
            root_seed=order.root_seed,
            engine_revision=str(ENGINE_REVISION),
            budget=order.budget.to_json(),
            excluded_failures=order.excluded_failures,
        )
        with self.database.write() as session:
            record_program(session, program, now=_now())
            return start_campaign(session, plan, now=_now())

    def _finish(self, state: CampaignState, ending: Ending) -> None:
        sentence = ending.value
        if self._ledger.quarantined:
            ranges = ", ".join(map(str, self._ledger.quarantined))
            sentence += f"; in quarantine, because their workers died of them: {ranges}"
        with self.database.write() as session:
            finish_campaign(session, self.campaign_id, state, ending=sentence, now=_now())

    def _absorb(self, report: Finished) -> None:
        """Store what a lease found and complete it, in one transaction; then say so."""
        result = report.result
        kept = self._worth_storing(result)
        for violation in kept:
            if violation.signature not in self._findings:
                ordinal = self.progress.schedules + violation.ordinal
                finding = finding_of(self.order.program, violation, ordinal=ordinal)
                self._findings[violation.signature] = finding
        found = self._store(report.blocks, result, kept)
        self._size.learn(report.blocks, seconds=report.seconds)
        self.progress.add(report.blocks, result)
        self._sighted.update(violation.signature for violation in kept)
        for failure in found:
            if failure.is_new:
                self.progress.last_new_timestamp_seconds = time.time()
            self.progress.failures[failure.failure_id] = failure
            self.observer.found(failure)
        for disagreement in result.disagreements:
            self.observer.said(
                f"the two engines disagree about lane {disagreement.lane} of block "
                f"{disagreement.block}; this is a defect of gracefuzz, please report it\n"
                f"    {disagreement.detail}"
            )

    def _worth_storing(self, result: ShardResult) -> list[Replayed]:
        """The violations to record: of each signature, only so many in one campaign."""
        seen = Counter(self._sighted)
        kept = []
        for violation in result.replayed:
            seen[violation.signature] += 1
            if seen[violation.signature] <= SIGHTINGS_PER_SIGNATURE_MAX:
                kept.append(violation)
        return kept

    def _store(
        self, blocks: BlockRange, result: ShardResult, kept: list[Replayed]
    ) -> list[FoundFailure]:
        """One transaction; gives the failures that this campaign had not shown before."""
        found: dict[int, FoundFailure] = {}
        ir_hash = self.order.program.hash
        with self.database.write() as session:
            for violation in kept:
                finding = self._findings[violation.signature]
                sighting = sighting_of(violation, campaign_id=self.campaign_id, ir_hash=ir_hash)
                recorded = record_sighting(session, finding.record, sighting, now=_now())
                number = recorded.failure_id
                seen = number in self.progress.failures or number in found
                # An excluded failure that shows in another way is still known.
                if not seen and number not in self.order.excluded_failures:
                    found[number] = FoundFailure(number, recorded.is_new_failure, finding)
            for each in result.disagreements:
                record_disagreement(
                    session,
                    DisagreementRecord(
                        self.campaign_id, ir_hash, each.block, each.lane, each.number, each.detail
                    ),
                    now=_now(),
                )
            completed = complete_lease(
                session, self.campaign_id, first_block=blocks.first, totals=_totals(result)
            )
            assert completed, f"the lease of {blocks} is held until it is completed here"
        return list(found.values())

    def _take_back(self, lost: Lost) -> None:
        """Give a range without a result out again; its lease stays held, so that it counts once."""
        if lost.blamed:
            self.progress.workers_lost += 1
            self.observer.said(f"{lost.worker} lost {lost.blocks}: {lost.reason}")
        if self._ledger.lose(lost.blocks, blamed=lost.blamed):
            self.observer.said(
                f"{lost.blocks} killed three workers and will not be tried again; the campaign "
                f"goes on without\n    to see why: gracefuzz fuzz {self.order.program.name} "
                f"--seed {self.order.root_seed} --workers 0 --block {lost.blocks.first}"
            )


def _totals(result: ShardResult) -> LeaseTotals:
    return LeaseTotals(
        schedules=result.schedules,
        steps=result.steps,
        violations=result.violations,
        outcomes={name: count for name, count in result.outcomes.items() if count},
        site_hits=result.site_hits,
        steps_reached=result.steps_reached,
    )


def _now() -> datetime:
    return datetime.now(UTC)
