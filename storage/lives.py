"""What people and rechecks decide about a failure: its status with who, when, why; notes.

A status is never overwritten: the history is one row a decision, and the failure's own column
repeats the last of them.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.errors import LifeError
from storage.failure_rows import failure_row
from storage.life_tables import FailureStatusRow, NoteRow
from storage.outbox import Occasion, enqueue
from storage.tables import FailureStatus

WORDS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A decision about a failure; `duplicate_of` is a number where it is a duplicate."""

    status: FailureStatus
    duplicate_of: int | None
    at: datetime
    actor: str
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """What a person wrote beside a failure."""

    at: datetime
    actor: str
    words: str


def set_status(
    session: Session,
    failure_id: int,
    status: FailureStatus,
    *,
    actor: str,
    why: str,
    now: datetime,
    duplicate_of: int | None = None,
) -> bool:
    """Decide about a failure; False, and no change, where that is its status already.

    Raises UnknownFailure, and LifeError without a reason.
    """
    assert (status is FailureStatus.DUPLICATE) == (duplicate_of is not None)
    row = failure_row(session, failure_id, lock=True)
    if (row.status, row.duplicate_of) == (status, duplicate_of):
        return False
    session.add(
        FailureStatusRow(
            failure_id=failure_id,
            status=status,
            duplicate_of=duplicate_of,
            at=now,
            actor=_words("who decides", actor),
            why=_words("why", why),
        )
    )
    row.status, row.duplicate_of = status, duplicate_of
    if status is FailureStatus.REGRESSED:
        enqueue(session, failure_id, Occasion.REGRESSED, now=now)
    session.flush()
    return True


def status_history(session: Session, failure_id: int) -> tuple[StatusChange, ...]:
    """All decisions about a failure, oldest first. Raises UnknownFailure."""
    failure_row(session, failure_id)
    query = select(FailureStatusRow).where(FailureStatusRow.failure_id == failure_id)
    return tuple(
        StatusChange(row.status, row.duplicate_of, row.at, row.actor, row.why)
        for row in session.scalars(query.order_by(FailureStatusRow.id))
    )


def add_note(session: Session, failure_id: int, words: str, *, actor: str, now: datetime) -> None:
    """Keep what a person wrote. Raises UnknownFailure and LifeError."""
    failure_row(session, failure_id)
    said = _words("the note", words)
    session.add(
        NoteRow(failure_id=failure_id, at=now, actor=_words("who writes", actor), words=said)
    )
    session.flush()


def list_notes(session: Session, failure_id: int) -> tuple[Note, ...]:
    """All notes beside a failure, oldest first. Raises UnknownFailure."""
    failure_row(session, failure_id)
    query = select(NoteRow).where(NoteRow.failure_id == failure_id).order_by(NoteRow.id)
    return tuple(Note(row.at, row.actor, row.words) for row in session.scalars(query))


def _words(what: str, said: str) -> str:
    """Text that a person can read. Raises LifeError."""
    text = said.strip()
    if not text:
        raise LifeError(f"{what} is missing\n    say it in a few words")
    if len(text) > WORDS_MAX or not text.replace("\n", "").replace("\t", "").isprintable():
        raise LifeError(f"{what} is no text of at most {WORDS_MAX:,} printable characters")
    return text
