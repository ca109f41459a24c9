"""What a campaign writes to the database: one function, one transaction.

A range's sightings are stored in the transaction that completes its lease, or before it. Whoever is
killed loses work in flight, nothing that was stored, and the totals stay exact.
"""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from model.circuit.block import ENGINE_REVISION
from model.minimized import Minimized
from model.program import Program
from model.schedule import picks_json
from model.schedulers.portfolio import Gains, Turn
from model.signature import Signature
from storage.campaigns import (
    CampaignPlan,
    finish_campaign,
    get_campaign,
    reopen_campaign,
    start_campaign,
)
from storage.claims import Claim, claim
from storage.curves import note_point
from storage.disagreements import DisagreementRecord, record_disagreement
from storage.errors import StorageError
from storage.failures import (
    RecordedSighting,
    SightingRecord,
    get_failure,
    list_failures,
    record_sighting,
)
from storage.leadership import write_as
from storage.lease_totals import LeaseTotals
from storage.leases import (
    Completion,
    Lease,
    LeaseKey,
    LeaseWish,
    Loss,
    begin_lease,
    complete_leases,
    give_leases,
    lose_leases,
)
from storage.minimal_failures import failure_record, minimal_of
from storage.portfolio import add_to_turn, begin_turn, turns_of
from storage.programs import ProgramRecord, record_program
from storage.session import Database
from storage.tables import CampaignState
from storage.verifications import VerificationPlan
from workers.backlog import Backlog
from workers.pool import Executed, Lost
from workers.shards import BlockRange, Replayed, ShardResult

# Sightings recorded for one signature in one campaign; later hits are counted by their site only.
SIGHTINGS_PER_SIGNATURE_MAX = 64

Recorded = tuple[Signature, RecordedSighting]


