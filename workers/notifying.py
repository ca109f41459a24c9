"""Sending what is in the outbox: beside a campaign in a thread of its own, or by a command.

A sender claims messages in one transaction, sends them outside of any, and notes what came of it in
another. Nothing here is waited for by whoever fuzzes.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from storage.errors import StorageError, WebhookError
from storage.failures import get_failure
from storage.outbox import (
    Delivery,
    Webhook,
    claim_due,
    list_deliveries,
    note_delivered,
    note_refused,
    webhooks_of,
)
from storage.programs import get_program
from storage.session import Database, open_database
from workers.webhook import Message, secret_from, send

MESSAGE_VERSION = 1
PAUSE_SECONDS = 2.0
# How long a campaign that has ended waits for its last messages; the others wait in the outbox.
LAST_SECONDS_MAX = 5.0


def deliver_due(database: Database, *, now: datetime) -> int:
    """Try every message that is due, some at a time; how many were taken. Raises StorageError."""
    with database.write() as session:
        claimed = claim_due(session, now=now)
    taken = 0
    for delivery in claimed:
        error = _try(database, delivery)
        with database.write() as session:
            if error is None:
                note_delivered(session, delivery.delivery_id, now=datetime.now(UTC))
            else:
                note_refused(session, delivery.delivery_id, error=error)
        taken += error is None
    return taken


@contextmanager
def notified(location: str, *, also_later: bool = False) -> Iterator[None]:
    """Have messages sent while the block is executed, where there is a webhook; with `also_later`,
    where one is set up meanwhile too.

    Afterwards, what is due is tried for at most some seconds more.
    """
    with open_database(location) as database, database.read() as session:
        wanted = bool(webhooks_of(session))
    if not wanted and not also_later:
        yield
        return
    stop = threading.Event()
    sender = threading.Thread(target=_send_until, args=(location, stop), daemon=True)
    sender.start()
    try:
        yield
    finally:
        stop.set()
        sender.join(LAST_SECONDS_MAX)


def message_of(database: Database, delivery: Delivery) -> Message:
    """What a webhook is told. Raises StorageError."""
    with database.read() as session:
        failure = get_failure(session, delivery.failure_id)
        program = get_program(session, failure.record.ir_hash)
    record = failure.record
    body = {
        "version": MESSAGE_VERSION,
        "event": delivery.occasion.value,
        "delivery": delivery.delivery_id,
        "at": delivery.created_at.isoformat(),
        "failure": {
            "failure": failure.failure_id,
            "program": record.program_name,
            "parameters": json.loads(program.parameters),
            "status": failure.status.value,
            "fingerprint": record.fingerprint,
            "oracle": record.oracle,
            "sentence": record.sentence,
            "step": record.step_label,
            "steps": record.steps,
            "preemptions": record.preemptions,
            "threads": record.threads,
            "proof": json.loads(record.proof),
            "diagram": record.diagram,
            "first_campaign": failure.first_campaign_id,
        },
    }
    text = json.dumps(body, ensure_ascii=False).encode()
    return Message(delivery.url, delivery.occasion.value, delivery.delivery_id, text)


def _try(database: Database, delivery: Delivery) -> str | None:
    """Send a message once; None where it was taken, else why not."""
    with database.read() as session:
        known = {webhook.url: webhook for webhook in webhooks_of(session)}
    webhook = known.get(delivery.url)
    if webhook is None:
        return "its webhook is no longer there"
    try:
        secret = secret_of(webhook)
    except WebhookError as error:
        return str(error)
    return send(message_of(database, delivery), secret, now_seconds=time.time())


def secret_of(webhook: Webhook) -> bytes:
    """The secret of a webhook, now. Raises WebhookError."""
    return secret_from(variable=webhook.secret_variable, file=webhook.secret_file)


def _send_until(location: str, stop: threading.Event) -> None:
    """Send what is due until there is no more to do; the database is another connection's too."""
    with suppress(StorageError), open_database(location) as database:
        while not stop.wait(PAUSE_SECONDS):
            _deliver(database)
        _deliver(database)


def _deliver(database: Database) -> None:
    """Messages that cannot be stored or sent now are there the next time."""
    with suppress(StorageError):
        with database.read() as session:
            if not webhooks_of(session):
                return
        while deliver_due(database, now=datetime.now(UTC)):
            pass


def send_forever(database: Database) -> None:
    """Send what is due, now and later, until the process is interrupted."""
    while True:
        _deliver(database)
        time.sleep(PAUSE_SECONDS)


def waiting(database: Database) -> tuple[Delivery, ...]:
    """The messages that were not taken yet."""
    with database.read() as session:
        return list_deliveries(session, waiting=True)
