"""Looking at a database, migrating it, copying it while it is in use."""

import json
import sqlite3
import subprocess

import pytest

from service.cli import execute
from storage.campaigns import get_campaign
from storage.errors import StorageError
from storage.maintenance import (
    back_up,
    downgrade_database,
    sqlite_build,
    state_of,
    upgrade_database,
)
from storage.migrations import REVISIONS
from storage.session import open_database
from storage.sqlite import sqlite_module
from workers.postgresql_server import binaries


def change(location, statement):
    with open_database(location) as database, database.alone() as engine, engine.begin() as writing:
        writing.exec_driver_sql(statement)


def test_the_state_says_what_the_database_is(location, database):
    state = state_of(location)
    assert state.is_current and state.revision == REVISIONS[-1]
    assert state.engine.startswith("PostgreSQL 1" if database.is_server else "SQLite 3.")
    assert state.size_bytes > 100_000


def test_the_state_of_a_later_database_is_told_though_it_cannot_be_used(location, database):
    change(location, "UPDATE alembic_version SET version_num = '9999'")
    assert state_of(location).revision == "9999" and not state_of(location).is_current
    for use in (open_database, upgrade_database, lambda at: downgrade_database(at, "0001")):
        with pytest.raises(StorageError, match="schema is revision 9999, and this gracefuzz"):
            use(location)


def test_down_and_up_again(location, campaign_id):
    downgrade_database(location, "0006")
    assert state_of(location).revision == "0006"
    upgrade_database(location)
    with open_database(location) as database, database.read() as session:
        assert get_campaign(session, campaign_id).program_name == "thp_split"


@pytest.mark.parametrize("revision", ["0042", REVISIONS[-1], "base"])
def test_there_is_no_way_down_to_what_is_not_earlier(location, database, revision):
    with pytest.raises(StorageError, match="earlier revisions are 0001, 0002"):
        downgrade_database(location, revision)
    assert state_of(location).is_current


def test_a_server_of_an_earlier_revision_is_not_upgraded_by_using_it(postgresql_url):
    downgrade_database(postgresql_url, "0006")
    with pytest.raises(StorageError, match="gracefuzz db upgrade"):
        open_database(postgresql_url)
    assert state_of(postgresql_url).revision == "0006"


def test_a_backup_holds_what_was_stored_when_it_was_made(location, database, campaign_id, tmp_path):
    copy = tmp_path / "copy"
    with database.write() as session:
        session.connection()
        if not database.is_server:
            # A writer does not keep a backup waiting.
            back_up(location, copy)
    if database.is_server:
        back_up(location, copy)
        path = binaries()
        assert path is not None
        listed = subprocess.run(
            [path / "pg_restore", "--data-only", "--table=campaigns", "--file=-", copy],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "\n1\tfuzz\ta1\t" in listed.stdout or "\tfuzz\t" in listed.stdout
        return
    with open_database(copy) as copied, copied.read() as session:
        assert get_campaign(session, campaign_id).program_name == "thp_split"
    with sqlite3.connect(copy) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_backup_replaces_nothing(location, database, tmp_path):
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(StorageError, match="it exists"):
        back_up(location, tmp_path / "kept")
    with pytest.raises(StorageError, match="cannot write the backup"):
        back_up(location, tmp_path / "nowhere" / "copy")
    assert (tmp_path / "kept").read_text() == "mine"


def test_the_sqlite_in_use_is_told():
    build = sqlite_build()
    assert build.version == sqlite_module().sqlite_version and not build.has_reset_defect


def test_the_commands_say_it_without_a_password(location, database, tmp_path, capsys):
    assert execute(["db", "current", "--db", location]) == 0
    assert execute(["db", "upgrade", "--db", location]) == 0
    assert execute(["db", "current", "--json", "--db", location]) == 0
    assert execute(["db", "backup", str(tmp_path / "copy"), "--db", location]) == 0
    assert execute(["db", "downgrade", "0006", "--db", location]) == 2
    assert execute(["db", "downgrade", "0042", "--yes", "--db", location]) == 3
    assert execute(["db", "downgrade", "0006", "--yes", "--db", location]) == 0
    assert execute(["db", "current", "--db", location]) == 3
    said = "".join(capsys.readouterr())
    assert database.name in said and f"revision {REVISIONS[-1]}" in said
    if database.is_server:
        assert location.partition(":")[2].rpartition("@")[0].rpartition(":")[2] not in said


def test_looking_makes_no_database(tmp_path, empty_postgresql, capsys):
    for location in (tmp_path / "none.db", f"sqlite:///{tmp_path}/none.db", empty_postgresql):
        for command in (["failures", "list"], ["campaigns", "list"]):
            assert execute([*command, "--db", str(location)]) == 3
            assert "a campaign makes" in capsys.readouterr().err
    assert not (tmp_path / "none.db").exists()
    assert state_of(empty_postgresql).revision is None
    assert execute(["db", "current", "--db", str(tmp_path / "none.db")]) == 3


def test_rows_are_shown_as_they_are_on_both(location, campaign_id, capsys):
    assert execute(["campaigns", "list", "--json", "--db", location]) == 0
    assert json.loads(capsys.readouterr().out)[0]["program"] == "thp_split"
