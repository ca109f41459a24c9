"""The migrations and the tables say the same; every revision can be undone."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, inspect

from storage.migrations import REVISIONS
from storage.schema import downgrade, upgrade
from storage.session import open_database
from storage.tables import Base


def engine_at(path: Path):
    return create_engine(f"sqlite:///{path}", poolclass=NullPool)


def schema_of(path: Path):
    """All that SQLite knows of the tables, in an order that does not depend on how they came."""
    inspector = inspect(engine_at(path))
    names = sorted(set(inspector.get_table_names()) - {"alembic_version"})
    return {
        name: {
            "columns": sorted(
                (column["name"], str(column["type"]), column["nullable"])
                for column in inspector.get_columns(name)
            ),
            "checks": by_name(inspector.get_check_constraints(name)),
            "uniques": by_name(inspector.get_unique_constraints(name)),
            "references": by_name(inspector.get_foreign_keys(name)),
            "indexes": by_name(inspector.get_indexes(name)),
            "key": inspector.get_pk_constraint(name),
            "options": inspector.get_table_options(name),
        }
        for name in names
    }


def by_name(constraints):
    return sorted((constraint["name"], repr(constraint)) for constraint in constraints)


def migrated(path: Path) -> Path:
    """A database that all migrations have made, one after the other."""
    with engine_at(path).begin() as connection:
        upgrade(connection)
    return path


def text_of(path: Path, table: str) -> str:
    with engine_at(path).connect() as connection:
        words = connection.exec_driver_sql(
            "SELECT sql FROM sqlite_master WHERE name = ?", (table,)
        ).scalar_one()
    return " ".join(words.split())


def test_a_new_database_is_as_the_migrations_make_it(tmp_path):
    open_database(tmp_path / "new.db").close()
    old = migrated(tmp_path / "migrated.db")
    assert schema_of(tmp_path / "new.db") == schema_of(old)
    assert text_of(tmp_path / "new.db", "alembic_version") == text_of(old, "alembic_version")
    for path in (tmp_path / "new.db", old):
        with engine_at(path).connect() as connection:
            context = MigrationContext.configure(connection)
            assert context.get_current_revision() == REVISIONS[-1]
            assert compare_metadata(context, Base.metadata) == []


def test_a_migrated_database_is_opened_as_it_is(tmp_path):
    old = migrated(tmp_path / "migrated.db")
    before = schema_of(old)
    open_database(old).close()
    assert schema_of(old) == before


@pytest.mark.parametrize("make", [migrated, lambda path: open_database(path).path])
def test_row_numbers_of_campaigns_and_failures_are_never_used_again(tmp_path, make):
    with engine_at(make(tmp_path / "made.db")).connect() as connection:
        numbered = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE sql LIKE '%AUTOINCREMENT%' ORDER BY name"
        )
        assert numbered.scalars().all() == ["campaigns", "failures"]


@pytest.mark.parametrize("revision", ["base", *REVISIONS[:-1]])
def test_up_down_and_up_again_gives_the_same_schema(tmp_path, revision):
    path = tmp_path / "there_and_back.db"
    open_database(path).close()
    before = schema_of(path)
    with engine_at(path).begin() as connection:
        downgrade(connection, revision=revision)
    assert (schema_of(path) == {}) == (revision == "base")
    with engine_at(path).begin() as connection:
        upgrade(connection)
    assert schema_of(path) == before


def test_the_list_of_revisions_is_the_history_that_alembic_reads():
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    history = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in reversed(list(history))) == REVISIONS


def test_every_constraint_has_a_name():
    constraints = [each for table in Base.metadata.tables.values() for each in table.constraints]
    assert all(constraint.name for constraint in constraints)
