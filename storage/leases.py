"""Leases: who executes which blocks, and the one place where a campaign's totals change.

A completed lease adds its totals in the transaction that ends it, and only while it is held under
the token that it was given with. A lost worker, a repeated message or a killed coordinator
therefore changes nothing in the totals. A lease that is done leaves no row, so the table grows with
work in flight, not with work done. Everything is done for many leases at once: a transaction costs
more than what it says.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.orm import Session

from storage.campaigns import campaign_row, free_leases
from storage.columns import exact_add
from storage.coverage import add_coverage
from storage.lease_totals import LeaseTotals, sum_of_totals
from storage.ledger_tables import LeaseRow, LeaseState, QuarantinedRangeRow
from storage.once import insert_for, table_of
from storage.quarantine import QuarantinedRange, quarantined_row
from storage.tables import CampaignRow, CampaignState, SightingRow, SiteCountRow

ATTEMPTS_MAX = 3
# Statements name so many leases at most: databases bound what one may hold.
LEASES_PER_STATEMENT = 1_000


@dataclass(frozen=True, slots=True, order=True)
class LeaseKey:
    """One time that a range was given out; another time has another token."""

    campaign_id: int
    first_block: int
    token: int


@dataclass(frozen=True, slots=True)
class Lease:
    """Blocks from `key.first_block` on that `worker` executes, for the `attempt`-th time."""

    key: LeaseKey
    blocks: int
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True)
class LeaseWish:
    """What a worker asks for: at most so many blocks."""

    worker: str
    blocks_max: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What a worker reports of a lease."""

    key: LeaseKey
    totals: LeaseTotals


@dataclass(frozen=True, slots=True)
class Loss:
    """A lease without a result; `is_blamed` where its blocks may be what ended the worker."""

    key: LeaseKey
    is_blamed: bool
    error: str


def give_leases(
    session: Session,
    campaign_id: int,
    wishes: Sequence[LeaseWish],
    *,
    now: datetime,
    deadline: datetime | None = None,
    epoch: int = 0,
) -> tuple[Lease, ...]:
    """Give each worker blocks: those that were let go first, in order, then new ones.

    Fewer leases than wishes where the campaign has no more blocks, none where it does not run.
    """
    campaign = campaign_row(session, campaign_id, lock=True)
    if campaign.state is not CampaignState.RUNNING or not wishes:
        return ()
    query = select(LeaseRow).where(
        LeaseRow.campaign_id == campaign_id, LeaseRow.state == LeaseState.FREE
    )
    again = session.scalars(query.order_by(LeaseRow.first_block).limit(len(wishes))).all()
    given = [
        _hold_again(session, campaign, row, wish) for row, wish in zip(again, wishes, strict=False)
    ]
    for wish in wishes[len(again) :]:
        assert wish.blocks_max > 0 and wish.worker
        left = wish.blocks_max
        if campaign.blocks_max is not None:
            left = campaign.blocks_max - campaign.next_block
        if left <= 0:
            break
        blocks = min(wish.blocks_max, left)
        given.append(_new(campaign, campaign.next_block, blocks, wish.worker))
        campaign.next_block += blocks
    _store_held(session, given, now=now, deadline=deadline, epoch=epoch)
    return tuple(given)