class Outdated(StorageError):
    """What the coordinator knows of a campaign is not what is stored by now."""


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """One campaign's place in the database, claimed by this process until it is finished.

    `epoch` is that of the leadership under which it is coordinated; None where only the claim says
    who does. Under a leader, blocks are given out in order, so that many are held at once.
    """

    database: Database
    campaign_id: int
    program_name: str
    ir_hash: str
    _claim: Claim
    epoch: int | None = None
    _sighted: Counter[Signature] = field(default_factory=Counter)
    _held: dict[int, LeaseKey] = field(default_factory=dict)

    @staticmethod
    def start(
        database: Database,
        program: Program,
        *,
        source: str,
        scheduler: str,
        root_seed: int,
        budget: str,
        excluded_failures: tuple[int, ...] = (),
        verification: VerificationPlan | None = None,
    ) -> "CampaignRecord":
        """Store the program and a campaign that is running; raises StorageError."""
        row = ProgramRecord(
            ir_hash=program.hash,
            name=program.name,
            parameters=json.dumps(dict(program.parameters)),
            ir=program.json,
            source=source,
        )
        plan = CampaignPlan(
            program_ir_hash=program.hash,
            scheduler=scheduler,
            root_seed=root_seed,
            engine_revision=str(ENGINE_REVISION),
            budget=budget,
            excluded_failures=excluded_failures,
            verification=verification,
        )
        with database.write() as session:
            record_program(session, row, now=_now())
            campaign_id = start_campaign(session, plan, now=_now())
            # Claimed before anybody sees it: a campaign that runs has a coordinator.
            claimed = claim(database, campaign_id)
        return CampaignRecord(database, campaign_id, program.name, program.hash, claimed)

    @staticmethod
    def resume(
        database: Database, program: Program, claimed: Claim, campaign_id: int, *, memory_bytes: int
    ) -> "CampaignRecord":
        """Let a verification of this program, which was claimed, go on. Raises NotResumable."""
        with database.write() as session:
            reopen_campaign(session, campaign_id, memory_bytes=memory_bytes)
        return CampaignRecord(database, campaign_id, program.name, program.hash, claimed)

    def proved_before(self, excluded_failures: tuple[int, ...]) -> dict[Signature, Minimized]:
        """What earlier campaigns have proved minimal in this very IR: it need not be done again.

        What is minimal depends on what is excluded: nothing is known in advance where something is,
        and nothing is taken from a campaign that did.
        """
        known: dict[Signature, Minimized] = {}
        if excluded_failures:
            return known
        with self.database.read() as session:
            for summary in list_failures(session, program=self.program_name):
                failure = get_failure(session, summary.failure_id)
                first = get_campaign(session, failure.first_campaign_id)
                minimal = minimal_of(failure.record)
                same = failure.record.ir_hash == self.ir_hash and not first.plan.excluded_failures
                if same and minimal.is_proved:
                    known[minimal.signature] = minimal
        return known

    def finish(self, state: CampaignState, *, ending: str) -> None:
        """The campaign has ended; leases that it still holds are let go, and so is its claim."""
        with write_as(self.database, self.epoch) as session:
            finish_campaign(session, self.campaign_id, state, ending=ending, now=self.now())
        self.release()

    def release(self) -> None:
        """Let go of the claim: another process may go on with the campaign."""
        self._claim.release()

    def now(self) -> datetime:
        """The time by this machine's clock, for people to read: nothing is decided by it."""
        return datetime.now(UTC)

    def turns(self) -> tuple[Turn, ...]:
        """What was decided so far, where the campaign has a portfolio."""
        with self.database.read() as session:
            return turns_of(session, self.campaign_id)

    def hold(self, ranges: Sequence[tuple[str, BlockRange]], *, turns: Iterable[Turn] = ()) -> None:
        """Have ranges held by their workers; `turns` are the decisions that they are of."""
        number, now = self.campaign_id, self.now()
        held: Sequence[Lease | None]
        with write_as(self.database, self.epoch) as session:
            if self.epoch is not None:
                wishes = [LeaseWish(worker, blocks.blocks) for worker, blocks in ranges]
                held = give_leases(session, number, wishes, now=now, epoch=self.epoch)
            else:
                held = [
                    begin_lease(
                        session,
                        number,
                        first_block=blocks.first,
                        blocks=blocks.blocks,
                        worker=worker,
                        now=now,
                    )
                    for worker, blocks in ranges
                ]
            wanted = [(blocks.first, blocks.blocks) for _, blocks in ranges]
            if [each and (each.key.first_block, each.blocks) for each in held] != wanted:
                # Raised in the transaction: nothing of it is stored.
                raise Outdated(f"the bounds of campaign {number} have changed; reading them again")
            for turn in turns:
                begin_turn(session, number, turn)
        self._held.update((each.key.first_block, each.key) for each in held if each is not None)

    def lose(self, lost: Sequence[Lost]) -> frozenset[int]:
        """Take ranges back from their workers; give the first blocks of those in quarantine."""
        losses = []
        for each in lost:
            assert isinstance(each.work, BlockRange)
            key = self._held.pop(each.work.first)
            losses.append(Loss(key, is_blamed=each.blamed, error=each.reason))
        with write_as(self.database, self.epoch) as session:
            found = lose_leases(session, losses, now=self.now())
        return frozenset(each.first_block for each in found)

    def sight(self, violation: Replayed, minimal: Minimized, *, ordinal: int) -> RecordedSighting:
        """Store the violation that was minimized, at once; completing its range repeats it."""
        with write_as(self.database, self.epoch) as session:
            return record_sighting(
                session,
                failure_record(minimal, ir_hash=self.ir_hash, ordinal=ordinal),
                self._sighting(violation),
                now=_now(),
            )

    def complete(
        self,
        reports: Sequence[Executed],
        backlog: Backlog,
        *,
        gains: Sequence[Gains | None] | None = None,
    ) -> list[Recorded]:
        """Store what ranges showed and end their leases, in one transaction.

        `gains` are added to the turns that they are of, where the campaign has a portfolio.

        Violations whose signature has no minimal interleaving yet are counted by their site only.
        """
        kept = self._worth_storing(
            violation
            for report in reports
            for violation in report.result.replayed
            if violation.signature in backlog.minimal
        )
        recorded: list[Recorded] = []
        ended = [Completion(self._held[each.work.first], _totals(each.result)) for each in reports]
        with write_as(self.database, self.epoch) as session:
            for violation in kept:
                name = violation.signature
                record = failure_record(
                    backlog.minimal[name], ir_hash=self.ir_hash, ordinal=backlog.ordinals[name]
                )
                sighting = self._sighting(violation)
                recorded.append((name, record_sighting(session, record, sighting, now=self.now())))
            for each in (each for report in reports for each in report.result.disagreements):
                row = DisagreementRecord(
                    self.campaign_id, self.ir_hash, each.block, each.lane, each.number, each.detail
                )
                record_disagreement(session, row, now=self.now())
            completed = complete_leases(session, ended)
            # Only a new leader lets go of what is held, and the guard has seen that there is none.
            assert len(completed) == len(reports), "leases are held until they are completed here"
            for report, gained in zip(reports, gains or (), strict=gains is not None):
                if gained is not None:
                    first = report.work.first
                    add_to_turn(session, self.campaign_id, first_block=first, gains=gained)
            note_point(session, self.campaign_id, now=self.now())
        for report in reports:
            del self._held[report.work.first]
        self._sighted.update(violation.signature for violation in kept)
        return recorded

    def _worth_storing(self, violations: Iterable[Replayed]) -> list[Replayed]:
        seen = Counter(self._sighted)
        kept = []
        for violation in violations:
            seen[violation.signature] += 1
            if seen[violation.signature] <= SIGHTINGS_PER_SIGNATURE_MAX:
                kept.append(violation)
        return kept

    def _sighting(self, violation: Replayed) -> SightingRecord:
        return SightingRecord(
            campaign_id=self.campaign_id,
            ir_hash=self.ir_hash,
            block=violation.block,
            lane=violation.lane,
            step=violation.number,
            schedule=picks_json(violation.schedule),
        )


def _totals(result: ShardResult) -> LeaseTotals:
    return LeaseTotals(
        schedules=result.schedules,
        steps=result.steps,
        violations=result.violations,
        outcomes={name: count for name, count in result.outcomes.items() if count},
        site_hits=result.site_hits,
        steps_reached=result.steps_reached,
        coverage=result.coverage,
    )


def _now() -> datetime:
    return datetime.now(UTC)
