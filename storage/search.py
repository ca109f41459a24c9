"""Failures by what a person knows of them, a page at a time.

Paging is by keyset: a cursor names the last row that was shown, by the value that it is sorted by
and its number, so that a page costs the same wherever it lies and no row is shown twice.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from storage.errors import StorageError
from storage.failures import FailureSummary, summary_of
from storage.tables import FailureRow, FailureStatus

PAGE_MAX = 200


class BadCursor(StorageError):
    """A cursor that this search has not given out."""


class FailureOrder(Enum):
    """What failures are sorted by; the value is the word in a URL."""

    NEWEST = "newest"
    LAST_SEEN = "last_seen"
    SIGHTINGS = "sightings"
    PREEMPTIONS = "preemptions"
    STEPS = "steps"


# Column, and whether the largest comes first. Newest is the number: rows are numbered as they come.
_SORTED_BY: dict[FailureOrder, tuple[InstrumentedAttribute[object], bool]] = {
    FailureOrder.NEWEST: (FailureRow.id, True),
    FailureOrder.LAST_SEEN: (FailureRow.last_seen_at, True),
    FailureOrder.SIGHTINGS: (FailureRow.sightings_count, True),
    FailureOrder.PREEMPTIONS: (FailureRow.preemptions, False),
    FailureOrder.STEPS: (FailureRow.steps, False),
}


@dataclass(frozen=True, slots=True)
class FailureQuery:
    """What is asked for; None asks for everything. The times bound when a failure was last seen."""

    program: str | None = None
    oracle: str | None = None
    status: FailureStatus | None = None
    preemptions_max: int | None = None
    seen_after: datetime | None = None
    seen_before: datetime | None = None
    order: FailureOrder = FailureOrder.NEWEST


@dataclass(frozen=True, slots=True)
class FailurePage:
    """Failures in order; `next_cursor` asks for those behind them, None where there are none."""

    failures: tuple[FailureSummary, ...]
    next_cursor: str | None


def search_failures(
    session: Session, query: FailureQuery, *, limit: int, cursor: str | None = None
) -> FailurePage:
    """At most `limit` failures behind `cursor`. Raises BadCursor."""
    assert 0 < limit <= PAGE_MAX
    column, descending = _SORTED_BY[query.order]
    rows = _matching(select(FailureRow), query)
    if cursor is not None:
        value, number = _decoded(cursor, query.order)
        beyond = column < value if descending else column > value
        older = FailureRow.id < number
        rows = rows.where(
            older if column is FailureRow.id else or_(beyond, and_(column == value, older))
        )
    first = column.desc() if descending else column.asc()
    rows = rows.order_by(first, FailureRow.id.desc()).limit(limit + 1)
    found: Sequence[FailureRow] = session.scalars(rows).all()
    more = len(found) > limit
    shown = found[:limit]
    return FailurePage(
        failures=tuple(summary_of(row) for row in shown),
        next_cursor=_encoded(shown[-1], query.order) if more else None,
    )


def _matching(rows: Select[FailureRow], query: FailureQuery) -> Select[FailureRow]:
    wanted = (
        (FailureRow.program_name, query.program),
        (FailureRow.oracle, query.oracle),
        (FailureRow.status, query.status),
    )
    for column, value in wanted:
        if value is not None:
            rows = rows.where(column == value)
    if query.preemptions_max is not None:
        rows = rows.where(FailureRow.preemptions <= query.preemptions_max)
    if query.seen_after is not None:
        rows = rows.where(FailureRow.last_seen_at >= query.seen_after)
    if query.seen_before is not None:
        rows = rows.where(FailureRow.last_seen_at < query.seen_before)
    return rows


def _encoded(row: FailureRow, order: FailureOrder) -> str:
    value = getattr(row, _SORTED_BY[order][0].key)
    shown = value.isoformat() if isinstance(value, datetime) else value
    text = json.dumps([order.value, shown, row.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _decoded(cursor: str, order: FailureOrder) -> tuple[object, int]:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        given, value, number = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if given != order.value or type(number) is not int or not 0 < number < 1 << 63:
            raise ValueError(cursor)
        if order is FailureOrder.LAST_SEEN:
            value = datetime.fromisoformat(value)
        elif type(value) is not int or not 0 <= value < 1 << 63:
            raise ValueError(cursor)
    except (ValueError, TypeError, binascii.Error) as error:
        raise BadCursor(
            f"the cursor {cursor[:60]!r} is none that this search gave\n"
            "    begin without a cursor; it belongs to one order only"
        ) from error
    return value, number