def begin_lease(
    session: Session,
    campaign_id: int,
    *,
    first_block: int,
    blocks: int,
    worker: str,
    now: datetime,
    epoch: int = 0,
) -> Lease | None:
    """Give `worker` just these blocks.

    None, and no change, when one of them is held or done, or the campaign does not run.
    """
    assert first_block >= 0 and blocks > 0 and worker
    campaign = campaign_row(session, campaign_id, lock=True)
    if campaign.state is not CampaignState.RUNNING:
        return None
    if first_block >= campaign.next_block:
        # What lies between waits for somebody else.
        if first_block > campaign.next_block:
            gap = first_block - campaign.next_block
            session.add(_free(campaign, campaign.next_block, gap, attempt=1))
        campaign.next_block = first_block + blocks
        given = _new(campaign, first_block, blocks, worker)
    else:
        waiting = session.scalar(
            select(LeaseRow).where(
                LeaseRow.campaign_id == campaign_id,
                LeaseRow.state == LeaseState.FREE,
                LeaseRow.first_block <= first_block,
                LeaseRow.first_block + LeaseRow.blocks >= first_block + blocks,
            )
        )
        if waiting is None:
            return None
        _carve(session, campaign, waiting, first_block=first_block, blocks=blocks)
        given = _new(campaign, first_block, blocks, worker, attempt=waiting.attempt)
    _store_held(session, [given], now=now, deadline=None, epoch=epoch)
    return given


def complete_lease(session: Session, completion: Completion) -> bool:
    """End one lease; False, and no change, when it is not held under this token any more."""
    return bool(complete_leases(session, [completion]))


def complete_leases(session: Session, completions: Iterable[Completion]) -> frozenset[LeaseKey]:
    """End leases and add what they found, exactly once; give those that were still held.

    What was completed before, or let go, changes nothing. A few statements, however many they are.
    """
    reported = {each.key: each.totals for each in completions}
    campaigns = _lock_campaigns(session, {key.campaign_id for key in reported})
    held = _end_leases(session, sorted(reported))
    for campaign in campaigns:
        ended = {key: n for key, n in held.items() if key.campaign_id == campaign.id}
        if not ended:
            continue
        assert campaign.state not in (CampaignState.FINISHED, CampaignState.STOPPED)
        totals = sum_of_totals(reported[key] for key in sorted(ended))
        _add_totals(campaign, totals, blocks=sum(ended.values()))
        _add_site_hits(session, campaign.id, totals)
        add_coverage(session, campaign.id, totals.coverage)
    session.flush()
    _forget_counted_sightings(session, held)
    return frozenset(held)


def lose_leases(
    session: Session, losses: Sequence[Loss], *, now: datetime
) -> tuple[QuarantinedRange, ...]:
    """Take back leases that brought nothing; give those that were quarantined for it.

    A range that was blamed three times is not given out any more.
    """
    keys = {each.key: each for each in losses}
    _lock_campaigns(session, {key.campaign_id for key in keys})
    quarantined = []
    for key, loss in sorted(keys.items()):
        row = session.get(LeaseRow, (key.campaign_id, key.first_block), populate_existing=True)
        if row is None or row.token != key.token or row.state is not LeaseState.HELD:
            continue
        if loss.is_blamed and row.attempt >= ATTEMPTS_MAX:
            assert row.worker is not None
            quarantined.append(
                QuarantinedRange(
                    campaign_id=key.campaign_id,
                    first_block=key.first_block,
                    blocks=row.blocks,
                    attempts=row.attempt,
                    worker=row.worker,
                    error=loss.error,
                    at=now,
                )
            )
            session.add(quarantined_row(quarantined[-1]))
            session.delete(row)
            continue
        row.state, row.worker, row.given_at, row.deadline = LeaseState.FREE, None, None, None
        row.attempt, row.error = row.attempt + loss.is_blamed, loss.error
    session.flush()
    return tuple(quarantined)


def renew_leases(session: Session, keys: Iterable[LeaseKey], *, deadline: datetime) -> None:
    """Give leases that are still held more time."""
    for some in _chunks(sorted(set(keys))):
        session.execute(update(_LEASES).where(_named(some), _IS_HELD).values(deadline=deadline))


