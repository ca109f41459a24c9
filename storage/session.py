"""Opening the database, and the two kinds of transaction.

A read is one snapshot and cannot write. A write takes SQLite's lock when it begins: a transaction
that starts by reading and asks for the lock later is refused at once, whatever its patience.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session

from storage.errors import StorageError, explained
from storage.schema import bring_up_to_date

BUSY_MILLISECONDS = 30_000
# Earlier SQLite can damage a WAL file when two processes write and checkpoint at the same moment:
# sqlite.org/wal.html, "the WAL-reset bug".
SQLITE_WITHOUT_RESET_DEFECT = (3, 51, 3)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Close it, or use it in a `with` statement."""

    path: Path
    _reading: Engine
    _writing: Engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot of the database; writing in it is refused."""
        with explained(self.path), Session(self._reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: all of it is stored when the block ends, none of it if it raises.

        Waits up to 30 s for other writers; raises `StorageError` after that.
        """
        with explained(self.path), Session(self._writing) as session, session.begin():
            yield session

    def close(self) -> None:
        """Close every connection."""
        self._reading.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_database(location: str | Path) -> Database:
    """Open the SQLite file at a path or a `sqlite:///` URL; create or upgrade it if needed.

    Raises `StorageError` for anything that is not a file this user may write, and for a database
    that a later gracefuzz wrote.
    """
    path = _path_of(location)
    _refuse_what_cannot_be_a_file(path)
    module = sqlite_module()
    with explained(path):
        # A migration may rebuild a table, which SQLite allows only while references are unchecked,
        # and inside a transaction that cannot be switched: so it has connections of its own.
        migrating = _engine_for(path, module, begin="BEGIN IMMEDIATE", foreign_keys=False)
        try:
            bring_up_to_date(migrating, path)
        finally:
            migrating.dispose()
        engine = _engine_for(path, module, begin="BEGIN", foreign_keys=True)
        writing = engine.execution_options(gracefuzz_begin="BEGIN IMMEDIATE")
    return Database(path=path, _reading=engine, _writing=writing)


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


def _path_of(location: str | Path) -> Path:
    if isinstance(location, Path) or "://" not in location:
        text = str(location)
    else:
        text = _path_in_url(location)
    if text in ("", ":memory:"):
        raise StorageError(
            f"cannot open the database {str(location)!r}: it would be lost with the process\n"
            "    give the path of a file"
        )
    return Path(text).expanduser().absolute()


def _path_in_url(location: str) -> str:
    try:
        url = make_url(location)
    except ArgumentError as error:
        # The text may hold a password: it is not repeated.
        raise StorageError(
            "cannot open the database: its URL cannot be read\n"
            "    give a path, or a URL of the form sqlite:///path/to/file.db"
        ) from error
    shown = url.render_as_string(hide_password=True)
    if url.drivername != "sqlite":
        raise StorageError(
            f"cannot open the database {shown}: only SQLite files are supported\n"
            "    give a path, or a URL of the form sqlite:///path/to/file.db"
        )
    if url.host or url.query:
        raise StorageError(
            f"cannot open the database {shown}: an SQLite URL holds a path and nothing else\n"
            "    write sqlite:///relative/path.db, or sqlite:////absolute/path.db"
        )
    return url.database or ""


def _refuse_what_cannot_be_a_file(path: Path) -> None:
    if path.is_dir():
        raise StorageError(
            f"cannot open the database {path}: it is a folder\n    give the path of a file in it"
        )
    if not path.parent.is_dir():
        raise StorageError(
            f"cannot open the database {path}: the folder {path.parent} does not exist\n"
            "    create it, or give another path"
        )


def _engine_for(path: Path, module: ModuleType, *, begin: str, foreign_keys: bool) -> Engine:
    """An engine whose transactions begin with our words instead of the driver's."""
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        module=module,
        poolclass=None if foreign_keys else NullPool,
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver's own handling would commit before DDL and begin too late.
        connection.isolation_level = None
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
