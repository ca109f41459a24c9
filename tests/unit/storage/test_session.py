"""Opening a database, and what is said when that cannot be."""

import ast
import os
import pickle
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, PickleType, Table, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from storage.base import Base
from storage.errors import StorageError, UnknownFailure, sentence_for
from storage.session import open_database
from storage.sqlite import SQLITE_WITHOUT_RESET_DEFECT, sqlite_module


def pragma(session, name):
    return session.execute(text(f"PRAGMA {name}")).scalar()


def test_a_new_file_gets_wal_and_checked_references(tmp_path):
    with open_database(tmp_path / "new.db") as database, database.write() as session:
        assert pragma(session, "journal_mode") == "wal"
        assert pragma(session, "synchronous") == 1
        assert pragma(session, "foreign_keys") == 1
        assert pragma(session, "busy_timeout") == 30_000


def test_paths_and_urls_name_the_same_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for location in ("x.db", tmp_path / "x.db", "sqlite:///x.db", f"sqlite:///{tmp_path}/x.db"):
        with open_database(location) as database:
            assert database.path == tmp_path / "x.db"


def test_signs_that_urls_and_configurations_treat_specially_may_stand_in_a_path(tmp_path):
    folder = tmp_path / "50% of #1? ü"
    folder.mkdir()
    open_database(folder / "x.db").close()
    assert (folder / "x.db").exists()


def test_the_sqlite_in_use_has_no_reset_defect():
    assert sqlite_module().sqlite_version_info >= SQLITE_WITHOUT_RESET_DEFECT


def test_a_read_cannot_write_and_leaves_later_writes_alone(tmp_path):
    with open_database(tmp_path / "x.db") as database:
        with pytest.raises(StorageError, match="may not be written"), database.read() as session:
            session.execute(text("DELETE FROM failures"))
        with database.write() as session:
            session.execute(text("DELETE FROM failures"))


def test_a_read_is_one_snapshot(tmp_path):
    with open_database(tmp_path / "x.db") as database:
        count = text("SELECT count(*) FROM programs")
        with database.read() as reading:
            assert reading.scalar(count) == 0
            with database.write() as writing:
                writing.execute(
                    text("INSERT INTO programs VALUES ('a', 'n', '{}', '{}', '', '2011-08-19')")
                )
            assert reading.scalar(count) == 0
        with database.read() as reading:
            assert reading.scalar(count) == 1


def test_opening_does_not_wait_for_a_writer(tmp_path):
    path = tmp_path / "x.db"
    with open_database(path) as database, database.write():
        open_database(path).close()


def test_a_write_that_raises_stores_nothing(tmp_path):
    with open_database(tmp_path / "x.db") as database:
        with pytest.raises(KeyError), database.write() as session:
            session.execute(
                text("INSERT INTO programs VALUES ('a', 'n', '{}', '{}', '', '2011-08-19')")
            )
            raise KeyError
        with database.read() as session:
            assert session.scalar(text("SELECT count(*) FROM programs")) == 0


def test_a_broken_constraint_is_our_mistake_and_stays_visible(tmp_path):
    with (
        open_database(tmp_path / "x.db") as database,
        pytest.raises(IntegrityError),
        database.write() as session,
    ):
        session.execute(text("INSERT INTO site_counts VALUES (7, 'count', '1')"))