def held_leases(
    session: Session, *, campaign_id: int | None = None, overdue_at: datetime | None = None
) -> tuple[Lease, ...]:
    """Leases that workers hold, oldest first; those whose deadline has passed by `overdue_at`."""
    query = select(LeaseRow).where(LeaseRow.state == LeaseState.HELD)
    if campaign_id is not None:
        query = query.where(LeaseRow.campaign_id == campaign_id)
    if overdue_at is not None:
        query = query.where(LeaseRow.deadline < overdue_at)
    return tuple(
        Lease(
            LeaseKey(row.campaign_id, row.first_block, row.token),
            row.blocks,
            row.attempt,
            row.worker or "",
        )
        for row in session.scalars(query.order_by(LeaseRow.campaign_id, LeaseRow.first_block))
    )


def free_leases_before(session: Session, epoch: int) -> None:
    """Let go of what earlier leaders have given out: reports under their tokens are refused."""
    free_leases(session, LeaseRow.epoch < epoch)


def executed_blocks(session: Session, campaign_id: int) -> range:
    """From the first block of a campaign that is counted to the last; raises `UnknownCampaign`."""
    campaign = campaign_row(session, campaign_id)
    others = [
        range(first_block, first_block + blocks)
        for row in (LeaseRow, QuarantinedRangeRow)
        for first_block, blocks in session.execute(
            select(row.first_block, row.blocks).where(row.campaign_id == campaign_id)
        )
    ]
    first, stop = 0, campaign.next_block
    for other in sorted(others, key=lambda each: each.start):
        if other.start == first:
            first = other.stop
    for other in sorted(others, key=lambda each: each.stop, reverse=True):
        if other.stop == stop:
            stop = other.start
    return range(first, max(first, stop))


def blocks_not_done(session: Session, campaign_id: int) -> int:
    """How many blocks have been given out and are neither done nor quarantined."""
    query = select(LeaseRow.blocks).where(LeaseRow.campaign_id == campaign_id)
    return sum(session.scalars(query))


def leases_completed(session: Session, campaign_id: int) -> int:
    """How many leases of a campaign have ended, with a result or without: each has a token."""
    held = select(func.count()).where(LeaseRow.campaign_id == campaign_id, _IS_HELD)
    given = campaign_row(session, campaign_id).next_token - 1
    return given - (session.scalar(held) or 0)


_LEASES = table_of(LeaseRow)
_IS_HELD = LeaseRow.state == LeaseState.HELD


def _named(keys: Sequence[LeaseKey]) -> ColumnElement[bool]:
    columns = tuple_(LeaseRow.campaign_id, LeaseRow.first_block, LeaseRow.token)
    return columns.in_([(key.campaign_id, key.first_block, key.token) for key in keys])


def _chunks(keys: list[LeaseKey]) -> list[list[LeaseKey]]:
    size = LEASES_PER_STATEMENT
    return [keys[at : at + size] for at in range(0, len(keys), size)]


def _lock_campaigns(session: Session, numbers: set[int]) -> Sequence[CampaignRow]:
    """In one order everywhere: writers that lock rows in other orders wait for each other."""
    query = select(CampaignRow).where(CampaignRow.id.in_(sorted(numbers))).order_by(CampaignRow.id)
    locked = query.with_for_update().execution_options(populate_existing=True)
    return session.scalars(locked).all()


def _new(
    campaign: CampaignRow, first_block: int, blocks: int, worker: str, *, attempt: int = 1
) -> Lease:
    """A lease under a token that was never used before."""
    key = LeaseKey(campaign.id, first_block, campaign.next_token)
    campaign.next_token += 1
    return Lease(key, blocks, attempt, worker)


def _free(campaign: CampaignRow, first_block: int, blocks: int, *, attempt: int) -> LeaseRow:
    return LeaseRow(
        campaign_id=campaign.id,
        first_block=first_block,
        blocks=blocks,
        state=LeaseState.FREE,
        token=0,
        attempt=attempt,
        epoch=0,
    )


def _hold_again(session: Session, campaign: CampaignRow, row: LeaseRow, wish: LeaseWish) -> Lease:
    """Take as much as is wished for out of a range that waits."""
    blocks = min(row.blocks, wish.blocks_max)
    _carve(session, campaign, row, first_block=row.first_block, blocks=blocks)
    return _new(campaign, row.first_block, blocks, wish.worker, attempt=row.attempt)


