"""Campaigns: started, ended once, and counted. Their totals change only in `storage.leases`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from model.coverage import Coverage
from model.schedulers.portfolio import Turn
from storage.coverage import coverage_of
from storage.curves import CurvePoint, curve_of
from storage.errors import NotResumable, UnknownCampaign
from storage.ledger_tables import LeaseRow, LeaseState
from storage.portfolio import turns_of
from storage.quarantine import QuarantinedRange, quarantined_ranges
from storage.tables import (
    CampaignKind,
    CampaignRow,
    CampaignState,
    DesiredState,
    DisagreementRow,
    ProgramRow,
    SiteCountRow,
    VerificationRow,
)
from storage.verifications import (
    StoredVerification,
    VerificationFigures,
    VerificationPlan,
    reachable_states,
    verification_of,
)

# The scheduler of a campaign that followed an interleaving which its author wrote down.
HINT = "hint"


# In a campaign's budget: it waits for the coordinator; how many blocks there are at all.
QUEUED = "queued"
ALL_BLOCKS = "all_blocks"


@dataclass(frozen=True, slots=True)
class CampaignLimits:
    """When a campaign ends by itself: at the first bound that it reaches; None bounds nothing.

    `seconds_max` is time in which it ran, `saturation_blocks` how many blocks in a row may cover
    nothing new.
    """

    schedules_max: int | None = None
    steps_max: int | None = None
    violations_max: int | None = None
    seconds_max: float | None = None
    blocks_max: int | None = None
    saturation_blocks: int | None = None


@dataclass(frozen=True, slots=True)
class CampaignPlan:
    """What a campaign is to do: with the block numbers, all that decides its results.

    `budget` is JSON text; `excluded_failures` are the numbers of failures to pass over;
    `verification` says how to explore, and is None for a campaign that fuzzes. `limits`, `weight`
    and `priority` are those to begin with.
    """

    program_ir_hash: str
    scheduler: str
    root_seed: int
    engine_revision: str
    budget: str
    excluded_failures: tuple[int, ...] = ()
    verification: VerificationPlan | None = None
    limits: CampaignLimits = CampaignLimits()
    weight: int = 1
    priority: int = 0

    @property
    def is_queued(self) -> bool:
        """Whether it is for the coordinator of the database, and no process's own."""
        return json.loads(self.budget).get(QUEUED) is True

    @property
    def all_blocks(self) -> int | None:
        """How many blocks there are; None where there is no last one."""
        known = json.loads(self.budget).get(ALL_BLOCKS)
        return None if known is None else int(known)

    @property
    def kind(self) -> CampaignKind:
        """What the campaign does with its program."""
        return CampaignKind.FUZZ if self.verification is None else CampaignKind.VERIFY


ENDINGS = (CampaignState.STOPPED, CampaignState.FINISHED, CampaignState.FAILED)


@dataclass(frozen=True, slots=True)
class CampaignTotals:
    """What the completed leases of a campaign add up to, exactly.

    `coverage` is of sampled executions; its states are of `reachable_states`, where a verification
    of the very same program has counted them. `turns` are those of a portfolio, `quarantined` the
    blocks that are left out of all counts, `curve` what had been found after so many blocks.
    """

    blocks_done: int
    schedules: int
    steps: int
    violations: int
    outcomes: Mapping[str, int]
    site_counts: Mapping[str, int]
    steps_reached: frozenset[str]
    coverage: Coverage
    reachable_states: int | None
    disagreements: int
    turns: tuple[Turn, ...] = ()
    quarantined: tuple[QuarantinedRange, ...] = ()
    curve: tuple[CurvePoint, ...] = ()


@dataclass(frozen=True, slots=True)
class CampaignSummary:
    """A campaign in a list; `ending` is the sentence that says why it stopped."""

    campaign_id: int
    program_name: str
    plan: CampaignPlan
    desired_state: DesiredState
    state: CampaignState
    ending: str | None
    started_at: datetime
    ended_at: datetime | None
    active_seconds: float
    blocks_done: int
    schedules: int
    steps: int
    violations: int
    verification: StoredVerification | None


def start_campaign(
    session: Session,
    plan: CampaignPlan,
    *,
    now: datetime,
    state: CampaignState = CampaignState.RUNNING,
) -> int:
    """Store a campaign that has done nothing yet; give its number.

    It is running where its own process coordinates it, and created where another one will.

    The program must have been recorded before.
    """
    row = CampaignRow(
        kind=plan.kind,
        program_ir_hash=plan.program_ir_hash,
        scheduler=plan.scheduler,
        root_seed=plan.root_seed,
        engine_revision=plan.engine_revision,
        budget=plan.budget,
        excluded_failures=plan.excluded_failures,
        desired_state=DesiredState.RUNNING,
        state=state,
        weight=plan.weight,
        priority=plan.priority,
        **asdict(plan.limits),
        ending=None,
        started_at=now,
        ended_at=None,
        active_seconds=0.0,
        next_block=0,
        next_token=1,
        blocks_done=0,
        schedules=0,
        steps=0,
        violations=0,
        outcomes={},
        steps_reached=frozenset(),
    )
    assert state in (CampaignState.CREATED, CampaignState.RUNNING)
    session.add(row)
    session.flush()
    if plan.verification is not None:
        session.add(
            VerificationRow(
                campaign_id=row.id,
                **asdict(plan.verification),
                **asdict(VerificationFigures()),
                verdict=None,
                checkpoint_file=None,
                checkpoint_sha256=None,
            )
        )
    return row.id


