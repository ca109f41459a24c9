"""The migrations and the tables say the same on both databases; every revision can be undone."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from storage.base import Base
from storage.campaigns import campaign_totals
from storage.examples import fetch_examples
from storage.failures import get_failure
from storage.leases import LeaseWish, give_leases
from storage.locations import SqliteFile, locate
from storage.migrations import REVISIONS
from storage.postgresql import engine_for
from storage.schema import downgrade, upgrade
from storage.session import open_database
from storage.sqlite import migrating_engine

NOW = datetime(2011, 8, 19, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """Where a new database will be."""
    if request.param == "sqlite":
        return str(tmp_path / "new.db")
    return request.getfixturevalue("empty_postgresql")


@pytest.fixture
def elsewhere(location, tmp_path, request):
    """Where another one of the same kind will be."""
    if "://" not in location:
        return str(tmp_path / "other.db")
    return request.getfixturevalue("another_empty_postgresql")


@contextmanager
def engine_at(location) -> Iterator[Engine]:
    place = locate(location)
    engine = migrating_engine(place.path) if isinstance(place, SqliteFile) else engine_for(place)
    try:
        yield engine
    finally:
        engine.dispose()


def schema_of(location):
    """All that the database knows of the tables, in no order that depends on how they came."""
    with engine_at(location) as engine, engine.connect() as connection:
        inspector = inspect(connection)
        told = {
            "checks": inspector.get_multi_check_constraints(),
            "uniques": inspector.get_multi_unique_constraints(),
            "references": inspector.get_multi_foreign_keys(),
            "indexes": inspector.get_multi_indexes(),
        }
        keys, options = inspector.get_multi_pk_constraint(), inspector.get_multi_table_options()
        return {
            name: {
                "columns": sorted(
                    (column["name"], str(column["type"]), column["nullable"], column["default"])
                    for column in columns
                ),
                "key": keys[schema, name],
                "options": options[schema, name],
                **{what: by_name(found[schema, name]) for what, found in told.items()},
            }
            for (schema, name), columns in inspector.get_multi_columns().items()
            if name != "alembic_version"
        }


def by_name(constraints):
    return sorted((each["name"], json.dumps(each, default=str)) for each in constraints)


def migrate(location, *, to="head", down=False) -> str:
    with engine_at(location) as engine, engine.begin() as connection:
        (downgrade if down else upgrade)(connection, revision=to)
    return location


def version_text(location) -> object:
    """How the table of the revision was made, where the database keeps that."""
    with engine_at(location) as engine, engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            return inspect(engine).get_columns("alembic_version")[0]["name"]
        query = "SELECT sql FROM sqlite_master WHERE name = 'alembic_version'"
        return " ".join(connection.exec_driver_sql(query).scalar_one().split())


# Alembic cannot read these back, or not as they were written; `schema_of` compares them.
UNREADABLE = {
    "sqlite": ("ix_failures_words", "ix_failures_preemptions_id", "ix_failures_steps_id"),
    "postgresql": ("ix_failures_words",),
}


def drift(location) -> list[object]:
    """What Alembic would change to make the database equal to the tables."""

    with engine_at(location) as engine, engine.connect() as connection:
        unreadable = UNREADABLE[engine.dialect.name]

        def is_ours(item, name, kind, _reflected, _other) -> bool:
            return not (kind == "index" and name in unreadable)

        options = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert context.get_current_revision() == REVISIONS[-1]
        return list(compare_metadata(context, Base.metadata))


@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_a_new_database_is_as_the_migrations_make_it(location, elsewhere):
    open_database(location).close()
    migrate(elsewhere)
    assert schema_of(location) == schema_of(elsewhere)
    assert version_text(location) == version_text(elsewhere)
    assert drift(location) == drift(elsewhere) == []


@pytest.mark.filterwarnings("ignore:autogenerate skipping")
def test_a_column_that_the_tables_do_not_have_is_drift(location):
    open_database(location).close()
    with engine_at(location) as engine, engine.begin() as connection:
        connection.execute(text("ALTER TABLE notes ADD COLUMN colour TEXT"))
    assert drift(location) != []


def test_a_migrated_database_is_opened_as_it_is(location):
    before = schema_of(migrate(location))
    open_database(location).close()
    assert schema_of(location) == before


@pytest.mark.parametrize("make", [migrate, lambda path: open_database(path).close() or path])
def test_row_numbers_of_campaigns_and_failures_are_never_used_again(tmp_path, make):
    with engine_at(make(str(tmp_path / "made.db"))) as engine, engine.connect() as connection:
        numbered = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
        )
        assert numbered.scalars().all() == ["campaigns", "failures"]


def test_every_step_down_is_undone_by_the_step_up(location):
    open_database(location).close()
    seen = [schema_of(location)]
    for revision in (*reversed(REVISIONS[:-1]), "base"):
        migrate(location, to=revision, down=True)
        seen.append(schema_of(location))
    assert seen[-1] == {}
    for revision in REVISIONS:
        seen.pop()
        migrate(location, to=revision)
        assert schema_of(location) == seen[-1]


# A campaign whose blocks 0 to 3 and 8 to 9 are done, another that was stopped; one failure with two
# sightings, of which one keeps its schedule; as revision 0008 has them.
OLD_ROWS = """
INSERT INTO programs VALUES ('a1', 'thp_split', '{}', '{}', '', '2011-08-19');
INSERT INTO campaigns (id, kind, program_ir_hash, scheduler, root_seed, engine_revision, budget,
  excluded_failures, state, ending, started_at, ended_at, blocks_done, schedules, steps, violations,
  outcomes, steps_reached) VALUES
  (1, 'fuzz', 'a1', 'uniform', '18446744073709551615', '1', '{}', '[]', 'running', NULL,
   '2011-08-19', NULL, 6, '36893488147419103232', '7', '8', '{"ok": "36893488147419103232"}',
   '[]'),
  (2, 'fuzz', 'a1', 'uniform', '2', '1', '{}', '[]', 'interrupted', 'was stopped',
   '2011-08-19', '2011-08-20', 0, '0', '0', '0', '{}', '[]');