def _carve(
    session: Session, campaign: CampaignRow, row: LeaseRow, *, first_block: int, blocks: int
) -> None:
    """Take blocks out of a range that waits; what is left goes on waiting."""
    before, end = first_block - row.first_block, row.first_block + row.blocks
    after = end - (first_block + blocks)
    assert before >= 0 and after >= 0
    session.delete(row)
    session.flush()
    if before:
        session.add(_free(campaign, row.first_block, before, attempt=row.attempt))
    if after:
        session.add(_free(campaign, first_block + blocks, after, attempt=row.attempt))


def _store_held(
    session: Session,
    given: Sequence[Lease],
    *,
    now: datetime,
    deadline: datetime | None,
    epoch: int,
) -> None:
    session.flush()
    rows = [
        {
            "campaign_id": each.key.campaign_id,
            "first_block": each.key.first_block,
            "blocks": each.blocks,
            "state": LeaseState.HELD,
            "token": each.key.token,
            "attempt": each.attempt,
            "epoch": epoch,
            "worker": each.worker,
            "given_at": now,
            "deadline": deadline,
            "error": None,
        }
        for each in given
    ]
    if rows:
        session.execute(insert(_LEASES), rows)


def _end_leases(session: Session, keys: list[LeaseKey]) -> dict[LeaseKey, int]:
    """Remove the rows of leases that are held under these tokens; give their blocks."""
    held = {}
    for some in _chunks(keys):
        statement = delete(_LEASES).where(_named(some), _IS_HELD)
        columns = (_LEASES.c.campaign_id, _LEASES.c.first_block, _LEASES.c.token, _LEASES.c.blocks)
        for campaign_id, first_block, token, blocks in session.execute(
            statement.returning(*columns)
        ):
            held[LeaseKey(campaign_id, first_block, token)] = blocks
    return held


def _add_totals(campaign: CampaignRow, totals: LeaseTotals, *, blocks: int) -> None:
    assert min(totals.schedules, totals.steps, totals.violations) >= 0
    campaign.blocks_done += blocks
    campaign.schedules += totals.schedules
    campaign.steps += totals.steps
    campaign.violations += totals.violations
    campaign.outcomes = Counter(campaign.outcomes) + Counter(totals.outcomes)
    campaign.steps_reached = campaign.steps_reached | totals.steps_reached


def _add_site_hits(session: Session, campaign_id: int, totals: LeaseTotals) -> None:
    assert all(hits >= 0 for hits in totals.site_hits.values())
    rows = [
        {"campaign_id": campaign_id, "site": site, "count": totals.site_hits[site]}
        for site in sorted(totals.site_hits)
    ]
    if not rows:
        return
    table = table_of(SiteCountRow)
    statement = insert_for(session, table)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["campaign_id", "site"],
            set_={"count": exact_add(table.c.count, statement.excluded["count"])},
        ),
        rows,
    )


def _forget_counted_sightings(session: Session, ended: dict[LeaseKey, int]) -> None:
    """Remove the rows that only said "counted": a done block's sightings are not counted again."""
    counted = SightingRow.schedule.is_(None)
    campaigns = sorted({key.campaign_id for key in ended})
    query = select(SightingRow.campaign_id).where(counted, SightingRow.campaign_id.in_(campaigns))
    touched = set(session.scalars(query.distinct()))
    rows = [
        {"campaign": key.campaign_id, "first": key.first_block, "end": key.first_block + blocks}
        for key, blocks in sorted(ended.items())
        if key.campaign_id in touched
    ]
    if rows:
        statement = delete(table_of(SightingRow)).where(
            counted,
            SightingRow.campaign_id == bindparam("campaign"),
            SightingRow.block >= bindparam("first"),
            SightingRow.block < bindparam("end"),
        )
        session.execute(statement, rows)
