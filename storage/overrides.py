"""People group failures otherwise than their fingerprints do, and may take that back.

Merged, a failure is a duplicate of another, and whoever lists failures sees the other. Split, what
one program shows of a failure becomes a failure of its own, with its sightings, also future ones.
Every override is a row that is revoked and never deleted.
"""

import hashlib
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import Select, func, select, update
from sqlalchemy.orm import Session

from storage.errors import LifeError
from storage.failure_rows import failure_row
from storage.failures import FailureRecord
from storage.life_tables import FailureStatusRow, OverrideKind, OverrideRow
from storage.lives import set_status
from storage.tables import FailureRow, FailureStatus, SightingRow


@dataclass(frozen=True, slots=True)
class Override:
    """A merge of `failure_id` into `other_id`, or a split of `failure_id` off `other_id`."""

    override_id: int
    kind: OverrideKind
    failure_id: int
    other_id: int
    at: datetime
    actor: str
    why: str
    revoked_at: datetime | None
    revoked_by: str | None


def merge(
    session: Session, failure_id: int, into: int, *, actor: str, why: str, now: datetime
) -> int:
    """Make a failure a duplicate of another, or of what that one counts as; the override's number.

    Raises UnknownFailure, and LifeError where it is merged already or the other is merged into it.
    """
    failure_row(session, failure_id, lock=True)
    target = root_of(session, into)
    if root_of(session, failure_id) != failure_id:
        raise LifeError(
            f"failure {failure_id} is merged into {root_of(session, failure_id)} already\n"
            "    undo that first: gracefuzz failures history names the override"
        )
    if target == failure_id:
        raise LifeError(f"failure {into} is failure {failure_id}, or is merged into it")
    row = OverrideRow(
        kind=OverrideKind.MERGE,
        failure_id=failure_id,
        other_id=target,
        at=now,
        actor=actor,
        why=why,
        revoked_at=None,
        revoked_by=None,
    )
    session.add(row)
    duplicate = FailureStatus.DUPLICATE
    set_status(session, failure_id, duplicate, actor=actor, why=why, now=now, duplicate_of=target)
    session.flush()
    return row.id


def split(
    session: Session,
    failure_id: int,
    own: FailureRecord,
    *,
    actor: str,
    why: str,
    now: datetime,
) -> tuple[int, int]:
    """Make a failure of what the program `own.ir_hash` shows of one; numbers of override, failure.

    `own` describes its minimal interleaving in that program. Raises UnknownFailure, and LifeError
    where that program shows nothing of the failure, or nothing else does.
    """
    old = failure_row(session, failure_id, lock=True)
    first = session.scalars(_sightings(failure_id, own.ir_hash).order_by(SightingRow.id)).first()
    everything = select(func.count()).where(SightingRow.failure_id == failure_id)
    moving = len(session.scalars(_sightings(failure_id, own.ir_hash)).all())
    if first is None or moving == session.scalar(everything):
        what = "shows nothing of" if first is None else "is all that shows"
        raise LifeError(f"the program {own.ir_hash[:8]} {what} failure {failure_id}")
    fingerprint = split_fingerprint(old.fingerprint, own.ir_hash)
    known = select(FailureRow).where(FailureRow.fingerprint == fingerprint)
    new = session.scalar(known)
    if new is None:
        new = FailureRow(
            **{**asdict(own), "fingerprint": fingerprint},
            status=FailureStatus.OPEN,
            first_campaign_id=first.campaign_id,
            first_block=first.block,
            first_lane=first.lane,
            sightings_count=0,
            sightings_kept=0,
            created_at=now,
            first_seen_at=old.first_seen_at,
            last_seen_at=old.last_seen_at,
        )
        session.add(new)
        session.flush()
    else:
        set_status(session, new.id, FailureStatus.OPEN, actor=actor, why=why, now=now)
    _split_off(session, old, new)
    row = OverrideRow(
        kind=OverrideKind.SPLIT,
        failure_id=new.id,
        other_id=failure_id,
        at=now,
        actor=actor,
        why=why,
        revoked_at=None,
        revoked_by=None,
    )
    session.add(row)
    session.flush()
    return row.id, new.id


