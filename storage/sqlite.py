"""SQLite: one file, write-ahead log, transactions that begin with our words."""

import sqlite3
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL

from storage.columns import SumOfTexts, sum_of_two
from storage.errors import StorageError, explained
from storage.locations import SqliteFile
from storage.schema import bring_up_to_date

BUSY_MILLISECONDS = 30_000
# Earlier SQLite can damage a WAL file when two processes write and checkpoint at the same moment:
# sqlite.org/wal.html, "the WAL-reset bug".
SQLITE_WITHOUT_RESET_DEFECT = (3, 51, 3)


def open_file(file: SqliteFile, *, create: bool) -> tuple[Engine, Engine]:
    """The engines for reading and for writing; the file is made or upgraded if needed."""
    refuse_what_cannot_be_a_file(file, must_exist=not create)
    with explained(file.shown):
        # A migration may rebuild a table, which SQLite allows only while references are unchecked,
        # and inside a transaction that cannot be switched: so it has connections of its own.
        migrating = migrating_engine(file.path)
        try:
            bring_up_to_date(migrating, file.shown)
        finally:
            migrating.dispose()
    engine = _engine_for(file.path, begin="BEGIN", foreign_keys=True)
    return engine, engine.execution_options(gracefuzz_begin="BEGIN IMMEDIATE")


def migrating_engine(path: Path) -> Engine:
    """An engine whose transactions may rebuild tables."""
    return _engine_for(path, begin="BEGIN IMMEDIATE", foreign_keys=False)


def sqlite_module() -> ModuleType:
    """Python's own SQLite, or the bundled one where Python's has the WAL-reset defect."""
    if sqlite3.sqlite_version_info >= SQLITE_WITHOUT_RESET_DEFECT:
        return sqlite3
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        # Open: refuse to go on? The defect needs two writers and bad luck, and totals are still
        # exact without it; settled when the bundled build exists on every platform we name.
        return sqlite3
    assert isinstance(dbapi2, ModuleType)
    return dbapi2


def refuse_what_cannot_be_a_file(file: SqliteFile, *, must_exist: bool) -> None:
    """Raise StorageError where no database can be, or where none is that must be there."""
    path = file.path
    if must_exist and not path.exists():
        raise StorageError(
            f"there is no database {path}\n"
            "    a campaign makes it: gracefuzz fuzz thp_split; or name another with --db"
        )
    if path.is_dir():
        raise StorageError(
            f"cannot open the database {path}: it is a folder\n    give the path of a file in it"
        )
    if not path.parent.is_dir():
        raise StorageError(
            f"cannot open the database {path}: the folder {path.parent} does not exist\n"
            "    create it, or give another path"
        )


def _engine_for(path: Path, *, begin: str, foreign_keys: bool) -> Engine:
    """An engine whose transactions begin with our words instead of the driver's."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=sqlite_module(),
        poolclass=None if foreign_keys else NullPool,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own handling would commit before DDL and begin too late.
        connection.isolation_level = None
        connection.create_function("exact_add", 2, sum_of_two, deterministic=True)
        connection.create_aggregate("exact_sum", 1, SumOfTexts)
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        words = connection.get_execution_options().get("gracefuzz_begin", begin)
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if words == 'BEGIN' else 'OFF'}")
        connection.exec_driver_sql(words)

    return engine
