"""What is being executed and by whom, and what happened when: leader, leases, events, settings.

A campaign's blocks below its `next_block` are done unless a row here says otherwise, so the ledger
grows with work in flight, not with work done.
"""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base, row_number, state_column
from storage.columns import ExactCount, JsonDocument, UtcDateTime


class LeaseState(StrEnum):
    """A range of blocks is being executed, or waits to be executed again."""

    HELD = "held"
    FREE = "free"


class LeaderRow(Base):
    """The one coordinator that may give out leases: a single row, numbered 1.

    `epoch` grows whenever the leader changes and fences those before; `beat` grows while it lives.
    Who waits to lead compares both with what it saw some seconds ago by its own clock, so that no
    two machines need the same time; the instants are for people. `holder` is NULL when nobody
    leads.
    """

    __tablename__ = "leader"
    __table_args__ = (
        CheckConstraint("id = 1", name="id"),
        CheckConstraint("epoch >= 0", name="epoch"),
        CheckConstraint("beat >= 0", name="beat"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    epoch: Mapped[int] = mapped_column(BigInteger)
    beat: Mapped[int] = mapped_column(BigInteger)
    holder: Mapped[str | None] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)


class LeaseRow(Base):
    """A range of blocks that is not done: held by a worker, or free to be given out again.

    `token` is another for every time a range is given out (fencing): only who names it completes
    the lease. `attempt` counts from 1 and grows with each worker that the range is blamed for;
    `error` is what is known of the attempt before. `epoch` is that of the leader that gave it.
    """

    __tablename__ = "leases"
    __table_args__ = (
        CheckConstraint("first_block >= 0", name="first_block"),
        CheckConstraint("blocks > 0", name="blocks"),
        CheckConstraint("attempt > 0", name="attempt"),
        CheckConstraint("(state = 'held') = (worker IS NOT NULL)", name="worker"),
        CheckConstraint("(state = 'held') = (given_at IS NOT NULL)", name="given_at"),
        Index(None, "state", "deadline"),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    first_block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    blocks: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[LeaseState] = mapped_column(state_column(LeaseState, name="state"))
    token: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(Integer)
    epoch: Mapped[int] = mapped_column(BigInteger)
    worker: Mapped[str | None] = mapped_column(Text)
    given_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    deadline: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)


class QuarantinedRangeRow(Base):
    """Blocks that ended their worker again and again: not executed any more, not done either."""

    __tablename__ = "quarantined_ranges"
    __table_args__ = (
        CheckConstraint("first_block >= 0", name="first_block"),
        CheckConstraint("blocks > 0", name="blocks"),
        CheckConstraint("attempts > 0", name="attempts"),
    )

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    first_block: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    blocks: Mapped[int] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(Integer)
    worker: Mapped[str] = mapped_column(Text)
    error: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class EventRow(Base):
    """Something that happened in the life of a campaign or a failure: rows are only added.

    `kind` is a word or two, `details` what belongs to it; `actor` is a person or a process.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index(None, "campaign_id", "id"),
        Index(None, "failure_id", "id"),
        Index(None, "at"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(Text)
    campaign_id: Mapped[int | None] = mapped_column(ForeignKey("campaigns.id"))
    failure_id: Mapped[int | None] = mapped_column(ForeignKey("failures.id"))
    kind: Mapped[str] = mapped_column(Text)
    details: Mapped[object] = mapped_column(JsonDocument)


class CurvePointRow(Base):
    """What a campaign had found after so many blocks; a bounded number of points a campaign."""

    __tablename__ = "curve_points"
    __table_args__ = (CheckConstraint("blocks >= 0", name="blocks"),)

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaigns.id"), primary_key=True)
    blocks: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    active_seconds: Mapped[float]
    schedules: Mapped[int] = mapped_column(ExactCount)
    steps: Mapped[int] = mapped_column(ExactCount)
    violations: Mapped[int] = mapped_column(ExactCount)
    failures: Mapped[int] = mapped_column(BigInteger)
    steps_reached: Mapped[int] = mapped_column(BigInteger)
    pairs: Mapped[int] = mapped_column(BigInteger)
    classes: Mapped[int] = mapped_column(BigInteger)


class SettingRow(Base):
    """A setting of this installation, by name; the value is a JSON document."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[object] = mapped_column(JsonDocument)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[str] = mapped_column(Text)