def undo(session: Session, override_id: int, *, actor: str, why: str, now: datetime) -> Override:
    """Revoke an override: what it changed is as it was. Raises LifeError."""
    row = session.get(OverrideRow, override_id, with_for_update=True)
    if row is None:
        raise LifeError(
            f"no override has the number {override_id}\n"
            "    gracefuzz failures history shows those of a failure"
        )
    if row.revoked_at is not None:
        raise LifeError(f"override {override_id} was undone already, by {row.revoked_by}")
    row.revoked_at, row.revoked_by = now, actor
    session.flush()
    if row.kind is OverrideKind.MERGE:
        before = _status_before(session, row)
        set_status(session, row.failure_id, before, actor=actor, why=why, now=now)
    else:
        new = failure_row(session, row.failure_id, lock=True)
        _join_again(session, new, failure_row(session, row.other_id, lock=True))
        duplicate = FailureStatus.DUPLICATE
        other = row.other_id
        set_status(session, new.id, duplicate, actor=actor, why=why, now=now, duplicate_of=other)
    return _override(row)


def overrides_of(session: Session, failure_id: int) -> tuple[Override, ...]:
    """All overrides that concern a failure, revoked ones too, oldest first."""
    failure_row(session, failure_id)
    either = (OverrideRow.failure_id == failure_id) | (OverrideRow.other_id == failure_id)
    rows = session.scalars(select(OverrideRow).where(either).order_by(OverrideRow.id))
    return tuple(_override(row) for row in rows)


def root_of(session: Session, failure_id: int) -> int:
    """The failure that a failure counts as: itself, or what it is merged into at last."""
    failure_row(session, failure_id)
    seen = {failure_id}
    while True:
        merged = select(OverrideRow.other_id).where(
            OverrideRow.failure_id == failure_id,
            OverrideRow.kind == OverrideKind.MERGE,
            OverrideRow.revoked_at.is_(None),
        )
        other = session.scalar(merged)
        if other is None:
            return failure_id
        assert other not in seen, "merges lead in no circle"
        seen.add(other)
        failure_id = other


def split_fingerprint(fingerprint: str, ir_hash: str) -> str:
    """What a failure is called that was split off another for one program."""
    return hashlib.sha256(f"split of {fingerprint} in {ir_hash}".encode()).hexdigest()


def _sightings(failure_id: int, ir_hash: str) -> Select[SightingRow]:
    return select(SightingRow).where(
        SightingRow.failure_id == failure_id, SightingRow.ir_hash == ir_hash
    )


def _split_off(session: Session, old: FailureRow, new: FailureRow) -> None:
    """Sightings of one program go to its own failure. Those without a row stay where they count."""
    moved = session.scalars(_sightings(old.id, new.ir_hash)).all()
    kept = sum(row.schedule is not None for row in moved)
    for row in moved:
        row.failure_id = new.id
    for failure, sign in ((old, -1), (new, 1)):
        failure.sightings_count += sign * len(moved)
        failure.sightings_kept += sign * kept
    session.flush()


def _join_again(session: Session, new: FailureRow, old: FailureRow) -> None:
    """Everything goes back to where it was split off."""
    theirs = SightingRow.failure_id == new.id
    session.execute(update(SightingRow).where(theirs).values(failure_id=old.id))
    old.sightings_count += new.sightings_count
    old.sightings_kept += new.sightings_kept
    old.last_seen_at = max(old.last_seen_at, new.last_seen_at)
    new.sightings_count = new.sightings_kept = 0
    session.flush()


def _status_before(session: Session, row: OverrideRow) -> FailureStatus:
    """What a failure was before it was merged."""
    query = (
        select(FailureStatusRow.status)
        .where(
            FailureStatusRow.failure_id == row.failure_id,
            FailureStatusRow.status != FailureStatus.DUPLICATE,
            FailureStatusRow.at <= row.at,
        )
        .order_by(FailureStatusRow.id.desc())
    )
    return session.scalars(query).first() or FailureStatus.OPEN


def _override(row: OverrideRow) -> Override:
    return Override(
        override_id=row.id,
        kind=row.kind,
        failure_id=row.failure_id,
        other_id=row.other_id,
        at=row.at,
        actor=row.actor,
        why=row.why,
        revoked_at=row.revoked_at,
        revoked_by=row.revoked_by,
    )
