"""What people want of campaigns that a coordinator executes, and what the coordinator observes.

People write the wanted state, the limits, the weight; the coordinator reads them some times a
second, follows, and writes the observed state. Each change is an event with its author.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.campaigns import (
    ENDINGS,
    CampaignLimits,
    CampaignPlan,
    CampaignSummary,
    campaign_row,
    campaigns_where,
    get_campaign,
    start_campaign,
)
from storage.errors import StorageError
from storage.ledger_tables import EventRow, LeaseRow, LeaseState
from storage.tables import CampaignKind, CampaignRow, CampaignState, DesiredState


class NotSteerable(StorageError):
    """The campaign has ended, or is executed by a process of its own."""


@dataclass(frozen=True, slots=True)
class RangeLeft:
    """Blocks to execute again, after so many workers were lost over them."""

    first_block: int
    blocks: int
    deaths: int


def queue_campaign(session: Session, plan: CampaignPlan, *, actor: str, now: datetime) -> int:
    """Store a campaign for the coordinator to execute; give its number."""
    assert plan.is_queued
    number = start_campaign(session, plan, now=now, state=CampaignState.CREATED)
    _note(session, number, "created", {"limits": asdict(plan.limits)}, actor=actor, now=now)
    return number


def want(
    session: Session, campaign_id: int, wanted: DesiredState, *, actor: str, now: datetime
) -> None:
    """Say which state a campaign is to have. Raises UnknownCampaign and NotSteerable.

    One that no coordinator has begun is stopped here.
    """
    row = _steerable(session, campaign_id)
    if row.desired_state is wanted:
        return
    row.desired_state = wanted
    if wanted is DesiredState.STOPPED and row.state is CampaignState.CREATED:
        row.state, row.ended_at, row.ending = CampaignState.STOPPED, now, "stopped before it began"
    _note(session, campaign_id, "wanted", {"state": wanted.value}, actor=actor, now=now)


def change(
    session: Session,
    campaign_id: int,
    *,
    limits: Mapping[str, int | float | None],
    weight: int | None = None,
    priority: int | None = None,
    actor: str,
    now: datetime,
) -> None:
    """Change some limits, by their names in `CampaignLimits`, the weight or the priority.

    Raises UnknownCampaign and NotSteerable.
    """
    assert set(limits) <= set(CampaignLimits.__dataclass_fields__)
    row = _steerable(session, campaign_id)
    changed = dict(limits) | {
        name: value
        for name, value in (("weight", weight), ("priority", priority))
        if value is not None
    }
    for name, value in changed.items():
        setattr(row, name, value)
    said = {k: str(v) if isinstance(v, int) and v is not None else v for k, v in changed.items()}
    _note(session, campaign_id, "changed", said, actor=actor, now=now)


def to_coordinate(session: Session) -> tuple[CampaignSummary, ...]:
    """The campaigns that wait for a coordinator or have one, by priority, then by number."""
    found = campaigns_where(
        session,
        CampaignRow.state.not_in(ENDINGS),
        CampaignRow.kind == CampaignKind.FUZZ,
        order=(CampaignRow.priority.desc(), CampaignRow.id.asc()),
    )
    return tuple(each for each in found if each.plan.is_queued)


def observe(
    session: Session, campaign_id: int, state: CampaignState, *, active_seconds: float
) -> None:
    """Say where a campaign stands, and that it has worked for so long since it was said last."""
    assert state not in ENDINGS and active_seconds >= 0
    row = campaign_row(session, campaign_id, lock=True)
    row.state = state
    row.active_seconds += active_seconds


def blocks_given(session: Session, campaign_id: int) -> int:
    """The first block that was never given out."""
    return campaign_row(session, campaign_id).next_block


def ranges_left(session: Session, campaign_id: int) -> tuple[RangeLeft, ...]:
    """The ranges that were given out, and brought nothing, in order."""
    query = select(LeaseRow).where(
        LeaseRow.campaign_id == campaign_id, LeaseRow.state == LeaseState.FREE
    )
    return tuple(
        RangeLeft(row.first_block, row.blocks, row.attempt - 1)
        for row in session.scalars(query.order_by(LeaseRow.first_block))
    )


def _steerable(session: Session, campaign_id: int) -> CampaignRow:
    row = campaign_row(session, campaign_id, lock=True)
    if row.state in ENDINGS:
        raise NotSteerable(
            f"campaign {campaign_id} has ended: {row.ending}\n"
            "    start another one: gracefuzz campaigns create"
        )
    if not get_campaign(session, campaign_id).plan.is_queued:
        raise NotSteerable(
            f"campaign {campaign_id} belongs to the process that started it\n"
            "    stop that process with Ctrl-C; campaigns of the coordinator are made with: "
            "gracefuzz campaigns create"
        )
    return row


def _note(
    session: Session,
    campaign_id: int,
    kind: str,
    details: Mapping[str, object],
    *,
    actor: str,
    now: datetime,
) -> None:
    session.add(
        EventRow(
            at=now,
            actor=actor,
            campaign_id=campaign_id,
            failure_id=None,
            kind=kind,
            details=dict(details),
        )
    )
