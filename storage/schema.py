"""Bringing a database to the schema that this code knows, and refusing one that it does not.

Migrations are Alembic's, started from here: no `alembic.ini`, no working folder. The common cases
do not even import it: a database that is up to date costs one query, and a new one is made from the
tables as they are declared, which tests hold equal to what the migrations make.
"""

import time
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import OperationalError

from storage import access_tables, ledger_tables, life_tables, outbox_tables, tables
from storage.base import Base
from storage.errors import StorageError
from storage.migrations import REVISIONS

if TYPE_CHECKING:
    from alembic.config import Config

# Importing a module declares its tables, all on one metadata.
DECLARED_IN = (tables, ledger_tables, life_tables, access_tables, outbox_tables)
JOURNAL_SECONDS_MAX = 30.0
# PostgreSQL's advisory lock under which tables are made and migrated, and campaigns' numbers are
# those beside it: `storage.claims`.
LOCKS = 0x67726663
SCHEMA_LOCK = 0xFFFF_FFFF
# As Alembic makes it.
REVISION_TABLE = """\
CREATE TABLE alembic_version (
\tversion_num VARCHAR(32) NOT NULL,
\tCONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
)"""


def bring_up_to_date(engine: Engine, name: str) -> None:
    """Create or upgrade the schema; safe when several processes open one new database at once.

    Raises `StorageError` for a database of a later gracefuzz or of another program.
    """
    with engine.execution_options(gracefuzz_begin="BEGIN").connect() as connection:
        if check_revision(connection, name) == REVISIONS[-1]:
            return
    if engine.dialect.name == "sqlite":
        use_write_ahead_log(engine)
    with engine.begin() as connection:
        lock_schema(connection)
        # Another process may have done the work while this one waited for the lock.
        revision = check_revision(connection, name)
        if revision is None and not inspect(connection).get_table_names():
            create(connection)
        elif revision != REVISIONS[-1]:
            upgrade(connection)
        assert check_revision(connection, name) == REVISIONS[-1]
        if engine.dialect.name == "sqlite":
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            assert not broken, f"the migration broke references: {broken[:5]}"


def lock_schema(connection: Connection) -> None:
    """Wait until no other process migrates; BEGIN IMMEDIATE has done so already on SQLite."""
    if connection.dialect.name == "postgresql":
        # Whoever migrates may take its time with a million rows.
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        number = lock_number(SCHEMA_LOCK)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def lock_number(number: int) -> int:
    """Our advisory lock of this number, as PostgreSQL wants it: 64 bits, signed."""
    assert 0 <= number <= SCHEMA_LOCK
    return LOCKS << 32 | number


def use_write_ahead_log(engine: Engine) -> None:
    """Switch the file to WAL, where readers and the writer do not wait for each other.

    SQLite does not always wait for its lock here, whatever `busy_timeout` says, so we do.
    """
    deadline = time.monotonic() + JOURNAL_SECONDS_MAX
    while True:
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
            return
        except engine.dialect.loaded_dbapi.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise OperationalError("PRAGMA journal_mode", None, error) from error
            time.sleep(0.01)
        finally:
            connection.close()


def check_revision(connection: Connection, name: str, *, known_only: bool = True) -> str | None:
    """The revision of the schema called `name`; None when it is empty.

    Raises `StorageError` for another program's, and unless told otherwise for a later gracefuzz's.
    """
    names = inspect(connection).get_table_names()
    if not names:
        return None
    if "alembic_version" not in names:
        raise StorageError(
            f"cannot use the database {name}: it holds tables of another program "
            f"({', '.join(sorted(names)[:3])})\n"
            "    give a gracefuzz database, or one that is empty or does not exist yet"
        )
    revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    if known_only and revision is not None and revision not in REVISIONS:
        raise StorageError(
            f"cannot use the database {name}: its schema is revision {revision}, and this "
            f"gracefuzz knows revisions up to {REVISIONS[-1]}\n"
            "    install the gracefuzz that wrote it, or a later one, or give another path"
        )
    assert revision is None or isinstance(revision, str)
    return revision


def create(connection: Connection) -> None:
    """Make all tables in an empty database, and note their revision where Alembic looks for it."""
    Base.metadata.create_all(connection, checkfirst=False)
    connection.exec_driver_sql(REVISION_TABLE)
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISIONS[-1]}
    )


def upgrade(connection: Connection, *, revision: str = "head") -> None:
    """Migrate up to `revision`, inside the transaction of `connection`."""
    from alembic import command

    command.upgrade(_configured_for(connection), revision)


def downgrade(connection: Connection, *, revision: str) -> None:
    """Migrate down to `revision` ("base" removes everything), inside the caller's transaction."""
    from alembic import command

    command.downgrade(_configured_for(connection), revision)


def _configured_for(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    return config
