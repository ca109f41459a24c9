"""A database by what a person types; a password is passed on and never shown."""

from pathlib import Path

import pytest

from storage.locations import PostgresqlServer, SqliteFile, locate, option_for, without_secrets

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (f"postgresql://me:{SECRET}@db:5433/fuzz", "postgresql://me@db:5433/fuzz"),
        (f"postgres://me:{SECRET}@db/fuzz", "postgresql://me@db/fuzz"),
        (f"postgresql+psycopg://me:{SECRET}@db/fuzz", "postgresql://me@db/fuzz"),
        (f"postgresql://db/fuzz?user=me&password={SECRET}", "postgresql://db/fuzz?user=me"),
        (f"postgresql://me:{SECRET}%40@[::1]:1/fuzz", "postgresql://me@[::1]:1/fuzz"),
        (
            f"postgresql:///fuzz?host=/run/pg&sslpassword={SECRET}",
            "postgresql:///fuzz?host=%2Frun%2Fpg",
        ),
    ],
)
def test_what_is_shown_of_a_server_has_no_password(given, shown):
    server = locate(given)
    assert isinstance(server, PostgresqlServer) and SECRET in server.url
    assert server.shown == shown and locate(shown) == PostgresqlServer(shown)
    assert SECRET not in str(server.beside) and SECRET not in without_secrets(given)


def test_two_databases_of_a_server_keep_their_files_apart(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    first, second = locate("postgresql://db/a"), locate("postgresql://db/b")
    assert first.beside != second.beside and first.beside.parent == tmp_path / "gracefuzz"


def test_a_path_is_shown_as_it_is(tmp_path):
    assert locate(tmp_path / "x.db") == SqliteFile(tmp_path / "x.db")
    assert without_secrets("found.db") == "found.db"
    assert locate("~/x.db") == SqliteFile(Path.home() / "x.db")


def test_a_suggested_command_reads_the_same_database_and_shows_no_password():
    assert option_for("gracefuzz.db") == ""
    assert option_for("other.db") == " --db other.db"
    assert option_for(f"postgresql://me:{SECRET}@db/fuzz") == " --db postgresql://me@db/fuzz"
