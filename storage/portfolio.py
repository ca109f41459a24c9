"""The turns of a campaign that has a portfolio of schedulers: what was decided, and what it gave.

A turn is stored with its first lease, and counts in the transactions that complete its leases.
"""

from dataclasses import fields

from sqlalchemy import select
from sqlalchemy.orm import Session

from model.schedulers.portfolio import Gains, Turn
from storage.tables import PortfolioTurnRow

COUNTED = tuple(field.name for field in fields(Gains) if field.name != "blocks")


def begin_turn(session: Session, campaign_id: int, turn: Turn) -> None:
    """Store a decision, once; with the lease of its first block, in one transaction."""
    if session.get(PortfolioTurnRow, (campaign_id, turn.first_block)) is None:
        session.add(
            PortfolioTurnRow(
                campaign_id=campaign_id,
                first_block=turn.first_block,
                blocks=turn.blocks,
                scheduler=turn.scheduler,
                blocks_done=0,
                **dict.fromkeys(COUNTED, 0),
            )
        )


def add_to_turn(session: Session, campaign_id: int, *, first_block: int, gains: Gains) -> None:
    """Count blocks from `first_block` on, in the transaction that completes their lease."""
    row = _turn_row(session, campaign_id, first_block)
    assert row is not None, f"block {first_block} of campaign {campaign_id} is of no turn"
    row.blocks_done += gains.blocks
    assert row.blocks_done <= row.blocks
    for name in COUNTED:
        setattr(row, name, getattr(row, name) + getattr(gains, name))


def turns_of(session: Session, campaign_id: int) -> tuple[Turn, ...]:
    """All turns of a campaign, in the order of their blocks; none where it has one scheduler."""
    query = (
        select(PortfolioTurnRow)
        .where(PortfolioTurnRow.campaign_id == campaign_id)
        .order_by(PortfolioTurnRow.first_block)
    )
    return tuple(
        Turn(
            row.first_block,
            row.blocks,
            row.scheduler,
            Gains(row.blocks_done, **{name: getattr(row, name) for name in COUNTED}),
        )
        for row in session.scalars(query)
    )


def scheduler_of_block(session: Session, campaign_id: int, block: int, *, otherwise: str) -> str:
    """Who has executed a block of a campaign; `otherwise` where the campaign has no turns."""
    row = _turn_row(session, campaign_id, block)
    return otherwise if row is None else row.scheduler


def _turn_row(session: Session, campaign_id: int, block: int) -> PortfolioTurnRow | None:
    return session.scalar(
        select(PortfolioTurnRow)
        .where(PortfolioTurnRow.campaign_id == campaign_id, PortfolioTurnRow.first_block <= block)
        .order_by(PortfolioTurnRow.first_block.desc())
        .limit(1)
    )
