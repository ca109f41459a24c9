"""What webhooks are told: stored in the transaction that makes it true, and sent by whoever can.

So nothing is lost when a process dies between the two, and storing a failure never waits for a
network. A message is sent at least once: it carries a number by which a receiver knows it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from storage.outbox_tables import DeliveryRow
from storage.settings import set_setting, setting

SETTING = "webhooks"
# Longer than a try may take: only then does another sender try the same message.
FIRST_WAIT_SECONDS = 15
WAIT_SECONDS_MAX = 3600
AT_ONCE = 16


class Occasion(StrEnum):
    """What a webhook is told of."""

    NEW = "failure.new"
    REGRESSED = "failure.regressed"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where messages go, and where the secret is: in a variable of the environment, or a file."""

    url: str
    secret_variable: str | None
    secret_file: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message, and how it stands with it."""

    delivery_id: int
    url: str
    occasion: Occasion
    failure_id: int
    created_at: datetime
    due_at: datetime
    attempts: int
    delivered_at: datetime | None
    error: str | None


def set_webhooks(
    session: Session, webhooks: tuple[Webhook, ...], *, actor: str, now: datetime
) -> None:
    """Store where messages go from now on; what waits for another address is not sent any more."""
    gone = DeliveryRow.url.not_in([webhook.url for webhook in webhooks])
    session.execute(delete(DeliveryRow).where(gone, DeliveryRow.delivered_at.is_(None)))
    value = [
        {"url": w.url, "secret_variable": w.secret_variable, "secret_file": w.secret_file}
        for w in webhooks
    ]
    set_setting(session, SETTING, value, actor=actor, now=now)


def webhooks_of(session: Session) -> tuple[Webhook, ...]:
    """Where messages go."""
    told = setting(session, SETTING, [])
    assert isinstance(told, list)
    return tuple(Webhook(**each) for each in told)


def enqueue(session: Session, failure_id: int, occasion: Occasion, *, now: datetime) -> None:
    """Have every webhook told, with the transaction that is under way."""
    session.add_all(
        DeliveryRow(
            url=webhook.url,
            occasion=occasion.value,
            failure_id=failure_id,
            created_at=now,
            due_at=now,
            attempts=0,
            delivered_at=None,
            error=None,
        )
        for webhook in webhooks_of(session)
    )


def claim_due(session: Session, *, now: datetime) -> tuple[Delivery, ...]:
    """Messages to be tried now, oldest first; nobody else tries them until they are due again.

    Each try doubles the time to the next one, up to an hour. They are given up never.
    """
    query = (
        select(DeliveryRow)
        .where(DeliveryRow.delivered_at.is_(None), DeliveryRow.due_at <= now)
        .order_by(DeliveryRow.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    )
    claimed = []
    for row in session.scalars(query):
        seconds = min(WAIT_SECONDS_MAX, FIRST_WAIT_SECONDS << min(row.attempts, 20))
        row.attempts += 1
        row.due_at = now + timedelta(seconds=seconds)
        claimed.append(_delivery(row))
    session.flush()
    return tuple(claimed)


def note_delivered(session: Session, delivery_id: int, *, now: datetime) -> None:
    """The message was taken."""
    row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
    row.delivered_at, row.error = row.delivered_at or now, None


def note_refused(session: Session, delivery_id: int, *, error: str) -> None:
    """The message was not taken this time."""
    row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
    if row.delivered_at is None:
        row.error = error


def make_due(session: Session, *, now: datetime) -> int:
    """Have every message that waits tried at once; how many there are."""
    rows = session.scalars(select(DeliveryRow).where(DeliveryRow.delivered_at.is_(None))).all()
    for row in rows:
        row.due_at = min(row.due_at, now)
    return len(rows)


def list_deliveries(session: Session, *, waiting: bool) -> tuple[Delivery, ...]:
    """The messages that wait, or all of them, oldest first."""
    query = select(DeliveryRow).order_by(DeliveryRow.id)
    if waiting:
        query = query.where(DeliveryRow.delivered_at.is_(None))
    return tuple(_delivery(row) for row in session.scalars(query))


def _delivery(row: DeliveryRow) -> Delivery:
    return Delivery(
        delivery_id=row.id,
        url=row.url,
        occasion=Occasion(row.occasion),
        failure_id=row.failure_id,
        created_at=row.created_at,
        due_at=row.due_at,
        attempts=row.attempts,
        delivered_at=row.delivered_at,
        error=row.error,
    )
