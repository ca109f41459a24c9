"""The outbox: messages that are to be sent, stored with what they tell of."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base, row_number
from storage.columns import UtcDateTime


class DeliveryRow(Base):
    """A message to a webhook. It is tried until it is taken; `due_at` is when it is tried next."""

    __tablename__ = "deliveries"
    __table_args__ = (
        Index(
            "ix_deliveries_due",
            "due_at",
            sqlite_where=text("delivered_at IS NULL"),
            info={"postgresql": {"where": text("delivered_at IS NULL")}},
        ),
        CheckConstraint("attempts >= 0", name="attempts"),
    )

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    url: Mapped[str] = mapped_column(Text)
    occasion: Mapped[str] = mapped_column(Text)
    failure_id: Mapped[int] = mapped_column(ForeignKey("failures.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    attempts: Mapped[int] = mapped_column(Integer)
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str | None] = mapped_column(Text)
