"""All that a monitor asks of a database, read in one snapshot and in a bounded number of queries.

Totals are sums over campaigns; each only grows, in the transaction that ends a lease, so they never
go backwards through a restart of anything.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sqlalchemy import SQLColumnExpression, func, select
from sqlalchemy.orm import Session

from storage.campaigns import ENDINGS
from storage.columns import exact_sum
from storage.ledger_tables import LeaderRow, LeaseRow, LeaseState, QuarantinedRangeRow
from storage.life_tables import RecheckRow
from storage.maintenance import size_bytes
from storage.tables import (
    CampaignRow,
    CampaignState,
    CoverageRow,
    DisagreementRow,
    FailureRow,
    FailureStatus,
    ProgramRow,
)

CAMPAIGNS_MAX = 100
PROGRAMS_MAX = 200
OTHERS = "other programs"
State = TypeVar("State", bound=StrEnum)


@dataclass(slots=True)
class ProgramFigures:
    """What all campaigns of programs of one name have executed."""

    blocks: int = 0
    schedules: int = 0
    steps: int = 0
    violations: int = 0


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """A campaign that has not ended."""

    campaign_id: int
    program: str
    state: CampaignState
    steps_reached: int
    executions_sampled: int
    pairs_seen: int
    seconds_left: float | None


@dataclass(frozen=True, slots=True)
class DatabaseFigures:
    """The whole snapshot; the instants are those of the last such event, None before the first."""

    programs: dict[str, ProgramFigures]
    campaigns: tuple[CampaignFigures, ...]
    campaign_states: dict[CampaignState, int]
    failures: dict[FailureStatus, int]
    leases: dict[LeaseState, int]
    leases_retried: int
    oldest_lease_at: datetime | None
    quarantined_ranges: int
    disagreements: int
    rechecks: dict[str, int]
    last_new_failure_at: datetime | None
    leader_beat_at: datetime | None
    leads: bool
    size_bytes: int


def database_figures(session: Session) -> DatabaseFigures:
    """Read the snapshot: some ten queries, none of which grows with the failures' contents."""
    leader = session.get(LeaderRow, 1)
    quarantined = select(func.count()).select_from(QuarantinedRangeRow)
    disagreements = select(func.count()).select_from(DisagreementRow)
    retried = select(func.count()).select_from(LeaseRow).where(LeaseRow.attempt > 1)
    newest = select(FailureRow.first_seen_at).order_by(FailureRow.id.desc()).limit(1)
    return DatabaseFigures(
        programs=_programs(session),
        campaigns=_campaigns(session),
        campaign_states=_counted(session, CampaignRow.state, CampaignState),
        failures=failures_by_status(session),
        leases=_counted(session, LeaseRow.state, LeaseState),
        leases_retried=session.scalar(retried) or 0,
        oldest_lease_at=session.scalar(select(func.min(LeaseRow.given_at))),
        quarantined_ranges=session.scalar(quarantined) or 0,
        disagreements=session.scalar(disagreements) or 0,
        rechecks=_rechecks(session),
        last_new_failure_at=session.scalar(newest),
        leader_beat_at=None if leader is None else leader.beat_at,
        leads=leader is not None and leader.holder is not None,
        size_bytes=size_bytes(session.connection()),
    )


def failures_by_status(session: Session) -> dict[FailureStatus, int]:
    """How many failures have each status; 0 for those that none has."""
    return _counted(session, FailureRow.status, FailureStatus)


def _programs(session: Session) -> dict[str, ProgramFigures]:
    """Sums by the programs' names; what is beyond PROGRAMS_MAX names is one sum."""
    rows = session.execute(
        select(
            ProgramRow.name,
            func.sum(CampaignRow.blocks_done),
            exact_sum(CampaignRow.schedules),
            exact_sum(CampaignRow.steps),
            exact_sum(CampaignRow.violations),
        )
        .join(ProgramRow)
        .group_by(ProgramRow.name)
        .order_by(func.min(CampaignRow.id))
    )
    found: dict[str, ProgramFigures] = {}
    for name, blocks, schedules, steps, violations in rows:
        label = name if name in found or len(found) < PROGRAMS_MAX else OTHERS
        total = found.setdefault(label, ProgramFigures())
        total.blocks += int(blocks)
        total.schedules += schedules
        total.steps += steps
        total.violations += violations
    return found


def _campaigns(session: Session) -> tuple[CampaignFigures, ...]:
    """The newest CAMPAIGNS_MAX of those that have not ended."""
    rows = session.execute(
        select(CampaignRow, ProgramRow.name, CoverageRow)
        .join(ProgramRow)
        .outerjoin(CoverageRow)
        .where(CampaignRow.state.not_in(ENDINGS))
        .order_by(CampaignRow.id.desc())
        .limit(CAMPAIGNS_MAX)
    )
    return tuple(
        CampaignFigures(
            campaign_id=row.id,
            program=name,
            state=row.state,
            steps_reached=len(row.steps_reached),
            executions_sampled=0 if seen is None else seen.executions,
            pairs_seen=0 if seen is None else len(seen.pairs),
            seconds_left=None
            if row.seconds_max is None
            else max(0.0, row.seconds_max - row.active_seconds),
        )
        for row, name, seen in rows
    )


def _counted(
    session: Session, column: SQLColumnExpression[State], kind: type[State]
) -> dict[State, int]:
    """How many rows have each state; 0 for those that none has."""
    rows = session.execute(select(column, func.count()).group_by(column))
    counts = {state: number for state, number in rows}
    return {state: counts.get(state, 0) for state in kind}


def _rechecks(session: Session) -> dict[str, int]:
    rows = session.execute(select(RecheckRow.verdict, func.count()).group_by(RecheckRow.verdict))
    return {verdict: number for verdict, number in rows}
