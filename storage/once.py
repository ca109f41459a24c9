"""Inserting a row exactly once, however often it is reported."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from storage.tables import Base


def insert_once(
    session: Session, table: type[Base], *, key: Sequence[str], values: dict[str, Any]
) -> bool:
    """Insert `values` unless a row with the same unique `key` is there; say whether it was new."""
    assert all(name in values for name in key)
    # The values go beside the statement, not into it: its text is then compiled once and kept.
    columns = table.__table__
    assert isinstance(columns, Table)
    statement = insert(columns).on_conflict_do_nothing(index_elements=list(key))
    return session.execute(statement.returning(columns.c[key[0]]), values).first() is not None
