"""A stored campaign, made ready to be executed by the coordinator, and as it stands there."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from model.program_json import from_json
from storage.campaigns import CampaignPlan, CampaignSummary, campaign_totals, finish_campaign
from storage.claims import Claim
from storage.errors import StorageError
from storage.leadership import write_as
from storage.programs import get_program
from storage.quarantine import quarantined_ranges
from storage.session import Database
from storage.steering import blocks_given, observe, ranges_left
from storage.tables import CampaignState, DesiredState
from workers.display import failure_line
from workers.excluding import excluded_pairs
from workers.execution import Execution
from workers.ledger import BlockLedger
from workers.orders import Budget, Order
from workers.progress import Ending, FoundFailure, Progress
from workers.recording import CampaignRecord
from workers.shards import BlockRange, Replayed, ShardSpec


class Said(Protocol):
    """Who is told a sentence about a campaign, or about the coordinator itself (None)."""

    def __call__(self, campaign_id: int | None, sentence: str, /) -> None:
        """Say it."""


@dataclass(frozen=True, slots=True)
class Telling:
    """Passes on what a campaign's execution says."""

    campaign_id: int
    say: Said

    def progressed(self, progress: Progress) -> None:
        """The database says how far it is."""

    def found(self, failure: FoundFailure) -> None:
        """A failure is a line."""
        self.say(self.campaign_id, ("new:" if failure.is_new else "seen:") + failure_line(failure))

    def said(self, sentence: str) -> None:
        """A sentence is passed on."""
        self.say(self.campaign_id, sentence)


@dataclass(slots=True)
class Adopted:
    """A campaign that this coordinator executes; `summary` is as it was last read."""

    summary: CampaignSummary
    execution: Execution
    spec: ShardSpec
    state: CampaignState
    _since: float
    _seconds: float

    def follow(self, summary: CampaignSummary) -> None:
        """Do what people want by now."""
        self.summary = summary
        budget = budget_of(summary.plan)
        self.execution.order = replace(self.execution.order, budget=budget)
        self.execution.ledger.stop_block = stop_block_of(summary.plan)
        if summary.desired_state is DesiredState.STOPPED:
            self.state = CampaignState.STOPPING
        elif summary.desired_state is DesiredState.PAUSED:
            self.state = CampaignState.PAUSED
        else:
            self.state = CampaignState.RUNNING

    def worked(self, now: float) -> float:
        """The seconds for which it has worked since this was asked last."""
        seconds = now - self._since if self.state is CampaignState.RUNNING else 0.0
        self._since = now
        self._seconds += seconds
        return seconds

    def settle(self, database: Database, now: float) -> None:
        """Store the seconds that it has worked."""
        seconds = self.worked(now)
        with write_as(database, self.execution.record.epoch) as session:
            observe(session, self.summary.campaign_id, self.state, active_seconds=seconds)

    def seconds_left(self, now: float) -> float:
        """Of its budget of working time."""
        seconds = self.summary.plan.limits.seconds_max
        running = now - self._since if self.state is CampaignState.RUNNING else 0.0
        return float("inf") if seconds is None else seconds - self._seconds - running

    def reason_to_end(self, now: float) -> Ending | None:
        """Why nothing more of it is to be executed."""
        return self.execution.reason_to_end(seconds_left=self.seconds_left(now))

    def seconds_expected(self, work: BlockRange | Replayed) -> float:
        """What a lease will take, about."""
        size = self.execution.size
        if isinstance(work, Replayed):
            return size.lease_seconds
        return size.lease_seconds * work.blocks / size.blocks


def adopt(
    database: Database,
    summary: CampaignSummary,
    *,
    epoch: int,
    said: Said,
    lease_seconds: float,
    now: float,
) -> Adopted | str:
    """Make a campaign ready to go on from what is stored, or say why it cannot be executed."""
    number, plan = summary.campaign_id, summary.plan
    with database.read() as session:
        stored = get_program(session, plan.program_ir_hash)
        totals = campaign_totals(session, number)
        left = ranges_left(session, number)
        given_up = quarantined_ranges(session, number)
        next_block = blocks_given(session, number)
    try:
        program = from_json(stored.ir)
        excluded = excluded_pairs(database, program, plan.excluded_failures)
    except StorageError:
        raise
    except Exception as error:
        return f"its program cannot be executed: {error}"
    record = CampaignRecord(
        database, number, program.name, program.hash, Claim(lambda: None), epoch
    )
    ledger = BlockLedger.of_record(
        [(BlockRange(each.first_block, each.blocks), each.deaths) for each in left],
        [BlockRange(each.first_block, each.blocks) for each in given_up],
        next_block=next_block,
        stop_block=stop_block_of(plan),
    )
    progress = Progress(program)
    progress.add_stored(totals)
    execution = Execution.of(
        record,
        Order(
            program,
            stored.source,
            plan.scheduler,
            plan.root_seed,
            budget_of(plan),
            plan.excluded_failures,
            ending=Ending.ALL_SCHEDULES,
        ),
        Telling(number, said),
        ledger=ledger,
        progress=progress,
        lease_seconds=lease_seconds,
    )
    spec = ShardSpec(stored.ir, plan.root_seed, excluded, plan.scheduler)
    adopted = Adopted(summary, execution, spec, summary.state, now, summary.active_seconds)
    adopted.follow(summary)
    with write_as(database, epoch) as session:
        observe(session, number, adopted.state, active_seconds=0.0)
    return adopted


def refuse(database: Database, campaign_id: int, *, epoch: int, reason: str) -> None:
    """End a campaign that cannot be executed."""
    with write_as(database, epoch) as session:
        finish_campaign(session, campaign_id, CampaignState.FAILED, ending=reason, now=instant())


def budget_of(plan: CampaignPlan) -> Budget:
    """The limits as they are now; working time is the coordinator's matter.

    A bound that leaves no block out is none: the campaign then ends because there is no other.
    """
    limits, blocks = plan.limits, plan.limits.blocks_max
    if plan.all_blocks is not None and blocks is not None and blocks >= plan.all_blocks:
        blocks = None
    return Budget(
        schedules=limits.schedules_max,
        steps=limits.steps_max,
        violations=limits.violations_max,
        blocks=blocks,
        saturation_blocks=limits.saturation_blocks,
    )


def stop_block_of(plan: CampaignPlan) -> int | None:
    """The block after the last that is wanted; None where each has a next one."""
    bounds = [each for each in (plan.limits.blocks_max, plan.all_blocks) if each is not None]
    return min(bounds, default=None)


def instant() -> datetime:
    """The time for people to read: nothing is decided by it."""
    return datetime.now(UTC)
