"""Failures, and the sightings that showed them: recording one twice changes nothing."""

from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from storage.failure_rows import failure_row, is_later_version, split_off
from storage.ledger_tables import LeaseRow, LeaseState
from storage.lives import set_status
from storage.once import insert_once
from storage.outbox import Occasion, enqueue
from storage.tables import FailureRow, FailureStatus, SightingRow

# Schedules kept for one failure in one campaign, and in all; more of them show nothing new.
SIGHTINGS_PER_CAMPAIGN_MAX = 64
SIGHTINGS_PER_FAILURE_MAX = 512


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """A replayed and minimized failure.

    The sizes are those of the minimal interleaving. `schedule`, `interleaving` and `proof` are JSON
    text. `first_schedule_ordinal` says how many schedules its campaign had executed when it showed.
    """

    program_name: str
    oracle: str
    sentence: str
    step_label: str
    fingerprint: str
    preemptions: int
    switches: int
    threads: int
    steps: int
    schedule: str
    interleaving: str
    diagram: str
    proof: str
    ir_hash: str
    first_schedule_ordinal: int


@dataclass(frozen=True, slots=True)
class SightingRecord:
    """One schedule that showed a failure, and where in its campaign; `schedule` is JSON text."""

    campaign_id: int
    ir_hash: str
    block: int
    lane: int
    step: int
    schedule: str


@dataclass(frozen=True, slots=True)
class RecordedSighting:
    """What recording a sighting changed; `has_regressed` where the failure had been fixed."""

    failure_id: int
    is_new_failure: bool
    is_new_sighting: bool
    has_regressed: bool = False


@dataclass(frozen=True, slots=True)
class FailureSummary:
    """A failure in a list."""

    failure_id: int
    program_name: str
    oracle: str
    sentence: str
    step_label: str
    fingerprint: str
    status: FailureStatus
    preemptions: int
    switches: int
    threads: int
    steps: int
    sightings_count: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class StoredFailure:
    """All that is known of a failure; `verdict` is that of its last recheck."""

    failure_id: int
    record: FailureRecord
    status: FailureStatus
    sightings_count: int
    first_campaign_id: int
    first_block: int
    first_lane: int
    created_at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    duplicate_of: int | None = None
    checked_at: datetime | None = None
    verdict: str | None = None


def record_sighting(
    session: Session, failure: FailureRecord, sighting: SightingRecord, *, now: datetime
) -> RecordedSighting:
    """Store a failure unless its fingerprint is known, and count the sighting unless it was.

    The first 64 sightings of a failure in a campaign keep their schedule, of all campaigns the
    first 512. Later ones are counted as long as the lease of their block is held, which is how a
    repeat is told from a new one without a row for each; one that is reported after its lease ended
    is not counted.
    """
    is_new_failure = find_failure(session, failure.fingerprint) is None and insert_once(
        session, FailureRow, key=["fingerprint"], values=_first_values(failure, sighting, now=now)
    )
    query = select(FailureRow).where(FailureRow.fingerprint == failure.fingerprint)
    locked = query.with_for_update().execution_options(populate_existing=True)
    row = session.scalars(locked).one()
    own = split_off(session, row.id, sighting.ir_hash)
    row = row if own is None else failure_row(session, own, lock=True)
    assert row.program_name == failure.program_name, "a fingerprint includes the program's name"
    is_new_sighting = _store_sighting(session, row, sighting)
    if is_new_sighting:
        row.sightings_count += 1
        row.last_seen_at = max(row.last_seen_at, now)
    assert is_new_sighting or not is_new_failure, "a new failure has no earlier sighting"
    session.flush()
    if is_new_failure:
        enqueue(session, row.id, Occasion.NEW, now=now)
    has_regressed = is_new_sighting and _has_regressed(session, row, sighting, now=now)
    return RecordedSighting(row.id, is_new_failure, is_new_sighting, has_regressed)


def list_failures(
    session: Session, *, program: str | None = None, status: FailureStatus | None = None
) -> tuple[FailureSummary, ...]:
    """All failures, or those of one program or one status, newest first."""
    query = select(FailureRow).order_by(FailureRow.id.desc())
    if program is not None:
        query = query.where(FailureRow.program_name == program)
    if status is not None:
        query = query.where(FailureRow.status == status)
    return tuple(summary_of(row) for row in session.scalars(query))