def check_resumable(session: Session, campaign_id: int) -> StoredVerification:
    """The verification, where it has not seen every state.

    Raises `UnknownCampaign` and `NotResumable`.
    """
    campaign_row(session, campaign_id)
    row = session.get(VerificationRow, campaign_id)
    if row is None:
        raise NotResumable(
            f"campaign {campaign_id} is no verification: it fuzzes\n"
            "    only verifications are resumed; start another campaign with gracefuzz fuzz"
        )
    if row.verdict is not None and not row.frontier:
        raise NotResumable(
            f"campaign {campaign_id} has ended ({row.verdict}): no state is left to visit\n"
            f"    see it with: gracefuzz campaigns show {campaign_id}"
        )
    return verification_of(row)


def reopen_campaign(session: Session, campaign_id: int, *, memory_bytes: int) -> None:
    """Let a verification go on, with another bound of memory; who does so must have claimed it."""
    check_resumable(session, campaign_id)
    campaign = campaign_row(session, campaign_id, lock=True)
    campaign.state, campaign.ending, campaign.ended_at = CampaignState.RUNNING, None, None
    campaign.desired_state = DesiredState.RUNNING
    row = session.get_one(VerificationRow, campaign_id)
    row.verdict, row.memory_bytes = None, memory_bytes


def finish_campaign(
    session: Session, campaign_id: int, state: CampaignState, *, ending: str, now: datetime
) -> bool:
    """End a campaign; False, and no change, when it has ended already.

    Leases that are still held are let go: what they report later changes nothing.
    """
    assert state in ENDINGS and ending
    row = campaign_row(session, campaign_id, lock=True)
    if row.state in ENDINGS:
        return False
    row.state, row.ending, row.ended_at = state, ending, now
    free_leases(session, LeaseRow.campaign_id == campaign_id)
    return True


def free_leases(session: Session, *which: ColumnElement[bool]) -> None:
    """Let go of held leases: their blocks will be executed by others, reports are refused."""
    free = {"state": LeaseState.FREE, "worker": None, "given_at": None, "deadline": None}
    held = update(LeaseRow).where(LeaseRow.state == LeaseState.HELD, *which)
    session.execute(held.values(**free).execution_options(synchronize_session="fetch"))


def list_campaigns(session: Session, *, program: str | None = None) -> tuple[CampaignSummary, ...]:
    """All campaigns, or those of the program named `program`, newest first."""
    wanted = () if program is None else (ProgramRow.name == program,)
    return campaigns_where(session, *wanted, order=(CampaignRow.id.desc(),))


def campaigns_where(
    session: Session,
    *wanted: ColumnElement[bool],
    order: tuple[ColumnElement[Any], ...],
) -> tuple[CampaignSummary, ...]:
    """Campaigns by conditions on their rows, for this package only; one query."""
    query = (
        select(CampaignRow, ProgramRow.name, VerificationRow)
        .join(ProgramRow)
        .outerjoin(VerificationRow)
        .where(*wanted)
        .order_by(*order)
    )
    return tuple(_summary(row, name, told) for row, name, told in session.execute(query))


def get_campaign(session: Session, campaign_id: int) -> CampaignSummary:
    """The campaign with this number; raises `UnknownCampaign`."""
    row = campaign_row(session, campaign_id)
    name = session.get_one(ProgramRow, row.program_ir_hash).name
    return _summary(row, name, session.get(VerificationRow, campaign_id))


def campaign_totals(session: Session, campaign_id: int) -> CampaignTotals:
    """What a campaign has done so far; raises `UnknownCampaign`."""
    row = campaign_row(session, campaign_id)
    sites = select(SiteCountRow).where(SiteCountRow.campaign_id == campaign_id)
    disagreements = select(func.count()).where(DisagreementRow.campaign_id == campaign_id)
    return CampaignTotals(
        blocks_done=row.blocks_done,
        schedules=row.schedules,
        steps=row.steps,
        violations=row.violations,
        outcomes=row.outcomes,
        site_counts={
            site.site: site.count for site in session.scalars(sites.order_by(SiteCountRow.site))
        },
        steps_reached=row.steps_reached,
        coverage=coverage_of(session, campaign_id),
        reachable_states=reachable_states(session, row.program_ir_hash),
        disagreements=session.scalar(disagreements) or 0,
        turns=turns_of(session, campaign_id),
        quarantined=quarantined_ranges(session, campaign_id),
        curve=curve_of(session, campaign_id),
    )


def campaign_row(session: Session, campaign_id: int, *, lock: bool = False) -> CampaignRow:
    """The row itself, for this package only; locked where the database locks rows."""
    # A row that is locked is read again: another process may have changed it meanwhile.
    row = session.get(
        CampaignRow, campaign_id, with_for_update=lock or None, populate_existing=lock
    )
    if row is None:
        raise UnknownCampaign(
            f"no campaign has the number {campaign_id}\n    list them to see which there are"
        )
    return row


def _summary(row: CampaignRow, program_name: str, told: VerificationRow | None) -> CampaignSummary:
    verification = None if told is None else verification_of(told)
    return CampaignSummary(
        campaign_id=row.id,
        program_name=program_name,
        plan=CampaignPlan(
            program_ir_hash=row.program_ir_hash,
            scheduler=row.scheduler,
            root_seed=row.root_seed,
            engine_revision=row.engine_revision,
            budget=row.budget,
            excluded_failures=row.excluded_failures,
            verification=None if verification is None else verification.plan,
            limits=CampaignLimits(
                **{name: getattr(row, name) for name in CampaignLimits.__dataclass_fields__}
            ),
            weight=row.weight,
            priority=row.priority,
        ),
        desired_state=row.desired_state,
        state=row.state,
        ending=row.ending,
        started_at=row.started_at,
        ended_at=row.ended_at,
        active_seconds=row.active_seconds,
        blocks_done=row.blocks_done,
        schedules=row.schedules,
        steps=row.steps,
        violations=row.violations,
        verification=verification,
    )
