"""Inserting a row exactly once, however often it is reported."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.orm import Session

from storage.base import Base

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql


def insert_for(session: Session, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """An INSERT that knows ON CONFLICT, in the words of the session's database."""
    if session.get_bind().dialect.name == "postgresql":
        # Imported here: an SQLite file is open before this has been read.
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    return sqlite.insert(table)


def table_of(row: type[Base]) -> Table:
    """The table of a class of rows, for statements that name no objects."""
    table = row.__table__
    assert isinstance(table, Table)
    return table


def insert_once(
    session: Session, table: type[Base], *, key: Sequence[str], values: dict[str, Any]
) -> bool:
    """Insert `values` unless a row with the same unique `key` is there; say whether it was new."""
    assert all(name in values for name in key)
    # The values go beside the statement, not into it: its text is then compiled once and kept.
    columns = table_of(table)
    statement = insert_for(session, columns).on_conflict_do_nothing(index_elements=list(key))
    return session.execute(statement.returning(columns.c[key[0]]), values).first() is not None
