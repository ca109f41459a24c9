"""What is said when a PostgreSQL server cannot do what was asked; nothing is lost by it."""

import socket
import threading

import pytest
from sqlalchemy import text

from service.cli import execute
from storage.errors import StorageError
from storage.postgresql import SESSION
from storage.programs import ProgramRecord, get_program, record_program
from storage.session import open_database
from tests.postgresql_server import do
from workers.postgresql_server import missing, own_server

PROGRAM = ProgramRecord("b2", "rcu", "{}", "{}", "")


def refused(location):
    with pytest.raises(StorageError, match=r"\n    ") as caught:
        open_database(location)
    assert "\n" not in str(caught.value).partition("\n")[2]
    return str(caught.value)


def test_a_wrong_password_is_named_and_not_repeated(postgresql_server, postgresql_url, capsys):
    location = postgresql_url.replace(postgresql_server.password, "wr0ng")
    said = refused(location)
    assert "does not accept this user and password" in said and "wr0ng" not in said
    assert execute(["failures", "list", "--db", location]) == 3
    shown = capsys.readouterr().err
    assert shown.startswith("cannot use the database postgresql://postgres@127.0.0.1")
    assert "wr0ng" not in shown and "Traceback" not in shown


def test_a_missing_password_database_or_user_is_named(
    postgresql_server, postgresql_url, monkeypatch
):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    assert "asks for a password" in refused(
        postgresql_url.replace(f":{postgresql_server.password}", "")
    )
    assert "no such database" in refused(postgresql_server.url("nowhere"))


def test_a_password_may_stand_in_the_environment(postgresql_server, postgresql_url, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", postgresql_server.password)
    open_database(postgresql_url.replace(f":{postgresql_server.password}", "")).close()


def test_a_server_that_is_not_there_is_named():
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    assert "cannot be reached" in refused(f"postgresql://me@127.0.0.1:{port}/fuzz")


def test_a_port_where_nobody_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("storage.postgresql.CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert "cannot be reached" in refused(f"postgresql://me@127.0.0.1:{port}/fuzz")


def test_the_database_of_another_program_is_refused_and_left_alone(
    postgresql_server, empty_postgresql
):
    name = empty_postgresql.rpartition("/")[2]
    do(postgresql_server, "CREATE TABLE bookmarks (url TEXT)", name=name)
    assert "tables of another program (bookmarks)" in refused(empty_postgresql)


def test_a_user_who_may_not_write_is_told(postgresql_server, postgresql_url):
    name = postgresql_url.rpartition("/")[2]
    role = f"reader_{name}"
    do(
        postgresql_server,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        name=name,
    )
    location = f"postgresql://{role}:x@127.0.0.1:{postgresql_server.port}/{name}"
    with (
        open_database(location) as database,
        pytest.raises(StorageError, match="may not do that"),
        database.write() as session,
    ):
        session.execute(text("DELETE FROM notes"))
    do(postgresql_server, f"DROP OWNED BY {role}", f"DROP ROLE {role}", name=name)


def test_a_read_is_one_snapshot_and_cannot_write(postgresql_url):
    with open_database(postgresql_url) as database:
        count = text("SELECT count(*) FROM programs")
        with database.read() as reading:
            assert reading.scalar(count) == 0
            with database.write() as writing:
                writing.execute(
                    text("INSERT INTO programs VALUES ('a', 'n', '{}', '{}', '', '2011-08-19')")
                )
            assert reading.scalar(count) == 0
        with pytest.raises(StorageError, match="only reads"), database.read() as session:
            session.execute(text("DELETE FROM programs"))


def test_a_lock_that_is_not_let_go_is_named(postgresql_url, monkeypatch):
    monkeypatch.setitem(SESSION, "lock_timeout", "1")
    with (
        open_database(postgresql_url) as one,
        open_database(postgresql_url) as other,
        one.write() as holding,
    ):
        holding.execute(text("LOCK TABLE settings"))
        with pytest.raises(StorageError, match="locked for too long"), other.write() as waiting:
            waiting.execute(text("LOCK TABLE settings"))


def test_several_open_one_empty_database_at_once(empty_postgresql):
    said = []

    def use():
        try:
            open_database(empty_postgresql).close()
        except Exception as error:
            said.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == []


@pytest.mark.slow
def test_a_killed_server_loses_nothing_that_was_stored(now):
    """kill -9 of every process of the server; the same Database goes on when it is up again."""
    if missing():
        pytest.skip(missing())
    with own_server() as server, open_database(server.url("postgres")) as database:
        with database.write() as session:
            record_program(session, PROGRAM, now=now)
        server.kill()
        with pytest.raises(StorageError, match="cannot be reached"), database.write() as session:
            session.execute(text("DELETE FROM programs"))
        server.start()
        with database.read() as session:
            assert get_program(session, "b2") == PROGRAM
