"""PostgreSQL through psycopg 3: a database on a server that several machines share."""

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.engine import make_url

from storage.base import Base
from storage.errors import StorageError, explained
from storage.locations import PostgresqlServer
from storage.migrations import REVISIONS
from storage.schema import bring_up_to_date, check_revision

VERSION_MIN = 15
CONNECT_SECONDS = 5
# A transaction waits so long for rows, as it does for SQLite's lock. A client whose machine is gone
# is noticed within a minute, and with it its locks are let go.
SESSION = {
    "lock_timeout": "30s",
    "idle_in_transaction_session_timeout": "5min",
    "tcp_keepalives_idle": "20",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "4",
    "timezone": "UTC",
}


def _complete_indexes() -> None:
    """Tell indexes what they are like here; where they are declared, that would import the dialect,
    for which the first failure in an SQLite file would have to wait.
    """
    for table in Base.metadata.tables.values():
        for index in table.indexes:
            for name, value in index.info.get("postgresql", {}).items():
                index.dialect_kwargs[f"postgresql_{name}"] = value


_complete_indexes()


def open_server(server: PostgresqlServer, *, create: bool) -> tuple[Engine, Engine]:
    """The engines for reading and for writing; an empty database gets its tables."""
    engine = engine_for(server)
    with explained(server.shown):
        try:
            with engine.connect() as connection:
                _refuse_what_is_too_old(connection.dialect.server_version_info, server)
                revision = check_revision(connection, server.shown)
            if revision is None and not create:
                raise StorageError(
                    f"there is nothing in the database {server.shown}\n"
                    "    a campaign makes its tables: gracefuzz fuzz thp_split; or name another "
                    "with --db"
                )
            if revision is None:
                upgrade_server(server)
            elif revision != REVISIONS[-1]:
                raise StorageError(
                    f"cannot use the database {server.shown}: its schema is revision {revision}, "
                    f"and this gracefuzz needs {REVISIONS[-1]}\n"
                    "    stop what else uses it, then: gracefuzz db upgrade"
                )
        except BaseException:
            engine.dispose()
            raise
    reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return reading, engine


def upgrade_server(server: PostgresqlServer) -> None:
    """Create or migrate the tables; of several processes that do so at once, one does it."""
    engine = engine_for(server, pooled=False)
    with explained(server.shown):
        bring_up_to_date(engine, server.shown)


def engine_for(server: PostgresqlServer, *, pooled: bool = True) -> Engine:
    """An engine whose connections are tried before they are used: a server may be restarted."""
    url = make_url(server.url).set(drivername="postgresql+psycopg")
    settings = " ".join(f"-c {name}={value}" for name, value in SESSION.items())
    if "options" in url.query:
        settings = f"{settings} {url.query['options']}"
    arguments = {"application_name": "gracefuzz", "connect_timeout": CONNECT_SECONDS}
    given = {name: value for name, value in arguments.items() if name not in url.query}
    return create_engine(
        url.difference_update_query(["options"]),
        connect_args={**given, "options": settings},
        poolclass=None if pooled else NullPool,
        pool_pre_ping=pooled,
    )


def _refuse_what_is_too_old(
    version: tuple[int | str, ...] | None, server: PostgresqlServer
) -> None:
    if version is not None and int(version[0]) < VERSION_MIN:
        raise StorageError(
            f"cannot use the database {server.shown}: its server is PostgreSQL {version[0]}\n"
            f"    PostgreSQL {VERSION_MIN} or newer is needed"
        )
