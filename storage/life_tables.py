"""What people and rechecks say of failures. Nothing is taken back by deleting a row."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base, row_number, state_column
from storage.columns import JsonDocument, UtcDateTime
from storage.tables import FailureStatus


class OverrideKind(StrEnum):
    """How a person groups failures in another way than their fingerprints do."""

    MERGE = "merge"
    SPLIT = "split"


class FailureStatusRow(Base):
    """A decision about a failure: who, when, why. The newest one is the failure's status."""

    __tablename__ = "failure_statuses"
    __table_args__ = (
        Index(None, "failure_id", "id"),
        CheckConstraint("(status = 'duplicate') = (duplicate_of IS NOT NULL)", name="duplicate_of"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    status: Mapped[FailureStatus] = mapped_column(state_column(FailureStatus, name="status"))
    duplicate_of: Mapped[int | None] = mapped_column(ForeignKey("failures.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)


class NoteRow(Base):
    """What a person wrote beside a failure."""

    __tablename__ = "notes"
    __table_args__ = (Index(None, "failure_id", "id"),)

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(Text)
    words: Mapped[str] = mapped_column(Text)


class OverrideRow(Base):
    """`failure_id` counts as `other_id` (merge), or is another though it looks the same (split).

    The rows of the failures stay as they are; an override that is revoked has no effect any more.
    """

    __tablename__ = "overrides"
    __table_args__ = (
        Index(
            "ix_overrides_merged",
            "failure_id",
            unique=True,
            sqlite_where=text("kind = 'merge' AND revoked_at IS NULL"),
            info={"postgresql": {"where": text("kind = 'merge' AND revoked_at IS NULL")}},
        ),
        Index(None, "other_id"),
        CheckConstraint("failure_id <> other_id", name="other_id"),
        CheckConstraint("(revoked_at IS NULL) = (revoked_by IS NULL)", name="revoked_by"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    kind: Mapped[OverrideKind] = mapped_column(state_column(OverrideKind, name="kind"))
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    other_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_by: Mapped[str | None] = mapped_column(Text)


class BaselineRow(Base):
    """A set of failures that somebody knows about, by name: what is in it is not new."""

    __tablename__ = "baselines"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor: Mapped[str] = mapped_column(Text)


class BaselineFailureRow(Base):
    """A fingerprint in a baseline; its failure need not be in this database."""

    __tablename__ = "baseline_failures"

    baseline_name: Mapped[str] = mapped_column(ForeignKey("baselines.name"), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(128), primary_key=True)


class RecheckRow(Base):
    """What became of a failure in the program `ir_hash`, which need not be stored."""

    __tablename__ = "rechecks"
    __table_args__ = (
        Index(None, "failure_id", "id"),
        Index(None, "at"),
        CheckConstraint("states >= 0", name="states"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    ir_hash: Mapped[str | None] = mapped_column(String(128))
    verdict: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    states: Mapped[int] = mapped_column(BigInteger)
    details: Mapped[object] = mapped_column(JsonDocument)
