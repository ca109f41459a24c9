"""What is kept, and for how long: the rules, what they would remove, and the removing.

Never removed: a failure that is open or has regressed, whatever a kept row points to, a campaign
that has not ended or in which the two engines disagreed, a message that waits. What belongs to a
removed row goes with it, found by the foreign keys of the schema.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Self

from sqlalchemy import Column, Table, delete, func, select
from sqlalchemy.orm import Session

from storage.base import Base
from storage.life_tables import FailureStatusRow, OverrideRow, RecheckRow
from storage.outbox_tables import DeliveryRow
from storage.tables import (
    CampaignRow,
    CellFindingRow,
    DisagreementRow,
    FailureRow,
    FailureStatus,
    ProgramRow,
    SightingRow,
)

CLOSED = (FailureStatus.FIXED, FailureStatus.INVALID, FailureStatus.DUPLICATE)
# SQLite takes so many values in one statement, and more.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Retention:
    """How long is kept: closed failures since they were seen or decided about last, campaigns that
    no kept failure points to, rechecks but for the last of each failure, and messages taken.

    `schedules` is how many sightings of a closed failure keep their schedule.
    """

    closed: timedelta
    campaigns: timedelta
    rechecks: timedelta
    messages: timedelta
    schedules: int

    @classmethod
    def of_days(
        cls, closed: int, campaigns: int, rechecks: int, messages: int, *, schedules: int
    ) -> Self:
        """The rules as a person gives them, in days."""
        return cls(
            closed=timedelta(days=closed),
            campaigns=timedelta(days=campaigns),
            rechecks=timedelta(days=rechecks),
            messages=timedelta(days=messages),
            schedules=schedules,
        )


@dataclass(frozen=True, slots=True)
class Removal:
    """What the rules remove: numbers of rows, and hashes of programs."""

    failures: tuple[int, ...]
    campaigns: tuple[int, ...]
    programs: tuple[str, ...]
    sightings: tuple[int, ...]
    rechecks: tuple[int, ...]
    messages: tuple[int, ...]

    @property
    def by_kind(self) -> dict[str, Sequence[object]]:
        """The same by the words for people."""
        return {
            "failures": self.failures,
            "campaigns": self.campaigns,
            "programs": self.programs,
            "schedules": self.sightings,
            "rechecks": self.rechecks,
            "messages": self.messages,
        }

    @property
    def is_empty(self) -> bool:
        """True where everything is kept."""
        return not any(self.by_kind.values())


def removal(session: Session, rules: Retention, *, now: datetime) -> Removal:
    """What the rules would remove now; nothing is changed."""
    failures = _failures(session, now - rules.closed)
    campaigns = _campaigns(session, now - rules.campaigns, failures)
    return Removal(
        failures=tuple(sorted(failures)),
        campaigns=tuple(sorted(campaigns)),
        programs=_programs(session, failures, campaigns),
        sightings=_sightings(session, rules.schedules, failures),
        rechecks=_rechecks(session, now - rules.rechecks, failures),
        messages=_messages(session, now - rules.messages, failures),
    )


def remove(session: Session, what: Removal) -> None:
    """Remove it, in the transaction that is under way."""
    for numbers, table, column in (
        (what.messages, DeliveryRow, "id"),
        (what.rechecks, RecheckRow, "id"),
        (what.sightings, SightingRow, "id"),
        (what.failures, FailureRow, "id"),
        (what.campaigns, CampaignRow, "id"),
        (what.programs, ProgramRow, "ir_hash"),
    ):
        if table is SightingRow:
            _count_fewer(session, what.sightings)
        if table is FailureRow:
            _forget_targets(session, what.failures)
        of = table.__table__
        assert isinstance(of, Table)
        _delete(session, of.c[column], numbers)


def _failures(session: Session, before: datetime) -> set[int]:
    """Closed failures that nobody has seen or decided about for long, and nothing points to."""
    decided = select(func.max(FailureStatusRow.at)).where(
        FailureStatusRow.failure_id == FailureRow.id
    )
    rows = session.execute(
        select(FailureRow.id, decided.scalar_subquery()).where(
            FailureRow.status.in_(CLOSED), FailureRow.last_seen_at < before
        )
    )
    found = {number for number, at in rows if at is None or at < before}
    found -= set(session.scalars(select(CellFindingRow.failure_id)))
    running = select(CampaignRow.excluded_failures).where(CampaignRow.ended_at.is_(None))
    found -= {number for excluded in session.scalars(running) for number in excluded}
    pairs = _pointing(session)
    while True:
        # What a failure that stays has to do with stays too.
        kept = {other for number, other in pairs if number not in found}
        if not found & kept:
            return found
        found -= kept


def _pointing(session: Session) -> set[tuple[int, int]]:
    """Failures by the others that their rows, their history and their overrides name."""
    overridden = session.execute(select(OverrideRow.failure_id, OverrideRow.other_id)).all()
    duplicates = session.execute(select(FailureRow.id, FailureRow.duplicate_of)).all()
    decided = session.execute(
        select(FailureStatusRow.failure_id, FailureStatusRow.duplicate_of)
    ).all()
    pairs = {(one, other) for one, other in (*duplicates, *decided) if other is not None}
    return pairs | {pair for one, other in overridden for pair in ((one, other), (other, one))}


def _campaigns(session: Session, before: datetime, failures: Collection[int]) -> set[int]:
    found = set(
        session.scalars(
            select(CampaignRow.id).where(
                CampaignRow.ended_at.is_not(None), CampaignRow.ended_at < before
            )
        )
    )
    for query in (
        select(FailureRow.first_campaign_id, FailureRow.id),
        select(SightingRow.campaign_id, SightingRow.failure_id).distinct(),
    ):
        found -= {number for number, failure in session.execute(query) if failure not in failures}
    return found - set(session.scalars(select(DisagreementRow.campaign_id)))


def _programs(
    session: Session, failures: Collection[int], campaigns: Collection[int]
) -> tuple[str, ...]:
    used = {
        name
        for name, number in session.execute(select(FailureRow.ir_hash, FailureRow.id))
        if number not in failures
    }
    used |= {
        name
        for name, number in session.execute(select(CampaignRow.program_ir_hash, CampaignRow.id))
        if number not in campaigns
    }
    used |= {
        name
        for name, number in session.execute(
            select(SightingRow.ir_hash, SightingRow.failure_id).distinct()
        )
        if number not in failures
    }
    used |= set(session.scalars(select(DisagreementRow.ir_hash)))
    every = session.scalars(select(ProgramRow.ir_hash).order_by(ProgramRow.ir_hash))
    return tuple(name for name in every if name not in used)


def _sightings(session: Session, kept: int, failures: Collection[int]) -> tuple[int, ...]:
    """Schedules of closed failures beyond the first ones, of campaigns that have ended."""
    rows = session.execute(
        select(SightingRow.id, SightingRow.failure_id)
        .join(FailureRow, FailureRow.id == SightingRow.failure_id)
        .join(CampaignRow, CampaignRow.id == SightingRow.campaign_id)
        .where(
            FailureRow.status.in_(CLOSED),
            CampaignRow.ended_at.is_not(None),
            SightingRow.schedule.is_not(None),
        )
        .order_by(SightingRow.id)
    )
    seen: dict[int, int] = {}
    found = []
    for number, failure in rows:
        seen[failure] = seen.get(failure, 0) + 1
        if seen[failure] > kept and failure not in failures:
            found.append(number)
    return tuple(found)


def _rechecks(session: Session, before: datetime, failures: Collection[int]) -> tuple[int, ...]:
    last = select(func.max(RecheckRow.id)).group_by(RecheckRow.failure_id)
    rows = session.execute(
        select(RecheckRow.id, RecheckRow.failure_id)
        .where(RecheckRow.at < before, RecheckRow.id.not_in(last))
        .order_by(RecheckRow.id)
    )
    return tuple(number for number, failure in rows if failure not in failures)


def _messages(session: Session, before: datetime, failures: Collection[int]) -> tuple[int, ...]:
    rows = session.execute(
        select(DeliveryRow.id, DeliveryRow.failure_id)
        .where(DeliveryRow.delivered_at.is_not(None), DeliveryRow.delivered_at < before)
        .order_by(DeliveryRow.id)
    )
    return tuple(number for number, failure in rows if failure not in failures)


def _count_fewer(session: Session, sightings: Sequence[int]) -> None:
    """Sightings stay counted; how many have a row is another number."""
    for part in _parts(sightings):
        counts = session.execute(
            select(SightingRow.failure_id, func.count())
            .where(SightingRow.id.in_(part))
            .group_by(SightingRow.failure_id)
        ).all()
        for failure, count in counts:
            session.get_one(FailureRow, failure).sightings_kept -= count
    session.flush()


def _forget_targets(session: Session, failures: Sequence[int]) -> None:
    """Failures that point to each other are removed in any order."""
    for part in _parts(failures):
        for row in session.scalars(select(FailureRow).where(FailureRow.id.in_(part))):
            row.status, row.duplicate_of = FailureStatus.INVALID, None
    session.flush()


def _delete(session: Session, column: Column[Any], values: Sequence[Any]) -> None:
    """Rows by the value of a column, after everything that points to them."""
    for part in _parts(values):
        for table in Base.metadata.sorted_tables:
            for key in table.foreign_keys:
                if key.column.table is column.table and table is not column.table:
                    _delete_children(session, column, part, key.parent, key.column)
        session.execute(delete(column.table).where(column.in_(part)))


def _delete_children(
    session: Session,
    column: Column[Any],
    values: Sequence[Any],
    pointing: Column[Any],
    pointed: Column[Any],
) -> None:
    """Rows that point to some that are removed."""
    if pointed is not column:
        values = list(session.scalars(select(pointed).where(column.in_(values))))
    _delete(session, pointing, values)


def _parts(values: Sequence[Any]) -> Iterator[list[Any]]:
    """Some at a time."""
    rest = iter(values)
    while part := list(islice(rest, AT_ONCE)):
        yield part