INSERT INTO leases VALUES (1, 0, 4, 'done', NULL), (1, 4, 4, 'held', 'core 0'),
  (1, 8, 2, 'done', NULL), (1, 10, 1, 'held', 'core 1');
INSERT INTO site_counts VALUES (1, 'count < 0', '36893488147419103233');
INSERT INTO failures (id, program_name, oracle, sentence, step_label, fingerprint, status,
  preemptions, switches, threads, steps, schedule, interleaving, diagram, proof, ir_hash,
  first_campaign_id, first_block, first_lane, first_schedule_ordinal, sightings_count, created_at,
  first_seen_at, last_seen_at) VALUES
  (1, 'thp_split', 'o', 's', 'l', 'f1', 'open', 1, 2, 2, 9, '{}', '{}', '', '{}', 'a1', 1, 0, 0,
   '36893488147419103234', 2, '2011-08-19', '2011-08-19', '2011-08-19');
INSERT INTO sightings VALUES (1, 1, 1, 'a1', 0, 0, 1, '[]'), (2, 1, 1, 'a1', 4, 1, 1, NULL);
INSERT INTO portfolio_turns VALUES
  (1, 0, 4, 'pos', 4, '36893488147419103237', '1', '1', '1', '1', '1', '1');
INSERT INTO cells VALUES (2, 'f', 1, '36893488147419103235', '36893488147419103236', 0.5);
"""


def rows_of(location) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, whatever the schema."""
    with engine_at(location) as engine, engine.connect() as connection:
        return {
            name: sorted(
                (tuple(map(str, row)) for row in connection.execute(text(f"SELECT * FROM {name}"))),
            )
            for name in inspect(connection).get_table_names()
        }


def test_what_was_stored_goes_up_down_and_up_again(location):
    migrate(location, to="0008")
    with engine_at(location) as engine, engine.begin() as connection:
        for statement in OLD_ROWS.split(";\n"):
            # The driver would take the colon of a JSON object for a parameter.
            connection.exec_driver_sql(statement) if statement.strip() else None
        connection.execute(
            text("INSERT INTO hypothesis_examples VALUES (:key, :value)"),
            {"key": b"k", "value": b"\x00\xff"},
        )
    before = rows_of(location)
    migrate(location)
    after = rows_of(location)
    check_new_rows(location)
    migrate(location, to="0008", down=True)
    again = rows_of(location)
    # What was held when the database was migrated waits to be executed by others, then and now.
    before["leases"] = [row for row in before["leases"] if row[3] == "done"]
    assert again == before
    migrate(location)
    assert rows_of(location) == after


def check_new_rows(location) -> None:
    with open_database(location) as database, database.write() as session:
        totals = campaign_totals(session, 1)
        assert (totals.schedules, totals.blocks_done) == (2 * 2**64, 6)
        assert totals.site_counts == {"count < 0": 2 * 2**64 + 1}
        failure = get_failure(session, 1)
        assert failure.record.first_schedule_ordinal == 2 * 2**64 + 2
        assert failure.sightings_count == 2
        assert fetch_examples(session, b"k") == (b"\x00\xff",)
        wishes = [LeaseWish("core 0", 100)] * 2
        given = give_leases(session, 1, wishes, now=NOW)
        assert [(each.key.first_block, each.blocks) for each in given] == [(4, 4), (10, 100)]
        session.rollback()


def test_the_list_of_revisions_is_the_history_that_alembic_reads():
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    history = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in reversed(list(history))) == REVISIONS


def test_every_constraint_has_a_name():
    constraints = [each for table in Base.metadata.tables.values() for each in table.constraints]
    assert all(constraint.name for constraint in constraints)
