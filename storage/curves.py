"""Discovery curves: what a campaign had found after so many blocks.

A point is stored with the lease that brings a campaign a sixteenth further than its last point. So
they are dense where much is new, and even 2^63 blocks have fewer than 800.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.coverage import coverage_of
from storage.ledger_tables import CurvePointRow
from storage.tables import CampaignRow, SightingRow

GROWTH = 16


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What a campaign had found after `blocks`; pairs and classes are of sampled executions."""

    blocks: int
    at: datetime
    active_seconds: float
    schedules: int
    steps: int
    violations: int
    failures: int
    steps_reached: int
    pairs: int
    classes: int


_NAMES = CurvePoint.__dataclass_fields__


def note_point(session: Session, campaign_id: int, *, now: datetime) -> bool:
    """Add a point for what is counted by now, where one is due; say whether it was.

    For the transaction that has counted it.
    """
    row = session.get_one(CampaignRow, campaign_id)
    last = session.scalar(
        select(func.max(CurvePointRow.blocks)).where(CurvePointRow.campaign_id == campaign_id)
    )
    if last is not None and row.blocks_done < last + max(1, last // GROWTH):
        return False
    failures = select(func.count(SightingRow.failure_id.distinct()))
    coverage = coverage_of(session, campaign_id)
    # Only the coordinator counts seconds; a campaign with its own process works all the time.
    seconds = row.active_seconds or max(0.0, (now - row.started_at).total_seconds())
    session.add(
        CurvePointRow(
            campaign_id=campaign_id,
            blocks=row.blocks_done,
            at=now,
            active_seconds=seconds,
            schedules=row.schedules,
            steps=row.steps,
            violations=row.violations,
            failures=session.scalar(failures.where(SightingRow.campaign_id == campaign_id)) or 0,
            steps_reached=len(row.steps_reached),
            pairs=len(coverage.pairs),
            classes=round(coverage.classes.classes),
        )
    )
    return True


def curve_of(session: Session, campaign_id: int) -> tuple[CurvePoint, ...]:
    """The points of a campaign, by blocks."""
    query = select(CurvePointRow).where(CurvePointRow.campaign_id == campaign_id)
    return tuple(
        CurvePoint(**{name: getattr(row, name) for name in _NAMES})
        for row in session.scalars(query.order_by(CurvePointRow.blocks))
    )
