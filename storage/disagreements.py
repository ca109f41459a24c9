"""Disagreements between the two engines: stored every one, because each is a defect of ours."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.once import insert_once
from storage.tables import DisagreementRow


@dataclass(frozen=True, slots=True)
class DisagreementRecord:
    """Where the interpreter did not do what the circuit had done, and what each of them did."""

    campaign_id: int
    ir_hash: str
    block: int
    lane: int
    step: int
    detail: str


def record_disagreement(
    session: Session, disagreement: DisagreementRecord, *, now: datetime
) -> bool:
    """Store a disagreement unless it is stored already; say whether it was new."""
    key = ["campaign_id", "ir_hash", "block", "lane", "step"]
    values = {**asdict(disagreement), "created_at": now}
    return insert_once(session, DisagreementRow, key=key, values=values)


def list_disagreements(
    session: Session, *, campaign_id: int | None = None
) -> tuple[DisagreementRecord, ...]:
    """All disagreements, or those of one campaign, oldest first."""
    query = select(DisagreementRow).order_by(DisagreementRow.id)
    if campaign_id is not None:
        query = query.where(DisagreementRow.campaign_id == campaign_id)
    return tuple(
        DisagreementRecord(
            campaign_id=row.campaign_id,
            ir_hash=row.ir_hash,
            block=row.block,
            lane=row.lane,
            step=row.step,
            detail=row.detail,
        )
        for row in session.scalars(query)
    )
