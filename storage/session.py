"""Opening the database, and the two kinds of transaction.

A read is one snapshot and cannot write. A write takes SQLite's lock when it begins: a transaction
that starts by reading and asks for the lock later is refused at once, whatever its patience.
PostgreSQL locks the rows that a write asks for.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from storage.errors import explained
from storage.locations import SqliteFile, locate

# What a transaction is called where nobody imports SQLAlchemy.
Transaction = Session


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. Close it, or use it in a `with` statement.

    `name` is how messages call it, without a password. `path` is the SQLite file, or where this
    machine keeps the files that belong to a database on a server.
    """

    name: str
    path: Path
    _reading: Engine
    _writing: Engine

    @property
    def is_server(self) -> bool:
        """Whether it is PostgreSQL, which several machines may share."""
        return self._writing.dialect.name == "postgresql"

    @property
    def disk_free_bytes(self) -> int | None:
        """What is left beside an SQLite file; of a server's disk nothing is known here."""
        return None if self.is_server else shutil.disk_usage(self.path.parent).free

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot of the database; writing in it is refused."""
        with explained(self.name), Session(self._reading) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: all of it is stored when the block ends, none of it if it raises.

        Waits up to 30 s for other writers; raises `StorageError` after that.
        """
        with explained(self.name), Session(self._writing) as session, session.begin():
            yield session

    def alone(self) -> AbstractContextManager[Engine]:
        """The engine of the writes, for this package only: claims, backups and their like."""
        return explained_engine(self.name, self._writing)

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


@contextmanager
def explained_engine(name: str, engine: Engine) -> Iterator[Engine]:
    """An engine whose errors become sentences while the block lasts."""
    with explained(name):
        yield engine


def open_database(location: str | Path, *, create: bool = True) -> Database:
    """Open the database at a path, a `sqlite:///` URL or a `postgresql://` URL.

    An empty one gets its tables, unless `create` is False. An SQLite file of an earlier gracefuzz
    is upgraded; a server, which others may be using, is so by `gracefuzz db upgrade` only. Raises
    `StorageError` for what cannot be reached or written, and for what a later gracefuzz wrote.
    """
    place = locate(location)
    # Each is imported where it is needed: the driver of PostgreSQL takes as long as all of SQLite.
    if isinstance(place, SqliteFile):
        from storage.sqlite import open_file

        engines = open_file(place, create=create)
        return Database(place.shown, place.path, *engines)
    from storage.postgresql import open_server

    return Database(place.shown, place.beside, *open_server(place, create=create))
