"""Leases: who executes which blocks, and the one place where a campaign's totals change.

A completed lease adds its totals in the transaction that ends it, and only while it is held. A
lost worker, a repeated message or a killed coordinator therefore changes nothing in the totals.
Done ranges that touch become one row, so the table grows with work in flight, not with work done.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from model.coverage import Coverage
from storage.campaigns import campaign_row
from storage.coverage import add_coverage
from storage.tables import (
    CampaignRow,
    CampaignState,
    LeaseRow,
    LeaseState,
    SightingRow,
    SiteCountRow,
)


@dataclass(frozen=True, slots=True)
class LeaseTotals:
    """What one lease adds to its campaign: numbers that can be added, never rates."""

    schedules: int
    steps: int
    violations: int
    outcomes: Mapping[str, int]
    site_hits: Mapping[str, int]
    steps_reached: frozenset[str]
    coverage: Coverage = field(default_factory=Coverage)


def begin_lease(
    session: Session, campaign_id: int, *, first_block: int, blocks: int, worker: str
) -> bool:
    """Give `worker` the blocks from `first_block` on, `blocks` of them.

    False, and no change, when one of them is held or done, or the campaign has ended.
    """
    assert first_block >= 0 and blocks > 0 and worker
    if campaign_row(session, campaign_id, lock=True).state is not CampaignState.RUNNING:
        return False
    overlap = select(LeaseRow.first_block).where(
        LeaseRow.campaign_id == campaign_id,
        LeaseRow.first_block < first_block + blocks,
        LeaseRow.first_block + LeaseRow.blocks > first_block,
    )
    if session.scalar(overlap.limit(1)) is not None:
        return False
    session.add(
        LeaseRow(
            campaign_id=campaign_id,
            first_block=first_block,
            blocks=blocks,
            state=LeaseState.HELD,
            worker=worker,
        )
    )
    session.flush()
    return True


def complete_lease(
    session: Session, campaign_id: int, *, first_block: int, totals: LeaseTotals
) -> bool:
    """End the lease that starts at `first_block` and add what it found, exactly once.

    False, and no change, when that lease is not held: completed before, or let go.
    """
    campaign = campaign_row(session, campaign_id, lock=True)
    lease = session.get(LeaseRow, (campaign_id, first_block))
    if lease is None or lease.state is not LeaseState.HELD:
        return False
    assert campaign.state is CampaignState.RUNNING, "an ended campaign holds no lease"
    _add_totals(campaign, totals, blocks=lease.blocks)
    _add_site_hits(session, campaign_id, totals.site_hits)
    add_coverage(session, campaign_id, totals.coverage)
    _forget_counted_sightings(session, lease)
    _join_done_ranges(session, lease)
    return True


def executed_blocks(session: Session, campaign_id: int) -> range:
    """From the first block of a campaign that is counted to the last; raises `UnknownCampaign`."""
    campaign_row(session, campaign_id)
    rows = session.scalars(
        select(LeaseRow).where(
            LeaseRow.campaign_id == campaign_id, LeaseRow.state == LeaseState.DONE
        )
    ).all()
    if not rows:
        return range(0)
    return range(
        min(row.first_block for row in rows), max(row.first_block + row.blocks for row in rows)
    )


def _add_totals(campaign: CampaignRow, totals: LeaseTotals, *, blocks: int) -> None:
    assert min(totals.schedules, totals.steps, totals.violations) >= 0
    campaign.blocks_done += blocks
    campaign.schedules += totals.schedules
    campaign.steps += totals.steps
    campaign.violations += totals.violations
    campaign.outcomes = {
        name: campaign.outcomes.get(name, 0) + totals.outcomes.get(name, 0)
        for name in campaign.outcomes.keys() | totals.outcomes.keys()
    }
    campaign.steps_reached = campaign.steps_reached | totals.steps_reached


def _add_site_hits(session: Session, campaign_id: int, hits: Mapping[str, int]) -> None:
    # In one order everywhere: two writers that lock rows in different orders wait for each other.
    for site in sorted(hits):
        assert hits[site] >= 0, f"{site} cannot be hit {hits[site]} times"
        row = session.get(SiteCountRow, (campaign_id, site), with_for_update=True)
        if row is None:
            session.add(SiteCountRow(campaign_id=campaign_id, site=site, count=hits[site]))
        else:
            row.count += hits[site]


def _forget_counted_sightings(session: Session, lease: LeaseRow) -> None:
    """Remove the rows that only said "counted": a done block's sightings are not counted again."""
    session.execute(
        delete(SightingRow).where(
            SightingRow.campaign_id == lease.campaign_id,
            SightingRow.block >= lease.first_block,
            SightingRow.block < lease.first_block + lease.blocks,
            SightingRow.schedule.is_(None),
        )
    )


def _join_done_ranges(session: Session, lease: LeaseRow) -> None:
    """Mark `lease` done, as one row with the done ranges that it touches."""
    done = select(LeaseRow).where(
        LeaseRow.campaign_id == lease.campaign_id, LeaseRow.state == LeaseState.DONE
    )
    end = lease.first_block + lease.blocks
    before = session.scalar(done.where(LeaseRow.first_block + LeaseRow.blocks == lease.first_block))
    after = session.scalar(done.where(LeaseRow.first_block == end))
    lease.state, lease.worker = LeaseState.DONE, None
    if after is not None:
        lease.blocks += after.blocks
        session.delete(after)
    if before is not None:
        before.blocks += lease.blocks
        session.delete(lease)
    session.flush()
