"""Which coordinator may give out leases: one row, an epoch that fences, a beat that is watched.

Who waits to lead compares epoch and beat with what it saw some seconds ago by its own monotonic
clock: clocks that jump, or differ between machines, decide nothing. Every transaction of a leader
looks at the epoch first, and one that was deposed meanwhile stores nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.errors import StorageError
from storage.leases import free_leases_before
from storage.ledger_tables import LeaderRow
from storage.once import insert_once
from storage.session import Database


class NotLeading(StorageError):
    """Another coordinator leads by now; nothing of the transaction was stored."""


@dataclass(frozen=True, slots=True)
class Leader:
    """What the row says: who leads (None: nobody), in which epoch, after how many beats."""

    epoch: int
    beat: int
    holder: str | None
    since: datetime


def leader(session: Session) -> Leader | None:
    """Who leads; None where nobody ever did."""
    row = session.get(LeaderRow, 1)
    return None if row is None else Leader(row.epoch, row.beat, row.holder, row.since)


def lead(session: Session, holder: str, *, instead_of: Leader | None, now: datetime) -> int | None:
    """Become the leader, where nothing has changed since `instead_of` was read; give the epoch.

    None, and no change, where another was faster or the leader lives. Leases of earlier epochs are
    let go in the same transaction: what they report later is refused.
    """
    begun = {"id": 1, "epoch": 0, "beat": 0, "holder": None, "since": now, "beat_at": now}
    insert_once(session, LeaderRow, key=["id"], values=begun)
    epoch, beat = (0, 0) if instead_of is None else (instead_of.epoch, instead_of.beat)
    taken = session.execute(
        update(LeaderRow)
        .where(LeaderRow.id == 1, LeaderRow.epoch == epoch, LeaderRow.beat == beat)
        .values(epoch=epoch + 1, beat=beat + 1, holder=holder, since=now, beat_at=now)
        .returning(LeaderRow.epoch)
    ).scalar_one_or_none()
    if taken is not None:
        free_leases_before(session, taken)
    return taken


def beat(session: Session, epoch: int, *, now: datetime) -> None:
    """Say that the leader of this epoch lives. Raises NotLeading."""
    check_leading(session, epoch)
    session.execute(
        update(LeaderRow).where(LeaderRow.id == 1).values(beat=LeaderRow.beat + 1, beat_at=now)
    )


def resign(session: Session, epoch: int, *, now: datetime) -> None:
    """Let another lead at once, if this epoch is still the last."""
    mine = (LeaderRow.id == 1, LeaderRow.epoch == epoch)
    session.execute(update(LeaderRow).where(*mine).values(holder=None, beat_at=now))
    free_leases_before(session, epoch + 1)


def check_leading(session: Session, epoch: int) -> None:
    """Keep others from leading until the transaction ends. Raises NotLeading."""
    query = select(LeaderRow.epoch).where(LeaderRow.id == 1).with_for_update(read=True)
    now_leading = session.scalar(query)
    if now_leading != epoch:
        raise NotLeading(
            f"this coordinator led in epoch {epoch}, and the database is in epoch {now_leading}\n"
            "    another one leads: what this one had in flight is executed again"
        )


@contextmanager
def write_as(database: Database, epoch: int | None) -> Iterator[Session]:
    """A transaction of the leader of this epoch; of whoever has claimed a campaign, for None."""
    with database.write() as session:
        if epoch is not None:
            check_leading(session, epoch)
        yield session
