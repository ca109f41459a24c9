"""Tables of who may do what through the service. No secret is stored, only what it hashes to."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from storage.base import Base, row_number, state_column
from storage.columns import UtcDateTime


class Scope(StrEnum):
    """What a token allows; each allows what stands before it too."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"

    def allows(self, wanted: "Scope") -> bool:
        """Whether a token of this scope may do what needs `wanted`."""
        order = list(Scope)
        return order.index(self) >= order.index(wanted)


class TokenRow(Base):
    """A bearer token by the SHA-256 of its 256 random bits."""

    __tablename__ = "tokens"
    __table_args__ = (UniqueConstraint("digest"), UniqueConstraint("name"))

    id: Mapped[int] = mapped_column(row_number, primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    scope: Mapped[Scope] = mapped_column(state_column(Scope, name="scope"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """A visit in a browser: what its cookie hashes to, and the token that began it."""

    __tablename__ = "sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class AnswerRow(Base):
    """What a request with an idempotency key was answered, so that its repeat does nothing."""

    __tablename__ = "answers"

    visitor: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(String(200), primary_key=True)
    asked: Mapped[str] = mapped_column(String(64))
    status: Mapped[int]
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