def get_failure(session: Session, failure_id: int) -> StoredFailure:
    """The failure with this number; raises `UnknownFailure`."""
    row = failure_row(session, failure_id)
    names = FailureRecord.__dataclass_fields__
    return StoredFailure(
        failure_id=row.id,
        record=FailureRecord(**{name: getattr(row, name) for name in names}),
        status=row.status,
        sightings_count=row.sightings_count,
        first_campaign_id=row.first_campaign_id,
        first_block=row.first_block,
        first_lane=row.first_lane,
        created_at=row.created_at,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
        duplicate_of=row.duplicate_of,
        checked_at=row.checked_at,
        verdict=row.verdict,
    )


def find_failure(session: Session, fingerprint: str) -> int | None:
    """The number of the failure with this fingerprint; None while it is new."""
    return session.scalar(select(FailureRow.id).where(FailureRow.fingerprint == fingerprint))


def list_sightings(session: Session, failure_id: int) -> tuple[SightingRecord, ...]:
    """The sightings of a failure that keep their schedule, oldest first."""
    failure_row(session, failure_id)
    query = select(SightingRow).where(SightingRow.failure_id == failure_id)
    return tuple(
        SightingRecord(
            campaign_id=row.campaign_id,
            ir_hash=row.ir_hash,
            block=row.block,
            lane=row.lane,
            step=row.step,
            schedule=row.schedule,
        )
        for row in session.scalars(query.order_by(SightingRow.id))
        if row.schedule is not None
    )


def _first_values(
    failure: FailureRecord, sighting: SightingRecord, *, now: datetime
) -> dict[str, object]:
    return {
        **asdict(failure),
        "status": FailureStatus.OPEN,
        "duplicate_of": None,
        "checked_at": None,
        "verdict": None,
        "first_campaign_id": sighting.campaign_id,
        "first_block": sighting.block,
        "first_lane": sighting.lane,
        "sightings_count": 0,
        "sightings_kept": 0,
        "created_at": now,
        "first_seen_at": now,
        "last_seen_at": now,
    }


def _has_regressed(
    session: Session, row: FailureRow, sighting: SightingRecord, *, now: datetime
) -> bool:
    """Make a fixed failure `regressed` where a later version of its program shows it."""
    if row.status is not FailureStatus.FIXED or not is_later_version(
        session, row, sighting.ir_hash, sighting.campaign_id
    ):
        return False
    why = f"found again in a later version of its program, {sighting.ir_hash[:8]}"
    actor = f"campaign {sighting.campaign_id}"
    return set_status(session, row.id, FailureStatus.REGRESSED, actor=actor, why=why, now=now)


def _store_sighting(session: Session, failure: FailureRow, sighting: SightingRecord) -> bool:
    """Insert the sighting, without its schedule once enough are kept; say whether it counts."""
    kept = select(func.count()).where(
        SightingRow.failure_id == failure.id,
        SightingRow.campaign_id == sighting.campaign_id,
        SightingRow.schedule.is_not(None),
    )
    is_kept = (
        failure.sightings_kept < SIGHTINGS_PER_FAILURE_MAX
        and (session.scalar(kept) or 0) < SIGHTINGS_PER_CAMPAIGN_MAX
    )
    values = {"failure_id": failure.id, **asdict(sighting)}
    if not is_kept:
        if not _is_held(session, campaign_id=sighting.campaign_id, block=sighting.block):
            return False
        values["schedule"] = None
    key = ["failure_id", "campaign_id", "block", "lane", "step"]
    is_new = insert_once(session, SightingRow, key=key, values=values)
    failure.sightings_kept += is_new and is_kept
    return is_new


def _is_held(session: Session, *, campaign_id: int, block: int) -> bool:
    lease = select(LeaseRow.first_block).where(
        LeaseRow.campaign_id == campaign_id,
        LeaseRow.state == LeaseState.HELD,
        LeaseRow.first_block <= block,
        LeaseRow.first_block + LeaseRow.blocks > block,
    )
    return session.scalar(lease.limit(1)) is not None


def summary_of(row: FailureRow) -> FailureSummary:
    """A row in a list, for this package only."""
    return FailureSummary(
        failure_id=row.id,
        program_name=row.program_name,
        oracle=row.oracle,
        sentence=row.sentence,
        step_label=row.step_label,
        fingerprint=row.fingerprint,
        status=row.status,
        preemptions=row.preemptions,
        switches=row.switches,
        threads=row.threads,
        steps=row.steps,
        sightings_count=row.sightings_count,
        first_seen_at=row.first_seen_at,
        last_seen_at=row.last_seen_at,
    )
