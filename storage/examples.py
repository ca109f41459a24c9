"""Hypothesis' examples: a set of bytes under each key, as its ExampleDatabase asks for."""

from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from storage.once import insert_once
from storage.tables import HypothesisExampleRow


def save_example(session: Session, key: bytes, value: bytes) -> None:
    """Put a value under a key; putting it there again changes nothing."""
    values = {"key": key, "value_sha256": sha256(value).digest(), "value": value}
    insert_once(session, HypothesisExampleRow, key=["key", "value_sha256"], values=values)


def fetch_examples(session: Session, key: bytes) -> tuple[bytes, ...]:
    """The values under a key, in the order of their bytes."""
    query = select(HypothesisExampleRow.value).where(HypothesisExampleRow.key == key)
    return tuple(session.scalars(query.order_by(HypothesisExampleRow.value)))


def delete_example(session: Session, key: bytes, value: bytes) -> None:
    """Take a value away from a key; where it is not there, nothing changes."""
    session.execute(
        delete(HypothesisExampleRow).where(
            HypothesisExampleRow.key == key,
            HypothesisExampleRow.value_sha256 == sha256(value).digest(),
        )
    )