@pytest.mark.parametrize(
    "location",
    [
        "mysql://reviewer:secret@db/gracefuzz?password=secret",
        "postgresql+asyncpg://reviewer:secret@db/gracefuzz",
        "postgresql://reviewer:secret@db",
        "postgresql://reviewer:secret@db:port/gracefuzz",
        "sqlite://host/x.db",
        "sqlite:///x.db?mode=ro",
        "sqlite+aiosqlite:///x.db",
        "what is://reviewer:secret@this",
    ],
)
def test_urls_of_other_kinds_are_refused_without_repeating_a_password(location):
    with pytest.raises(StorageError, match=r"\n    ") as caught:
        open_database(location)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("location", ["", ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_a_database_that_would_be_lost_is_refused(location):
    with pytest.raises(StorageError, match="lost with the process"):
        open_database(location)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(StorageError, match="it is a folder"):
        open_database(tmp_path)


def test_a_path_in_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(StorageError, match=r"the folder .*/missing does not exist"):
        open_database(tmp_path / "missing" / "x.db")


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder nobody may write")
def test_a_path_that_may_not_be_written_is_refused():
    with pytest.raises(StorageError, match="cannot be opened or created"):
        open_database("/proc/self/x.db")


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("page counts\n" * 100)
    with pytest.raises(StorageError, match="not an SQLite database"):
        open_database(path)
    assert path.read_text() == "page counts\n" * 100


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    before = path.read_bytes()
    with pytest.raises(StorageError, match=r"tables of another program \(bookmarks\)"):
        open_database(path)
    assert path.read_bytes() == before


def test_a_database_of_a_later_gracefuzz_is_refused(tmp_path):
    path = tmp_path / "later.db"
    open_database(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(StorageError, match="revision 9999, and this gracefuzz knows revisions"):
        open_database(path)


def test_a_damaged_database_is_named_so(tmp_path):
    path = tmp_path / "damaged.db"
    open_database(path).close()
    with path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 8000)
    with pytest.raises(StorageError, match="damaged"):
        open_database(path)


def test_a_full_disk_is_named_and_what_was_stored_stays(tmp_path):
    with open_database(tmp_path / "x.db") as database:
        with pytest.raises(StorageError, match="the disk is full"), database.write() as session:
            pages = pragma(session, "page_count")
            session.execute(text(f"PRAGMA max_page_count = {pages}"))
            session.execute(
                text("INSERT INTO programs VALUES ('a', 'n', '{}', '{}', :source, '2011-08-19')"),
                {"source": "x" * 1_000_000},
            )
        with database.read() as session:
            assert pragma(session, "integrity_check") == "ok"
            assert session.scalar(text("SELECT count(*) FROM programs")) == 0


def test_every_message_names_the_file_and_a_way_out(tmp_path):
    for said in ("database is locked", "disk I/O error", "attempt to write a readonly database"):
        sentence = sentence_for(DBAPIError("", None, Exception(said)), tmp_path / "x.db")
        assert sentence is not None and str(tmp_path) in sentence and "\n    " in sentence
    assert sentence_for(DBAPIError("", None, Exception("no such table: x")), tmp_path) is None


def test_an_error_survives_pickling():
    error = pickle.loads(pickle.dumps(UnknownFailure("no failure has the number 7")))
    assert isinstance(error, StorageError) and str(error) == "no failure has the number 7"


def test_an_sqlite_file_is_opened_without_what_only_others_need(tmp_path):
    """Each of these takes as long to import as all the rest: the first failure would wait."""
    script = (
        "import sys; from storage.session import open_database\n"
        "with open_database(sys.argv[1]) as database, database.write() as session: pass\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('psycopg', 'alembic')"
        " or name.startswith('sqlalchemy.dialects.postgresql')])"
    )
    for _ in ("new", "there already"):
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "x.db"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "[]\n"


def columns_that_could_hold_objects(metadata):
    """Columns of a type that SQLAlchemy, or a type of ours above it, pickles."""
    return [
        str(column)
        for table in metadata.tables.values()
        for column in table.columns
        if isinstance(column.type, PickleType)
        or isinstance(getattr(column.type, "impl_instance", None), PickleType)
    ]


def test_no_column_holds_a_pickle():
    assert columns_that_could_hold_objects(Base.metadata) == []
    wrong = MetaData()
    Table("wrong", wrong, Column("held", PickleType))
    assert columns_that_could_hold_objects(wrong) == ["wrong.held"]


def test_no_module_of_storage_can_read_or_write_a_pickle():
    folder = Path(__file__).resolve().parents[3] / "storage"
    files = list(folder.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        names = {
            each for node in ast.walk(ast.parse(file.read_text())) for each in imported_by(node)
        }
        assert not names & {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle"}, file


def imported_by(node):
    if isinstance(node, ast.Import):
        return [alias.name.split(".")[0] for alias in node.names]
    return [node.module.split(".")[0]] if isinstance(node, ast.ImportFrom) and node.module else []
