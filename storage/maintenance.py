"""What an operator does with a database: look at it, migrate it, copy it while it is in use."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import Connection, Engine, text

from storage.errors import StorageError, explained
from storage.locations import PostgresqlServer, SqliteFile, locate, without_secrets
from storage.migrations import REVISIONS
from storage.schema import bring_up_to_date, check_revision, downgrade, lock_schema

BACKUP_SECONDS_MAX = 24 * 3600


@dataclass(frozen=True, slots=True)
class SqliteBuild:
    """The SQLite that files are opened with, and whether it has the WAL-reset defect."""

    version: str
    module: str
    has_reset_defect: bool


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """What a database is: its kind with its version, its revision (None: no tables), its bytes."""

    name: str
    engine: str
    revision: str | None
    newest_revision: str
    size_bytes: int

    @property
    def is_current(self) -> bool:
        """Whether this gracefuzz can use it as it is."""
        return self.revision == self.newest_revision


def sqlite_build() -> SqliteBuild:
    """Which SQLite is used: Python's own, or the bundled one."""
    from storage.sqlite import SQLITE_WITHOUT_RESET_DEFECT, sqlite_module

    module = sqlite_module()
    return SqliteBuild(
        module.sqlite_version,
        module.__name__,
        module.sqlite_version_info < SQLITE_WITHOUT_RESET_DEFECT,
    )


def size_bytes(connection: Connection) -> int:
    """What the tables and their indexes take."""
    sizes = {
        "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        "postgresql": "SELECT pg_database_size(current_database())",
    }
    return int(connection.scalar(text(sizes[connection.dialect.name])) or 0)


def state_of(location: str | Path) -> DatabaseState:
    """Look at a database without changing it. Raises StorageError where it cannot be reached."""
    place = locate(location)
    with explained(place.shown), engine_at(place) as engine:
        reading = engine.execution_options(gracefuzz_begin="BEGIN")
        with reading.connect() as connection:
            revision = check_revision(connection, place.shown, known_only=False)
            size = size_bytes(connection)
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
    kind = "SQLite" if isinstance(place, SqliteFile) else "PostgreSQL"
    return DatabaseState(place.shown, f"{kind} {version}", revision, REVISIONS[-1], size)


def upgrade_database(location: str | Path) -> None:
    """Bring a database to this gracefuzz's revision; of several processes one does it.

    Raises StorageError for one of a later gracefuzz.
    """
    place = locate(location)
    with explained(place.shown), engine_at(place, must_exist=False) as engine:
        bring_up_to_date(engine, place.shown)


def downgrade_database(location: str | Path, revision: str) -> None:
    """Take a database back to an earlier revision; what only later ones can hold is lost.

    Raises StorageError for a revision that there is not, or that is not earlier.
    """
    place = locate(location)
    with explained(place.shown), engine_at(place) as engine, engine.begin() as connection:
        lock_schema(connection)
        now = check_revision(connection, place.shown)
        earlier = REVISIONS[: REVISIONS.index(now)] if now else ()
        if revision not in earlier:
            raise StorageError(
                f"cannot take the database {place.shown} from revision {now} to {revision}\n"
                f"    earlier revisions are {', '.join(earlier) or 'none'}"
            )
        downgrade(connection, revision=revision)


def back_up(location: str | Path, file: Path) -> None:
    """Copy a database that may be in use into a new file: one consistent state of it.

    An SQLite file becomes another one (VACUUM INTO); of a server `pg_dump` writes its own format,
    for `pg_restore`. Raises StorageError where the file exists, or it cannot be written.
    """
    place = locate(location)
    if file.exists():
        raise StorageError(f"cannot write the backup {file}: it exists\n    give another name")
    if isinstance(place, PostgresqlServer):
        _dump(place, file)
        return
    with explained(place.shown), engine_at(place) as engine:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("VACUUM INTO ?", (str(file),))
        except engine.dialect.loaded_dbapi.Error as error:
            file.unlink(missing_ok=True)
            raise StorageError(
                f"cannot write the backup {file}: {error}\n    give a path with enough space"
            ) from error
        finally:
            connection.close()


def _dump(server: PostgresqlServer, file: Path) -> None:
    shown = without_secrets(server.url)
    program = shutil.which("pg_dump") or _newest_pg_dump()
    if program is None:
        raise StorageError(
            "cannot write the backup: pg_dump is not installed here\n"
            f"    where it is: pg_dump --format=custom --file={file} --dbname='{shown}'"
        )
    # The password goes by the environment: every user of the machine sees a process's words.
    secret = unquote(urlsplit(server.url).password or "")
    environment = {**os.environ, **({"PGPASSWORD": secret} if secret else {})}
    done = subprocess.run(
        [program, "--format=custom", "--no-password", f"--file={file}", f"--dbname={shown}"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=BACKUP_SECONDS_MAX,
        check=False,
    )
    if done.returncode != 0:
        file.unlink(missing_ok=True)
        said = " ".join(done.stderr.split()) or f"it ended with {done.returncode}"
        raise StorageError(
            f"cannot write the backup {file}: {said[:300]}\n"
            "    pg_dump must be as new as the server"
        )


def _newest_pg_dump() -> str | None:
    """Debian keeps it beside the server's own programs."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_dump"))
    return str(found[-1]) if found else None


@contextmanager
def engine_at(
    place: SqliteFile | PostgresqlServer, *, must_exist: bool = True
) -> Iterator[Engine]:
    """An engine for one purpose, which opens what is there as it is: nothing is upgraded."""
    if isinstance(place, SqliteFile):
        from storage.sqlite import migrating_engine, refuse_what_cannot_be_a_file

        refuse_what_cannot_be_a_file(place, must_exist=must_exist)
        engine = migrating_engine(place.path)
    else:
        from storage.postgresql import engine_for

        engine = engine_for(place, pooled=False)
    try:
        yield engine
    finally:
        engine.dispose()
