"""Blocks that ended their worker again and again: what is known of them, and where they stand."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.ledger_tables import QuarantinedRangeRow


@dataclass(frozen=True, slots=True)
class QuarantinedRange:
    """Blocks that are not executed any more, and what is known of them."""

    campaign_id: int
    first_block: int
    blocks: int
    attempts: int
    worker: str
    error: str
    at: datetime


_NAMES = QuarantinedRange.__dataclass_fields__


def quarantined_row(found: QuarantinedRange) -> QuarantinedRangeRow:
    """The row of a range, for `storage.leases`."""
    return QuarantinedRangeRow(**{name: getattr(found, name) for name in _NAMES})


def quarantined_ranges(session: Session, campaign_id: int) -> tuple[QuarantinedRange, ...]:
    """The blocks of a campaign that are not executed any more, in order."""
    query = select(QuarantinedRangeRow).where(QuarantinedRangeRow.campaign_id == campaign_id)
    return tuple(
        QuarantinedRange(**{name: getattr(row, name) for name in _NAMES})
        for row in session.scalars(query.order_by(QuarantinedRangeRow.first_block))
    )
